//! The issuer's keys as they are known here: fetched once for all who wait, kept, renewed behind the requests' backs.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use super::AuthError;
use super::fetch::{FetchError, Fetched, KeySource};
use super::jwks::Rs256Key;

/// How long after a fetch a token that names an unknown key can bring about another. A new key is refused for no longer
/// than this, and the broker tries again; a stranger who makes up key ids causes no more than two fetches a minute.
const REFETCH_INTERVAL: Duration = Duration::from_secs(30);
/// The first wait after a fetch that failed. Each further one is twice as long.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
/// The longest wait after a fetch that failed.
const LAST_BACKOFF: Duration = Duration::from_secs(30);
/// How far `now` may lie before an earlier one without the clock having been set back: requests note the time first
/// and come here later, in any order.
const DISORDER: Duration = Duration::from_secs(60);

/// The keys, and what fetches them.
///
/// Nothing here runs by a timer: between requests the platform may take the processor away, and a timer with it. What
/// is due is seen when a request comes. Only a request whose key is not there waits; where it is there, a new fetch
/// goes on beside.
pub(super) struct KeyCache {
    source: KeySource,
    known: ArcSwapOption<Known>,
    fetches: Mutex<Fetches>,
}

struct Known {
    fetched: Fetched,
    since: SystemTime,
}

#[derive(Default)]
struct Fetches {
    /// Closed once the fetch is over and what it brought is known.
    flight: Option<watch::Receiver<()>>,
    /// When the last one began.
    last: Option<SystemTime>,
    /// How many have failed since one didn't.
    failures: u32,
}

impl KeyCache {
    pub(super) fn new(source: KeySource) -> Self {
        Self { source, known: ArcSwapOption::empty(), fetches: Mutex::default() }
    }

    /// The key of this id.
    ///
    /// Keys that can't be renewed go on counting, for as long as that lasts: Google's being out of reach must not stop
    /// deliveries, and a key that is withdrawn meanwhile harms only where it was stolen as well.
    pub(super) async fn key(self: &Arc<Self>, id: &str, now: SystemTime) -> Result<Arc<Rs256Key>, AuthError> {
        if let Some(known) = &*self.known.load()
            && let Some(key) = known.fetched.keys.get(id)
        {
            if known.is_due(now) {
                // It goes on by itself.
                drop(self.flight(now));
            }
            return Ok(key);
        }
        if let Some(mut flight) = self.flight(now) {
            // Nothing is ever sent: it ends with the flight.
            _ = flight.changed().await;
        }
        // Also where there was no flight to wait for: one may just have ended.
        let known = self.known.load();
        let known = known.as_ref().ok_or(AuthError::KeysUnavailable)?;
        known.fetched.keys.get(id).ok_or(AuthError::UnknownKey)
    }

    /// Begins the first fetch.
    pub(super) fn prepare(self: &Arc<Self>, now: SystemTime) {
        // It goes on by itself.
        drop(self.flight(now));
    }

    /// The fetch that goes on, or a new one where it is time for one.
    fn flight(self: &Arc<Self>, now: SystemTime) -> Option<watch::Receiver<()>> {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        // It is closed where its sender is gone, even by a panic.
        if let Some(flight) = fetches.flight.as_ref().filter(|flight| flight.has_changed().is_ok()) {
            return Some(flight.clone());
        }
        let wanted = self.known.load().as_ref().is_none_or(|known| known.is_due(now));
        let pause = if wanted { backoff(fetches.failures) } else { REFETCH_INTERVAL };
        if fetches.last.is_some_and(|last| elapsed(last, now) < pause) {
            return None;
        }
        let (over, flight) = watch::channel(());
        fetches.last = Some(now);
        fetches.flight = Some(flight.clone());
        // A task of its own, since the request that wants it may be hung up on while others wait.
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            cache.settle(cache.source.fetch().await, now);
            drop(over);
        });
        Some(flight)
    }

    fn settle(&self, fetched: Result<Fetched, FetchError>, now: SystemTime) {
        let mut fetches = self.fetches.lock().unwrap_or_else(PoisonError::into_inner);
        let url = self.source.url();
        match fetched {
            Ok(fetched) => {
                let failures = std::mem::take(&mut fetches.failures);
                if failures > 0 {
                    tracing::info!(failures, "auth: the issuer's keys could be fetched again from {url}");
                }
                self.known.store(Some(Arc::new(Known { fetched, since: now })));
            }
            Err(error) => {
                fetches.failures = fetches.failures.saturating_add(1);
                // One line for all failures in a row: the first says what all say.
                if fetches.failures == 1 {
                    let meanwhile = if self.known.load().is_some() {
                        "the keys that are known go on counting"
                    } else {
                        "no token can be checked, and deliveries are answered 503"
                    };
                    tracing::warn!(
                        "auth: the issuer's keys can't be fetched from {url}: {error}; until they can, {meanwhile}"
                    );
                }
            }
        }
    }
}

impl Known {
    /// Whether it is time to fetch anew: in the last fifth of the time that the issuer gives, so that there is time
    /// for some failures.
    fn is_due(&self, now: SystemTime) -> bool {
        elapsed(self.since, now) >= self.fetched.lifetime * 4 / 5
    }
}

fn backoff(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_BACKOFF.saturating_mul(2_u32.saturating_pow(doublings)).min(LAST_BACKOFF),
    }
}

/// How long ago `then` was. Where the clock was set back nobody knows, and it counts as long ago.
fn elapsed(then: SystemTime, now: SystemTime) -> Duration {
    match now.duration_since(then) {
        Ok(elapsed) => elapsed,
        Err(ahead) if ahead.duration() <= DISORDER => Duration::ZERO,
        Err(_) => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::super::jwks::KeySet;
    use super::*;

    #[test]
    fn waits_double_up_to_the_last() {
        let waits: Vec<_> = [0, 1, 2, 3, 5, 6, 7, u32::MAX].map(|failures| backoff(failures).as_secs()).into();
        assert_eq!(waits, [0, 1, 2, 4, 16, 30, 30, 30]);
    }

    #[test]
    fn keys_are_due_in_the_last_fifth_of_their_time() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let keys = KeySet::read(br#"{"keys":[]}"#).unwrap();
        let known = Known { fetched: Fetched { keys, lifetime: Duration::from_secs(3600) }, since };
        for (seconds, due) in [(0, false), (2879, false), (2880, true), (3600, true), (1_000_000, true)] {
            assert_eq!(known.is_due(since + Duration::from_secs(seconds)), due, "{seconds} s");
        }
    }

    #[test]
    fn a_clock_that_was_set_back_makes_everything_long_ago() {
        let then = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(elapsed(then, then + Duration::from_secs(5)), Duration::from_secs(5));
        assert_eq!(elapsed(then, then - Duration::from_secs(5)), Duration::ZERO);
        assert_eq!(elapsed(then, then - Duration::from_secs(3600)), Duration::MAX);
    }
}
