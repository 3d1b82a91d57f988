//! What belongs to one event is each event's own, whichever instance it has.

use serde_json::{Value, json};
use tidemill_host::config::PublishTarget;
use tidemill_test_artifacts::{KEY_VALUE, PUBLISH, SCRIPTED};

use crate::common::{TestHost, sign, wasm};
use crate::receiver::Receiver;
use crate::support::{Reply, Server};
use crate::{counted, event, printed, reusing, seen};

async fn host(rest: &str) -> TestHost {
    TestHost::start(&[("scripted", &reusing("script", 1000, rest), &wasm(SCRIPTED))]).await
}

/// Even one without an end, and through a stream that the guest opened for another event.
#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_own_lines() {
    let host = host("").await;
    let first = host.script(json!([{ "stdout": "whole" }, { "pieces": ["ha", "lf"] }])).await;
    let second = host.script(json!([{ "stdout": "of the second" }, { "stderr": "too" }])).await;
    assert_eq!(printed(&first), ["whole", "half"]);
    assert_eq!(printed(&second), ["of the second", "too"]);
    assert_eq!(counted(&host, "scripted"), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_all_of_its_log() {
    let host = host("[limits]\nlog = \"4KiB\"\n").await;
    for number in 1..=4 {
        let answer = host.script(json!([{ "flood": 3000 }, "instance"])).await;
        assert_eq!((printed(&answer).len(), seen(&answer).1), (31, number));
    }
}

/// Each writes a hundred lines, a call of the host at least.
#[tokio::test(flavor = "multi_thread")]
async fn each_has_all_of_its_host_calls() {
    let host = host("[limits]\nhost-calls = 900\n").await;
    for number in 1..=10 {
        assert_eq!(event(&host, "script", json!([{ "flood": 10_000 }])).await, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_all_of_its_time() {
    let host = host("[limits]\ndeadline = \"1500ms\"\ncpu = \"1s\"\nhost-calls = 1000000000\n").await;
    for number in 1..=4 {
        assert_eq!(event(&host, "script", json!([{ "spin_ms": 400 }])).await, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_may_send_all_of_its_requests() {
    let server = Server::start(|_| Reply::ok("hello")).await;
    let manifest = reusing("script", 1000, "").replace("127.0.0.1:9", &server.address.to_string());
    let host = TestHost::start(&[("scripted", &manifest, &wasm(SCRIPTED))]).await;
    let gets = vec![json!({ "get": { "url": server.url() } }); 60];
    for number in 1..=3 {
        assert_eq!(event(&host, "script", Value::from(gets.clone())).await, number);
    }
    assert_eq!(server.heads().len(), 180);
    // What one is refused isn't counted with the next.
    let refused = json!([{ "get": { "url": "http://127.0.0.1:9" } }]);
    assert_eq!(host.script(refused).await.code(), "retry");
    assert_eq!(event(&host, "script", json!([])).await, 4);
    let line = r#"tidemill_refused_total{handler="scripted",capability="http"} 1"#;
    assert!(host.metrics.text().lines().any(|found| found == line));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_may_ask_its_stores_as_often() {
    let manifest = "events = [\"keep\"]\n[instances]\nreuse = 10\n[permissions]\nkey-value = [\"default\"]\n";
    let host = TestHost::start(&[("keeps", manifest, &wasm(KEY_VALUE))]).await;
    for _ in 0..3 {
        let answer = host.deliver("keep", r#"[{ "ask": 900 }]"#).await;
        assert_eq!(printed(&answer), ["900"]);
    }
    assert_eq!(counted(&host, "keeps"), (1, 2));
}

/// What an event publishes is of that event alone, and of one that failed nothing goes out with the next.
#[tokio::test(flavor = "multi_thread")]
async fn each_publishes_for_itself() {
    let receiver = Receiver::start().await;
    let manifest = "events = [\"a\"]\n[instances]\nreuse = 10\n[permissions]\npublish = [\"b\"]\n";
    let host = TestHost::start_with(&[("chain", manifest, &wasm(PUBLISH))], |config| {
        config.publishing.target = PublishTarget::Host(receiver.url.parse().unwrap());
    })
    .await;
    for (end, published) in [("done", 60), ("retry", 0), ("reject", 0), ("done", 60)] {
        let script = json!({ "publish": [{ "type": "b", "times": 60 }], "end": end });
        let cause = sign(&crate::common::event("a", script.to_string().as_bytes()));
        let answer = host.post(&cause).await;
        // Each has all of the hundred that it may.
        assert_eq!(printed(&answer).iter().filter(|line| line.starts_with("published ")).count(), 60);
        let taken = receiver.take();
        assert_eq!(taken.len(), published, "{end}");
        let id = &cause.message.attributes["event-id"];
        assert!(taken.iter().all(|envelope| &envelope.message.attributes["tidemill-cause"] == id), "{end}");
    }
    assert_eq!(counted(&host, "chain"), (1, 3));
}
