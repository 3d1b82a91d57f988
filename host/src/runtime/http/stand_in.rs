use bytes::Bytes;
use http_body_util::combinators::MapErr;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use wasmtime_wasi_http::{Error, WasiBody};

/// Answers the requests of handlers in the place of the servers that they are meant for, so that a handler can be tried
/// while nothing leaves the machine.
///
/// It sees what would have left, whole: a request that the handler may not send never comes to it, and is refused as it
/// would be otherwise. Its answers are held to the same bounds as a server's.
pub trait StandIn: Send + Sync + 'static {
    /// The answer to a request, whose URL is absolute and in its one form.
    fn answer(&self, request: Request<Bytes>) -> Response<Bytes>;
}

/// The body of such an answer.
type Body = MapErr<Full<Bytes>, fn(std::convert::Infallible) -> Error>;

/// Hands a request over once all of it is there. One that its guest never ended comes to nobody.
pub(super) async fn ask(stand_in: &dyn StandIn, request: Request<WasiBody>) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let answer = stand_in.answer(Request::from_parts(parts, body));
    Ok(answer.map(|body| Full::new(body).map_err((|never| match never {}) as fn(_) -> _)))
}
