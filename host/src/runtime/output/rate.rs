use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second that a handler may write in the long run, over all its events.
pub(super) const RATE: u32 = 200;
/// Lines that it may write at once after it was quiet: two events' worth of all that one may write.
const BURST: u32 = 1_000;
/// How often it is said how many lines were dropped.
const NOTICE: Duration = Duration::from_secs(1);

/// Bounds the lines of one version of a handler, over all its events: each event alone stays within its own bound, yet
/// many of them would flood the log.
#[derive(Debug, Default)]
pub(in crate::runtime) struct Rate(Mutex<Bucket>);

/// What has been written, as lines that flow off at the rate.
#[derive(Debug, Default)]
struct Bucket {
    level: f64,
    looked: Option<Instant>,
    dropped: u64,
    noticed: Option<Instant>,
}

impl Rate {
    /// Whether one line more may be written now. One that may not is counted.
    pub(super) fn allows(&self, now: Instant) -> bool {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = bucket.looked.map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        bucket.looked = Some(now);
        bucket.level = (bucket.level - since.as_secs_f64() * f64::from(RATE)).max(0.0);
        let allowed = bucket.level + 1.0 <= f64::from(BURST);
        if allowed {
            bucket.level += 1.0;
        } else {
            bucket.dropped += 1;
        }
        allowed
    }

    /// The lines that were dropped, by any event, since this was said last; `None` where there are none, or it was said
    /// only just now. The notices would else be the flood that they tell of.
    pub(super) fn notice(&self, now: Instant) -> Option<u64> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let just_now = bucket.noticed.is_some_and(|noticed| now.saturating_duration_since(noticed) < NOTICE);
        if bucket.dropped == 0 || just_now {
            return None;
        }
        bucket.noticed = Some(now);
        Some(std::mem::take(&mut bucket.dropped))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(rate: &Rate, lines: u32, now: Instant) -> usize {
        (0..lines).filter(|_| rate.allows(now)).count()
    }

    #[test]
    fn a_burst_passes_and_then_so_many_a_second() {
        let (rate, start) = (Rate::default(), Instant::now());
        assert_eq!(written(&rate, 5_000, start), BURST as usize);
        assert_eq!(written(&rate, 5_000, start + Duration::from_secs(1)), RATE as usize);
        assert_eq!(written(&rate, 5_000, start + Duration::from_secs(60)), BURST as usize);
    }

    #[test]
    fn what_was_dropped_is_said_once_a_second_at_most_and_adds_up() {
        let (rate, start) = (Rate::default(), Instant::now());
        assert_eq!(rate.notice(start), None);
        written(&rate, BURST + 5, start);
        assert_eq!(rate.notice(start), Some(5));
        written(&rate, 7, start);
        assert_eq!(rate.notice(start), None);
        assert_eq!(rate.notice(start + NOTICE), Some(7));
        assert_eq!(rate.notice(start + NOTICE * 2), None);
    }
}
