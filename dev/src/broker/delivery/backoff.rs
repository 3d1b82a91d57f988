use std::time::Duration;

/// How long a message waits between deliveries: from `min` on, twice as long after each nack, and never above `max`.
///
/// It is counted for each message. Pub/Sub counts for the whole subscription, so that a bad event slows the good ones
/// down; on one machine that would only hide what is going on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backoff {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

impl Backoff {
    /// The wait after so many nacks, of which there is at least one.
    pub(super) fn after(self, nacks: u32) -> Duration {
        let factor = 2_u32.checked_pow(nacks.saturating_sub(1)).unwrap_or(u32::MAX);
        self.min.saturating_mul(factor).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_its_limit() {
        let backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_secs(60) };
        let waits: Vec<u128> = [1, 2, 3, 9, 10, 11, 12, 200].map(|n| backoff.after(n).as_millis()).into();
        assert_eq!(waits, [100, 200, 400, 25_600, 51_200, 60_000, 60_000, 60_000]);
    }
}
