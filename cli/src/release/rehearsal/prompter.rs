use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::header::HeaderMap;
use hyper::{Method, Request, Response};
use tidemill_host::runtime::StandIn;

use super::answers::Answers;
use super::seen::Content;

/// Answers the requests of one run, and keeps what they were.
pub(super) struct Prompter {
    answers: Arc<Answers>,
    said: Mutex<Said>,
}

/// What was asked and answered.
#[derive(Default)]
struct Said {
    /// The numbers of the recordings that were used.
    used: Vec<usize>,
    sent: Vec<Sent>,
}

/// A request that would have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Content,
    /// Whether there was a recording to answer it with.
    pub(super) recorded: bool,
}

impl Prompter {
    pub(super) fn new(answers: &Arc<Answers>) -> Self {
        Self { answers: Arc::clone(answers), said: Mutex::default() }
    }

    /// The requests so far, in their order. They are gone from here then.
    pub(super) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner).sent)
    }
}

impl StandIn for Prompter {
    fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let (answer, number) = self.answers.to(&request, &said.used);
        said.used.extend(number);
        let (parts, body) = request.into_parts();
        let (method, url, headers) = (parts.method, parts.uri.to_string(), parts.headers);
        said.sent.push(Sent { method, url, headers, body: Content::of(&body), recorded: number.is_some() });
        answer
    }
}
