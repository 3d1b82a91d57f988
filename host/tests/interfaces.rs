//! Handlers of the present version of the interface and of the last one, side by side, and what is told of all others.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;
#[path = "publishing/receiver.rs"]
#[expect(dead_code, reason = "the tests of publishing have the rest")]
mod receiver;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::{Answer, SCRIPT, TestHost, client, event, log, send, sign, signed, wasm};
use hyper::{Method, StatusCode};
use receiver::Receiver;
use serde_json::{Value, json};
use tidemill_events::{Envelope, Event};
use tidemill_host::config::PublishTarget;
use tidemill_host::registry::Artifact;
use tidemill_test_artifacts::{EMPTY, LAST_INTERFACE, PUBLISH, SCRIPTED, built_for};

const LAST: &str = "events = [\"last\"]\n[permissions]\npublish = [\"test.published\"]\n";
const PRESENT: &str = "events = [\"present\"]\n[permissions]\npublish = [\"test.published\"]\n";

/// A host that publishes to this receiver.
async fn host(handlers: &[(&str, &str, &[u8])], receiver: &Receiver) -> TestHost {
    TestHost::start_with(handlers, |config| {
        config.publishing.target = PublishTarget::Host(receiver.url.parse().unwrap());
    })
    .await
}

/// The line of JSON that a handler has printed.
fn shown(answer: &Answer) -> Value {
    let lines = log::of_message(&answer.message_id);
    let line = lines.iter().find(|line| line["stream"] == "stdout").unwrap();
    serde_json::from_str(line["message"].as_str().unwrap()).unwrap()
}

/// What the log says of a handler, in lines that begin so.
fn told(handler: &str, start: &str) -> Vec<Value> {
    log::lines(|line| {
        line["handler"] == handler && line["message"].as_str().is_some_and(|text| text.starts_with(start))
    })
}

