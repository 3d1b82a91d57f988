//! Further events, of the types that the handler's manifest lists under `[permissions] publish`.
//!
//! ```no_run
//! # use serde::Serialize;
//! # use tidemill_sdk::{Event, Failure, publish::NewEvent};
//! # #[derive(Serialize)]
//! # struct Sent<'a> { user: &'a str }
//! # fn f(event: Event) -> Result<(), Failure> {
//! let id = NewEvent::of("mail.sent").json(&Sent { user: "7" }).ordering_key("user-7").publish()?;
//! println!("published as {id}");
//! # Ok(()) }
//! ```
//!
//! What is published leaves once the handler has returned `Ok`, and before its event is acknowledged: of a run that fails
//! nothing is sent. Where not all could be sent, the event comes again, and the handler publishes again; what says the same
//! then has the same id, so that who receives it twice can tell.

mod bindings;

use std::fmt;

use bindings::tidemill::handler::{events, publisher};
use serde::Serialize;

use crate::Failure;

/// An event that is being put together. Nothing is published before [`NewEvent::publish`], and what is wrong is said there.
#[derive(Debug)]
#[must_use = "nothing is published without `.publish()`"]
pub struct NewEvent(Result<publisher::NewEvent, Error>);

/// Why an event is not published.
///
/// `?` makes a retry of what the operator can mend, and a rejection of what would fail again however often the event comes.
/// Hence this is no [`std::error::Error`], all of which are retries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The handler's manifest doesn't list the event type.
    NotGranted(String),
    /// The event breaks a rule, and would break it again.
    Unpublishable(String),
    /// One event may publish so much and no more.
    TooMany(String),
}

impl NewEvent {
    /// An event of a type, such as `mail.sent`, without data.
    pub fn of(event_type: impl Into<String>) -> Self {
        Self(Ok(publisher::NewEvent {
            event_type: event_type.into(),
            data: Vec::new(),
            content_type: None,
            ordering_key: None,
            attributes: Vec::new(),
        }))
    }

    /// Sets the data, to a value as JSON.
    pub fn json(self, value: &impl Serialize) -> Self {
        Self(self.0.and_then(|mut event| {
            event.data = serde_json::to_vec(value)
                .map_err(|error| Error::Unpublishable(format!("the event's data is no JSON: {error}")))?;
            event.content_type = Some("application/json".to_owned());
            Ok(event)
        }))
    }

    /// Sets the data, to bytes of a media type, such as `text/plain`.
    pub fn data(self, content_type: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(|event| (event.content_type, event.data) = (Some(content_type.into()), bytes.into()))
    }

    /// Sets what the event is ordered by: events with the same key are delivered one after the other, in the order in which
    /// they were published, where the topic has ordering on.
    pub fn ordering_key(self, key: impl Into<String>) -> Self {
        self.with(|event| event.ordering_key = Some(key.into()))
    }

    /// Adds an attribute. Each name is given once; those that the host sets are refused.
    pub fn attribute(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.with(|event| event.attributes.push(events::Attribute { name: name.into(), value: value.into() }))
    }

    /// Publishes the event, once the handler is done, and gives its id.
    ///
    /// # Errors
    /// Where the handler may not publish it, or nobody could.
    pub fn publish(self) -> Result<String, Error> {
        Ok(publisher::publish(&self.0?)?)
    }

    fn with(self, change: impl FnOnce(&mut publisher::NewEvent)) -> Self {
        Self(self.0.map(|mut event| {
            change(&mut event);
            event
        }))
    }
}

impl From<publisher::Refusal> for Error {
    fn from(refusal: publisher::Refusal) -> Self {
        match refusal {
            publisher::Refusal::NotGranted(reason) => Self::NotGranted(reason),
            publisher::Refusal::Unpublishable(reason) => Self::Unpublishable(reason),
            publisher::Refusal::TooMany(reason) => Self::TooMany(reason),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::NotGranted(reason) | Self::Unpublishable(reason) | Self::TooMany(reason)) = self;
        write!(f, "publish: {reason}")
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::NotGranted(_) => Self::retry(error),
            Error::Unpublishable(_) | Error::TooMany(_) => Self::reject(error),
        }
    }
}
