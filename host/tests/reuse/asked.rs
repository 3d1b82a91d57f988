//! Who has it and who doesn't, and between whom nothing is shared.

use serde_json::json;
use tidemill_host::config::Grants;
use tidemill_test_artifacts::{COUNT, LAST_INTERFACE, SCRIPTED};

use crate::common::{SCRIPT, TestHost, log, wasm};
use crate::{counted, event, printed, reusing};

fn grants(rules: &[&str]) -> Grants {
    Grants::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_and_may_keeps_its_memory_from_one_event_to_the_next() {
    let asks = "events = [\"count\"]\n[instances]\nreuse = 100\n";
    let host = TestHost::start_with(&[("count", asks, &wasm(COUNT))], |config| {
        config.grants = grants(&["count reuse=100"]);
    })
    .await;
    for number in 1..=5 {
        let answer = host.deliver("count", "{}").await;
        assert_eq!(printed(&answer), [format!("events seen by this instance: {number}")]);
    }
    assert_eq!(counted(&host, "count"), (1, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_ask_has_a_fresh_instance_whatever_is_granted() {
    let once = reusing("once", 1, "");
    let host = TestHost::start(&[("plain", SCRIPT, &wasm(SCRIPTED)), ("once", &once, &wasm(SCRIPTED))]).await;
    for _ in 0..3 {
        assert_eq!((event(&host, "script", json!([])).await, event(&host, "once", json!([])).await), (1, 1));
    }
    assert_eq!((counted(&host, "plain"), counted(&host, "once")), ((3, 0), (3, 0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_more_than_is_granted_is_not_served() {
    let manifest = reusing("modest", 10, "");
    let handlers = [("modest", &*manifest, &*wasm(SCRIPTED))];
    for rules in [&["modest http=http://127.0.0.1:9"][..], &["modest http=http://127.0.0.1:9 reuse=9"]] {
        let host = TestHost::start_with(&handlers, |config| config.grants = grants(rules)).await;
        assert_eq!(host.deliver("modest", "[]").await.code(), "unknown-event-type");
    }
    let told = |line: &serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("line 3, field `instances.reuse`") && message.contains("'modest reuse=10'")
    };
    assert_eq!(log::lines(told).len(), 2);
    let rules = ["modest http=http://127.0.0.1:9 reuse=10"];
    let host = TestHost::start_with(&handlers, |config| config.grants = grants(&rules)).await;
    assert_eq!((event(&host, "modest", json!([])).await, event(&host, "modest", json!([])).await), (1, 2));
}

/// Of the very same component.
#[tokio::test(flavor = "multi_thread")]
async fn two_handlers_never_have_one_instance() {
    let [one, two] = ["one", "two"].map(|event_type| reusing(event_type, 100, ""));
    let host = TestHost::start(&[("one", &one, &wasm(SCRIPTED)), ("two", &two, &wasm(SCRIPTED))]).await;
    for number in 1..=3 {
        assert_eq!(event(&host, "one", json!([])).await, number);
        assert_eq!(event(&host, "two", json!([])).await, number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_of_the_last_interface_may_as_well() {
    let asks = "events = [\"test.last\"]\n[instances]\nreuse = 3\n[permissions]\npublish = [\"test.published\"]\n";
    let host = TestHost::start_with(&[("last", asks, &wasm(LAST_INTERFACE))], |config| {
        config.publishing.target =
            tidemill_host::config::PublishTarget::Host("http://127.0.0.1:9/events".parse().unwrap());
    })
    .await;
    for data in ["{}", "retry", "reject", "{}"] {
        let answer = host.deliver("test.last", data).await;
        assert!(printed(&answer)[0].contains("test.last"), "{answer:?}");
    }
    assert_eq!(counted(&host, "last"), (2, 2));
}
