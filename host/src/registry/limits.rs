//! `[limits]` of a `handler.toml`: what an event of the handler may use.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;

use super::manifest::{ManifestError, field};
use crate::config::{Quota, parse_bytes, parse_duration};
use crate::runtime::{Limits, MAX_TABLE_ENTRIES};

/// One event may take this long where the manifest doesn't say: below the default ack deadline of 10 s, so that the
/// broker doesn't deliver the event again while it still runs.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(8);

/// What a manifest may ask for, of what no operator has a setting for: each is small beside the memory that it may have.
const RESOURCES: RangeInclusive<usize> = 10..=100_000;
const HOST_CALLS: RangeInclusive<u64> = 1..=1_000_000_000;
const DATA: RangeInclusive<usize> = 1 << 10..=64 << 20;
const LOG: RangeInclusive<usize> = 1 << 10..=1 << 20;

/// The table as it is written. What isn't there has its default.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitsText {
    deadline: Option<String>,
    cpu: Option<String>,
    memory: Option<String>,
    table_entries: Option<usize>,
    resources: Option<usize>,
    host_calls: Option<u64>,
    data: Option<String>,
    log: Option<String>,
}

impl LimitsText {
    /// The deadline and the limits.
    ///
    /// # Errors
    /// Where a value is of another form, or is more than the host allows.
    pub(super) fn judge(&self, quota: Quota) -> Result<(Duration, Limits), ManifestError> {
        let default = Limits::default();
        let deadline = self.deadline(quota)?;
        let memory = self.memory(quota, default.memory)?;
        let limits = Limits {
            memory,
            cpu: self.cpu(deadline)?,
            table_entries: within("table-entries", self.table_entries, 0..=MAX_TABLE_ENTRIES, default.table_entries)?,
            resources: within("resources", self.resources, RESOURCES, default.resources)?,
            host_calls: within("host-calls", self.host_calls, HOST_CALLS, default.host_calls)?,
            data: within("data", bytes("data", self.data.as_ref())?, DATA, default.data)?,
            log: within("log", bytes("log", self.log.as_ref())?, LOG, default.log)?,
        };
        Ok((deadline, limits))
    }

    fn deadline(&self, quota: Quota) -> Result<Duration, ManifestError> {
        let deadline = match &self.deadline {
            Some(text) => parse_duration(text).map_err(|e| field("limits.deadline", e))?,
            None => DEFAULT_DEADLINE.min(quota.deadline),
        };
        if deadline.is_zero() || deadline > quota.deadline {
            let problem =
                format!("asks for {deadline:?}; this host allows up to {:?} (setting `max-deadline`)", quota.deadline);
            return Err(field("limits.deadline", problem));
        }
        Ok(deadline)
    }

    /// A budget that is no less than the deadline can't be used up before it.
    fn cpu(&self, deadline: Duration) -> Result<Option<Duration>, ManifestError> {
        let Some(text) = &self.cpu else { return Ok(None) };
        let cpu = parse_duration(text).map_err(|e| field("limits.cpu", e))?;
        if cpu.is_zero() || cpu > deadline {
            let problem = format!("asks for {cpu:?}; give a time above zero and up to the deadline, {deadline:?}");
            return Err(field("limits.cpu", problem));
        }
        Ok((cpu < deadline).then_some(cpu))
    }

    fn memory(&self, quota: Quota, default: usize) -> Result<usize, ManifestError> {
        let memory = bytes("memory", self.memory.as_ref())?.unwrap_or(default.min(quota.memory));
        if memory > quota.memory {
            let problem =
                format!("asks for {memory} bytes; this host allows up to {} (setting `max-memory`)", quota.memory);
            return Err(field("limits.memory", problem));
        }
        Ok(memory)
    }
}

fn bytes(name: &str, text: Option<&String>) -> Result<Option<usize>, ManifestError> {
    text.map(|text| parse_bytes(text)).transpose().map_err(|e| field(format!("limits.{name}"), e))
}

fn within<N: PartialOrd + Copy + std::fmt::Display>(
    name: &str,
    asked: Option<N>,
    range: RangeInclusive<N>,
    default: N,
) -> Result<N, ManifestError> {
    match asked {
        None => Ok(default),
        Some(asked) if range.contains(&asked) => Ok(asked),
        Some(asked) => {
            let problem = format!("asks for {asked}; a handler may have {} to {}", range.start(), range.end());
            Err(field(format!("limits.{name}"), problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { deadline: Duration::from_secs(60), memory: 32 << 20 };

    fn judged(text: &str) -> Result<(Duration, Limits), String> {
        toml::from_str::<LimitsText>(text).unwrap().judge(QUOTA).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_not_said_has_its_default_within_the_quota() {
        let (deadline, limits) = judged("").unwrap();
        assert_eq!(deadline, DEFAULT_DEADLINE);
        assert_eq!(limits, Limits { memory: QUOTA.memory, ..Limits::default() });
    }

    #[test]
    fn each_can_be_said() {
        let text = "deadline = \"9s\"\ncpu = \"2s\"\nmemory = \"8MiB\"\ntable-entries = 7\nresources = 20\n\
                    host-calls = 30\ndata = \"4KiB\"\nlog = \"2KiB\"";
        let limits = Limits {
            memory: 8 << 20,
            cpu: Some(Duration::from_secs(2)),
            table_entries: 7,
            resources: 20,
            host_calls: 30,
            data: 4 << 10,
            log: 2 << 10,
        };
        assert_eq!(judged(text), Ok((Duration::from_secs(9), limits)));
    }

    #[test]
    fn what_is_too_much_names_its_field() {
        for (text, name) in [
            ("deadline = \"61s\"", "limits.deadline"),
            ("cpu = \"9s\"", "limits.cpu"),
            ("cpu = \"0s\"", "limits.cpu"),
            ("memory = \"33MiB\"", "limits.memory"),
            ("table-entries = 100001", "limits.table-entries"),
            ("resources = 1", "limits.resources"),
            ("host-calls = 0", "limits.host-calls"),
            ("data = \"1GiB\"", "limits.data"),
            ("log = \"1GiB\"", "limits.log"),
            ("log = \"much\"", "limits.log"),
        ] {
            let error = judged(text).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{text}: {error}");
        }
    }
}
