//! An event takes effect once: in one host by its memory, in several by the Redis server that they share.
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

use common::redis::Redis;
use common::{Answer, SCRIPT, TestHost, delivery, event, log, sign, wasm};
use hyper::StatusCode;
use serde_json::json;
use tidemill_events::{Envelope, signature};
use tidemill_host::config::{Config, DeadLetterTarget, DedupStoreConfig, Unavailable, UnknownEventType};
use tidemill_test_artifacts::SCRIPTED;
use tokio::task::JoinSet;

async fn host(change: impl FnOnce(&mut Config)) -> TestHost {
    TestHost::start_with(&[("scripted", SCRIPT, &wasm(SCRIPTED))], change).await
}

async fn sharing(redis: &Redis, unavailable: Unavailable) -> TestHost {
    let url = redis.url();
    host(|config| {
        config.dedup.store = DedupStoreConfig::Redis { url };
        config.dedup.unavailable = unavailable;
    })
    .await
}

/// An event whose handler says so each time it runs.
fn effect(sleep_ms: u64) -> Envelope {
    sign(&event("script", json!([{ "stdout": "effect" }, { "sleep_ms": sleep_ms }]).to_string().as_bytes()))
}

/// The same event, published again: under a message id of its own.
fn again(envelope: &Envelope) -> Envelope {
    Envelope { message: envelope.message.clone(), delivery: delivery() }
}

fn effects(envelope: &Envelope) -> usize {
    let id = &envelope.message.attributes["event-id"];
    log::lines(|line| line["message"] == "effect" && line["event_id"] == *id).len()
}

