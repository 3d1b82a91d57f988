//! One request out, one answer in, within its time.
//!
//! It speaks `wasi:http` itself. wstd's client gives up as soon as the body can't be written, and a provider that answers
//! before it has read all of it, or a host that refuses the request, would then look like a broken connection.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme,
};
use wstd::future::FutureExt;
use wstd::io::{AsyncInputStream, AsyncOutputStream};
use wstd::runtime::AsyncPollable;
use wstd::time::{Instant, Timer};

use super::redact::Subject;
use super::request::Draft;
use super::{MAX_BODY, Response};
use crate::Failure;

/// Sends a request. From the moment that the status has come, an answer is an answer: what then goes wrong with its body
/// is told by the body, since by then the effect has happened or not.
pub(super) async fn exchange(draft: Draft) -> Result<Response, Failure> {
    let unanswered = |subject: &Subject, why: &str| Failure::retry(format!("{subject} was not answered: {why}"));
    let deadline = deadline(draft.timeout);

    let (request, body) = outgoing(&draft)?;
    let answer = outgoing_handler::handle(request, None)
        .map_err(|code| unanswered(&draft.subject, &describe(&code, &draft.subject)))?;
    let Draft { subject, body: bytes, timeout, .. } = draft;

    let mut writing = pin!(write(body, &bytes));
    let mut written = false;
    let mut answered = pin!(answered(&answer));
    // Whether the body could be written shows in the answer.
    let both = poll_fn(|context| {
        written = written || writing.as_mut().poll(context).is_ready();
        answered.as_mut().poll(context)
    });
    let answer = both
        .timeout(Timer::at(deadline).wait())
        .await
        .map_err(|_| Failure::retry(format!("{subject} was not answered within {timeout:?}")))?
        .map_err(|code| unanswered(&subject, &describe(&code, &subject)))?;

    let mut bytes = Vec::new();
    let cut = match read(&answer, &mut bytes).timeout(Timer::at(deadline).wait()).await {
        Ok(cut) => cut,
        Err(_) => Some(format!("it was not complete within {timeout:?}")),
    };
    Ok(Response::new(subject, answer.status(), answer.headers().entries(), bytes, cut))
}

/// The end of a timeout that begins now. One that doesn't fit into the clock's type is as good as none.
fn deadline(timeout: Duration) -> Instant {
    let nanoseconds = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX / 2);
    Instant::now() + wstd::time::Duration::from_nanos(nanoseconds)
}

/// The request's head, and what takes its body, where it has one.
fn outgoing(draft: &Draft) -> Result<(OutgoingRequest, Option<OutgoingBody>), Failure> {
    let wrong = |what: &str| Failure::retry(format!("{} was not sent: the host doesn't take {what}", draft.subject));
    let headers = Fields::new();
    for (name, value) in &draft.headers {
        headers.append(name, value).map_err(|_| wrong(&format!("its header `{name}`")))?;
    }
    // With its length given a body needs no chunks, which not every provider takes.
    if !draft.body.is_empty() {
        let length = draft.body.len().to_string();
        headers.append("content-length", length.as_bytes()).map_err(|_| wrong("its header `content-length`"))?;
    }
    let request = OutgoingRequest::new(headers);
    let scheme = if draft.uri.scheme_str() == Some("http") { Scheme::Http } else { Scheme::Https };
    let path = draft.uri.path_and_query().map(|path| path.as_str());
    request.set_method(&method(&draft.method)).map_err(|()| wrong("its method"))?;
    request.set_scheme(Some(&scheme)).map_err(|()| wrong("its scheme"))?;
    request.set_authority(draft.uri.authority().map(|authority| authority.as_str())).map_err(|()| wrong("its host"))?;
    request.set_path_with_query(path).map_err(|()| wrong("its path"))?;
    let body = if draft.body.is_empty() { None } else { Some(request.body().map_err(|()| wrong("its body"))?) };
    Ok((request, body))
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// Writes the body as far as it is taken.
async fn write(body: Option<OutgoingBody>, bytes: &[u8]) {
    let Some(body) = body else { return };
    let Ok(stream) = body.write() else { return };
    let written = AsyncOutputStream::new(stream).write_all(bytes).await;
    if written.is_ok() {
        // An error here is one of the exchange, which its answer tells.
        let _ = OutgoingBody::finish(body, None);
    }
}

/// Waits for the head of the answer.
async fn answered(answer: &FutureIncomingResponse) -> Result<IncomingResponse, ErrorCode> {
    AsyncPollable::new(answer.subscribe()).wait_for().await;
    // It is ready, and taken here alone, so both layers are there.
    answer.get().and_then(Result::ok).unwrap_or(Err(ErrorCode::InternalError(None)))
}

/// Reads a body into `bytes`, and says why it is not all of it, where it isn't.
async fn read(answer: &IncomingResponse, bytes: &mut Vec<u8>) -> Option<String> {
    let (Ok(body), mut piece) = (answer.consume(), vec![0; 16 << 10]) else {
        return Some("the host doesn't give it".into());
    };
    let Ok(stream) = body.stream() else { return Some("the host doesn't give it".into()) };
    let stream = AsyncInputStream::new(stream);
    loop {
        let read = match stream.read(&mut piece).await {
            Ok(0) => return None,
            Ok(read) => read,
            Err(error) => return Some(format!("the connection broke off: {error}")),
        };
        let room = MAX_BODY.saturating_sub(bytes.len());
        bytes.extend_from_slice(piece.get(..read.min(room)).unwrap_or_default());
        if read > room {
            return Some(format!("it is longer than {MAX_BODY} bytes"));
        }
    }
}

/// Why there was no answer, in words where the cause is a common one.
fn describe(code: &ErrorCode, subject: &Subject) -> String {
    let words = match code {
        ErrorCode::HttpRequestDenied => {
            "the host refused it and says why in its log; an origin has to be listed in handler.toml under [permissions] http"
        }
        ErrorCode::DestinationIpProhibited => {
            "it is in a private network, which the host lets no handler reach unless its operator says so"
        }
        ErrorCode::ConnectionLimitReached => "too many requests are open at once",
        ErrorCode::ConnectionReadTimeout => "nothing came for too long",
        ErrorCode::ConnectionRefused => "the connection was refused",
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "the connection broke off",
        ErrorCode::ConnectionTimeout => "the connection took too long",
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout | ErrorCode::DestinationNotFound => {
            "the host's name was not found"
        }
        ErrorCode::HttpProtocolError => "the connection broke off, or what came back is no HTTP",
        ErrorCode::TlsCertificateError => "its certificate is not one to trust",
        other => return subject.redact(format!("{other:?}").trim_start_matches("ErrorCode::")),
    };
    words.to_owned()
}
