//! Values change in their files while the host serves: nothing is compiled, no event fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use tidemill_test_artifacts::SCRIPTED;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{in_files, replace};
use crate::common::{TestHost, client, log, send, signed, wasm};

const ROTATIONS: usize = 20;
const SENDERS: usize = 4;

fn manifest(event_type: &str) -> String {
    format!(
        "events = [\"{event_type}\"]\n[permissions]\nhttp = [\"config:url\"]\n\
         [config]\nurl = \"http://127.0.0.1:9\"\ngreeting = \"none\"\nkey = {{ secret = true }}\n"
    )
}

/// The lines about a handler itself, by its name.
fn about(handler: &str, message: &str) -> Vec<Value> {
    log::lines(|line| line["handler"] == handler && line["message"].as_str().is_some_and(|text| text.contains(message)))
}

/// What an event printed of a key, as `KEY=VALUE`.
fn printed(message_id: &str) -> String {
    let lines = log::of_message(message_id);
    let line = lines.iter().find(|line| line["stream"] == "stdout").unwrap_or_else(|| panic!("{lines:?}"));
    line["message"].as_str().unwrap().to_owned()
}

fn value(host: &TestHost, handler: &str, key: &str) -> Option<String> {
    host.live(handler)?.grant.config.get(key).map(str::to_owned)
}

/// Each sender sees the values in their order, and sees only whole ones.
#[tokio::test(flavor = "multi_thread")]
async fn a_value_changes_under_load_and_no_event_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (greeting, key) = (folder.path().join("greeting"), folder.path().join("key"));
    std::fs::write(&greeting, "number 0\n").unwrap();
    std::fs::write(&key, "s3cret 0\n").unwrap();
    let values =
        in_files(&[("TIDEMILL_HANDLER_TURNS__GREETING_FILE", &greeting), ("TIDEMILL_HANDLER_TURNS__KEY_FILE", &key)]);
    let handlers = [("turns", &*manifest("turn"), &*wasm(SCRIPTED))];
    let host = Arc::new(TestHost::start_with(&handlers, |config| config.handler_values = values).await);
    let digest = host.live("turns").unwrap().digest;
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(sender(Arc::clone(&host), Arc::clone(&stop)))).collect();
    for number in 1..=ROTATIONS {
        replace(&greeting, &format!("number {number}\n"));
        let seen = || value(&host, "turns", "greeting") == Some(format!("number {number}"));
        host.until("the new value", |_| seen()).await;
        let answer = host.deliver("turn", json!([{ "config": "greeting" }]).to_string()).await;
        assert_eq!(printed(&answer.message_id), format!("greeting=number {number}"));
    }
    replace(&key, "s3cret 1");
    host.until("the new secret", |_| value(&host, "turns", "key").as_deref() == Some("s3cret 1")).await;
    let answer = host.deliver("turn", json!([{ "config": "key" }, { "stdout": "s3cret 0" }]).to_string()).await;
    assert_eq!(printed(&answer.message_id), "key=[secret key]", "a new secret is hidden as well");
    stop.store(true, Ordering::Relaxed);
    for sender in senders {
        let seen = sender.await.unwrap();
        assert!(seen.is_sorted(), "{seen:?}");
    }
    assert_eq!(host.live("turns").unwrap().digest, digest);
    assert_eq!(log::lines(|line| line["handler"] == "turns" && line["compile_ms"].is_number()).len(), 1);
    let changes = about("turns", "configuration changed");
    assert_eq!(changes.len(), ROTATIONS + 1, "{changes:?}");
    assert!(changes.iter().all(|line| line["keys"] == "greeting" || line["keys"] == "key"), "{changes:?}");
    assert!(changes.iter().all(|line| !line.to_string().contains("number") && !line.to_string().contains("s3cret")));
}

/// An instance that has seen the value before is gone with it, whatever it may still do.
#[tokio::test(flavor = "multi_thread")]
async fn no_instance_sees_two_values() {
    let folder = tempfile::tempdir().unwrap();
    let greeting = folder.path().join("greeting");
    std::fs::write(&greeting, "one").unwrap();
    let values = in_files(&[("TIDEMILL_HANDLER_REUSES__GREETING_FILE", &greeting)]);
    let manifest = manifest("reuse").replace("key = { secret = true }\n", "") + "[instances]\nreuse = 1000\n";
    let host =
        TestHost::start_with(&[("reuses", &manifest, &wasm(SCRIPTED))], |config| config.handler_values = values).await;
    for word in ["one", "two"] {
        replace(&greeting, word);
        host.until("the value", |_| value(&host, "reuses", "greeting").as_deref() == Some(word)).await;
        for number in 1..=2 {
            let answer = host.deliver("reuse", json!(["instance", { "config": "greeting" }]).to_string()).await;
            let lines: Vec<_> = log::of_message(&answer.message_id);
            let says = |end: &str| lines.iter().any(|line| line["message"].as_str().unwrap().ends_with(end));
            assert!(says(&format!("event {number}")) && says(&format!("greeting={word}")), "{lines:?}");
        }
    }
}

