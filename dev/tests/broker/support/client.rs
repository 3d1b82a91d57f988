//! Plain requests, for what the official client doesn't do.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// One request over HTTP/1.1.
pub(crate) async fn request(method: Method, url: &str, body: impl Into<Bytes>) -> Answer {
    try_request(method, url, body).await.unwrap()
}

/// One request over HTTP/1.1 that may find nobody there, or lose its connection.
pub(crate) async fn try_request(method: Method, url: &str, body: impl Into<Bytes>) -> Option<Answer> {
    let request = Request::builder().method(method).uri(url).header("content-type", "application/json");
    send(false, request.body(Full::new(body.into())).unwrap()).await
}

/// One gRPC call with this frame as its body.
pub(crate) async fn grpc(url: &str, frame: Vec<u8>) -> Answer {
    let request = Request::post(url).header("content-type", "application/grpc").header("te", "trailers");
    send(true, request.body(Full::new(Bytes::from(frame))).unwrap()).await.unwrap()
}

async fn send(http2: bool, request: Request<Full<Bytes>>) -> Option<Answer> {
    let client = Client::builder(TokioExecutor::new()).http2_only(http2).build_http();
    let response = client.request(request).await.ok()?;
    let (head, body) = response.into_parts();
    let body = body.collect().await.ok()?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    Some(Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers })
}
