//! Keys change while the host serves, and no event is lost on the way.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{TestHost, delivery, log, wasm};
use hyper::StatusCode;
use tidemill_events::{Envelope, Event, Key, KeyRing, Scheme, Schemes, Signer};
use tidemill_host::config::KeysConfig;
use tidemill_test_artifacts::EMPTY;

async fn host(file: PathBuf, reload: Duration) -> TestHost {
    let ring = KeyRing::new(KeyRing::parse_lines(&std::fs::read_to_string(&file).unwrap()).unwrap()).unwrap();
    TestHost::start_with(&[("empty", "events = [\"a\"]", &wasm(EMPTY))], |config| {
        config.keys = KeysConfig { ring, fixed: vec![], file: Some(file), reload };
    })
    .await
}

/// As a mounted secret changes: the new content takes the file's place at once.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

fn signed_with(key: &str, schemes: Schemes) -> Envelope {
    let delivery = delivery();
    let event = Event {
        id: delivery.message_id.clone(),
        event_type: "a".into(),
        time: delivery.publish_time.unwrap(),
        content_type: None,
        ordering_key: None,
        attributes: Default::default(),
        data: b"{}".to_vec(),
    };
    let signer = Signer::new(key.parse::<Key>().unwrap()).schemes(schemes);
    Envelope { message: signer.sign(&event).into_message(), delivery }
}

/// The three steps of a rotation, with a publisher of each kind at each step: whoever signs with a key that the file
/// holds at that moment is handled at once, before any timer has looked.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_in_three_steps_loses_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "old=one\n").unwrap();
    let host = host(file.clone(), Duration::from_secs(3600)).await;
    let both = [Schemes::Only(Scheme::V2), Schemes::Only(Scheme::V1)];
    for schemes in both {
        assert_eq!(host.post(&signed_with("old=one", schemes)).await.status, StatusCode::NO_CONTENT);
    }
    replace(&file, "old=one\nnew=two\n");
    for key in ["new=two", "old=one", "new=two"] {
        for schemes in both {
            assert_eq!(host.post(&signed_with(key, schemes)).await.status, StatusCode::NO_CONTENT, "{key} {schemes:?}");
        }
    }
    assert!(log::lines(|line| line["message"] == "signing keys changed" && line["keys"] == "old, new").len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_from_the_file_fits_nothing_soon_after() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, "old=one\nnew=two\n").unwrap();
    let host = host(file.clone(), Duration::from_millis(20)).await;
    replace(&file, "new=two\n");
    for _ in 0..3000 {
        let answer = host.post(&signed_with("old=one", Schemes::Both)).await;
        if answer.status != StatusCode::NO_CONTENT {
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "unknown-key"));
            assert!(answer.json()["reason"].as_str().unwrap().contains("\"old\""));
            assert_eq!(host.post(&signed_with("new=two", Schemes::Both)).await.status, StatusCode::NO_CONTENT);
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the old key still counts after 30 s");
}

/// What was wrong with the file is said once, without a secret, and the keys from before go on counting.
#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_changes_nothing_and_shows_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broken-keys");
    std::fs::write(&file, "old=one\n").unwrap();
    let host = host(file.clone(), Duration::from_millis(10)).await;
    replace(&file, "hunter2\n");
    let complaint = |line: &serde_json::Value| {
        line["file"].as_str().is_some_and(|file| file.ends_with("broken-keys"))
            && line["message"].as_str().is_some_and(|text| text.starts_with("signing-keys-file"))
    };
    host.until("complained", |_| !log::lines(complaint).is_empty()).await;
    assert_eq!(host.post(&signed_with("old=one", Schemes::Both)).await.status, StatusCode::NO_CONTENT);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let complaints = log::lines(complaint);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0]["message"].as_str().unwrap().contains("line 1"));
    assert!(log::lines(|line| line.to_string().contains("hunter2")).is_empty());
}
