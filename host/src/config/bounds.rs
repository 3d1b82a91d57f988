//! Values that a setting may have, where not every one of its form makes sense.

use std::ops::RangeInclusive;
use std::time::Duration;

use tracing_subscriber::filter::Targets;

use super::{parse_bytes, parse_duration};

/// A time that is long enough for something to happen in it.
pub(super) fn some_time(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(10);
    let time = parse_duration(text)?;
    if time >= LEAST { Ok(time) } else { Err(format!("{text:?} is less than the least that makes sense, 10ms")) }
}

/// Connections at once.
pub(super) fn connections(text: &str) -> Result<usize, String> {
    number(text, 1..=1_000_000)
}

/// Events at once. Slots are reserved for all of them at the start.
pub(super) fn in_flight(text: &str) -> Result<usize, String> {
    number(text, 1..=4096)
}

/// Handlers' requests at once, beyond the first of each event.
pub(super) fn outgoing(text: &str) -> Result<usize, String> {
    number(text, 0..=65_536)
}

/// Attempts at one event, or no bound.
pub(super) fn attempts(text: &str) -> Result<Option<u32>, String> {
    let found = text.parse().ok().filter(|number| (1..=10_000).contains(number)).map(Some);
    let found = found.or((text == "unlimited").then_some(None));
    found.ok_or_else(|| format!("{text:?} is no whole number from 1 to 10000, nor the word unlimited"))
}

/// Handlers, one after the other, that lead to an event.
pub(super) fn chain(text: &str) -> Result<u32, String> {
    let found = text.parse().ok().filter(|number| (0..=1000).contains(number));
    found.ok_or_else(|| format!("{text:?} is no whole number from 0 to 1000"))
}

/// Events that may come of one.
pub(super) fn descendants(text: &str) -> Result<u32, String> {
    let found = text.parse().ok().filter(|number| (0..=1_000_000).contains(number));
    found.ok_or_else(|| format!("{text:?} is no whole number from 0 to 1000000"))
}

/// How old an event may be.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_secs(60);
    let age = parse_duration(text)?;
    if age >= LEAST { Ok(age) } else { Err(format!("{text:?} is less than the least that makes sense, 1m")) }
}

/// Bytes of all bodies together.
pub(super) fn bodies(text: &str) -> Result<usize, String> {
    size(text, 1 << 20..=64 << 30, "1MiB and 64GiB")
}

/// Bytes of a request's body.
pub(super) fn body(text: &str) -> Result<usize, String> {
    size(text, 1024..=1 << 30, "1KiB and 1GiB")
}

/// Bytes of a handler's memory.
pub(super) fn memory(text: &str) -> Result<usize, String> {
    size(text, 1 << 20..=4 << 30, "1MiB and 4GiB")
}

/// Bytes that a handler may keep in its stores.
pub(super) fn key_value(text: &str) -> Result<usize, String> {
    size(text, 1024..=64 << 30, "1KiB and 64GiB")
}

/// Events remembered in memory, at up to 270 bytes each.
pub(super) fn dedup_capacity(text: &str) -> Result<usize, String> {
    number(text, 100..=1_000_000)
}

/// How long a handled event is remembered: longer than the longest retention of Pub/Sub, 31 days, never helps.
pub(super) fn dedup_remember(text: &str) -> Result<Duration, String> {
    const MINUTE: Duration = Duration::from_secs(60);
    let time = parse_duration(text)?;
    let range = MINUTE..=MINUTE * 60 * 744;
    if range.contains(&time) { Ok(time) } else { Err(format!("{text:?} is not between 1m and 744h")) }
}

/// A level, or several by target. A word without `=` is always a level: as a target it would silence all the others.
pub(super) fn log_level(text: &str) -> Result<Targets, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let wrong = || {
        format!("{text:?} is no level; give error, warn, info, debug or trace, or TARGET=LEVEL, with commas between")
    };
    let known = |part: &str| part.contains('=') || LEVELS.contains(&part);
    if !text.split(',').map(str::trim).all(known) {
        return Err(wrong());
    }
    text.parse().map_err(|_| wrong())
}

fn number(text: &str, range: RangeInclusive<usize>) -> Result<usize, String> {
    let found = text.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| format!("{text:?} is no whole number from {} to {}", range.start(), range.end()))
}

fn size(text: &str, range: RangeInclusive<usize>, shown: &str) -> Result<usize, String> {
    let bytes = parse_bytes(text)?;
    if range.contains(&bytes) { Ok(bytes) } else { Err(format!("{text:?} is not between {shown}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(some_time("0s").is_err() && some_time("10ms").is_ok());
        assert!(connections("0").is_err() && connections("18446744073709551615").is_err());
        assert!(in_flight("4097").is_err() && in_flight("4096").is_ok());
        assert!(dedup_capacity("99").is_err() && dedup_capacity("100").is_ok());
        assert!(dedup_remember("59s").is_err() && dedup_remember("1m").is_ok());
        assert!(dedup_remember("745h").is_err() && dedup_remember("744h").is_ok());
        assert!(chain("-1").is_err() && chain("1001").is_err() && chain("0").is_ok() && chain("1000").is_ok());
        assert!(body("0").is_err() && memory("1KiB").is_err());
    }

    #[test]
    fn a_misspelt_level_is_no_target() {
        for text in ["inof", "info,debgu", "tidemill_host=inof", ""] {
            assert!(log_level(text).is_err(), "{text}");
        }
        assert!(log_level("info,tidemill_host=debug").is_ok());
    }
}
