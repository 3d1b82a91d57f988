//! From the store to the receiver: what is due is pushed, and what came of it is written down.

mod backoff;
mod courier;
mod dead_letter;
mod push;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

pub(super) use courier::Courier;
pub use dead_letter::DeadLetterError;

use super::Shared;
use super::store::Leased;
use crate::clock;

/// How many messages are read from disk at a time.
const BATCH: usize = 32;
/// How long to wait after the store failed, before asking it again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Pushes what is due until `shutdown` ends; then waits for the pushes under way, which the ack deadline bounds.
pub(super) async fn run(shared: Arc<Shared>, shutdown: impl Future<Output = ()>) {
    let outstanding = Arc::new(Semaphore::new(shared.courier.max_outstanding()));
    let mut pushes = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        while pushes.try_join_next().is_some() {}
        let permits = tokio::select! {
            permits = free(&outstanding) => permits,
            () = &mut shutdown => break,
        };
        // Not cut short by a shutdown: the store would hold what it leased to nobody.
        let next = match shared.store.lease(permits.len(), clock::now()).await {
            Ok(leased) => push(&shared, leased, permits, &mut pushes),
            Err(error) => {
                tracing::error!(%error, "no messages could be read; trying again");
                Next::At(Some(clock::now() + STORE_PAUSE))
            }
        };
        tokio::select! {
            () = next.wait(&shared) => {}
            () = &mut shutdown => break,
        }
    }
    while pushes.join_next().await.is_some() {}
}

/// At least one permit, and as many more as are free and a batch takes.
async fn free(outstanding: &Arc<Semaphore>) -> Vec<OwnedSemaphorePermit> {
    // The semaphore is never closed, so the first one always comes.
    let mut permits: Vec<_> = outstanding.clone().acquire_owned().await.into_iter().collect();
    while permits.len() < BATCH
        && let Ok(permit) = outstanding.clone().try_acquire_owned()
    {
        permits.push(permit);
    }
    permits
}

/// Starts a push for each message, and says when to look for more.
fn push(shared: &Arc<Shared>, leased: Leased, permits: Vec<OwnedSemaphorePermit>, pushes: &mut JoinSet<()>) -> Next {
    let next = if leased.messages.is_empty() { Next::At(leased.next_due) } else { Next::Now };
    for (due, permit) in leased.messages.into_iter().zip(permits) {
        let shared = shared.clone();
        pushes.spawn(async move {
            let has_key = due.message.ordering_key.is_some();
            let nacked = shared.courier.deliver(&shared.store, due).await;
            if nacked || has_key {
                shared.due.notify_one();
            }
            drop(permit);
        });
    }
    next
}

/// When to look for due messages again.
enum Next {
    Now,
    /// At this time, or when the broker is told that a message became due; with `None`, only then.
    At(Option<SystemTime>),
}

impl Next {
    async fn wait(self, shared: &Shared) {
        let woken = shared.due.notified();
        match self {
            Self::Now => {}
            Self::At(None) => woken.await,
            Self::At(Some(due)) => {
                // A millisecond more, since the store counts in whole ones: a wake-up too early would find nothing.
                let wait = due.duration_since(clock::now()).unwrap_or_default() + Duration::from_millis(1);
                _ = tokio::time::timeout(wait, woken).await;
            }
        }
    }
}
