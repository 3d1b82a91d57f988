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
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use contract::{artifact, keeps, release};
use servers::Bucket;
use tidemill_host::store::{Look, ReleaseNumber, Store, StoreError, StoreUrl};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn memory_keeps_the_contract() {
    keeps(&Store::in_memory()).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let url: StoreUrl = folder.path().join("made/here").display().to_string().parse().unwrap();
    // Nothing is made of a path that is misspelt.
    let missing = Store::open(&url, &[]).unwrap_err().to_string();
    assert!(missing.contains("there is no such folder") && !folder.path().join("made").exists(), "{missing}");
    url.make().unwrap();
    keeps(&Store::open(&url, &[]).unwrap()).await;
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

/// The write lands and its answer is lost: who made the release live is not told that it isn't.
#[tokio::test]
async fn a_lost_answer_makes_no_failure_of_what_was_done() {
    let Some(bucket) = Bucket::s3().await else { return };
    let losing = Arc::new(AtomicUsize::new(0));
    let mut variables = bucket.variables();
    let (_, endpoint) = variables.iter_mut().find(|(name, _)| name == "AWS_ENDPOINT").unwrap();
    let server = endpoint.trim_start_matches("http://").parse().unwrap();
    *endpoint = format!("http://{}", forgetful(server, Arc::clone(&losing)).await);
    let store = Store::open(&"s3://bucket".parse().unwrap(), &variables).unwrap();
    let one = artifact("a");
    store.put_artifact(&one).await.unwrap();
    // The client asks again where an answer doesn't come, and then finds its own write in its way.
    losing.store(1, Ordering::Relaxed);
    let first = store.make_live(None, release("ada", &one)).await.unwrap();
    assert_eq!(losing.load(Ordering::Relaxed), 0, "no answer was lost");
    let Look::Live(seen) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    losing.store(1, Ordering::Relaxed);
    let second = store.make_live(Some(&seen), release("ada", &one)).await.unwrap();
    assert_eq!((second.previous, losing.load(Ordering::Relaxed)), (Some(first.number), 0));
}

/// Hands connections on to a server, and loses the answers to so many writes of what is live.
async fn forgetful(to: SocketAddr, losing: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (near, _) = listener.accept().await.unwrap();
            let losing = Arc::clone(&losing);
            tokio::spawn(async move {
                let far = TcpStream::connect(to).await.unwrap();
                let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
                let lost = Arc::new(AtomicBool::new(false));
                let loses = Arc::clone(&lost);
                let up = tokio::spawn(async move {
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(count @ 1..) = near_in.read(&mut buffer).await {
                        let writes =
                            buffer.starts_with(b"PUT ") && buffer[..count].windows(9).any(|it| it == b"live.json");
                        if writes && losing.load(Ordering::Relaxed) > 0 {
                            losing.fetch_sub(1, Ordering::Relaxed);
                            loses.store(true, Ordering::Relaxed);
                        }
                        if far_out.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                });
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count @ 1..) = far_in.read(&mut buffer).await {
                    if lost.load(Ordering::Relaxed) || near_out.write_all(&buffer[..count]).await.is_err() {
                        break;
                    }
                }
                up.abort();
            });
        }
    });
    address
}
