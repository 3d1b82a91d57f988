//! Where what the host counts is read: `GET /metrics`, on an address of its own, which nobody needs who sends deliveries.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::net::TcpListener;

use crate::metrics::{MEDIA_TYPE, Metrics};
use crate::server::{self, ServerLimits};

/// Where they are.
const PATH: &str = "/metrics";

/// More than those who read metrics, and few enough to harm nobody.
const LIMITS: ServerLimits =
    ServerLimits { max_connections: 16, head_timeout: Duration::from_secs(10), grace: Duration::from_secs(1) };

/// Answers with what `metrics` has at each moment. It doesn't end by itself; it may be dropped at any point.
pub async fn serve(listener: TcpListener, metrics: Metrics) {
    let answer = move |request: Request<Incoming>| {
        let metrics = metrics.clone();
        async move { answer(&metrics, request.method(), request.uri().path()) }
    };
    server::serve(listener, LIMITS, answer, std::future::pending(), std::future::pending()).await;
}

fn answer(metrics: &Metrics, method: &Method, path: &str) -> Response<Full<Bytes>> {
    let (status, media_type, text) = match (method, path) {
        (&Method::GET | &Method::HEAD, PATH) => (StatusCode::OK, MEDIA_TYPE, metrics.text()),
        (_, PATH) => (StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET alone is answered here\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "text/plain", "there is nothing here but /metrics\n".to_owned()),
    };
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
