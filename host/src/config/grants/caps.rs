use std::fmt;
use std::time::Duration;

use super::super::{parse_bytes, parse_duration};

/// The least that a manifest may ask for, and so the least that a rule may leave it: of time, of resources, and of bytes
/// that are handed over or logged.
pub(crate) const TIME: Duration = Duration::from_millis(1);
pub(crate) const RESOURCES: usize = 10;
pub(crate) const BYTES: usize = 1 << 10;

/// The most that a rule lets a handler ask for, of each limit of `handler.toml`. `None`: the rule says nothing of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Wall time for one event.
    pub deadline: Option<Duration>,
    /// Time on a processor for one event.
    pub cpu: Option<Duration>,
    /// Bytes of linear memories and tables.
    pub memory: Option<usize>,
    /// Entries of tables.
    pub table_entries: Option<usize>,
    /// Resources held at once.
    pub resources: Option<usize>,
    /// Calls of the host's functions.
    pub host_calls: Option<u64>,
    /// Bytes handed over in one call.
    pub data: Option<usize>,
    /// Bytes of log.
    pub log: Option<usize>,
}

impl Caps {
    /// Takes `name=text` where `name` is a limit's, and says whether it is one.
    ///
    /// # Errors
    /// Where the text is no such limit.
    pub(super) fn set(&mut self, name: &str, text: &str) -> Result<bool, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no whole number"));
        match name {
            "deadline" => self.deadline = Some(at_least(TIME, parse_duration(text)?)?),
            "cpu" => self.cpu = Some(at_least(TIME, parse_duration(text)?)?),
            "memory" => self.memory = Some(parse_bytes(text)?),
            "table-entries" => self.table_entries = Some(number(text)?),
            "resources" => self.resources = Some(at_least(RESOURCES, number(text)?)?),
            "host-calls" => {
                let calls = text.parse().map_err(|_| format!("{text:?} is no whole number"))?;
                self.host_calls = Some(at_least(1, calls)?);
            }
            "data" => self.data = Some(at_least(BYTES, parse_bytes(text)?)?),
            "log" => self.log = Some(at_least(BYTES, parse_bytes(text)?)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Of each limit the smaller cap of the two.
    pub(super) fn and(self, other: Self) -> Self {
        self.with(other, |a, b| a.min(b), |a, b| a.min(b), |a, b| a.min(b))
    }

    /// Of each limit this cap, or where there is none, the other.
    pub(super) fn or(self, other: Self) -> Self {
        self.with(other, |a, _| a, |a, _| a, |a, _| a)
    }

    fn with(
        self,
        other: Self,
        time: fn(Duration, Duration) -> Duration,
        size: fn(usize, usize) -> usize,
        count: fn(u64, u64) -> u64,
    ) -> Self {
        Self {
            deadline: either(self.deadline, other.deadline, time),
            cpu: either(self.cpu, other.cpu, time),
            memory: either(self.memory, other.memory, size),
            table_entries: either(self.table_entries, other.table_entries, size),
            resources: either(self.resources, other.resources, size),
            host_calls: either(self.host_calls, other.host_calls, count),
            data: either(self.data, other.data, size),
            log: either(self.log, other.log, size),
        }
    }
}

fn at_least<T: PartialOrd + fmt::Debug>(least: T, value: T) -> Result<T, String> {
    if value < least {
        Err(format!("{value:?} is less than a handler may ask for: give at least {least:?}"))
    } else {
        Ok(value)
    }
}

fn either<T>(a: Option<T>, b: Option<T>, both: fn(T, T) -> T) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(both(a, b)),
        (a, b) => a.or(b),
    }
}

impl fmt::Display for Caps {
    /// Each as a rule has it, with a space before.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Option<Duration>| time.map(|time| format!("{}ms", time.as_millis()));
        let size = |size: Option<usize>| size.map(|size| size.to_string());
        for (name, text) in [
            ("deadline", time(self.deadline)),
            ("cpu", time(self.cpu)),
            ("memory", size(self.memory)),
            ("table-entries", size(self.table_entries)),
            ("resources", size(self.resources)),
            ("host-calls", self.host_calls.map(|calls| calls.to_string())),
            ("data", size(self.data)),
            ("log", size(self.log)),
        ] {
            if let Some(text) = text {
                write!(f, " {name}={text}")?;
            }
        }
        Ok(())
    }
}
