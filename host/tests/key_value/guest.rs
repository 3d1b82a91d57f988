//! A guest's own view, from its event to its log.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_host::config::{Grants, HandlerValues, KeyValueConfig, KeyValueStoreConfig, Quota, Terms};
use tidemill_host::key_value::{DiskStore, ENTRY_COST, MemoryStore};
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::registry::Artifact;
use tidemill_host::runtime::{Runtime, RuntimeConfig};
use tidemill_test_artifacts::KEY_VALUE;

use super::common::redis::Redis;
use super::common::{Answer, TestHost, log, wasm};

fn manifest(event_type: &str, stores: &str) -> String {
    format!("events = [\"{event_type}\"]\n[permissions]\nkey-value = {stores}\n")
}

async fn host_with(store: KeyValueStoreConfig, quota: u64) -> TestHost {
    let handlers = [("one", manifest("one", "[\"default\", \"second\"]")), ("two", manifest("two", "[\"default\"]"))];
    let wasm = wasm(KEY_VALUE);
    let handlers = handlers.each_ref().map(|(name, manifest)| (*name, manifest.as_str(), wasm.as_slice()));
    TestHost::start_with(&handlers, |config| config.key_value = KeyValueConfig { store, quota }).await
}

async fn host(quota: u64) -> TestHost {
    host_with(KeyValueStoreConfig::Memory, quota).await
}

/// What a handler printed for a script that came to its end.
async fn run(host: &TestHost, handler: &str, script: Value) -> (Answer, Vec<String>) {
    let answer = host.deliver(handler, script.to_string()).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{script}: {answer:?}");
    let lines = log::of_message(&answer.message_id);
    let lines = lines.into_iter().filter(|line| line["stream"].is_string());
    let lines = lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect();
    (answer, lines)
}