/// Sends events until told to stop, and gives the numbers of the values that they saw.
async fn sender(host: Arc<TestHost>, stop: Arc<AtomicBool>) -> Vec<usize> {
    let client = client(false);
    let mut seen = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let envelope = signed("turn", json!([{ "reject": { "reason": "{config:greeting}" } }]).to_string().as_bytes());
        let answer = send(&client, host.address, Method::POST, "/events", envelope.encode()).await.unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "reject"));
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        let number = reason.strip_prefix("number ").and_then(|rest| rest.split(';').next()).unwrap();
        seen.push(number.parse().unwrap_or_else(|_| panic!("{reason}")));
    }
    assert!(!seen.is_empty());
    seen
}

/// The origins of a manifest may hang on a value, and an event keeps what it began with.
#[tokio::test(flavor = "multi_thread")]
async fn an_origin_changes_with_its_value_and_an_event_keeps_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (url, key) = (folder.path().join("url"), folder.path().join("key"));
    std::fs::write(&url, "http://127.0.0.1:9/old").unwrap();
    std::fs::write(&key, "s3cret").unwrap();
    let values = in_files(&[("TIDEMILL_HANDLER_MOVES__URL_FILE", &url), ("TIDEMILL_HANDLER_MOVES__KEY_FILE", &key)]);
    let handlers = [("moves", &*manifest("move"), &*wasm(SCRIPTED))];
    let host = TestHost::start_with(&handlers, |config| config.handler_values = values).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let new = format!("http://{}/new", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        _ = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").await.unwrap();
    });
    let get = json!([{ "get": { "url": new } }]).to_string();
    assert_eq!(host.deliver("move", &get).await.code(), "retry");

    let slow = json!([{ "config": "url" }, { "sleep_ms": 1000 }, { "config": "url" }]).to_string();
    let (slow, ()) = tokio::join!(host.deliver("move", slow), async {
        host.until("begun", |_| {
            !log::lines(|line| line["handler"] == "moves" && line["stream"] == "stdout").is_empty()
        })
        .await;
        replace(&url, &new);
        host.until("moved", |_| value(&host, "moves", "url").as_ref() == Some(&new)).await;
    });
    assert_eq!(slow.status, StatusCode::NO_CONTENT);
    let answer = host.deliver("move", &get).await;
    assert_eq!(printed(&answer.message_id), "200 hello");
    server.await.unwrap();
    let kept = log::of_message(&slow.message_id).into_iter().filter(|line| line["stream"] == "stdout");
    let kept: Vec<_> = kept.map(|line| line["message"].clone()).collect();
    assert_eq!(kept, ["url=http://127.0.0.1:9/old", "url=http://127.0.0.1:9/old"]);
}

/// A handler whose value isn't there yet is refused in one line, and served as soon as it is; one whose value goes keeps
/// it, and that is said once.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_comes_is_found_and_one_that_goes_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("waited-for");
    let values = in_files(&[("TIDEMILL_HANDLER_WAITS__KEY_FILE", &key)]);
    let handlers = [
        ("waits", &*manifest("wait"), &*wasm(SCRIPTED)),
        (
            "ticks",
            "events = [\"tick\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n[config]\nkey = \"\"\n",
            &*wasm(SCRIPTED),
        ),
    ];
    let host = TestHost::start_with(&handlers, |config| config.handler_values = values).await;
    assert!(host.live("waits").is_none() && host.live("ticks").is_some());
    let refused = about("waits", "handler refused");
    let told = refused[0]["message"].as_str().unwrap();
    for part in ["`config.key`", "waited-for", "put the value there", "read again later"] {
        assert!(told.contains(part), "{part} is missing: {told}");
    }
    replace(&key, "s3cret");
    host.until("loaded", |_| host.live("waits").is_some()).await;
    assert_eq!(about("waits", "handler refused").len(), 1, "said once, however often it was tried");

    std::fs::remove_file(&key).unwrap();
    host.until("complained", |_| !about("waits", "values from before still count").is_empty()).await;
    // A value that makes no sense is no better than none: it would be torn, or meant for another key.
    for text in ["", "s3cret"] {
        replace(&key, text);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let answer = host.deliver("wait", json!([{ "config": "key" }]).to_string()).await;
        assert_eq!(printed(&answer.message_id), "key=[secret key]");
    }
    let complaints = about("waits", "values from before still count");
    assert!(
        complaints.len() <= 2 && complaints.iter().all(|line| !line.to_string().contains("s3cret")),
        "{complaints:?}"
    );
    assert!(about("waits", "configuration changed").is_empty());
}
