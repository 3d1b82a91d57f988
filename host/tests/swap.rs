//! Handlers come, change and go while the host serves.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{SCRIPT, TestHost, log, version, wasm};
use hyper::StatusCode;
use serde_json::json;
use tidemill_test_artifacts::{EMPTY, SCRIPTED, WRONG_WORLD};

const EVENTS: &str = "events = [\"a\"]\n";

fn refusals(handler: &str) -> Vec<String> {
    let refused = |line: &serde_json::Value| {
        line["handler"] == handler && line["message"].as_str().is_some_and(|text| text.starts_with("handler refused"))
    };
    log::lines(refused).iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_comes_changes_and_goes() {
    let host = TestHost::start(&[]).await;
    assert_eq!(host.deliver("a", "{}").await.status, StatusCode::NOT_FOUND);
    let empty = wasm(EMPTY);
    host.install("comes-and-goes", EVENTS, &empty);
    host.until("added", |_| host.live("comes-and-goes").is_some()).await;
    let first = host.deliver("a", "{}").await;
    assert_eq!(first.status, StatusCode::NO_CONTENT);
    host.install("comes-and-goes", EVENTS, &version(&empty, 2));
    let before = host.live("comes-and-goes").unwrap().digest;
    host.until("replaced", |_| host.live("comes-and-goes").unwrap().digest != before).await;
    let second = host.deliver("a", "{}").await;
    assert_eq!(second.status, StatusCode::NO_CONTENT);
    assert_ne!(first.headers["tidemill-handler"], second.headers["tidemill-handler"]);
    std::fs::remove_dir_all(host.handlers.path().join("comes-and-goes")).unwrap();
    host.until("removed", |_| host.live("comes-and-goes").is_none()).await;
    assert_eq!(host.deliver("a", "{}").await.status, StatusCode::NOT_FOUND);
}

/// A change of the manifest alone is a change: here, the routes.
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_manifest_changes_the_routes_together() {
    let host = TestHost::start(&[("routes", "events = [\"a\", \"b\"]", &wasm(EMPTY))]).await;
    std::fs::write(host.handlers.path().join("routes/handler.toml"), "events = [\"b\", \"c\"]").unwrap();
    host.until("routed", |registry| registry.route("c").is_some()).await;
    assert_eq!(host.deliver("a", "{}").await.status, StatusCode::NOT_FOUND);
    assert_eq!(host.deliver("b", "{}").await.status, StatusCode::NO_CONTENT);
}

/// Whatever is wrong with a new version, the one before goes on serving, and one line says what is wrong.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_is_refused_and_the_version_before_serves_on() {
    let good = wasm(EMPTY);
    let half = good[..good.len() / 2].to_vec();
    let cases: &[(&str, &str, &[u8], &str)] = &[
        ("half-written", EVENTS, &half, "handler.wasm: not a WebAssembly component that can be compiled"),
        ("no-bytes", EVENTS, b"", "handler.wasm: not a WebAssembly component that can be compiled"),
        ("core-module", EVENTS, b"\0asm\x01\0\0\0", "handler.wasm: a core WebAssembly module, not a component"),
        ("wrong-world", EVENTS, &wasm(WRONG_WORLD), "it doesn't export `tidemill:handler/handler@0.2.0`"),
        ("no-permission", EVENTS, &wasm(SCRIPTED), "[permissions] http"),
        ("no-events", "events = []", &good, "field `events`"),
        ("no-toml", "events: [a]", &good, "handler.toml"),
        ("unknown-field", "events = [\"a\"]\nlimit = 1", &good, "unknown field `limit`"),
        ("too-much-memory", "events = [\"a\"]\n[limits]\nmemory = \"1GiB\"", &good, "field `limits.memory`"),
        ("too-much-time", "events = [\"a\"]\n[limits]\ndeadline = \"2h\"", &good, "field `limits.deadline`"),
        ("too-little-memory", "events = [\"a\"]\n[limits]\nmemory = \"64KiB\"", &good, "[limits] memory"),
        (
            "bad-unit",
            "events = [\"a\"]\n[limits]\ndeadline = \"8\"",
            &good,
            "field `limits.deadline`: \"8\" is no time",
        ),
        ("bad-origin", "events = [\"a\"]\n[permissions]\nhttp = [\"example.com\"]", &good, "field `permissions.http`"),
        ("no-value", "events = [\"a\"]\n[config]\nkey = { required = true }", &good, "TIDEMILL_HANDLER_NO_VALUE__KEY"),
    ];
    let before: Vec<_> = cases.iter().map(|(name, ..)| (*name, format!("events = [\"{name}\"]"))).collect();
    let start: Vec<_> = before.iter().map(|(name, manifest)| (*name, manifest.as_str(), good.as_slice())).collect();
    let host = TestHost::start(&start).await;
    for (name, manifest, wasm, _) in cases {
        host.install(name, &manifest.replace("\"a\"", &format!("{name:?}")), wasm);
    }
    host.until("refused", |_| cases.iter().all(|(name, ..)| !refusals(name).is_empty())).await;
    // Further looks at the same bytes say nothing more.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for (name, _, _, says) in cases {
        let told = refusals(name);
        assert_eq!(told.len(), 1, "{name}: {told:?}");
        assert!(told[0].contains(says), "{name}: {}", told[0]);
        assert!(told[0].contains("goes on serving"), "{name}: {}", told[0]);
        assert_eq!(host.deliver(name, "{}").await.status, StatusCode::NO_CONTENT, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_with_one_file_missing_is_refused_and_one_that_is_completed_serves() {
    let host = TestHost::start(&[]).await;
    let folder = host.handlers.path().join("late");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("handler.wasm"), wasm(EMPTY)).unwrap();
    host.until("refused", |_| !refusals("late").is_empty()).await;
    assert!(refusals("late")[0].contains("handler.toml: there is no such file"));
    std::fs::write(folder.join("handler.toml"), "events = [\"late\"]").unwrap();
    host.until("served", |registry| registry.route("late").is_some()).await;
}

/// A writer that takes its time, with no rename at the end: what it has written so far is never served.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_writer_ends_in_the_whole_file() {
    let good = version(&wasm(EMPTY), 7);
    let host = TestHost::start(&[("slow", "events = [\"slow\"]", &wasm(EMPTY))]).await;
    let before = host.live("slow").unwrap().digest;
    let path = host.handlers.path().join("slow/handler.wasm");
    for end in (1..=10).map(|tenth| good.len() * tenth / 10) {
        std::fs::write(&path, &good[..end]).unwrap();
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(host.deliver("slow", "{}").await.status, StatusCode::NO_CONTENT);
    }
    host.until("replaced", |_| host.live("slow").unwrap().digest != before).await;
    assert_eq!(host.deliver("slow", "{}").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_that_want_the_same_are_told_apart_and_reported() {
    let empty = wasm(EMPTY);
    let host = TestHost::start(&[
        ("first", "events = [\"same\"]", &empty),
        ("second", "events = [\"same\", \"own\"]", &empty),
    ])
    .await;
    // Nothing says whose it is, so it is nobody's.
    assert!(host.registry.route("same").is_none());
    assert_eq!(host.registry.route("own").unwrap().name, "second");
    let told = log::lines(|line| line["handler"] == "first, second" && line["severity"] == "ERROR");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0]["message"].as_str().unwrap().contains("\"same\""));
}

