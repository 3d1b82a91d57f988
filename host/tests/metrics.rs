//! What the host counts, as who scrapes it sees it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::net::SocketAddr;

use common::{Answer, SCRIPT, TestHost, client, send, wasm};
use hyper::{Method, StatusCode};
use serde_json::json;
use tidemill_host::config::PublishTarget;
use tidemill_host::scrape;
use tidemill_test_artifacts::{KEY_VALUE, PUBLISH, SCRIPTED};
use tokio::net::TcpListener;

async fn ask(address: SocketAddr, method: Method, path: &str) -> Answer {
    send(&client(false), address, method, path, Vec::new()).await.unwrap()
}

/// Each limit's breach is a count of its own, beside what went well and what never reached a handler.
#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_counted_by_code_and_handler() {
    let small = format!("{SCRIPT}[limits]\nmemory = \"4MiB\"\nhost-calls = 2000\ndeadline = \"2s\"\n");
    let host = TestHost::start(&[("scripted", &small, &wasm(SCRIPTED))]).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(scrape::serve(listener, host.metrics.clone()));

    for _ in 0..3 {
        assert_eq!(host.script(json!("done")).await.status, StatusCode::NO_CONTENT);
    }
    for script in
        [json!("memory"), json!("host_calls"), json!("loop"), json!("trap"), json!({"reject": {"reason": "no"}})]
    {
        host.script(script).await;
    }
    host.deliver("nobody.serves", "{}").await;
    host.request(Method::POST, "/events", b"{}".to_vec()).await;

    let answer = ask(address, Method::GET, "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let count = |outcome: &str, code: &str, handler: &str| {
        let start =
            format!("tidemill_deliveries_total{{outcome=\"{outcome}\",code=\"{code}\",handler=\"{handler}\"}} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&start));
        found.unwrap_or_else(|| panic!("{start} is missing in {text}")).parse::<u32>().unwrap()
    };
    assert_eq!(count("done", "done", "scripted"), 3);
    for (outcome, code) in
        [("fault", "memory"), ("fault", "host-calls"), ("fault", "deadline"), ("fault", "trap"), ("reject", "reject")]
    {
        assert_eq!(count(outcome, code, "scripted"), 1, "{code}");
    }
    assert_eq!(count("refused", "unknown-event-type", ""), 1);
    assert!(text.contains("tidemill_in_flight 0\n") && text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains("tidemill_run_seconds_count{handler=\"scripted\"} 8\n"), "{text}");

    assert_eq!(ask(address, Method::GET, "/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(ask(address, Method::POST, "/metrics").await.status, StatusCode::METHOD_NOT_ALLOWED);
    // Who delivers is told nothing of it.
    assert_eq!(host.request(Method::GET, "/metrics", Vec::new()).await.status, StatusCode::NOT_FOUND);
}

/// Each refusal counts, also those of which the log has no line.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_handler_is_refused_is_counted_by_capability() {
    let keeps = "events = [\"keeps\"]\n[permissions]\nkey-value = [\"default\"]\n";
    let publishes = "events = [\"publishes\"]\n[permissions]\npublish = [\"b\"]\n";
    let [scripted, key_value, publish] = [SCRIPTED, KEY_VALUE, PUBLISH].map(wasm);
    let handlers =
        [("scripted", SCRIPT, &*scripted), ("keeps", keeps, &*key_value), ("publishes", publishes, &*publish)];
    let host = TestHost::start_with(&handlers, |config| {
        // Nothing is there, and nothing is sent there.
        config.publishing.target = PublishTarget::Host("http://127.0.0.1:9".parse().unwrap());
    })
    .await;
    for _ in 0..2 {
        host.script(json!([{ "get": { "url": "http://192.0.2.1/" } }])).await;
        // What the store itself says of a value is no refusal.
        let steps = json!([{ "open": "other" }, { "set": ["a", "x"] }, { "increment": ["a", 1] }, { "ask": 1001 }]);
        host.deliver("keeps", steps.to_string()).await;
        host.deliver("publishes", json!({ "publish": [{ "type": "a", "times": 3 }] }).to_string()).await;
    }
    let text = host.metrics.text();
    for (handler, capability, count) in
        [("scripted", "http", 2), ("keeps", "key-value", 2 * (1 + 5)), ("publishes", "publish", 2 * 3)]
    {
        let line = format!("tidemill_refused_total{{handler=\"{handler}\",capability=\"{capability}\"}} {count}\n");
        assert!(text.contains(&line), "{line} is missing in {text}");
    }
    assert_eq!(text.matches("tidemill_refused_total{").count(), 3, "{text}");
}