fn is_duplicate(answer: &Answer) -> bool {
    answer.status == StatusCode::NO_CONTENT && answer.headers["tidemill-code"] == "duplicate"
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_handled_is_acknowledged_again_without_running() {
    let host = host(|_| {}).await;
    let envelope = effect(0);
    assert!(!is_duplicate(&host.post(&envelope).await));
    // The broker's repetition, and the publisher's.
    for repeated in [envelope.clone(), again(&envelope)] {
        let answer = host.post(&repeated).await;
        assert!(is_duplicate(&answer), "{answer:?}");
        assert!(!answer.headers.contains_key("tidemill-handler"), "nothing ran");
    }
    assert_eq!(effects(&envelope), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_runs_a_second_delivery_is_refused_without_running() {
    let host = Arc::new(host(|_| {}).await);
    let envelope = effect(3000);
    let first = tokio::spawn({
        let (host, envelope) = (Arc::clone(&host), envelope.clone());
        async move { host.post(&envelope).await }
    });
    host.until("begun", |_| effects(&envelope) == 1).await;
    let second = host.post(&again(&envelope)).await;
    assert_eq!((second.status, second.code().as_str()), (StatusCode::CONFLICT, "running"));
    assert!(second.headers.contains_key("retry-after"));
    assert_eq!(first.await.unwrap().status, StatusCode::NO_CONTENT);
    assert!(is_duplicate(&host.post(&again(&envelope)).await));
    assert_eq!(effects(&envelope), 1);
}

/// What failed has not been handled: it runs each time, until it succeeds.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_runs_again_and_its_attempts_are_counted_where_the_broker_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let target = DeadLetterTarget::Folder(folder.path().to_owned());
    let host = host(|config| {
        config.dead_letter.target = Some(target);
        config.dead_letter.max_attempts = Some(3);
    })
    .await;
    let mut envelope = sign(&event("script", br#"[{ "stdout": "effect" }, { "retry": { "reason": "down" } }]"#));
    envelope.delivery.attempt = None;
    for _ in 1..3 {
        assert_eq!(host.post(&envelope).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(host.post(&envelope).await.status, StatusCode::NO_CONTENT);
    assert_eq!(effects(&envelope), 3);
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let letter: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!((&letter["deadLetter"]["attempt"], &letter["deadLetter"]["code"]), (&json!(3), &json!("retry")));
    // Given up is not handled: sent again, it runs, with all its attempts before it.
    assert_eq!(host.post(&envelope).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(effects(&envelope), 4);
}

/// Version 1 vouches for no id of the event's, so a forged one must not keep another event from running.
#[tokio::test(flavor = "multi_thread")]
async fn under_v1_an_event_goes_by_its_message_id() {
    let host = host(|_| {}).await;
    let data = br#"[{ "stdout": "effect" }]"#;
    let v1 = signature::v1::sign(&common::KEY.parse().unwrap(), data);
    let envelope =
        common::unsigned(&[("event-type", "script"), ("event-id", "forged-in-v1"), ("signature", &v1)], data);
    for _ in 0..2 {
        assert_eq!(host.post(&again(&envelope)).await.status, StatusCode::NO_CONTENT);
    }
    assert_eq!(effects(&envelope), 2);
    let repeated = again(&envelope);
    assert!(!is_duplicate(&host.post(&repeated).await));
    assert!(is_duplicate(&host.post(&repeated).await));
    assert_eq!(effects(&envelope), 3);
}

/// Nor must a forged message id: under v1 nobody vouches for that either.
#[tokio::test(flavor = "multi_thread")]
async fn under_v1_a_forged_message_id_keeps_no_other_event_from_running() {
    let host = host(|_| {}).await;
    let signed = |text: &str| {
        let data = json!([{ "stdout": text }]).to_string();
        let v1 = signature::v1::sign(&common::KEY.parse().unwrap(), data.as_bytes());
        common::unsigned(&[("event-type", "script"), ("signature", &v1)], data.as_bytes())
    };
    let genuine = signed("the genuine one");
    // What was signed once, under the id that the genuine one is about to have.
    let forged = Envelope { delivery: genuine.delivery.clone(), ..signed("an old one") };
    assert_eq!(host.post(&forged).await.status, StatusCode::NO_CONTENT);
    assert!(!is_duplicate(&host.post(&genuine).await));
    assert!(is_duplicate(&host.post(&genuine).await));
    assert_eq!(
        log::of_message(&genuine.delivery.message_id).iter().filter(|l| l["message"] == "the genuine one").count(),
        1
    );
}

/// While an event waits for its handler to be deployed it uses none of its attempts up.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_handler_is_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let target = DeadLetterTarget::Folder(folder.path().to_owned());
    let host = TestHost::start_with(&[], |config| {
        config.dead_letter.target = Some(target);
        config.dead_letter.max_attempts = Some(2);
        config.dead_letter.unknown_event_type = UnknownEventType::Nack;
    })
    .await;
    let mut envelope = sign(&event("script", br#"[{ "retry": { "reason": "down" } }]"#));
    envelope.delivery.attempt = None;
    for _ in 0..4 {
        assert_eq!(host.post(&envelope).await.status, StatusCode::NOT_FOUND);
    }
    host.install("scripted", SCRIPT, &wasm(SCRIPTED));
    host.until("deployed", |registry| registry.route("script").is_some()).await;
    assert_eq!(host.post(&envelope).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(host.post(&envelope).await.status, StatusCode::NO_CONTENT);
}

/// Every event comes four times at once, half of them to the one host and half to the other, and comes again until
/// every delivery is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_with_one_redis_handle_each_event_once() {
    let Some(redis) = Redis::start().await else { return };
    let hosts =
        [Arc::new(sharing(&redis, Unavailable::Nack).await), Arc::new(sharing(&redis, Unavailable::Nack).await)];
    let events: Vec<_> = (0..100).map(|number| effect(number % 3 * 10)).collect();
    let mut deliveries = JoinSet::new();
    for number in 0..4 * events.len() {
        let (host, envelope) = (Arc::clone(&hosts[number % 2]), again(&events[number / 4]));
        deliveries.spawn(async move {
            for _ in 0..3000 {
                match host.post(&envelope).await.status {
                    StatusCode::NO_CONTENT => return,
                    StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => {}
                    other => panic!("{other}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("not acknowledged within 30 s");
        });
    }
    deliveries.join_all().await;
    for event in &events {
        assert_eq!(effects(event), 1);
    }
}

/// Fail closed is the default: what may have been handled is not run, and nothing is lost, since it comes again.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_a_host_refuses_or_runs_as_configured() {
    let Some(mut redis) = Redis::start().await else { return };
    let closed = sharing(&redis, Unavailable::Nack).await;
    let open = sharing(&redis, Unavailable::Run).await;
    redis.stop();
    let envelope = effect(0);
    let refused = closed.post(&envelope).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "dedup-unavailable"));
    assert_eq!(effects(&envelope), 0);
    assert_eq!(open.post(&envelope).await.status, StatusCode::NO_CONTENT);
    assert_eq!(effects(&envelope), 1);
    let told = log::lines(|line| line["event_id"] == envelope.message.attributes["event-id"]);
    assert!(
        told.iter().any(|line| line["message"].as_str().unwrap().contains("perhaps for the second time")),
        "{told:?}"
    );
    redis.resume().await;
    let fresh = effect(0);
    closed.until("reconnected", |_| true).await;
    for _ in 0..3000 {
        if closed.post(&fresh).await.status == StatusCode::NO_CONTENT {
            assert_eq!(effects(&fresh), 1);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the store is back, and events are still refused after 30 s");
}

/// The store's words at the start: what an operator can rely on.
#[tokio::test(flavor = "multi_thread")]
async fn what_holds_is_said_at_the_start() {
    _ = host(|config| config.dedup.store = DedupStoreConfig::Memory { capacity: 777 }).await;
    let told = log::lines(|line| line["message"].as_str().is_some_and(|text| text.contains("777 events")));
    assert_eq!(told.len(), 1, "{told:?}");
}
