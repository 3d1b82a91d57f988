//! Publishing through Google's client: to the real emulator, and to addresses where nothing answers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![cfg(feature = "pubsub")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_events::{Envelope, Event, Key, Received, Scheme, Sender, Signer, Verifier};
use tidemill_publisher::{PubSub, PublishError, Publisher, new_event};
use tidemill_test_emulator::{Emulator, Subscription};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

fn key() -> Key {
    "k1=s3cret".parse().unwrap()
}

async fn pubsub(host: &str, topic: &str, time_limit: Duration) -> PubSub {
    let host: tidemill_publisher::EmulatorHost = host.parse().unwrap();
    let builder = PubSub::builder(topic.parse().unwrap(), Signer::new(key())).emulator(host);
    builder.time_limit(time_limit).build().await.unwrap()
}

/// Long enough for a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn verify(envelope: Envelope) -> Received {
    {
        let time = envelope.delivery.publish_time.unwrap();
        Verifier::new(vec![Scheme::V2]).verify(&key().into(), envelope, Sender::Stranger, time).unwrap().into_inner()
    }
}

fn numbered(n: usize) -> Event {
    Event { ordering_key: Some("user-7".into()), ..new_event("tick", &json!({ "n": n })) }
}

#[tokio::test]
async fn emulator_what_arrives_is_the_signed_event_under_the_message_id_that_publish_gave() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.create_topic("signed").await;
    let subscription = emulator.create_subscription("signed-pull", &Subscription::of(&topic)).await;
    let publisher = pubsub(emulator.host(), &topic, PATIENCE).await;
    let event = Event {
        attributes: BTreeMap::from([("user-id".into(), "7".into())]),
        ..new_event("user.name.changed", &json!({ "Name": "Ada" }))
    };

    let message_id = publisher.publish(&event).await.unwrap();

    let [envelope] = emulator.pull(&subscription, 1).await.try_into().unwrap();
    let received = verify(envelope);
    assert_eq!(received.event, event);
    assert_eq!(received.delivery.message_id, message_id.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn emulator_concurrent_publishes_each_get_the_id_of_their_own_message() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.create_topic("concurrent").await;
    let subscription = emulator.create_subscription("concurrent-pull", &Subscription::of(&topic)).await;
    let publisher = Arc::new(pubsub(emulator.host(), &topic, PATIENCE).await);

    let mut publishes = JoinSet::new();
    for n in 0..500 {
        let publisher = Arc::clone(&publisher);
        publishes.spawn(async move {
            let event = new_event("tick", &json!({ "n": n }));
            (publisher.publish(&event).await.unwrap().as_str().to_owned(), event.id)
        });
    }
    let published: BTreeSet<(String, String)> = publishes.join_all().await.into_iter().collect();

    let envelopes = emulator.pull(&subscription, 500).await;
    let arrived = envelopes.into_iter().map(verify).map(|r| (r.delivery.message_id, r.event.id)).collect();
    assert_eq!(published, arrived);
}

#[tokio::test]
async fn emulator_events_with_one_ordering_key_arrive_in_the_order_of_the_calls() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.create_topic("ordered").await;
    let ordered = Subscription { ordering: true, ..Subscription::of(&topic) };
    let subscription = emulator.create_subscription("ordered-pull", &ordered).await;
    let publisher = pubsub(emulator.host(), &topic, PATIENCE).await;
    let events: Vec<Event> = (0..300).map(numbered).collect();

    // On one thread tasks run first in the order in which they were spawned, so the calls are in order, and all of them
    // are under way before the first answer.
    let publisher = Arc::new(publisher);
    let mut publishes = JoinSet::new();
    for event in events.clone() {
        let publisher = Arc::clone(&publisher);
        publishes.spawn(async move { publisher.publish(&event).await.map(drop) });
    }
    for result in publishes.join_all().await {
        result.unwrap();
    }

    let received: Vec<Received> = emulator.pull(&subscription, 300).await.into_iter().map(verify).collect();
    assert!(received.iter().all(|r| r.event.ordering_key.as_deref() == Some("user-7")));
    let arrived: Vec<&str> = received.iter().map(|r| r.event.id.as_str()).collect();
    assert_eq!(arrived, events.iter().map(|e| e.id.as_str()).collect::<Vec<_>>());
}

#[tokio::test]
async fn emulator_a_failure_does_not_pause_its_ordering_key_for_good() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.topic_name("made-later");
    let publisher = Arc::new(pubsub(emulator.host(), &topic, PATIENCE).await);

    let mut publishes = JoinSet::new();
    for n in 0..20 {
        let publisher = Arc::clone(&publisher);
        publishes.spawn(async move { publisher.publish(&numbered(n)).await });
    }
    for result in publishes.join_all().await {
        let error = result.unwrap_err();
        let expected = matches!(&error, PublishError::Topic { code: "NOT_FOUND", .. } | PublishError::HeldBack { .. });
        assert!(expected && error.to_string().contains(&topic), "{error}");
    }

    emulator.create_topic("made-later").await;
    let subscription = emulator.create_subscription("made-later-pull", &Subscription::of(&topic)).await;
    publisher.publish(&numbered(20)).await.unwrap();
    let [envelope] = emulator.pull(&subscription, 1).await.try_into().unwrap();
    assert_eq!(verify(envelope).event.data, br#"{"n":20}"#);
}

#[tokio::test]
async fn emulator_a_topic_that_does_not_exist_is_a_permanent_error_that_names_it() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.topic_name("nowhere");
    let publisher = pubsub(emulator.host(), &topic, PATIENCE).await;

    let error = publisher.publish(&new_event("tick", &json!({}))).await.unwrap_err();

    assert!(matches!(error, PublishError::Topic { code: "NOT_FOUND", .. }), "{error:?}");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains(&topic) && error.to_string().contains("create the topic"), "{error}");
}

#[tokio::test]
async fn a_broker_that_is_not_there_is_unreachable_and_may_be_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let publisher = pubsub(&host, "projects/shop/topics/events", Duration::from_millis(500)).await;

    let error = publisher.publish(&new_event("tick", &json!({}))).await.unwrap_err();

    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
    assert!(error.is_retryable() && error.to_string().contains("projects/shop/topics/events"), "{error}");
}

#[tokio::test]
async fn a_broker_that_never_answers_ends_within_the_time_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let publisher = pubsub(&host, "projects/shop/topics/events", Duration::from_millis(500)).await;

    let error = publisher.publish(&new_event("tick", &json!({}))).await.unwrap_err();

    assert!(matches!(error, PublishError::Timeout { .. } | PublishError::Unreachable { .. }), "{error:?}");
    assert!(error.is_retryable(), "{error}");
}
