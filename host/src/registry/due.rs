use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When something that is done every so often is to be done at the latest. Every event asks, so it is a number and no lock.
#[derive(Debug)]
pub(super) struct Due {
    start: Instant,
    /// After how long it is, in milliseconds. 0: it never is.
    each: AtomicU64,
    /// When it is, in milliseconds after the start.
    at: AtomicU64,
}

impl Default for Due {
    /// Never.
    fn default() -> Self {
        Self { start: Instant::now(), each: AtomicU64::new(0), at: AtomicU64::new(0) }
    }
}

impl Due {
    /// From now on it is due after so long, counted from the last time that it was done.
    pub(super) fn after_each(&self, time: Duration) {
        self.each.store(millis(time).max(1), Ordering::Relaxed);
        self.begin();
    }

    /// It is being done now.
    pub(super) fn begin(&self) {
        let at = millis(self.start.elapsed()).saturating_add(self.each.load(Ordering::Relaxed));
        self.at.store(at, Ordering::Relaxed);
    }

    /// Whether it should have been done.
    pub(super) fn is_over(&self) -> bool {
        self.each.load(Ordering::Relaxed) > 0 && millis(self.start.elapsed()) > self.at.load(Ordering::Relaxed)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_due_once_its_time_is_over_and_never_where_it_has_none() {
        let due = Due::default();
        due.begin();
        assert!(!due.is_over());
        due.after_each(Duration::from_secs(3600));
        assert!(!due.is_over());
        due.after_each(Duration::ZERO);
        while !due.is_over() {
            std::thread::yield_now();
        }
        due.after_each(Duration::MAX);
        assert!(!due.is_over());
    }
}