fn warnings(answer: &Answer) -> Vec<String> {
    let lines = log::of_message(&answer.message_id).into_iter();
    let lines = lines.filter(|line| line["severity"] == "WARNING" && line["stream"].is_null());
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_event_keeps_the_next_finds_and_another_handler_doesnt() {
    let host = host(1 << 20).await;
    let script = json!([{ "set": ["k", "v"] }, { "increment": ["n", 2] }, { "append": ["log", "a"] }]);
    assert_eq!(run(&host, "one", script).await.1, ["done", "2", "done"]);
    let script = json!([
        { "get": "k" }, { "increment": ["n", -5] }, { "append": ["log", "b"] }, { "get": "log" }, "keys",
        { "exists": "k" }, { "delete": "k" }, { "exists": "k" }, { "open": "second" }, "keys", { "get": "n" },
    ]);
    let expected = ["v", "-3", "done", "ab", "k,log,n", "true", "done", "false", "open", "", "none"];
    assert_eq!(run(&host, "one", script).await.1, expected);
    assert_eq!(run(&host, "two", json!(["keys", { "get": "log" }])).await.1, ["", "none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_events_at_once_that_change_one_value_lose_no_change() {
    let host = Arc::new(host(1 << 20).await);
    let events: Vec<_> = (0..50)
        .map(|_| {
            let host = Arc::clone(&host);
            let script = json!([{ "increment": ["n", 1] }, { "append": ["log", "x"] }]);
            tokio::spawn(async move { host.deliver("one", script.to_string()).await.status })
        })
        .collect();
    for status in events {
        assert_eq!(status.await.unwrap(), StatusCode::NO_CONTENT);
    }
    assert_eq!(run(&host, "one", json!([{ "get": "n" }, { "get": "log" }])).await.1, ["50", &"x".repeat(50)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_listed_stores_open() {
    let host = host(1 << 20).await;
    let (answer, lines) = run(&host, "two", json!([{ "open": "second" }, { "open": "../one" }, { "open": "" }])).await;
    assert!(lines[0].contains("doesn't list this store"), "{lines:?}");
    assert!(lines[1].contains("no store of that name") && lines[2].contains("no store of that name"), "{lines:?}");
    let warnings = warnings(&answer);
    assert!(warnings.len() == 1 && warnings[0].contains("\"second\""), "{warnings:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bound_is_told_to_the_guest_and_once_to_the_log() {
    let host = host(2 * (ENTRY_COST + 10)).await;
    let within = json!([{ "fill": ["a", 9] }, { "fill": ["b", 9] }, { "get": "k".repeat(256) }, { "ask": 990 }]);
    let (answer, lines) = run(&host, "one", within).await;
    assert_eq!((lines, warnings(&answer)), (["done", "done", "none", "990"].map(str::to_owned).to_vec(), vec![]));
    for (script, told) in [
        (json!([{ "fill": ["b", 10] }, { "fill": ["b", 11] }]), "key-value-quota"),
        (json!([{ "get": "" }]), "1 to 256 bytes"),
        (json!([{ "get": "k".repeat(257) }]), "1 to 256 bytes"),
        (json!([{ "fill": ["a", (1 << 20) + 1] }]), "at most 1048576 bytes"),
        (json!([{ "ask": 999 }, { "get": "a" }, { "get": "a" }]), "1000 times"),
    ] {
        let (answer, lines) = run(&host, "one", script.clone()).await;
        assert!(lines.last().unwrap().contains(told), "{lines:?}");
        let warnings = warnings(&answer);
        assert!(warnings.len() == 1 && warnings[0].contains(told), "{script}: {warnings:?}");
    }
    // Another handler has a quota of its own, and the next event its own questions.
    assert_eq!(run(&host, "two", json!([{ "fill": ["a", 9] }, { "ask": 10 }])).await.1, ["done", "10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_keeps_it_for_the_next_host() {
    let folder = tempfile::tempdir().unwrap();
    let on_disk = |folder: &Path| KeyValueStoreConfig::Disk { file: folder.join("kv.redb") };
    let mut first = host_with(on_disk(folder.path()), 1 << 20).await;
    run(&first, "one", json!([{ "set": ["k", "v"] }])).await;
    first.begin_shutdown();
    first.drained().await;
    drop(first);
    // The thread that followed its folder lets the file go when it next looks.
    let mut looks = 0;
    while DiskStore::open(&folder.path().join("kv.redb"), 1 << 20).is_err() {
        looks += 1;
        assert!(looks < 3000, "the file is not let go within 30 s");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let second = host_with(on_disk(folder.path()), 1 << 20).await;
    assert_eq!(run(&second, "one", json!([{ "get": "k" }])).await.1, ["v"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_the_handler_is_told_and_can_have_its_event_again() {
    let Some(mut server) = Redis::start().await else { return };
    let host = host_with(KeyValueStoreConfig::Redis { url: server.url() }, 1 << 20).await;
    assert_eq!(run(&host, "one", json!([{ "increment": ["n", 1] }])).await.1, ["1"]);
    server.stop();
    let answer = host.deliver("one", json!([{ "need": "n" }]).to_string()).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "retry"));
    assert!(!answer.json()["reason"].as_str().unwrap().contains("127.0.0.1"), "{answer:?}");
    let warnings = warnings(&answer);
    assert!(warnings.iter().any(|line| line.contains(&server.port().to_string())), "{warnings:?}");
    server.resume().await;
    assert_eq!(run(&host, "one", json!([{ "need": "n" }])).await.1, ["none"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_keep_anything_is_not_loaded_and_told_why() {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let without = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 64 << 20, outgoing }).unwrap();
    let with = without.clone().keeping(Some(Arc::new(MemoryStore::new(1 << 20))));
    let load = |runtime: &Runtime, manifest: String| {
        let artifact = Artifact { manifest: manifest.into_bytes(), wasm: wasm(KEY_VALUE) };
        let quota = Quota { deadline: Duration::from_secs(10), memory: 64 << 20 };
        let terms = Terms { values: HandlerValues::default(), quota, grants: Grants::all() };
        tokio::task::block_in_place(|| artifact.load(runtime, "one", &terms).map(drop).map_err(|e| e.to_string()))
    };
    load(&with, manifest("one", "[\"default\"]")).unwrap();
    let unasked = load(&with, "events = [\"one\"]\n".into()).unwrap_err();
    assert!(unasked.contains("[permissions] key-value = [\"default\"]"), "{unasked}");
    let misnamed = load(&with, manifest("one", "[\"Not/A/Name\"]")).unwrap_err();
    assert!(misnamed.contains("field `permissions.key-value`: \"Not/A/Name\""), "{misnamed}");
    let nowhere = load(&without, manifest("one", "[\"default\"]")).unwrap_err();
    assert!(nowhere.contains("field `permissions.key-value`") && nowhere.contains("setting `key-value`"), "{nowhere}");
}