fn full(event_type: &str, data: &str) -> Envelope {
    sign(&Event {
        attributes: [("tenant".to_owned(), "acme".to_owned()), ("user".to_owned(), "7".to_owned())].into(),
        ordering_key: Some("user-7".into()),
        ..event(event_type, data.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_are_served_by_one_host_with_all_that_an_event_has() {
    let limited = format!("{SCRIPT}[limits]\ndeadline = \"7s\"\n");
    let handlers = [("fields-last", LAST, &*wasm(LAST_INTERFACE)), ("fields-present", &limited, &*wasm(SCRIPTED))];
    let host = host(&handlers, &Receiver::start().await).await;
    for (name, interface, event_type, data, time_limit) in
        [("fields-last", "0.1", "last", "\"x\"", None), ("fields-present", "0.2", "script", "[\"show\"]", Some(7000))]
    {
        let envelope = full(event_type, data);
        let answer = host.post(&envelope).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let mut expected = json!({
            "id": envelope.message.attributes["event-id"],
            "event_type": event_type,
            "time": 1_764_000_000.0,
            "content_type": "application/json",
            "attributes": { "tenant": "acme", "user": "7" },
            "delivery": {
                "message_id": envelope.delivery.message_id,
                "subscription": "projects/p/subscriptions/s",
                "attempt": 1,
                "publish_time": 1_764_000_000.0,
                "ordering_key": "user-7",
            },
        });
        if let Some(time_limit) = time_limit {
            expected["delivery"]["time_limit_ms"] = json!(time_limit);
        }
        assert_eq!(shown(&answer), expected);
        assert_eq!(told(name, "handler loaded")[0]["interface"], interface);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_of_the_last_version_answers_as_it_did() {
    let host = host(&[("answers", LAST, &wasm(LAST_INTERFACE))], &Receiver::start().await).await;
    let retry = host.deliver("last", "retry").await;
    assert_eq!((retry.status, retry.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "retry"));
    assert_eq!((&retry.headers["retry-after"], &retry.json()["reason"]), (&"2".parse().unwrap(), &json!("told to")));
    let reject = host.deliver("last", "reject").await;
    assert_eq!((reject.status, reject.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "reject"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_publish() {
    let receiver = Receiver::start().await;
    let handlers = [("emits-last", LAST, &*wasm(LAST_INTERFACE)), ("emits-present", PRESENT, &*wasm(PUBLISH))];
    let host = host(&handlers, &receiver).await;
    let present = r#"{"publish": [{"type": "test.published", "key": "user-7", "attributes": {"tenant": "acme"}}]}"#;
    for cause in [full("last", "publish"), full("present", present)] {
        let answer = host.post(&cause).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let [sent] = receiver.take().try_into().unwrap();
        let attributes = &sent.message.attributes;
        for (name, value) in [
            ("event-type", "test.published"),
            ("content-type", "application/json"),
            ("tenant", "acme"),
            ("tidemill-cause", &cause.message.attributes["event-id"]),
        ] {
            assert_eq!(attributes[name], value, "{sent:?}");
        }
        assert_eq!(sent.message.ordering_key.as_deref(), Some("user-7"));
        let id = format!("published {}", attributes["event-id"]);
        assert!(log::of_message(&answer.message_id).iter().any(|line| line["message"] == id), "{sent:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_publishes_without_having_asked_is_told_what_to_ask_for_in_both_versions() {
    let without = "events = [\"a\"]\n";
    let handlers = [("mute-last", without, &*wasm(LAST_INTERFACE)), ("mute-present", without, &*wasm(PUBLISH))];
    let _host = host(&handlers, &Receiver::start().await).await;
    for name in ["mute-last", "mute-present"] {
        let refused = &told(name, "handler refused")[0]["message"];
        assert!(refused.as_str().unwrap().contains("[permissions] publish = "), "{refused}");
    }
}

/// From the last version to the present one and back, as a rollback goes.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_changes_its_version_under_load_without_a_failed_event() {
    const SWAPS: usize = 6;
    let versions = [wasm(LAST_INTERFACE), wasm(EMPTY)];
    let digests = versions.clone().map(|wasm| Artifact { manifest: LAST.into(), wasm }.digest());
    let host = Arc::new(host(&[("rolls", LAST, &versions[0])], &Receiver::start().await).await);
    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..4).map(|_| tokio::spawn(sender(Arc::clone(&host), Arc::clone(&stop)))).collect();
    for swap in 1..=SWAPS {
        host.install("rolls", LAST, &versions[swap % 2]);
        host.until("swapped", |_| host.live("rolls").unwrap().digest == digests[swap % 2]).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut answered = BTreeSet::new();
    for sender in senders {
        answered.extend(sender.await.unwrap());
    }
    assert_eq!(answered, digests.map(|digest| format!("rolls@{digest}")).into());
}

/// Sends one event after the other until told to stop, and gives the handlers that have done them. One that isn't done
/// fails the test.
async fn sender(host: Arc<TestHost>, stop: Arc<AtomicBool>) -> BTreeSet<String> {
    let (client, mut answered) = (client(false), BTreeSet::new());
    while !stop.load(Ordering::Relaxed) {
        let body = signed("last", b"{}").encode();
        let answer = send(&client, host.address, Method::POST, "/events", body).await.unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        answered.insert(answer.headers["tidemill-handler"].to_str().unwrap().to_owned());
    }
    answered
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_built_for_another_version_is_refused_with_what_to_do_and_the_one_before_serves_on() {
    let cases = [
        (
            "newer",
            "0.3.0",
            concat!(
                "handler.wasm: it is built for version 0.3.0 of the interface tidemill:handler, and this host serves 0.2 \
                 and 0.1: upgrade the host (it is Tidemill ",
                env!("CARGO_PKG_VERSION"),
                "), or build the handler for 0.2, in Rust with tidemill-sdk 0.2; the version before"
            ),
        ),
        ("much-newer", "1.0.0", "upgrade the host"),
        (
            "older",
            "0.0.9",
            "handler.wasm: it is built for version 0.0.9 of the interface tidemill:handler, and this host serves 0.2 \
             and 0.1: build it anew for 0.2, in Rust with tidemill-sdk 0.2; the version before",
        ),
    ];
    let empty = wasm(EMPTY);
    let manifests = cases.map(|(name, ..)| format!("events = [\"{name}\"]\n"));
    let start: Vec<_> = cases.iter().zip(&manifests).map(|((name, ..), text)| (*name, &**text, &*empty)).collect();
    let host = TestHost::start(&start).await;
    for ((name, version, _), manifest) in cases.iter().zip(&manifests) {
        host.install(name, manifest, &built_for(version, EMPTY).unwrap());
    }
    for (name, _, says) in cases {
        host.until("refused", |_| !told(name, "handler refused").is_empty()).await;
        let refused = &told(name, "handler refused")[0]["message"];
        assert!(refused.as_str().unwrap().contains(says), "{refused}");
        assert_eq!(host.deliver(name, "{}").await.status, StatusCode::NO_CONTENT);
    }
}

/// A patch changes no more than words, whichever side has the later one.
#[tokio::test(flavor = "multi_thread")]
async fn a_later_patch_of_either_version_is_served() {
    let receiver = Receiver::start().await;
    let (last, present) = (built_for("0.1.7", LAST_INTERFACE).unwrap(), built_for("0.2.5", PUBLISH).unwrap());
    let host = host(&[("patched-last", LAST, &last), ("patched-present", PRESENT, &present)], &receiver).await;
    for (event_type, data) in [("last", "publish"), ("present", r#"{"publish": [{"type": "test.published"}]}"#)] {
        assert_eq!(host.deliver(event_type, data).await.status, StatusCode::NO_CONTENT);
        assert_eq!(receiver.take().len(), 1);
    }
}
