//! A server that goes, sleeps, forgets or refuses, and comes back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tidemill_host::config::RedisUrl;
use tidemill_host::dedup::{Claim, DedupError, DedupKey, DedupStore, RedisStore, Settlement};

use super::common::line::Line;
use super::common::redis::Redis;
use super::{LONG, granted};

fn open(url: &RedisUrl) -> RedisStore {
    RedisStore::new(url, LONG).unwrap()
}

fn is_unavailable<T>(answer: &Result<T, DedupError>) -> bool {
    matches!(answer, Err(DedupError::Unavailable { .. }))
}

#[tokio::test]
async fn a_server_that_was_away_serves_the_first_claim_after_it() {
    let Some(mut server) = Redis::start().await else { return };
    let (store, key) = (open(&server.url()), DedupKey::event("a"));
    let lease = granted(&store, &key, LONG).await;
    for _ in 0..2 {
        server.stop();
        for _ in 0..3 {
            assert!(is_unavailable(&store.claim(&key, LONG).await));
            assert!(is_unavailable(&store.settle(&lease, Settlement::Done).await));
        }
        server.resume().await;
        // It has forgotten everything, so this is a first attempt again.
        assert_eq!(granted(&store, &key, LONG).await.attempt(), 1);
    }
    // The end of a run that the server knows nothing of counts all the same.
    store.settle(&lease, Settlement::Done).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

#[tokio::test]
async fn a_store_can_be_made_while_its_server_is_away() {
    let Some(mut server) = Redis::start().await else { return };
    server.stop();
    let (store, key) = (open(&server.url()), DedupKey::event("a"));
    assert!(is_unavailable(&store.claim(&key, LONG).await));
    server.resume().await;
    _ = granted(&store, &key, LONG).await;
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_waited_for() {
    let Some(server) = Redis::start().await else { return };
    let (store, key) = (open(&server.url()), DedupKey::event("a"));
    let lease = granted(&store, &key, LONG).await;
    store.settle(&lease, Settlement::Open).await.unwrap();
    server.freeze();
    // Far above the limit, far below for ever.
    let claim = tokio::time::timeout(Duration::from_secs(60), store.claim(&key, LONG)).await;
    assert!(is_unavailable(&claim.expect("an answer")));
    server.thaw();
    // Whether the claim before was granted is open; that there is an answer again is not.
    assert!(store.claim(&key, LONG).await.is_ok());
}

#[tokio::test]
async fn a_connection_that_the_server_closes_costs_no_event() {
    let Some(server) = Redis::start().await else { return };
    let (store, key) = (open(&server.url()), DedupKey::event("a"));
    let mut admin = server.connection().await;
    for attempt in 1..=5 {
        let lease = granted(&store, &key, LONG).await;
        assert_eq!(lease.attempt(), attempt);
        let mut kill = redis::cmd("CLIENT");
        kill.arg("KILL").arg("TYPE").arg("normal").exec_async(&mut admin).await.unwrap();
        store.settle(&lease, Settlement::Open).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_forgot_the_scripts_gets_them_again() {
    let Some(server) = Redis::start().await else { return };
    let store = open(&server.url());
    for event in ["a", "b"] {
        let lease = granted(&store, &DedupKey::event(event), LONG).await;
        let mut flush = redis::cmd("SCRIPT");
        flush.arg("FLUSH").exec_async(&mut server.connection().await).await.unwrap();
        store.settle(&lease, Settlement::Done).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown_and_a_right_one_heals() {
    let Some(mut server) = Redis::start_with(Some("hunter2")).await else { return };
    let url = server.url();
    let (store, key) = (open(&url), DedupKey::event("a"));
    server.stop();
    server.set_password("hunter3");
    server.resume().await;
    for _ in 0..3 {
        let error = store.claim(&key, LONG).await.unwrap_err();
        let told = format!("{error} {error:?} {url} {url:?}");
        assert!(matches!(error, DedupError::Refused { .. }), "{told}");
        assert!(told.contains(&server.port().to_string()) && !told.contains("hunter"), "{told}");
    }
    server.stop();
    server.set_password("hunter2");
    server.resume().await;
    _ = granted(&store, &key, LONG).await;
}

#[tokio::test]
async fn tls_to_a_server_without_is_an_error_and_no_panic() {
    let Some(server) = Redis::start().await else { return };
    let url = format!("rediss://:hunter2@127.0.0.1:{}", server.port()).parse().unwrap();
    let error = open(&url).claim(&DedupKey::event("a"), LONG).await.unwrap_err();
    assert!(matches!(error, DedupError::Unavailable { .. }) && !format!("{error:?}").contains("hunter2"), "{error:?}");
}

/// The hard case: the server has granted the claim, and the connection breaks before the answer is here.
#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_granted_once() {
    let Some(server) = Redis::start().await else { return };
    let line = Line::to(server.port()).await;
    let (store, key) = (open(&format!("redis://127.0.0.1:{}", line.port).parse().unwrap()), DedupKey::event("a"));
    // So that the script is there, and the next claim is one question with one answer.
    let lease = granted(&store, &DedupKey::event("b"), LONG).await;
    line.cut_next_answer.store(true, Ordering::SeqCst);
    assert_eq!(granted(&store, &key, LONG).await.attempt(), 1);
    assert_eq!(line.cuts.load(Ordering::SeqCst), 1, "an answer was lost");
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
    line.cut_next_answer.store(true, Ordering::SeqCst);
    store.settle(&lease, Settlement::Open).await.unwrap();
    assert_eq!(line.cuts.load(Ordering::SeqCst), 2, "an answer was lost");
    assert_eq!(granted(&store, &DedupKey::event("b"), LONG).await.attempt(), 2);
}
