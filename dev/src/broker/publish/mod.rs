//! The publishers' side: Pub/Sub's `Publisher` service as gRPC and as REST, as far as it takes to publish.

mod grpc;
mod proto;
mod rest;
mod rules;

use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;

pub use rules::InvalidPublish;
pub(super) use rules::check;

use super::{Broker, StoreError};
use crate::server::Body;

/// How long a request's body may be: the largest that Pub/Sub takes, as base64 within JSON.
const MAX_BODY: usize = 16 << 20;

/// Why messages were not published. None of them was.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Pub/Sub would refuse them.
    #[error(transparent)]
    Invalid(#[from] InvalidPublish),
    /// They could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Answers a publisher.
pub(super) async fn answer(broker: &Broker, request: Request<Incoming>) -> Response<Body> {
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    if content_type.starts_with(b"application/grpc") {
        grpc::answer(broker, request).await
    } else {
        rest::answer(broker, request).await
    }
}
