use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Digest, Handler};
use crate::runtime::{Ending, Invocation};

/// Runs of the canary before which nothing is concluded from its outcomes, and before which nothing is from its times.
const ENOUGH_OUTCOMES: u64 = 10;
const ENOUGH_TIMES: u64 = 50;
/// How much larger the canary's share of failed runs may be: twice the stable one's, and this on top.
const MORE_FAILURES: f64 = 0.05;
/// How much longer the canary may take, at the 90th percentile: twice as long as the stable one, and this on top.
const LONGER: Duration = Duration::from_millis(10);

/// A canary on trial at this host: which events it gets, and how it does beside what is stable.
#[derive(Debug)]
pub struct Trial {
    /// What is tried.
    pub canary: Arc<Handler>,
    /// Of 10,000 events, how many it gets.
    per_ten_thousand: u16,
    dropped: AtomicBool,
    figures: Mutex<Figures>,
}

/// Which of the two ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What is tried.
    Canary,
    /// What it is compared with.
    Stable,
}

/// Why a canary was dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The handler.
    pub handler: String,
    /// What was tried.
    pub canary: Digest,
    /// The figures, in a sentence.
    pub evidence: String,
}

/// What came of the runs of both since the trial began.
#[derive(Debug, Default)]
struct Figures {
    canary: Tally,
    stable: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    runs: u64,
    failed: u64,
    /// Runs by the time that they took: in the n-th, less than 2^n microseconds. The last is more than half an hour.
    times: [u64; 32],
}

impl Trial {
    /// A trial that begins now.
    #[must_use]
    pub fn new(canary: Arc<Handler>, per_ten_thousand: u16) -> Self {
        Self { canary, per_ten_thousand, dropped: AtomicBool::new(false), figures: Mutex::default() }
    }

    /// Whether this is a trial of that artifact at that share, whichever values it has: then it goes on.
    pub(super) fn goes_on(&self, canary: &Arc<Handler>, per_ten_thousand: u16) -> bool {
        self.per_ten_thousand == per_ten_thousand && Arc::ptr_eq(&self.canary, canary)
    }

    /// Whether the canary gets the event of this id: each host answers alike, and so does the same host again.
    #[must_use]
    pub fn chooses(&self, event_id: &str) -> bool {
        !self.dropped() && share_of(event_id, &self.canary.digest) < u64::from(self.per_ten_thousand)
    }

    /// Whether this host has dropped the canary.
    #[must_use]
    pub fn dropped(&self) -> bool {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Drops the canary, at this host.
    pub fn drop_canary(&self) {
        self.dropped.store(true, Ordering::Relaxed);
    }

    /// Notes a run of either. Where it shows that the canary does worse than it may, that is dropped, and the one call
    /// that dropped it is told why.
    pub fn note(&self, side: Side, run: &Invocation) -> Option<Verdict> {
        let evidence = {
            let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
            match side {
                Side::Canary => figures.canary.note(run),
                Side::Stable => figures.stable.note(run),
            }
            figures.against_the_canary()?
        };
        let first = !self.dropped.swap(true, Ordering::Relaxed);
        let (handler, canary) = (self.canary.name.clone(), self.canary.digest);
        first.then_some(Verdict { handler, canary, evidence })
    }
}

impl Figures {
    /// What speaks against the canary beyond all bounds, if anything does.
    fn against_the_canary(&self) -> Option<String> {
        let Self { canary, stable } = self;
        if canary.runs >= ENOUGH_OUTCOMES && canary.failure() > 2.0 * stable.failure() + MORE_FAILURES {
            return Some(format!("of the canary's runs {canary} failed, of the stable one's {stable}"));
        }
        let (slow, usual) = (canary.percentile_90(), stable.percentile_90());
        let enough = canary.runs >= ENOUGH_TIMES && stable.runs >= ENOUGH_TIMES;
        (enough && slow > 2 * usual + LONGER).then(|| {
            format!(
                "of {} runs the canary's 90th percentile is {slow:?}, of {} the stable one's {usual:?}",
                canary.runs, stable.runs
            )
        })
    }
}

impl Tally {
    fn note(&mut self, run: &Invocation) {
        self.runs += 1;
        // A rejection is an answer, as right as any other.
        self.failed += u64::from(matches!(run.ending, Ending::Retry { .. } | Ending::Fault(_)));
        let micros = u64::try_from(run.elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = u64::BITS - micros.leading_zeros();
        if let Some(count) = self.times.get_mut(bucket as usize) {
            *count += 1;
        }
    }

    fn failure(&self) -> f64 {
        if self.runs == 0 { 0.0 } else { self.failed as f64 / self.runs as f64 }
    }

    /// The upper end of the bucket that nine tenths of the runs are not above.
    fn percentile_90(&self) -> Duration {
        let (mut seen, enough) = (0, self.runs.saturating_mul(9).div_ceil(10));
        let bucket = self.times.iter().position(|count| {
            seen += count;
            seen >= enough
        });
        Duration::from_micros(1 << bucket.unwrap_or_default())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({:.1}%)", self.failed, self.runs, 100.0 * self.failure())
    }
}

/// A number from 0 to 9,999 that hangs on nothing but the two: FNV-1a over both, in 64 bits, folded.
///
/// The digest is part of it, so that it isn't the same events that each canary is tried on.
fn share_of(event_id: &str, canary: &Digest) -> u64 {
    let bytes = event_id.bytes().chain(canary.hex().into_bytes());
    let hash = bytes
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    (hash ^ (hash >> 32)) % 10_000
}
