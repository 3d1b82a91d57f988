//! The deduplication stores: one contract, kept by each, and what only a server of its own can do to one.
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
mod redis_away;
mod redis_shared;

use std::time::Duration;

use tidemill_host::dedup::{Claim, DedupKey, DedupStore, Lease};

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);
/// Over soon. How soon is nothing that a test asserts.
const SHORT: Duration = Duration::from_millis(20);

/// Claims an event that must be free.
async fn granted(store: &dyn DedupStore, key: &DedupKey, lease: Duration) -> Lease {
    match store.claim(key, lease).await.unwrap() {
        Claim::Granted(lease) => lease,
        other => panic!("granted expected, not {other:?}"),
    }
}

/// Claims an event until it is granted. A test that waits in vain is ended by this, not by a guess at speed.
async fn granted_at_last(store: &dyn DedupStore, key: &DedupKey, lease: Duration) -> Lease {
    for _ in 0..3000 {
        if let Claim::Granted(lease) = store.claim(key, lease).await.unwrap() {
            return lease;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not granted within 30 s");
}
