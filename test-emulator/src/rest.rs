//! The emulator's REST interface: small enough to be spoken by hand.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// How often the emulator is asked whether it is up, and how long between: a minute together.
const QUESTIONS: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// Waits until the emulator answers, for as long as `alive` says that it may.
pub(crate) async fn wait_until_up(host: &str, mut alive: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    for _ in 0..QUESTIONS {
        if let Ok((StatusCode::OK, _)) = send(host, Method::GET, "/", Bytes::new()).await {
            return Ok(());
        }
        alive()?;
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("the emulator at {host} does not answer"))
}

/// Sends a JSON request and gives the JSON that it was answered with. Panics on any answer but 200.
pub(crate) async fn call(host: &str, method: Method, path: &str, body: &Value) -> Value {
    let name = format!("{method} {path}");
    let (status, answer) = send(host, method, path, Bytes::from(body.to_string()))
        .await
        .unwrap_or_else(|error| panic!("the emulator at {host} gave no answer to {name}: {error}"));
    assert!(
        status == StatusCode::OK,
        "the emulator answered {name} with {status}: {}",
        String::from_utf8_lossy(&answer)
    );
    serde_json::from_slice(&answer)
        .unwrap_or_else(|error| panic!("the emulator's answer to {name} is no JSON: {error}"))
}

async fn send(
    host: &str,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    // A client of its own for each request: a shared one would hold connections of the first test's runtime.
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http::<Full<Bytes>>();
    let request = Request::builder()
        .method(method)
        .uri(format!("http://{host}{path}"))
        .header("content-type", "application/json")
        .body(Full::from(body))?;
    let response = client.request(request).await?;
    let status = response.status();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}
