//! What no handler can finish leaves the subscription, and is stored before it does.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::Path;

use common::{SCRIPT, TestHost, log, signed, unsigned, wasm};
use hyper::StatusCode;
use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_events::Envelope;
use tidemill_host::config::{Config, DeadLetterTarget, UnknownEventType};
use tidemill_test_artifacts::SCRIPTED;

async fn host_with(change: impl FnOnce(&mut Config)) -> TestHost {
    TestHost::start_with(&[("scripted", SCRIPT, &wasm(SCRIPTED))], change).await
}

async fn host(folder: &TempDir) -> TestHost {
    let target = DeadLetterTarget::Folder(folder.path().join("dead"));
    host_with(|config| {
        config.dead_letter.target = Some(target);
        config.dead_letter.max_attempts = Some(3);
    })
    .await
}

fn letters(folder: &Path) -> Vec<Value> {
    let files = std::fs::read_dir(folder.join("dead")).unwrap();
    files.map(|file| serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap()).collect()
}

fn reject() -> Vec<u8> {
    json!([{ "reject": { "reason": "no such user" } }]).to_string().into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_is_stored_whole_and_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).await;
    let mut envelope = signed("script", &reject());
    envelope.message.attributes.insert("tenant".into(), "acme".into());
    let answer = host.post(&envelope).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(answer.headers["tidemill-code"], "reject");
    let [letter] = letters(folder.path()).try_into().unwrap();
    let live = host.live("scripted").unwrap();
    let expected = json!({
        "code": "reject",
        "reason": "no such user",
        "handler": "scripted",
        "artifact": live.digest.to_string(),
        "attempt": 1,
    });
    assert_eq!(letter["deadLetter"], expected);
    // All that came is there: what verified once verifies again.
    let stored = Envelope::decode(letter.to_string().as_bytes()).unwrap();
    assert_eq!(stored.message.data, envelope.message.data);
    for (name, value) in &envelope.message.attributes {
        assert_eq!(stored.message.attributes.get(name), Some(value), "{name}");
    }
    assert_eq!(stored.message.attributes["dead-letter-reason"], "no such user");
    let told = log::of_message(&answer.message_id);
    let end = told.iter().find(|line| line["outcome"] == "reject").unwrap();
    assert!(end["message"].as_str().unwrap().contains("acknowledged"), "{end}");
    assert_eq!(end["severity"], "ERROR");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_tried_again_until_its_attempts_are_used_up() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).await;
    let scripts =
        [json!([{ "retry": { "reason": "down" } }]), json!(["trap"])].map(|script| script.to_string().into_bytes());
    for (script, status, code) in [
        (&scripts[0], StatusCode::SERVICE_UNAVAILABLE, "retry"),
        (&scripts[1], StatusCode::INTERNAL_SERVER_ERROR, "trap"),
    ] {
        let mut envelope = signed("script", script);
        for attempt in 1..=2 {
            envelope.delivery.attempt = Some(attempt);
            let answer = host.post(&envelope).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code));
        }
        envelope.delivery.attempt = Some(3);
        assert_eq!(host.post(&envelope).await.status, StatusCode::NO_CONTENT);
        let stored = letters(folder.path());
        let letter = stored.iter().find(|letter| letter["message"]["messageId"] == envelope.delivery.message_id);
        assert_eq!(
            (&letter.unwrap()["deadLetter"]["code"], &letter.unwrap()["deadLetter"]["attempt"]),
            (&json!(code), &json!(3))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_event_type_is_stored_nacked_or_acknowledged_as_configured() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(host(&folder).await.deliver("user.vanished", "{}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(letters(folder.path())[0]["deadLetter"]["code"], "unknown-event-type");
    for (word, status) in
        [(UnknownEventType::Nack, StatusCode::NOT_FOUND), (UnknownEventType::Ack, StatusCode::NO_CONTENT)]
    {
        let folder = tempfile::tempdir().unwrap();
        let target = DeadLetterTarget::Folder(folder.path().join("dead"));
        let host = host_with(|config| {
            config.dead_letter.target = Some(target);
            config.dead_letter.unknown_event_type = word;
        })
        .await;
        assert_eq!(host.deliver("user.vanished", "{}").await.status, status);
        assert!(letters(folder.path()).is_empty());
    }
}

/// Not stored is not acknowledged, whatever the event.
#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_stored_stays_with_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).await;
    std::fs::remove_dir_all(folder.path().join("dead")).unwrap();
    std::fs::write(folder.path().join("dead"), "no folder any more").unwrap();
    let answer = host.deliver("script", reject()).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "dead-letter-failed"));
    let reason = answer.json()["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("no such user") && reason.contains("dead-letter: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_place_for_dead_letters_nothing_is_acknowledged_and_the_log_says_so() {
    let host = host_with(|config| config.dead_letter.max_attempts = Some(1)).await;
    let retry = json!([{ "retry": { "reason": "down" } }]).to_string().into_bytes();
    for (event_type, data, status) in [
        ("script", reject(), StatusCode::UNPROCESSABLE_ENTITY),
        ("script", retry, StatusCode::SERVICE_UNAVAILABLE),
        ("user.vanished", b"{}".to_vec(), StatusCode::NOT_FOUND),
    ] {
        let answer = host.deliver(event_type, data).await;
        assert_eq!(answer.status, status);
        let told = log::of_message(&answer.message_id);
        let end = told.iter().find(|line| line["outcome"].is_string()).unwrap();
        assert!(end["message"].as_str().unwrap().contains("setting `dead-letter`"), "{end}");
    }
}

/// Nobody may fill the place for dead letters from outside.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stranger_sends_is_stored_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder).await;
    let mut relabelled = signed("script", &reject());
    relabelled.message.attributes.insert("event-type".into(), "user.vanished".into());
    relabelled.delivery.attempt = Some(100);
    for envelope in [unsigned(&[("event-type", "script")], b"[]"), relabelled] {
        let status = host.post(&envelope).await.status;
        assert!(status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN, "{status}");
    }
    let malformed = host.request(hyper::Method::POST, "/events", b"{".to_vec()).await;
    assert_eq!(malformed.status, StatusCode::BAD_REQUEST);
    assert!(letters(folder.path()).is_empty());
}
