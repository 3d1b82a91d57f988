//! The work of every contender as a component of `wasi:http/proxy`, by the files of the bare server itself.
//! The environment's KEY is ID=SECRET.

#[path = "../../../src/bin/tidemill-bench-native/envelope.rs"]
mod envelope;
#[path = "../../../src/bin/tidemill-bench-native/signature.rs"]
mod signature;
#[path = "../../../src/bin/tidemill-bench-native/work.rs"]
mod work;

use std::sync::LazyLock;

use signature::Key;
use wstd::http::body::Body;
use wstd::http::{Error, Request, Response};

/// Derived once in the life of an instance.
static KEY: LazyLock<Option<Key>> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "the component's one reader of the environment")]
    Key::parse(&std::env::var("KEY").ok()?)
});

#[wstd::http_server]
async fn main(mut request: Request<Body>) -> Result<Response<Body>, Error> {
    let body = request.body_mut().contents().await?;
    let status = KEY.as_ref().map_or(500, |key| work::handle(body, key));
    Ok(Response::builder().status(status).body(Body::empty())?)
}
