//! One push request, and what its answer means.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tidemill_events::Envelope;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// How much of a refusal's body is read for its reason.
const REASON_BODY: usize = 64 << 10;
/// How many characters of a reason are kept.
const REASON_CHARS: usize = 1000;

/// Sends pushes over HTTP/1.1 connections that are kept alive.
#[derive(Debug)]
pub(super) struct Pusher {
    client: Client<HttpConnector, Full<Bytes>>,
    url: Uri,
    ack_deadline: Duration,
}

/// What the receiver made of a push.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It took the message, with this status.
    Ack(u16),
    /// It did not.
    Nack(Nack),
}

/// Why a push was no success.
#[derive(Debug, Clone)]
pub(super) struct Nack {
    /// The status of the answer, if there was one.
    pub(super) status: Option<u16>,
    /// What the receiver said, or what went wrong.
    pub(super) reason: String,
}

impl Pusher {
    /// Pushes to `url`, and gives each push `ack_deadline` for its answer.
    pub(super) fn new(url: Uri, ack_deadline: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector);
        Self { client, url, ack_deadline }
    }

    /// Pushes one message.
    pub(super) async fn push(&self, envelope: &Envelope) -> Verdict {
        let deadline = Instant::now() + self.ack_deadline;
        let mut request = Request::new(Full::new(Bytes::from(envelope.encode())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.url.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let processing = notice_processing(&mut request);
        let answered = async {
            tokio::select! {
                response = self.client.request(request) => Some(response),
                () = processing.notified() => None,
            }
        };
        match timeout_at(deadline, answered).await {
            Ok(Some(Ok(response))) => judge(response, deadline).await,
            Ok(Some(Err(error))) => nack(None, with_causes(&error)),
            Ok(None) => Verdict::Ack(StatusCode::PROCESSING.as_u16()),
            Err(_) => nack(None, format!("no answer within the ack deadline of {:?}", self.ack_deadline)),
        }
    }
}

/// Pub/Sub takes 102 for an acknowledgement, though it is no final answer and a client doesn't return it as one.
fn notice_processing(request: &mut Request<Full<Bytes>>) -> Arc<Notify> {
    let processing = Arc::new(Notify::new());
    let noticed = processing.clone();
    hyper::ext::on_informational(request, move |response| {
        if response.status() == StatusCode::PROCESSING {
            noticed.notify_one();
        }
    });
    processing
}

async fn judge(response: Response<Incoming>, deadline: Instant) -> Verdict {
    let status = response.status();
    // Read in either case: a connection whose answer was not read can't be used again.
    let body = Limited::new(response.into_body(), REASON_BODY).collect();
    let body = timeout_at(deadline, body).await;
    if matches!(status.as_u16(), 200 | 201 | 202 | 204) {
        return Verdict::Ack(status.as_u16());
    }
    let body = body.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
    nack(Some(status), reason(status, &body))
}

/// The `reason` of a host's answer, or else its text, or else what the status is called.
fn reason(status: StatusCode, body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Refusal {
        reason: String,
    }
    if let Ok(Refusal { reason }) = serde_json::from_slice(body) {
        return reason;
    }
    match String::from_utf8_lossy(body).trim() {
        "" => status.canonical_reason().unwrap_or("no reason given").to_owned(),
        text => text.to_owned(),
    }
}

fn nack(status: Option<StatusCode>, mut reason: String) -> Verdict {
    if let Some((end, _)) = reason.char_indices().nth(REASON_CHARS) {
        reason.truncate(end);
        reason.push('…');
    }
    Verdict::Nack(Nack { status: status.map(|status| status.as_u16()), reason })
}

/// An error with what caused it: the outermost alone says no more than that the connection failed.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_the_hosts_or_the_text_or_the_status() {
        let of = |body: &str| reason(StatusCode::SERVICE_UNAVAILABLE, body.as_bytes());
        assert_eq!(of(r#"{"outcome":"retry","code":"x","reason":"the provider is down"}"#), "the provider is down");
        assert_eq!(of(" plain words\n"), "plain words");
        assert_eq!(of(r#"{"error":1}"#), r#"{"error":1}"#);
        assert_eq!(of(""), "Service Unavailable");
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let Verdict::Nack(nack) = nack(None, "é".repeat(2 * REASON_CHARS)) else { panic!() };
        assert_eq!(nack.reason, format!("{}…", "é".repeat(REASON_CHARS)));
    }
}
