//! What the host remembers of events that were handled, so that what comes again isn't run again.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo};
use tidemill_events::CLOCK_SKEW;

use super::bounds;
use super::reader::Reader;

/// Where is remembered which events were handled, for how long, and what holds without that memory.
#[derive(Debug, Clone)]
pub struct DedupConfig {
    /// Where.
    pub store: DedupStoreConfig,
    /// For how long.
    pub remember: Duration,
    /// What to do with an event while the store can't be asked.
    pub unavailable: Unavailable,
}

/// Where is remembered which events were handled.
#[derive(Debug, Clone)]
pub enum DedupStoreConfig {
    /// Nowhere: what comes twice is run twice.
    None,
    /// In this process, so that another instance doesn't know of it.
    Memory {
        /// The number of events that are remembered; beyond it the oldest are forgotten.
        capacity: usize,
    },
    /// In a Redis server, which several instances may share.
    Redis {
        /// Where it is.
        url: RedisUrl,
    },
}

/// What to do with an event while the store can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// Run it: it may take effect twice.
    Run,
    /// Refuse it: it comes again.
    Nack,
}

/// Where a Redis server is, and how to sign in there. What `Debug` and `Display` show has neither user nor password.
#[derive(Clone)]
pub struct RedisUrl {
    connection: Box<ConnectionInfo>,
    shown: String,
}

/// Why a text names no store. The text itself is not repeated, as it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// It is of another form altogether.
    #[error("it is neither memory nor none nor a URL such as redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS")]
    NoUrl,
    /// What may be the rest of a password stands where the host's address is over.
    #[error(
        "behind its host, the URL takes a port and the number of a database alone, such as redis://HOST:6379/0; in a password, write / as %2F, ? as %3F, # as %23 and @ as %40"
    )]
    Rest,
}

impl DedupConfig {
    /// What to say where an event is taken for longer than it is remembered, which leaves it to be played again.
    pub(super) fn forgets_too_soon(&self, max_event_age: Duration) -> Option<String> {
        let too_soon = self.remember < max_event_age.saturating_add(CLOCK_SKEW);
        let (remember, age) = (Shown(self.remember), Shown(max_event_age));
        too_soon.then(|| {
            format!(
                "dedup-remember: an event is remembered for {remember} and taken until it is {age} old (`max-event-age`), so it can be played again in between; make `dedup-remember` an hour longer than `max-event-age`"
            )
        })
    }

    /// What an operator can rely on, in a sentence for the log.
    #[must_use]
    pub fn in_words(&self) -> String {
        let time = Shown(self.remember);
        match &self.store {
            DedupStoreConfig::None => "an event that is delivered twice is run twice, and its attempts are counted only where the broker counts them: `dedup` is none".to_owned(),
            DedupStoreConfig::Memory { capacity } => format!(
                "an event that was handled is not run again for {time}, as far as this process remembers it (in memory, the last {capacity} events); several instances don't know of each other: set `dedup` to a Redis server for that"
            ),
            DedupStoreConfig::Redis { url } => {
                let unavailable = match self.unavailable {
                    Unavailable::Nack => "refused, and comes again",
                    Unavailable::Run => "run all the same, perhaps twice",
                };
                format!(
                    "an event that was handled is not run again for {time}, by any instance that asks {url}; while that can't be reached, an event is {unavailable} (`dedup-unavailable`)"
                )
            }
        }
    }
}

impl Reader<'_> {
    pub(super) fn dedup(&mut self) -> Option<DedupConfig> {
        let capacity = self.one("dedup-capacity", bounds::dedup_capacity);
        let store = self.one("dedup", |text| {
            Ok::<_, RedisUrlError>(match text {
                "none" => DedupStoreConfig::None,
                "memory" => DedupStoreConfig::Memory { capacity: capacity.unwrap_or_default() },
                url => DedupStoreConfig::Redis { url: url.parse()? },
            })
        });
        let remember = self.one("dedup-remember", bounds::dedup_remember);
        let unavailable = self.word("dedup-unavailable", &[("nack", Unavailable::Nack), ("run", Unavailable::Run)]);
        capacity?;
        Some(DedupConfig { store: store?, remember: remember?, unavailable: unavailable? })
    }
}

