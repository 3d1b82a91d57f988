use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::dispatch::Dispatched;
use crate::outcome::{Answer, Outcome, Refusal};
use crate::runtime::Ending;
use crate::telemetry;

/// What the host answers with.
pub type Response = hyper::Response<Full<Bytes>>;

/// Names the handler that ran, and the artifact it came from: `NAME@sha256:HEX`.
pub const HANDLER_HEADER: HeaderName = HeaderName::from_static("tidemill-handler");

/// What a delivery ended with, in the word that the log has for it: also where it is acknowledged, and so has no body.
pub const CODE_HEADER: HeaderName = HeaderName::from_static("tidemill-code");

/// The answer to a delivery. An acknowledgement has no body; all else says what and why.
pub(super) fn delivery(dispatched: &Dispatched, answer: Answer, message_id: &str) -> Response {
    let mut response =
        if answer.status == StatusCode::NO_CONTENT { empty(answer.status) } else { with_body(&answer, message_id) };
    if let (StatusCode::UNAUTHORIZED, Outcome::Refused(Refusal::Unauthenticated(_))) =
        (answer.status, &dispatched.outcome)
    {
        // RFC 9110, section 15.5.2: what to authenticate with. There is no such word for what signs an event.
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(handler) = &dispatched.handler {
        // A name or digest is always fit for a header.
        if let Ok(value) = HeaderValue::from_maybe_shared(handler.address().clone()) {
            response.headers_mut().insert(HANDLER_HEADER, value);
        }
    }
    response.headers_mut().insert(CODE_HEADER, HeaderValue::from_static(answer.code));
    if let Some(after) = answer.retry_after {
        // The header has whole seconds; less than was wished would be too early.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// One log line for a delivery's end. The fields that name it are its span's.
pub(super) fn log(ended: &Outcome, answer: &Answer, elapsed: Duration) {
    let Answer { status, outcome, code, reason, .. } = answer;
    let status = status.as_u16();
    // Cloud Logging reads a duration as seconds with a unit.
    let (seconds, micros) = (elapsed.as_secs(), elapsed.subsec_micros());
    let latency = format_args!("{seconds}.{micros:06}s");
    macro_rules! line {
        ($level:ident, $($message:tt)+) => {
            tracing::$level!(outcome, code, http_request.status = status, http_request.latency = %latency, $($message)+)
        };
    }
    match ended {
        Outcome::Ran(Ending::Done) => line!(info, "done"),
        Outcome::Duplicate => line!(info, "{reason}"),
        Outcome::Ignored { .. } => line!(warn, "{reason}"),
        Outcome::Ran(Ending::Retry { .. }) | Outcome::Refused(_) => line!(warn, "{outcome}: {reason}"),
        Outcome::Ran(Ending::Reject { .. } | Ending::Fault(_))
        | Outcome::Unsent(_)
        | Outcome::DeadLettered { .. }
        | Outcome::Stuck { .. } => {
            line!(error, "{outcome}: {reason}");
        }
    }
}

/// The answer to a request that is no delivery.
pub(super) fn refused(refusal: Refusal, allow: Option<&'static str>) -> Response {
    let answer = Outcome::Refused(refusal).answer();
    tracing::warn!(code = answer.code, http_request.status = answer.status.as_u16(), "refused: {}", answer.reason);
    // It is counted nowhere, so nobody else may do it before the processor stops.
    telemetry::flush();
    let mut response = with_body(&answer, "");
    response.headers_mut().insert(CODE_HEADER, HeaderValue::from_static(answer.code));
    if let Some(allow) = allow {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    response
}

/// The answer of a health path.
pub(super) fn health(good: bool, word: &'static str) -> Response {
    let mut response = Response::new(Full::from(word));
    *response.status_mut() = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

fn with_body(answer: &Answer, message_id: &str) -> Response {
    let mut body = json!({ "outcome": answer.outcome, "code": answer.code, "reason": answer.reason });
    if let (false, Some(fields)) = (message_id.is_empty(), body.as_object_mut()) {
        fields.insert("message_id".into(), message_id.into());
    }
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = answer.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
