//! The end: what is in flight gets its true answer, nothing new is taken, and the process says how it went.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::process::{Command, Stdio};
use std::time::Duration;

use common::{KEY, SCRIPT, TestHost, client, install_in, log, send, signed, wasm};
use hyper::{Method, StatusCode};
use serde_json::json;
use tidemill_host::config::InFlight;
use tidemill_host::server::Drained;
use tidemill_test_artifacts::{EMPTY, SCRIPTED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// So many at once, each with an instance of its own.
const EVENTS: usize = 400;

async fn drains(http2: bool) {
    let mut host = TestHost::start_with(&[("scripted", SCRIPT, &wasm(SCRIPTED))], |config| {
        config.in_flight = InFlight { events: EVENTS, per_handler: EVENTS, ..config.in_flight };
    })
    .await;
    let client = client(http2);
    let mut in_flight = JoinSet::new();
    let marker = format!("in flight, {http2}");
    let script = json!([{ "stdout": marker }, { "sleep_ms": 2000 }]).to_string();
    for _ in 0..EVENTS {
        let (client, address, body) = (client.clone(), host.address, signed("script", script.as_bytes()).encode());
        in_flight.spawn(async move { send(&client, address, Method::POST, "/events", body).await });
    }
    host.until("begun", |_| log::lines(|line| line["message"] == marker).len() == EVENTS).await;
    host.begin_shutdown();
    for answer in in_flight.join_all().await {
        assert_eq!(answer.unwrap().status, StatusCode::NO_CONTENT);
    }
    assert_eq!(host.drained().await, Drained::Fully);
    let late = send(&common::client(http2), host.address, Method::POST, "/events", vec![]).await;
    assert!(late.is_err(), "still taken: {late:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_over_http1_is_answered() {
    drains(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_over_http2_is_answered() {
    drains(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_outlives_the_grace_time_is_cut_and_reported() {
    let mut host = TestHost::start_with(&[("scripted", SCRIPT, &wasm(SCRIPTED))], |config| {
        config.grace = Duration::from_millis(100);
    })
    .await;
    let (client, address) = (client(false), host.address);
    let body =
        signed("script", json!([{ "stdout": "too long" }, { "sleep_ms": 5000 }]).to_string().as_bytes()).encode();
    let cut = tokio::spawn(async move { send(&client, address, Method::POST, "/events", body).await });
    host.until("begun", |_| !log::lines(|line| line["message"] == "too long").is_empty()).await;
    host.begin_shutdown();
    assert_eq!(host.drained().await, Drained::Cut(1));
    assert!(cut.await.unwrap().is_err(), "an event that was cut must not be acknowledged");
}

/// Who hangs up doesn't end what was begun: the handler finishes, the log tells its outcome, and the end waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_hangs_up_leaves_its_event_to_be_finished() {
    let mut host = TestHost::start(&[("scripted", SCRIPT, &wasm(SCRIPTED))]).await;
    let envelope = signed("script", json!([{ "stdout": "left alone" }, { "sleep_ms": 1500 }]).to_string().as_bytes());
    let body = envelope.encode();
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = format!("POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    host.until("begun", |_| !log::lines(|line| line["message"] == "left alone").is_empty()).await;
    drop(stream);
    host.begin_shutdown();
    assert_eq!(host.drained().await, Drained::Fully);
    let ends: Vec<_> = log::of_message(&envelope.delivery.message_id)
        .into_iter()
        .filter(|line| line["outcome"].is_string())
        .map(|line| line["code"].clone())
        .collect();
    assert_eq!(ends, ["done"]);
}

/// A place is not kept for who connects and says nothing, or no more than the beginning of a preface.
#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_lose_their_places() {
    let host = TestHost::start_with(&[], |config| {
        config.max_connections = 2;
        config.body_timeout = Duration::from_millis(200);
    })
    .await;
    let _silent = TcpStream::connect(host.address).await.unwrap();
    let mut half = TcpStream::connect(host.address).await.unwrap();
    half.write_all(b"PRI * HTT").await.unwrap();
    assert_eq!(host.request(Method::GET, "/livez", vec![]).await.status, StatusCode::OK);
}

/// Senders that stop in the middle of a head, or of a body, or that say nothing, don't hold the end up.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_does_not_hold_the_end_up() {
    let mut host = TestHost::start(&[]).await;
    let mut streams = Vec::new();
    for said in ["", "POST /eve", "POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{"] {
        let mut stream = TcpStream::connect(host.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        streams.push(stream);
    }
    // Another request, answered after those have come, so that the host has them.
    assert_eq!(host.request(Method::GET, "/livez", vec![]).await.status, StatusCode::OK);
    host.begin_shutdown();
    assert_eq!(host.drained().await, Drained::Fully);
    let mut answer = String::new();
    streams[2].read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
}

/// The binary itself: takes PORT and SIGTERM as a container platform gives them, and ends with 0.
#[test]
fn the_binary_honours_port_and_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    install_in(folder.path(), "empty", "events = [\"a\"]", &wasm(EMPTY));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut host = Command::new(env!("CARGO_BIN_EXE_tidemill-host"))
        .arg("serve")
        .args(["--auth", "none", "--address", "127.0.0.1", "--signing-key", KEY, "--handlers"])
        .arg(folder.path())
        .env("PORT", free.port().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let ready = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        std::net::TcpStream::connect(free).is_ok_and(|mut stream| {
            use std::io::{Read, Write};
            let mut answer = String::new();
            stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").is_ok()
                && stream.read_to_string(&mut answer).is_ok()
                && answer.starts_with("HTTP/1.1 200")
        })
    });
    let pid = rustix::process::Pid::from_child(&host);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = host.wait().unwrap();
    assert!(ready, "never ready");
    assert_eq!(status.code(), Some(0));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut host.stdout.take().unwrap(), &mut log).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"].as_str().unwrap().contains("shutting down")), "{log}");
}

#[test]
fn a_configuration_that_cannot_be_used_ends_with_2_and_names_each_field() {
    let output = Command::new(env!("CARGO_BIN_EXE_tidemill-host"))
        .args(["--port", "http", "--max-body", "16MB", "--accept", "v9", "--handlers", "/nowhere"])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    for field in [
        "port (flag --port): \"http\"",
        "max-body (flag --max-body)",
        "accept (flag --accept)",
        "auth: it is not set",
        "signing-keys:",
    ] {
        assert!(told.contains(field), "{field} is missing in: {told}");
    }
}
