//! What is nacked too often ends as a file.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidemill_events::Envelope;

use crate::support::{Receiver, Reply, Running, SUBSCRIPTION, eventually};

const SHORT: Duration = Duration::from_millis(1);

fn files(folder: &Path) -> Vec<String> {
    fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn after_the_last_attempt_a_message_becomes_a_file_that_says_why() {
    let refusal = r#"{"outcome":"retry","code":"handler","reason":"the provider answers 503"}"#;
    let receiver = Receiver::start(move |_| Reply::Body(503, refusal)).await;
    let broker = Running::start_with(&receiver.url(), |config| config.min_backoff = SHORT).await;
    let id = broker.publish("x", Some("k")).await;
    broker.is_empty().await;
    assert_eq!(receiver.pushes().iter().map(|push| push.attempt()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);

    let folder = broker.folder.path().join("data/dead-letter");
    assert_eq!(files(&folder), [format!("{id}.json")]);
    let text = fs::read(folder.join(format!("{id}.json"))).unwrap();
    let letter: Value = serde_json::from_slice(&text).unwrap();
    let last = receiver.pushes().pop().unwrap();
    let attributes = &letter["message"]["attributes"];
    assert_eq!(attributes["event-type"], "test.event");
    assert_eq!(attributes["CloudPubSubDeadLetterSourceDeliveryCount"], "5");
    assert_eq!(attributes["CloudPubSubDeadLetterSourceSubscription"], "host");
    assert_eq!(attributes["CloudPubSubDeadLetterSourceSubscriptionProject"], "demo");
    let time = last.body["message"]["publishTime"].as_str().unwrap().replace('Z', "+00:00");
    assert_eq!(attributes["CloudPubSubDeadLetterSourceTopicPublishTime"], time);
    assert_eq!(letter["deadLetter"]["status"], 503);
    assert_eq!(letter["deadLetter"]["reason"], "the provider answers 503");

    // It is still an envelope, that of the last delivery but for the attributes.
    let mut envelope = Envelope::decode(&text).unwrap();
    envelope.message.attributes.retain(|name, _| !name.starts_with("CloudPubSub"));
    assert_eq!(envelope, last.envelope);
    assert_eq!(envelope.delivery.subscription, SUBSCRIPTION);
}

#[tokio::test]
async fn without_an_answer_the_status_is_null_and_the_reason_tells_the_deadline() {
    let receiver = Receiver::start(|_| Reply::Never).await;
    let broker = Running::start_with(&receiver.url(), |config| {
        config.max_attempts = 1;
        config.ack_deadline = Duration::from_millis(100);
    })
    .await;
    let id = broker.publish("x", None).await;
    broker.is_empty().await;
    let file = broker.folder.path().join(format!("data/dead-letter/{id}.json"));
    let letter: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    assert_eq!(letter["deadLetter"]["status"], Value::Null);
    assert_eq!(letter["deadLetter"]["reason"], "no answer within the ack deadline of 100ms");
}

#[tokio::test]
async fn a_message_stays_where_its_file_can_not_be_written() {
    let receiver = Receiver::start(|_| Reply::Status(500)).await;
    let broker = Running::start_with(&receiver.url(), |config| {
        config.max_attempts = 1;
        config.max_backoff = Duration::from_millis(200);
    })
    .await;
    let folder = broker.folder.path().join("data/dead-letter");
    fs::remove_dir(&folder).unwrap();
    let id = broker.publish("x", None).await;
    receiver.has(2).await;
    assert_eq!(broker.broker.pending().await.unwrap(), 1);
    fs::create_dir(&folder).unwrap();
    broker.is_empty().await;
    assert_eq!(files(&folder), [format!("{id}.json")]);
}

#[tokio::test]
async fn a_dead_letter_lets_the_next_of_its_key_pass() {
    let receiver = Receiver::start(|push| Reply::Status(if push.text() == "bad" { 400 } else { 204 })).await;
    let broker = Running::start_with(&receiver.url(), |config| {
        config.max_attempts = 2;
        config.min_backoff = SHORT;
    })
    .await;
    broker.publish("bad", Some("k")).await;
    broker.publish("good", Some("k")).await;
    eventually("both to leave", async || broker.broker.pending().await.unwrap() == 0).await;
    assert_eq!(receiver.texts(), ["bad", "bad", "good"]);
}
