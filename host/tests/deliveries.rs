//! What may be delivered, what may not, and what each is answered: over a socket, against the running host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use common::{TestHost, delivery, event, log, send, sign, signed, unsigned, wasm};
use hyper::{Method, StatusCode};
use serde_json::json;
use tidemill_events::{Envelope, Event, Key, signature};
use tidemill_host::config::UnknownEventType;
use tidemill_test_artifacts::{EMPTY, SCRIPTED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn host() -> TestHost {
    TestHost::start(&[("scripted", common::SCRIPT, &wasm(SCRIPTED))]).await
}

/// The one line that tells the end of a delivery.
fn end_of(message_id: &str) -> serde_json::Value {
    let mut ends: Vec<_> = log::of_message(message_id).into_iter().filter(|line| !line["outcome"].is_null()).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    ends.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_event_is_handled_and_acknowledged() {
    let host = host().await;
    let answer = host.script(json!(["done"])).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.body.is_empty());
    let live = host.live("scripted").unwrap();
    assert_eq!(answer.headers["tidemill-handler"], format!("scripted@{}", live.digest));
    let line = end_of(&answer.message_id);
    assert_eq!(
        (&line["severity"], &line["event_type"], &line["attempt"]),
        (&json!("INFO"), &json!("script"), &json!(1))
    );
    assert_eq!(line["httpRequest"]["status"], 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_sees_the_event_as_it_was_published() {
    let host = host().await;
    let envelope = sign(&Event {
        attributes: [("tenant".to_owned(), "acme".to_owned())].into(),
        ordering_key: Some("user-1".into()),
        ..event("script", br#"["show"]"#)
    });
    assert_eq!(host.post(&envelope).await.status, StatusCode::NO_CONTENT);
    let lines = log::of_message(&envelope.delivery.message_id);
    let shown = lines.iter().find(|line| line["stream"] == "stdout").unwrap();
    assert_eq!(shown["handler"], "scripted");
    let shown: serde_json::Value = serde_json::from_str(shown["message"].as_str().unwrap()).unwrap();
    assert_eq!(
        shown,
        json!({
            "id": envelope.message.attributes["event-id"],
            "event_type": "script",
            "time": 1_764_000_000.0,
            "content_type": "application/json",
            "attributes": { "tenant": "acme" },
            "delivery": {
                "message_id": envelope.delivery.message_id,
                "subscription": "projects/p/subscriptions/s",
                "attempt": 1,
                "publish_time": 1_764_000_000.0,
                "ordering_key": "user-1",
                "time_limit_ms": 8000,
            },
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_outcomes_become_statuses() {
    let host = host().await;
    let retry = host.script(json!([{ "retry": { "reason": "the provider is down", "delay_ms": 1500 } }])).await;
    assert_eq!((retry.status, retry.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "retry"));
    assert_eq!(retry.headers["retry-after"], "2");
    assert_eq!(retry.json()["reason"], "the provider is down");
    assert_eq!(end_of(&retry.message_id)["severity"], "WARNING");
    let reject = host.script(json!([{ "reject": { "reason": "no such user" } }])).await;
    assert_eq!((reject.status, reject.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "reject"));
    assert_eq!(end_of(&reject.message_id)["severity"], "ERROR");
}

/// Everything that may be wrong with a delivery before a handler sees it: what it is answered, what the log says, and
/// that the next event is handled as if nothing had been.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_by_name_and_harms_nothing() {
    let host = host().await;
    let key: Key = common::KEY.parse().unwrap();
    let good = signature::v1::sign(&key, b"[]");
    let other = signature::v1::sign(&"k2=other".parse().unwrap(), b"[]");
    let typed = ("event-type", "script");
    let cases: &[(&str, Envelope, StatusCode, &str)] = &[
        ("unsigned", unsigned(&[typed], b"[]"), StatusCode::UNAUTHORIZED, "not-signed"),
        ("other key", unsigned(&[typed, ("signature", &other)], b"[]"), StatusCode::FORBIDDEN, "invalid-signature"),
        ("changed data", unsigned(&[typed, ("signature", &good)], b"[ ]"), StatusCode::FORBIDDEN, "invalid-signature"),
        ("bad hex", unsigned(&[typed, ("signature", "zz")], b"[]"), StatusCode::UNAUTHORIZED, "malformed-signature"),
        ("odd hex", unsigned(&[typed, ("signature", "abc")], b"[]"), StatusCode::UNAUTHORIZED, "malformed-signature"),
        (
            "cut short",
            unsigned(&[typed, ("signature", &good[..32])], b"[]"),
            StatusCode::FORBIDDEN,
            "invalid-signature",
        ),
        ("no type", unsigned(&[("signature", &good)], b"[]"), StatusCode::BAD_REQUEST, "missing-event-type"),
        (
            "empty type",
            unsigned(&[("event-type", ""), ("signature", &good)], b"[]"),
            StatusCode::BAD_REQUEST,
            "missing-event-type",
        ),
        ("unknown type", signed("user.vanished", b"[]"), StatusCode::NOT_FOUND, "unknown-event-type"),
    ];
    for (name, envelope, status, code) in cases {
        let answer = host.post(envelope).await;
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}");
        assert_eq!(answer.json()["message_id"], envelope.delivery.message_id, "{name}");
        let line = end_of(&envelope.delivery.message_id);
        // An event that is given up and has nowhere to go needs somebody to act.
        let severity = if *code == "unknown-event-type" { "ERROR" } else { "WARNING" };
        assert_eq!((&line["code"], &line["severity"]), (&json!(code), &json!(severity)), "{name}");
        assert!(line["handler"].is_null() || line["run_us"].is_null(), "{name} reached a handler: {line}");
        assert_eq!(host.script(json!([])).await.status, StatusCode::NO_CONTENT, "after {name}");
    }
}

/// The same for bodies that are no envelope. They name no message, so the host gives each an id, in answer and log.
#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_envelope_are_refused_with_an_id_of_the_hosts() {
    let host = host().await;
    let cases: &[(&str, &[u8], StatusCode, &str, &str)] = &[
        ("empty", b"", StatusCode::BAD_REQUEST, "malformed-envelope", "EOF"),
        ("bad JSON", b"{\"message\":", StatusCode::BAD_REQUEST, "malformed-envelope", "EOF"),
        ("no message", b"{}", StatusCode::BAD_REQUEST, "malformed-envelope", "`message`"),
        (
            "bad base64",
            br#"{"message":{"data":"not base 64"}}"#,
            StatusCode::BAD_REQUEST,
            "malformed-envelope",
            "`message.data`",
        ),
        (
            "invalid UTF-8",
            b"{\"message\":{\"data\":\"\xff\"}}",
            StatusCode::BAD_REQUEST,
            "malformed-envelope",
            "unicode",
        ),
    ];
    for (name, body, status, code, says) in cases {
        let answer = host.request(Method::POST, "/events", body.to_vec()).await;
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains(says), "{name}: {reason}");
        let message_id = answer.json()["message_id"].as_str().unwrap().to_owned();
        assert!(message_id.starts_with("local-"), "{message_id}");
        assert_eq!(end_of(&message_id)["code"], *code, "{name}");
        assert_eq!(host.script(json!([])).await.status, StatusCode::NO_CONTENT, "after {name}");
    }
}

/// Refused on its announced length, before a byte of it has come.
#[tokio::test(flavor = "multi_thread")]
async fn an_over_long_body_is_refused_unread() {
    let host = host().await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = format!("POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", (16 << 20) + 1);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let body: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert!(body["reason"].as_str().unwrap().contains("`max-body`"), "{body}");
    assert_eq!(end_of(body["message_id"].as_str().unwrap())["code"], "body-too-long");
    assert_eq!(host.script(json!([])).await.status, StatusCode::NO_CONTENT);
}

/// The longest message that Pub/Sub takes, wrapped: 10 MB of data in 13.3 MB of body.
#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_of_data_are_handled() {
    let host = TestHost::start(&[("empty", "events = [\"big\"]\n[limits]\nmemory = \"64MiB\"", &wasm(EMPTY))]).await;
    assert_eq!(host.deliver("big", vec![b'x'; 10_000_000]).await.status, StatusCode::NO_CONTENT);
}

/// A length that nobody announced is counted as it comes.
#[tokio::test(flavor = "multi_thread")]
async fn an_over_long_body_without_a_length_is_cut_off() {
    let host = TestHost::start_with(&[], |config| config.max_body = 1000).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"POST /events HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").await.unwrap();
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    for _ in 0..3 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 413");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_never_ends_is_given_up() {
    let host = TestHost::start_with(&[], |config| config.body_timeout = std::time::Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_paths_and_methods_have_their_statuses() {
    let host = host().await;
    for (method, path, status) in [
        (Method::GET, "/livez", StatusCode::OK),
        (Method::GET, "/readyz", StatusCode::OK),
        (Method::POST, "/", StatusCode::NOT_FOUND),
        (Method::POST, "/event", StatusCode::NOT_FOUND),
        (Method::GET, "/healthz", StatusCode::NOT_FOUND),
        (Method::GET, "/events", StatusCode::METHOD_NOT_ALLOWED),
        (Method::PUT, "/events", StatusCode::METHOD_NOT_ALLOWED),
        (Method::POST, "/livez", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let answer = host.request(method.clone(), path, vec![]).await;
        assert_eq!(answer.status, status, "{method} {path}");
        if status == StatusCode::METHOD_NOT_ALLOWED {
            assert!(answer.headers.contains_key("allow"), "{method} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_tolerated() {
    let host = host().await;
    let envelope = signed("script", b"[]");
    let answer = host.request(Method::POST, "/events?__GCP_CloudEventsMode=CUSTOM_PUBSUB", envelope.encode()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_without_tls_is_served_on_the_same_port() {
    let host = host().await;
    let client = common::client(true);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (client, address, body) = (client.clone(), host.address, signed("script", b"[]").encode());
        sends.spawn(async move { send(&client, address, Method::POST, "/events", body).await });
    }
    for answer in sends.join_all().await {
        assert_eq!(answer.unwrap().status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_event_types_are_acknowledged_only_where_the_configuration_says_so() {
    let host = TestHost::start_with(&[("empty", "events = [\"a\"]", &wasm(EMPTY))], |config| {
        config.dead_letter.unknown_event_type = UnknownEventType::Ack;
    })
    .await;
    let answer = host.deliver("b", "{}").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(end_of(&answer.message_id)["code"], "ignored");
    assert!(!answer.headers.contains_key("tidemill-handler"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_without_a_message_id_gets_one() {
    let host = host().await;
    let signature = signature::v1::sign(&common::KEY.parse().unwrap(), br#"["show"]"#);
    let mut envelope = unsigned(&[("event-type", "script"), ("signature", &signature)], br#"["show"]"#);
    envelope.delivery = tidemill_events::Delivery { message_id: String::new(), ..delivery() };
    let answer = host.post(&envelope).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let shown = log::lines(|line| {
        line["stream"] == "stdout" && line["message_id"].as_str().is_some_and(|id| id.starts_with("local-"))
    });
    let shown: serde_json::Value = serde_json::from_str(shown[0]["message"].as_str().unwrap()).unwrap();
    assert_eq!(shown["id"], shown["delivery"]["message_id"]);
}
