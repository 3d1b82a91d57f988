//! How what was published leaves: all at once, or in order, and before anything is acknowledged.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{again, cause, host, host_with, publish_b, until};

fn numbers(receiver: &Receiver) -> Vec<i64> {
    let taken = receiver.take();
    let data = taken.iter().map(|envelope| serde_json::from_slice::<Value>(&envelope.message.data).unwrap());
    data.map(|data| data.as_i64().unwrap()).collect()
}

/// What follows an event that isn't there would overtake it.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_ordering_key_wait_for_each_other() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    let ordered = [1, 2, 3].map(|number| json!({ "type": "b", "data": number, "key": "k" }));
    let cause = cause(&json!({ "publish": ordered }));
    receiver.answer_next(&[204, 503]);
    let refused = host.post(&cause).await;
    assert!(refused.json()["reason"].as_str().unwrap().contains("1 were sent"), "{refused:?}");
    assert_eq!(numbers(&receiver), [1, 2]);
    assert_eq!(host.post(&again(&cause, 2)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(numbers(&receiver), [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_others_leave_at_once() {
    let receiver = Receiver::start().await;
    let host = Arc::new(host(&receiver).await);
    receiver.hold();
    let answer = tokio::spawn({
        let (host, cause) =
            (Arc::clone(&host), cause(&json!({ "publish": [{ "type": "b", "data": 1, "times": 10 }] })));
        async move { host.post(&cause).await.status }
    });
    until("all have arrived and none has an answer", || receiver.taken().len() == 10).await;
    receiver.release(10);
    assert_eq!(answer.await.unwrap(), StatusCode::NO_CONTENT);
}

/// Nothing is acknowledged before all is sent, and what waits for that is as many as have places.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_has_its_place_until_what_it_published_is_sent() {
    let receiver = Receiver::start().await;
    let host = Arc::new(host_with(&receiver, |config| config.in_flight.events = 1).await);
    receiver.hold();
    let cause = cause(&json!({ "publish": [publish_b(json!({}))] }));
    let answer = tokio::spawn({
        let (host, cause) = (Arc::clone(&host), cause.clone());
        async move { host.post(&cause).await.status }
    });
    until("its event has arrived", || receiver.taken().len() == 1).await;
    assert!(!answer.is_finished());
    let other = host.deliver("b", "{}").await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::TOO_MANY_REQUESTS, "overloaded"));
    receiver.release(1);
    assert_eq!(answer.await.unwrap(), StatusCode::NO_CONTENT);
    assert_eq!(host.deliver("b", "{}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.post(&again(&cause, 2)).await.headers["tidemill-code"], "duplicate");
}
