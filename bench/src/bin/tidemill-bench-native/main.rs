//! The floor: a bare hyper server that decodes a push envelope, verifies its signature by version 2 and parses the user,
//! without a sandbox, a log, a memory of events or any limit.
//!
//! It takes the port and the key, `PORT ID=SECRET`. Nothing of the project's own libraries is in it, so that it stays
//! where it is when they change.

mod envelope;
mod signature;
mod work;

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use signature::Key;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, key] = arguments.as_slice() else {
        eprintln!("tidemill-bench-native: it takes two arguments, PORT ID=SECRET");
        return ExitCode::from(2);
    };
    let (Ok(port), Some(key)) = (port.parse(), Key::parse(key)) else {
        eprintln!("tidemill-bench-native: {port} is no port, or the second argument no key, ID=SECRET");
        return ExitCode::from(2);
    };
    match serve(port, key) {
        Ok(never) => match never {},
        Err(error) => {
            eprintln!("tidemill-bench-native: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16, key: Key) -> io::Result<Infallible> {
    let key = Arc::new(key);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(connection(stream, Arc::clone(&key)));
        }
    })
}

async fn connection(stream: TcpStream, key: Arc<Key>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&key)));
    // A connection that breaks is its client's affair, which counts every answer.
    _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, key: Arc<Key>) -> Result<Response<Empty<Bytes>>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = StatusCode::from_u16(work::handle(&body, &key)).unwrap_or_default();
    Ok(answer)
}
