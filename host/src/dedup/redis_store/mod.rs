//! The store that several instances share: one short value an event in a Redis server (5 or later, or a Valkey).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::Script;
use uuid::Uuid;

use super::{Asking, Claim, DedupError, DedupKey, DedupStore, LONGEST_LEASE, Lease, Settlement};
use crate::config::RedisUrl;
use crate::redis_link::Link;

/// What the names of this store's keys begin with; the event's [`DedupKey`] follows.
const PREFIX: &str = "tidemill:dedup:";

/// A store in a Redis server, for all instances that use the same database of it.
///
/// Each step is one script, which the server runs as a whole and with its own clock. Every key has a time to live. A
/// server that evicts keys when its memory is full (`maxmemory-policy`) forgets marks early; give it `noeviction`.
pub struct RedisStore {
    link: Link,
    remember: Duration,
    /// What tells this store's grants from those of others.
    instance: Uuid,
    next_grant: AtomicU64,
    claim: Script,
    settle: Script,
}

impl RedisStore {
    /// A store at `url`, in which an event is remembered for `remember` from the end of its run. It connects with the
    /// first claim, so the server may be away. Call it within a tokio runtime.
    ///
    /// Where the application has installed no default provider for rustls, and `url` asks for TLS, this installs ring.
    ///
    /// # Errors
    /// Where the client refuses what the URL says.
    pub fn new(url: &RedisUrl, remember: Duration) -> Result<Self, DedupError> {
        Ok(Self {
            link: Link::new(url)?,
            remember,
            instance: Uuid::now_v7(),
            next_grant: AtomicU64::new(1),
            claim: Script::new(include_str!("claim.lua")),
            settle: Script::new(include_str!("settle.lua")),
        })
    }

    fn name(&self, grant: u64) -> String {
        format!("{}:{grant}", self.instance.simple())
    }
}

impl DedupStore for RedisStore {
    fn claim<'a>(&'a self, key: &'a DedupKey, lease: Duration) -> Asking<'a, Claim> {
        Asking::waiting(async move {
            let grant = self.next_grant.fetch_add(1, Ordering::Relaxed);
            let mut claim = self.claim.key(format!("{PREFIX}{key}"));
            claim.arg(self.name(grant)).arg(millis(lease.min(LONGEST_LEASE))).arg(millis(self.remember));
            let (answer, number): (String, u64) = self.link.run(&claim).await?;
            match (answer.as_str(), u32::try_from(number)) {
                ("granted", Ok(attempt)) => Ok(Claim::Granted(Lease { key: *key, grant, attempt })),
                ("running", _) => Ok(Claim::Running { for_at_most: Duration::from_millis(number) }),
                ("done", _) => Ok(Claim::Done),
                _ => {
                    let reason = format!("its answer to a claim is {answer:?} {number}, which is none");
                    Err(self.link.refused(reason).into())
                }
            }
        })
    }

    fn settle<'a>(&'a self, lease: &'a Lease, end: Settlement) -> Asking<'a, ()> {
        Asking::waiting(async move {
            let end = match end {
                Settlement::Done => "done",
                Settlement::Open => "open",
                Settlement::GivenUp => "given up",
            };
            let mut settle = self.settle.key(format!("{PREFIX}{}", lease.key));
            settle.arg(self.name(lease.grant)).arg(end).arg(millis(self.remember));
            Ok(self.link.run(&settle).await?)
        })
    }
}

/// At least one, which is the least time to live that Redis takes.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1)
}