impl RedisUrl {
    /// What a client needs to connect, the password included. The client's own `Debug` shows no password either.
    #[must_use]
    pub fn connection(&self) -> &ConnectionInfo {
        &self.connection
    }

    /// Whether the connection is to be encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.connection.addr(), ConnectionAddr::TcpTls { .. })
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    /// Reads `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or the same with `rediss` for TLS, as the IANA has
    /// registered it. No options: among those of the client is one that switches the check of certificates off.
    fn from_str(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(RedisUrlError::NoUrl)?;
        if !matches!(scheme, "redis" | "rediss") {
            return Err(RedisUrlError::NoUrl);
        }
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        if rest.contains(['?', '#']) || !path.chars().all(|c| c.is_ascii_digit()) {
            return Err(RedisUrlError::Rest);
        }
        let connection: ConnectionInfo = text.parse().map_err(|_| RedisUrlError::NoUrl)?;
        let shown = format!("{scheme}://{}/{}", connection.addr(), connection.redis_settings().db());
        Ok(Self { connection: Box::new(connection), shown })
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisUrl").field(&self.shown).finish()
    }
}

/// A time in the form that settings have, in the largest unit that it is a whole number of.
struct Shown(Duration);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        let units = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
        let (size, unit) = units.into_iter().find(|(size, _)| millis.is_multiple_of(*size)).unwrap_or((1, "ms"));
        write!(f, "{}{unit}", millis / size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(store: DedupStoreConfig, unavailable: Unavailable) -> String {
        DedupConfig { store, remember: Duration::from_secs(86_400), unavailable }.in_words()
    }

    #[test]
    fn a_url_shows_neither_user_nor_password() {
        for (text, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
            ("redis://ada:hunter2@cache:7000/3", "redis://cache:7000/3"),
            ("rediss://:hunter%2F2@cache/", "rediss://cache:6379/0"),
            ("redis://:hunter@2@cache", "redis://cache:6379/0"),
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert_eq!((url.to_string(), url.is_tls()), (shown.to_owned(), text.starts_with("rediss")));
            let debug = format!("{url:?} {:?}", url.connection());
            assert!(!debug.contains("hunter"), "{debug}");
        }
        let url: RedisUrl = "rediss://:hunter%2F2@cache/".parse().unwrap();
        assert_eq!(url.connection().redis_settings().password(), Some("hunter/2"));
    }

    #[test]
    fn what_might_be_a_piece_of_a_password_is_no_part_of_an_address() {
        for text in ["redis://:7/hunter2@h", "redis://a/hunter2@h", "redis://h?hunter2@h", "rediss://h/0#insecure"] {
            assert_eq!(text.parse::<RedisUrl>().unwrap_err(), RedisUrlError::Rest, "{text}");
        }
        for text in ["", "memroy", "http://h", "redis:h", "redis://", "redis://h:port", "unix:///tmp/s"] {
            assert_eq!(text.parse::<RedisUrl>().unwrap_err(), RedisUrlError::NoUrl, "{text}");
        }
    }

    #[test]
    fn the_words_say_how_far_the_memory_reaches() {
        let memory = words(DedupStoreConfig::Memory { capacity: 500 }, Unavailable::Nack);
        assert!(memory.contains("for 24h") && memory.contains("the last 500 events"), "{memory}");
        let redis = || DedupStoreConfig::Redis { url: "redis://:hunter2@cache".parse().unwrap() };
        let (closed, open) = (words(redis(), Unavailable::Nack), words(redis(), Unavailable::Run));
        assert!(closed.contains("redis://cache:6379/0") && closed.contains("comes again"), "{closed}");
        assert!(open.contains("perhaps twice") && !open.contains("hunter2"), "{open}");
        assert!(words(DedupStoreConfig::None, Unavailable::Nack).contains("run twice"));
    }

    #[test]
    fn times_are_shown_as_they_are_written() {
        let shown =
            [1_500, 2_000, 90_000, 120_000, 7_200_000].map(|time| Shown(Duration::from_millis(time)).to_string());
        assert_eq!(shown, ["1500ms", "2s", "90s", "2m", "2h"]);
    }
}
