//! What fails publishes nothing, and what is tried again publishes nothing twice.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::json;
use tidemill_events::Envelope;
use tidemill_host::config::DeadLetterTarget;

use super::common::{self, TestHost, delivery, log, wasm};
use super::receiver::Receiver;
use super::{again, cause, host, host_with, ids, publish_b};

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_fails_publishes_nothing_however_it_fails() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    for (end, status) in [
        ("retry", StatusCode::SERVICE_UNAVAILABLE),
        ("reject", StatusCode::UNPROCESSABLE_ENTITY),
        ("trap", StatusCode::INTERNAL_SERVER_ERROR),
    ] {
        let answer = host.post(&cause(&json!({ "publish": [publish_b(json!({}))], "end": end }))).await;
        assert_eq!(answer.status, status);
        assert!(super::printed(&answer)[0].starts_with("published "), "{end}: it was published in vain");
    }
    assert!(receiver.taken().is_empty());
}

/// What the operator can mend is tried again; what would fail again is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_must_publish_fails_as_what_was_in_its_way_asks_for() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    for (publish, code) in [
        (json!({ "type": "not.granted" }), "retry"),
        (json!({ "type": "b", "key": "k".repeat(1025) }), "reject"),
        (json!({ "type": "b", "times": 101 }), "reject"),
    ] {
        let mut publish = publish;
        publish["must"] = json!(true);
        let answer = host.post(&cause(&json!({ "publish": [publish] }))).await;
        assert_eq!(answer.code(), code, "{answer:?}");
        assert!(answer.json()["reason"].as_str().unwrap().starts_with("publish: "), "{answer:?}");
    }
    assert!(receiver.taken().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_attempt_that_is_done_publishes_once() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    let cause = cause(&json!({ "publish": [publish_b(json!({}))], "end": "retry_first" }));
    assert_eq!(host.post(&cause).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(receiver.taken().is_empty());
    assert_eq!(host.post(&again(&cause, 2)).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.post(&again(&cause, 3)).await.headers["tidemill-code"], "duplicate");
    assert_eq!(receiver.taken().len(), 1);
}

/// The receiver takes some, breaks off, and takes all when the handler runs again: each has its effect once, since what
/// says the same has the same id.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_in_part_is_sent_again_under_the_same_ids_and_has_its_effect_once() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    // Two of them say the same, and are two events nevertheless.
    let data = ["one", "two", "same", "same"].map(|text| json!([{ "stdout": format!("effect {text}") }]));
    let cause = cause(&json!({ "publish": data.map(publish_b) }));
    receiver.answer_next(&[204, 0, 503, 204]);
    let refused = host.post(&cause).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "publish-failed"));
    let reason = refused.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("of the 4 events that the handler published, 2 were sent"), "{reason}");
    let first = receiver.take();
    assert_eq!(host.post(&again(&cause, 2)).await.status, StatusCode::NO_CONTENT);
    let second = receiver.take();
    assert_eq!(ids(&second).into_iter().collect::<BTreeSet<_>>().len(), 4);
    assert!(ids(&first).iter().all(|id| ids(&second).contains(id)), "{first:?} {second:?}");

    // A host that is given all that has come, in whichever order.
    let manifest = "events = [\"b\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n";
    let effects = TestHost::start(&[("effects", manifest, &wasm(tidemill_test_artifacts::SCRIPTED))]).await;
    for sent in first.iter().chain(&second) {
        let sent = Envelope { message: sent.message.clone(), delivery: delivery() };
        assert_eq!(effects.post(&sent).await.status, StatusCode::NO_CONTENT);
    }
    for id in ids(&second) {
        let effects = log::lines(|line| {
            line["event_id"] == id && line["message"].as_str().is_some_and(|text| text.starts_with("effect "))
        });
        assert_eq!(effects.len(), 1, "{effects:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_sent_uses_attempts_up_and_is_kept() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let target = DeadLetterTarget::Folder(folder.path().to_owned());
    let host = host_with(&receiver, |config| {
        config.dead_letter.target = Some(target);
        config.dead_letter.max_attempts = Some(2);
    })
    .await;
    let cause = cause(&json!({ "publish": [publish_b(json!({}))] }));
    receiver.answer_next(&[500, 500]);
    assert_eq!(host.post(&cause).await.status, StatusCode::SERVICE_UNAVAILABLE);
    let given_up = host.post(&again(&cause, 2)).await;
    assert_eq!(
        (given_up.status, given_up.headers["tidemill-code"].as_bytes()),
        (StatusCode::NO_CONTENT, &b"publish-failed"[..])
    );
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let letter: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(
        (&letter["deadLetter"]["code"], &letter["deadLetter"]["handler"]),
        (&json!("publish-failed"), &json!("chain"))
    );
    let told = common::log::of_message(&given_up.message_id);
    let end = told.iter().find(|line| line["outcome"].is_string()).unwrap();
    assert!(end["message"].as_str().unwrap().contains("answered 500"), "{end}");
    // Mended, it runs again, and what it publishes is what it would have published.
    assert_eq!(host.post(&again(&cause, 1)).await.status, StatusCode::NO_CONTENT);
    let taken = receiver.take();
    assert_eq!(ids(&taken).into_iter().collect::<BTreeSet<_>>().len(), 1);
}