/// An event in flight ends on the version that it began with, and that version's memory goes with its last event.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_flight_keeps_its_version_and_the_last_frees_it() {
    let scripted = wasm(SCRIPTED);
    let host = Arc::new(TestHost::start(&[("scripted", SCRIPT, &scripted)]).await);
    let old = Arc::downgrade(&host.live("scripted").unwrap());
    let old_digest = old.upgrade().unwrap().digest;
    let in_flight = tokio::spawn({
        let host = Arc::clone(&host);
        async move { host.script(json!([{ "stdout": "began" }, { "sleep_ms": 3000 }])).await }
    });
    let began = |line: &serde_json::Value| line["message"] == "began";
    host.until("begun", |_| !log::lines(began).is_empty()).await;
    host.install("scripted", SCRIPT, &version(&scripted, 2));
    host.until("replaced", |_| host.live("scripted").unwrap().digest != old_digest).await;
    let new = host.script(json!([])).await;
    assert_eq!(new.headers["tidemill-handler"], format!("scripted@{}", host.live("scripted").unwrap().digest));
    assert!(!in_flight.is_finished(), "the swap took longer than the event: make the event longer");
    assert!(old.upgrade().is_some(), "freed under a running event");
    let answer = in_flight.await.unwrap();
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.headers["tidemill-handler"], format!("scripted@{old_digest}"));
    host.until("freed", |_| old.upgrade().is_none()).await;
}
