//! The work of every contender as a component of `wasi:http/proxy`, by the files of the bare server itself.
//! The environment's KEY is ID=SECRET.

#[path = "../../../src/bin/tidemill-bench-native/envelope.rs"]
mod envelope;
#[path = "../../../src/bin/tidemill-bench-native/signature.rs"]
mod signature;
#[path = "../../../src/bin/tidemill-bench-native/work.rs"]
mod work;

use std::io::Read;
use std::sync::LazyLock;

use signature::Key;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingResponse, ResponseOutparam};

/// Derived once in the life of an instance.
static KEY: LazyLock<Option<Key>> = LazyLock::new(|| {
    #[expect(clippy::disallowed_methods, reason = "the component's one reader of the environment")]
    Key::parse(&std::env::var("KEY").ok()?)
});

struct Bench;

wasip2::http::proxy::export!(Bench);

impl Guest for Bench {
    fn handle(request: IncomingRequest, answer: ResponseOutparam) {
        let status = match (body(&request), KEY.as_ref()) {
            (Some(body), Some(key)) => work::handle(&body, key),
            _ => 500,
        };
        let response = OutgoingResponse::new(Fields::new());
        let response = response.set_status_code(status).map(|()| response);
        ResponseOutparam::set(answer, response.map_err(|()| wasip2::http::types::ErrorCode::InternalError(None)));
    }
}

/// The whole body; `None` where the connection breaks before.
fn body(request: &IncomingRequest) -> Option<Vec<u8>> {
    let incoming = request.consume().ok()?;
    let mut stream = incoming.stream().ok()?;
    let mut body = Vec::new();
    stream.read_to_end(&mut body).ok()?;
    Some(body)
}
