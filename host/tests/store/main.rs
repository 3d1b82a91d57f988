//! Stores: one contract, held by each, and what is said of one that was tampered with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod contract;
#[path = "../common/registry.rs"]
mod oci;
mod registry;
mod servers;

use std::fs;

use contract::{artifact, keeps, release};
use servers::Bucket;
use tidemill_host::store::{Look, ReleaseNumber, Store, StoreError};

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps(&Store::in_memory()).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let url = folder.path().join("made/here").display().to_string();
    keeps(&Store::open(&url.parse().unwrap(), &[]).unwrap()).await;
}

#[tokio::test]
async fn s3_keeps_the_contract() {
    let Some(bucket) = Bucket::s3().await else { return };
    keeps(&Store::open(&"s3://bucket/a/prefix".parse().unwrap(), &bucket.variables()).unwrap()).await;
}

/// With a bucket of one's own: `TIDEMILL_TEST_STORE=gs://BUCKET/PREFIX cargo test --test store -- --ignored`, and the
/// credentials in the environment. The prefix must be empty.
#[tokio::test]
#[ignore = "it needs a real bucket"]
async fn a_real_bucket_keeps_the_contract() {
    #[allow(clippy::disallowed_methods, reason = "the one who runs it says where")]
    let (url, variables) = (std::env::var("TIDEMILL_TEST_STORE").unwrap(), std::env::vars().collect::<Vec<_>>());
    keeps(&Store::open(&url.parse().unwrap(), &variables).unwrap()).await;
}

/// What a folder's owner can do to it, and what is said of it.
#[tokio::test]
async fn what_was_tampered_with_is_named_and_never_taken() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().display().to_string().parse().unwrap(), &[]).unwrap();
    let one = artifact("a");
    store.put_artifact(&one).await.unwrap();
    store.make_live(None, release("ada", &one)).await.unwrap();
    let place = folder.path().join("artifacts").join(one.digest().hex());

    let mut flipped = one.wasm.clone();
    flipped[3] ^= 1;
    for spoilt in [&flipped[..], &one.wasm[..3], &[]] {
        fs::write(place.join("handler.wasm"), spoilt).unwrap();
        let error = store.artifact(one.digest()).await.unwrap_err();
        assert!(matches!(error, StoreError::Spoilt { .. }), "{error}");
        let error = store.put_artifact(&one).await.unwrap_err();
        assert!(error.to_string().contains(&one.digest().hex()), "{error}");
    }
    fs::remove_file(place.join("handler.wasm")).unwrap();
    assert!(matches!(store.artifact(one.digest()).await.unwrap_err(), StoreError::NoArtifact { .. }));

    for (text, says) in
        [("", "EOF"), ("{}", "release"), ("{\"release\": -1}", "invalid value"), ("{\"release\": 7}", "no release 7")]
    {
        fs::write(folder.path().join("live.json"), text).unwrap();
        let error = match store.look(None).await {
            Ok(Look::Live(live)) => store.release(live.release).await.unwrap_err(),
            Ok(other) => panic!("{text}: {other:?}"),
            Err(error) => error,
        };
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
    fs::copy(folder.path().join("releases/0000000001.json"), folder.path().join("releases/0000000007.json")).unwrap();
    let error = store.release(ReleaseNumber(7)).await.unwrap_err();
    assert!(error.to_string().contains("it says that it is release 1"), "{error}");
}

#[tokio::test]
async fn a_store_that_is_away_is_said_to_be() {
    let variables = [("AWS_ENDPOINT", "http://127.0.0.1:9"), ("AWS_ALLOW_HTTP", "true"), ("AWS_REGION", "x")];
    let mut variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    variables
        .extend(["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(|name| (name.to_owned(), "hunter2".to_owned())));
    let store = Store::open(&"s3://bucket".parse().unwrap(), &variables).unwrap();
    let error = store.look(None).await.unwrap_err().to_string();
    assert!(error.starts_with("the store s3://bucket: reading live.json failed"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
