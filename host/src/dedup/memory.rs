use std::iter;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::shard::Shard;
use super::{Asking, Claim, DedupKey, DedupStore, LONGEST_LEASE, Lease, Settlement};

/// The most parts that a store has, each with a lock of its own.
const MAX_SHARDS: usize = 16;
/// The fewest events that a part is made for. Each part forgets its own oldest: with few events in it, those may be far
/// from the oldest of all.
const LEAST_PER_SHARD: usize = 1024;

/// A store in this process's memory, for one instance. It forgets everything when the process ends.
///
/// It holds so many events and no more, at 180 to 270 bytes each. When it is full it forgets the event that has been
/// handled or free for longest. A lease that runs never goes: with nothing else left to forget, the store grows by one
/// entry for each event that runs.
#[derive(Debug)]
pub struct MemoryStore {
    first: Mutex<Shard>,
    others: Box<[Mutex<Shard>]>,
    next_grant: AtomicU64,
}

impl MemoryStore {
    /// A store of `capacity` events, each of which is remembered for `remember` from the end of its run.
    #[must_use]
    pub fn new(capacity: usize, remember: Duration) -> Self {
        let shards = (capacity / LEAST_PER_SHARD).clamp(1, MAX_SHARDS);
        let shard = || Mutex::new(Shard::new(capacity / shards, remember));
        Self {
            first: shard(),
            others: iter::repeat_with(shard).take(shards - 1).collect(),
            next_grant: AtomicU64::new(1),
        }
    }

    /// The part that `key` belongs to. Locked for about a microsecond, never across an await.
    fn shard(&self, key: &DedupKey) -> MutexGuard<'_, Shard> {
        let shard = self.others.get(key.part(self.others.len() + 1)).unwrap_or(&self.first);
        // Nothing in a shard panics between two changes that belong together, so what a panic left is sound.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DedupStore for MemoryStore {
    fn claim<'a>(&'a self, key: &'a DedupKey, lease: Duration) -> Asking<'a, Claim> {
        let grant = self.next_grant.fetch_add(1, Ordering::Relaxed);
        Asking::answered(self.shard(key).claim(*key, grant, lease.min(LONGEST_LEASE), Instant::now()))
    }

    fn settle<'a>(&'a self, lease: &'a Lease, end: Settlement) -> Asking<'a, ()> {
        self.shard(&lease.key).settle(lease, end, Instant::now());
        Asking::answered(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_of_events_neither_grows_the_store_nor_pushes_out_what_runs() {
        const CAPACITY: usize = 4 * LEAST_PER_SHARD;
        const HOUR: Duration = Duration::from_secs(3600);
        let store = MemoryStore::new(CAPACITY, HOUR);
        let claim = async |id: String| store.claim(&DedupKey::event(&id), HOUR).await.unwrap();
        for number in 0..100 {
            assert!(matches!(claim(format!("running {number}")).await, Claim::Granted(_)));
        }
        for number in 0..3 * CAPACITY {
            let Claim::Granted(lease) = claim(format!("done {number}")).await else { panic!("granted") };
            store.settle(&lease, Settlement::Done).await.unwrap();
        }
        for number in 0..100 {
            assert!(matches!(claim(format!("running {number}")).await, Claim::Running { .. }));
        }
        // What was done last is known, whichever part it is in.
        for number in 3 * CAPACITY - CAPACITY / 2..3 * CAPACITY {
            assert!(matches!(claim(format!("done {number}")).await, Claim::Done), "{number}");
        }
        let all = iter::once(&store.first).chain(&store.others);
        let entries: Vec<_> = all.map(|shard| shard.lock().unwrap().len()).collect();
        assert!(entries.len() == 4 && entries.iter().all(|count| *count == CAPACITY / 4), "{entries:?}");
    }
}
