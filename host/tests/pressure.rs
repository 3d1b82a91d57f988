//! More than the host can take at once: what is too much is told so at once, and takes nothing from the rest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use common::{SCRIPT, TestHost, client, log, send, signed, wasm};
use hyper::{Method, StatusCode};
use serde_json::json;
use tidemill_host::config::InFlight;
use tidemill_test_artifacts::{EMPTY, SCRIPTED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

async fn host(events: usize, per_handler: usize, body_bytes: usize) -> TestHost {
    let handlers: &[(&str, &str, &[u8])] =
        &[("slow", SCRIPT, &wasm(SCRIPTED)), ("quick", "events = [\"quick\"]", &wasm(EMPTY))];
    TestHost::start_with(handlers, |config| {
        config.in_flight = InFlight { events, per_handler, body_bytes };
        config.max_body = body_bytes;
    })
    .await
}

/// So many events that wait in the handler `slow`, until the set is dropped or the time is over.
async fn occupy(host: &TestHost, count: usize, marker: &str) -> JoinSet<StatusCode> {
    let script = json!([{ "stdout": marker }, { "sleep_ms": 20_000 }]).to_string();
    let mut waiting = JoinSet::new();
    for _ in 0..count {
        let (client, address, body) = (client(false), host.address, signed("script", script.as_bytes()).encode());
        waiting.spawn(async move { send(&client, address, Method::POST, "/events", body).await.unwrap().status });
    }
    host.until("occupied", |_| log::lines(|line| line["message"] == marker).len() == count).await;
    waiting
}

/// A handler that is slow, and that more comes for than it can take, has no other's place.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handler_leaves_the_others_their_places() {
    let host = host(8, 8, 16 << 20).await;
    // Its share of two of the four that are kept, and the four that go to who comes first.
    let _waiting = occupy(&host, 6, "a slow one").await;
    let mut refused = JoinSet::new();
    for _ in 0..50 {
        let (client, address, body) = (client(false), host.address, signed("script", b"[]").encode());
        refused.spawn(async move { send(&client, address, Method::POST, "/events", body).await.unwrap() });
    }
    for _ in 0..50 {
        assert_eq!(host.deliver("quick", "{}").await.status, StatusCode::NO_CONTENT);
    }
    for answer in refused.join_all().await {
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "handler-overloaded"));
        assert_eq!(answer.headers["retry-after"], "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handlers_own_bound_holds() {
    let host = host(8, 2, 16 << 20).await;
    let _waiting = occupy(&host, 2, "bounded").await;
    let answer = host.script(json!([])).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "handler-overloaded"));
    assert!(answer.json()["reason"].as_str().unwrap().contains("2 events of the handler \"slow\""));
}

/// While every place is taken, a request is answered on its head alone: its body is never waited for.
#[tokio::test(flavor = "multi_thread")]
async fn when_all_places_are_taken_no_body_is_read() {
    let mut host = TestHost::start_with(&[("slow", SCRIPT, &wasm(SCRIPTED))], |config| {
        config.in_flight = InFlight { events: 4, per_handler: 4, body_bytes: 16 << 20 };
    })
    .await;
    let _waiting = occupy(&host, 4, "all of them").await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 429");
    assert_eq!(host.request(Method::GET, "/livez", vec![]).await.status, StatusCode::OK);
    host.begin_shutdown();
}

/// Bodies that are on their way count with those that are here, and room that was taken comes back.
#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_of_all_bodies_are_bounded() {
    let host = host(64, 64, 1 << 20).await;
    let mut half = TcpStream::connect(host.address).await.unwrap();
    let head = format!("POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", 1 << 20);
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&vec![b' '; 900 << 10]).await.unwrap();
    let large = signed("quick", &vec![b'x'; 200 << 10]);
    let mut refused = None;
    for _ in 0..3000 {
        let answer = host.post(&large).await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
        // Not all of the other body has come yet.
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let refused = refused.expect("never refused within 30 s");
    assert_eq!(refused.code(), "overloaded");
    assert!(refused.json()["reason"].as_str().unwrap().contains("`max-body-in-flight`"));
    assert_eq!(host.deliver("quick", "{}").await.status, StatusCode::NO_CONTENT, "a small one still fits");
    drop(half);
    for _ in 0..3000 {
        if host.post(&large).await.status == StatusCode::NO_CONTENT {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the room of a body that broke off never came back");
}
