//! Every fixture, served as it lies in its folder, with its own manifest.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;

use common::{TestHost, log};
use hyper::StatusCode;
use tidemill_host::config::PublishTarget;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{Grant, LoadError, Runtime, RuntimeConfig};
use tidemill_test_artifacts::{FIXTURES, WRONG_WORLD, assert_test_exists, foreach_fixture};

foreach_fixture!(assert_test_exists);

async fn host() -> TestHost {
    TestHost::start_with(&[], |config| {
        config.handlers = tidemill_host::config::HandlerSource::Folder(FIXTURES.into());
        // Nobody is there.
        config.publishing.target = PublishTarget::Host("http://127.0.0.1:9/events".parse().unwrap());
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn empty() {
    assert_eq!(host().await.deliver("test.empty", "{}").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn bench() {
    let host = host().await;
    let user = r#"{"id":"u-1","email":"ada@example.com","name":"Ada"}"#;
    assert_eq!(host.deliver("test.bench", user).await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.deliver("test.bench", r#"{"id":"u-1"}"#).await.code(), "reject");
}

#[tokio::test(flavor = "multi_thread")]
async fn count() {
    assert_eq!(host().await.deliver("test.count", "{}").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test(flavor = "multi_thread")]
async fn scripted() {
    let answer = host().await.deliver("test.scripted", r#"[{"config": "greeting"}]"#).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(log::of_message(&answer.message_id).iter().any(|line| line["message"] == "greeting=hello"));
}

#[tokio::test(flavor = "multi_thread")]
async fn key_value() {
    let answer = host().await.deliver("test.key-value", r#"[{"increment": ["n", 3]}]"#).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(log::of_message(&answer.message_id).iter().any(|line| line["message"] == "3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn publish() {
    let host = host().await;
    assert_eq!(host.deliver("test.publish", "{}").await.status, StatusCode::NO_CONTENT);
    let answer = host.deliver("test.publish", r#"{"publish": [{"type": "test.published"}]}"#).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "publish-failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn last_interface() {
    let answer = host().await.deliver("test.last", "{}").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(log::of_message(&answer.message_id).iter().any(|line| line["handler"] == "last-interface"));
}

#[test]
fn wrong_world() {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 16 << 20, outgoing }).unwrap();
    let error = runtime.load(&std::fs::read(WRONG_WORLD).unwrap(), &Grant::default()).unwrap_err();
    assert!(matches!(&error, LoadError::NotAHandler { exports } if exports.contains("wasi:cli/run")), "{error}");
}
