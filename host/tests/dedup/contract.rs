//! What every store keeps. Each function is a test of each store.

use std::sync::Arc;
use std::time::Duration;

use tidemill_host::dedup::{Claim, DedupKey, DedupStore, MemoryStore, RedisStore, Settlement};

use super::common::redis::Redis;
use super::{LONG, SHORT, granted, granted_at_last};

/// A store that remembers for as long as is said.
type Open<'a> = &'a dyn Fn(Duration) -> Arc<dyn DedupStore>;

macro_rules! contract {
    ($($test:ident)*) => {
        mod memory {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&|remember| Arc::new(MemoryStore::new(100, remember))).await;
            })*
        }
        mod redis {
            use super::*;
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                let Some(server) = Redis::start().await else { return };
                super::$test(&|remember| Arc::new(RedisStore::new(&server.url(), remember).unwrap())).await;
            })*
        }
    };
}

contract! {
    an_event_runs_once_and_is_done
    an_open_event_is_free_at_once_and_its_attempts_are_counted
    of_many_who_claim_at_once_one_is_granted
    a_lease_that_nobody_settles_is_over_at_its_end
    a_late_done_counts_though_another_runs
    a_late_open_leaves_the_others_lease_alone
    a_late_open_leaves_what_is_done
    what_is_given_up_may_come_again_as_if_new
    settling_twice_changes_nothing_more
    what_is_done_is_forgotten_in_the_end
    events_dont_touch_each_other
}

async fn an_event_runs_once_and_is_done(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let lease = granted(&*store, &key, LONG).await;
    assert_eq!(lease.attempt(), 1);
    let Claim::Running { for_at_most } = store.claim(&key, LONG).await.unwrap() else { panic!("it runs") };
    assert!(!for_at_most.is_zero() && for_at_most <= LONG, "{for_at_most:?}");
    store.settle(&lease, Settlement::Done).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

async fn an_open_event_is_free_at_once_and_its_attempts_are_counted(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    for attempt in 1..=3 {
        let lease = granted(&*store, &key, LONG).await;
        assert_eq!(lease.attempt(), attempt);
        store.settle(&lease, Settlement::Open).await.unwrap();
    }
}

async fn of_many_who_claim_at_once_one_is_granted(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    for attempt in 1..=20 {
        let claims = (0..64).map(|_| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { store.claim(&key, LONG).await.unwrap() })
        });
        let mut leases = Vec::new();
        for claim in claims.collect::<Vec<_>>() {
            match claim.await.unwrap() {
                Claim::Granted(lease) => leases.push(lease),
                Claim::Running { .. } => {}
                Claim::Done => panic!("nothing is done"),
            }
        }
        assert!(leases.len() == 1 && leases[0].attempt() == attempt, "{leases:?} in round {attempt}");
        store.settle(&leases[0], Settlement::Open).await.unwrap();
    }
}

async fn a_lease_that_nobody_settles_is_over_at_its_end(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    drop(granted(&*store, &key, SHORT).await);
    drop(granted_at_last(&*store, &key, SHORT).await);
    assert_eq!(granted_at_last(&*store, &key, LONG).await.attempt(), 3);
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
}

async fn a_late_done_counts_though_another_runs(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let late = granted(&*store, &key, SHORT).await;
    let other = granted_at_last(&*store, &key, LONG).await;
    store.settle(&late, Settlement::Done).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
    store.settle(&other, Settlement::Open).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

async fn a_late_open_leaves_the_others_lease_alone(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let late = granted(&*store, &key, SHORT).await;
    let other = granted_at_last(&*store, &key, LONG).await;
    store.settle(&late, Settlement::Open).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
    store.settle(&other, Settlement::Open).await.unwrap();
    assert_eq!(granted(&*store, &key, LONG).await.attempt(), 3);
}

async fn a_late_open_leaves_what_is_done(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let late = granted(&*store, &key, SHORT).await;
    let other = granted_at_last(&*store, &key, LONG).await;
    store.settle(&other, Settlement::Done).await.unwrap();
    store.settle(&late, Settlement::Open).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

async fn what_is_given_up_may_come_again_as_if_new(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let first = granted(&*store, &key, LONG).await;
    store.settle(&first, Settlement::Open).await.unwrap();
    let second = granted(&*store, &key, LONG).await;
    store.settle(&second, Settlement::GivenUp).await.unwrap();
    let third = granted(&*store, &key, LONG).await;
    assert_eq!(third.attempt(), 1);
    // Asked late, it takes nothing from who runs now.
    store.settle(&second, Settlement::GivenUp).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
    store.settle(&third, Settlement::Done).await.unwrap();
    store.settle(&third, Settlement::GivenUp).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

async fn settling_twice_changes_nothing_more(open: Open<'_>) {
    let (store, key) = (open(LONG), DedupKey::event("a"));
    let first = granted(&*store, &key, LONG).await;
    store.settle(&first, Settlement::Open).await.unwrap();
    let second = granted(&*store, &key, LONG).await;
    store.settle(&first, Settlement::Open).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
    store.settle(&second, Settlement::Done).await.unwrap();
    store.settle(&second, Settlement::Done).await.unwrap();
    assert!(matches!(store.claim(&key, LONG).await.unwrap(), Claim::Done));
}

async fn what_is_done_is_forgotten_in_the_end(open: Open<'_>) {
    let (store, key) = (open(SHORT), DedupKey::event("a"));
    let lease = granted(&*store, &key, LONG).await;
    store.settle(&lease, Settlement::Done).await.unwrap();
    assert_eq!(granted_at_last(&*store, &key, LONG).await.attempt(), 1);
}

async fn events_dont_touch_each_other(open: Open<'_>) {
    let store = open(LONG);
    let keys =
        [DedupKey::event("a"), DedupKey::event("b"), DedupKey::message(&["a", "b"]), DedupKey::message(&["ab", ""])];
    for key in &keys {
        assert_eq!(granted(&*store, key, LONG).await.attempt(), 1);
    }
    let longest = DedupKey::event(&"x".repeat(10 << 20));
    let lease = granted(&*store, &longest, LONG).await;
    store.settle(&lease, Settlement::Done).await.unwrap();
    for key in &keys {
        assert!(matches!(store.claim(key, LONG).await.unwrap(), Claim::Running { .. }));
    }
}
