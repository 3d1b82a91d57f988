use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tidemill_events::Event;

use crate::PublishError;

/// How long publishing one event may take where nothing else was set: an API's caller waits for it.
pub const DEFAULT_TIME_LIMIT: Duration = Duration::from_secs(10);

/// Sends events to where handlers get them from. Every implementation signs what it sends.
///
/// It can be a trait object, so that an application picks the implementation when it starts.
pub trait Publisher: Send + Sync {
    /// Signs `event` and sends it. Gives the message id once the broker has the event.
    ///
    /// After an error that [may pass](PublishError::is_retryable) publish the same event again, with the same id: it
    /// may have arrived nevertheless, and its id is how the receiving side tells. Dropping the future doesn't take back
    /// what was already sent.
    fn publish<'a>(&'a self, event: &'a Event) -> Publishing<'a>;
}

/// A publish under way; see [`Publisher::publish`].
pub type Publishing<'a> = Pin<Box<dyn Future<Output = Result<MessageId, PublishError>> + Send + 'a>>;

/// The broker's id of a message. Not the event's id: publishing an event twice gives two of these.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(String);

impl MessageId {
    /// A message id of this text, as an implementation of [`Publisher`] makes it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text of the id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
