//! The requests that the sink answers.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

use super::record::{Kind, Outcome};
use super::{Sink, page};
use crate::clock;
use crate::server::Body;

/// How long a body may be. A mail is a few kilobytes.
const MAX_BODY: usize = 1 << 20;
/// The status of a failure that was asked for without one.
const DEFAULT_FAILURE: u16 = 503;

/// Answers a request.
pub(super) async fn answer(sink: &Sink, request: Request<Incoming>) -> Response<Body> {
    match (request.method(), request.uri().path()) {
        (&Method::POST, "/mail") => send(sink, Kind::Mail, request).await,
        (&Method::POST, "/push") => send(sink, Kind::Push, request).await,
        (&Method::POST, "/fail") => fail(sink, request.uri().query().unwrap_or_default()),
        (&Method::GET, "/messages") => respond(StatusCode::OK, json!(sink.messages())),
        (&Method::GET, "/") => show(sink),
        (_, "/mail" | "/push" | "/fail") => not_allowed("POST"),
        (_, "/messages" | "/") => not_allowed("GET"),
        (_, path) => {
            let message = format!("{path} is not here: there are /mail, /push, /fail, /messages and /");
            refuse(StatusCode::NOT_FOUND, &message)
        }
    }
}

async fn send(sink: &Sink, kind: Kind, request: Request<Incoming>) -> Response<Body> {
    let key = request.headers().get("idempotency-key");
    let key = key.map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned()).filter(|key| !key.is_empty());
    let body = match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return refuse(StatusCode::PAYLOAD_TOO_LARGE, &format!("the body can't be read: {error}")),
    };
    let body: Map<String, Value> = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &format!("the body is no JSON object: {error}")),
    };
    let kind_name = kind.name();
    let outcome = sink.record().take(kind, key, body, clock::now());
    match outcome {
        Outcome::New(sent) => {
            let (to, title) = (sent.to(), sent.title());
            tracing::info!(kind = kind_name, to, title, idempotency_key = sent.idempotency_key, "sent");
            respond(StatusCode::OK, json!({ "id": sent.id.to_string() }))
        }
        Outcome::Repeat(sent) => {
            let (to, title) = (sent.to(), sent.title());
            tracing::info!(
                kind = kind_name,
                to,
                title,
                idempotency_key = sent.idempotency_key,
                "sent again: counts once"
            );
            respond(StatusCode::OK, json!({ "id": sent.id.to_string() }))
        }
        Outcome::Fail(status) => {
            tracing::warn!(kind = kind_name, status, "failed, as it was asked to");
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            refuse(status, "this send was asked to fail")
        }
    }
}

/// Reads `next=N&status=S`.
fn fail(sink: &Sink, query: &str) -> Response<Body> {
    let (mut next, mut status) = (None, DEFAULT_FAILURE);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match (name, value.parse()) {
            ("next", Ok(count)) => next = Some(count),
            ("status", Ok(code @ 400..=599)) => status = code as u16,
            _ => return wrong_failure(query),
        }
    }
    let Some(count) = next else { return wrong_failure(query) };
    sink.record().fail_next(count, status);
    respond(StatusCode::OK, json!({ "next": count, "status": status }))
}

fn wrong_failure(query: &str) -> Response<Body> {
    let message =
        format!("{query:?} is not of the form next=N&status=S, with a number of sends and a status of 400 to 599");
    refuse(StatusCode::BAD_REQUEST, &message)
}

fn show(sink: &Sink) -> Response<Body> {
    let page = page::render(sink.record().messages().rev());
    let mut response = Response::new(Full::new(Bytes::from(page)).boxed());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    // What is shown comes from strangers. It is escaped; this is the second line.
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    response
}

fn not_allowed(allowed: &'static str) -> Response<Body> {
    let mut response = refuse(StatusCode::METHOD_NOT_ALLOWED, &format!("only {allowed} is possible here"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

fn refuse(status: StatusCode, message: &str) -> Response<Body> {
    respond(status, json!({ "error": message }))
}

fn respond(status: StatusCode, body: Value) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
