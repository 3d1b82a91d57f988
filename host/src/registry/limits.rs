//! `[limits]` of a `handler.toml`: what an event of the handler may use.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::problem::Problems;
use crate::config::{Caps, Quota, parse_bytes, parse_duration};
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
    deadline: Option<Spanned<String>>,
    cpu: Option<Spanned<String>>,
    memory: Option<Spanned<String>>,
    table_entries: Option<Spanned<usize>>,
    resources: Option<Spanned<usize>>,
    host_calls: Option<Spanned<u64>>,
    data: Option<Spanned<String>>,
    log: Option<Spanned<String>>,
}

impl LimitsText {
    /// The deadline and the limits. What is of another form, or more than the operator allows, is noted. A default is
    /// never more than what is allowed.
    pub(super) fn judge(self, quota: Quota, caps: &Caps, problems: &mut Problems<'_>) -> (Duration, Limits) {
        const TIME: Duration = Duration::from_millis(1);
        let default = Limits::default();
        let mut judge = Judge(problems);
        let deadline = judge.parsed("deadline", self.deadline, parse_duration);
        let deadline_most = Most(quota.deadline, "setting `max-deadline`").or(caps.deadline);
        let deadline = judge.bounded("deadline", deadline, TIME, deadline_most, DEFAULT_DEADLINE);
        let cpu = judge.parsed("cpu", self.cpu, parse_duration);
        let cpu = judge.bounded("cpu", cpu, TIME, Most(deadline, "its deadline").or(caps.cpu), deadline);
        let memory = judge.parsed("memory", self.memory, parse_bytes);
        let memory_most = Most(quota.memory, "setting `max-memory`").or(caps.memory);
        let data = judge.parsed("data", self.data, parse_bytes);
        let log = judge.parsed("log", self.log, parse_bytes);
        let limits = Limits {
            memory: judge.bounded("memory", memory, 0, memory_most, default.memory),
            // A budget that is no less than the deadline can't be used up before it.
            cpu: Some(cpu).filter(|cpu| *cpu < deadline),
            table_entries: judge.ranged(
                "table-entries",
                self.table_entries,
                0..=MAX_TABLE_ENTRIES,
                caps.table_entries,
                default.table_entries,
            ),
            resources: judge.ranged("resources", self.resources, RESOURCES, caps.resources, default.resources),
            host_calls: judge.ranged("host-calls", self.host_calls, HOST_CALLS, caps.host_calls, default.host_calls),
            data: judge.ranged("data", data, DATA, caps.data, default.data),
            log: judge.ranged("log", log, LOG, caps.log, default.log),
        };
        (deadline, limits)
    }
}

/// The most that may be asked for, and who says so.
struct Most<N>(N, &'static str);

impl<N: PartialOrd> Most<N> {
    /// The smaller of this and what the operator's rules let the handler have.
    fn or(self, cap: Option<N>) -> Self {
        match cap {
            Some(cap) if cap < self.0 => Self(cap, "setting `grants`"),
            _ => self,
        }
    }
}

struct Judge<'a, 'b>(&'a mut Problems<'b>);

impl Judge<'_, '_> {
    fn parsed<N>(
        &mut self,
        name: &str,
        text: Option<Spanned<String>>,
        parse: impl Fn(&str) -> Result<N, String>,
    ) -> Option<Spanned<N>> {
        let text = text?;
        match parse(text.get_ref()) {
            Ok(value) => Some(Spanned::new(text.span(), value)),
            Err(problem) => {
                self.0.note_at(&text, format!("limits.{name}"), problem);
                None
            }
        }
    }

    fn bounded<N: PartialOrd + Copy + fmt::Debug>(
        &mut self,
        name: &str,
        asked: Option<Spanned<N>>,
        least: N,
        Most(most, says): Most<N>,
        default: N,
    ) -> N {
        let default = if default > most { most } else { default };
        let Some(asked) = asked else { return default };
        let value = *asked.get_ref();
        if value >= least && value <= most {
            return value;
        }
        let problem = format_args!("asks for {value:?}; it may have {least:?} to {most:?} ({says})");
        self.0.note_at(&asked, format!("limits.{name}"), problem);
        default
    }

    fn ranged<N: PartialOrd + Copy + fmt::Debug>(
        &mut self,
        name: &str,
        asked: Option<Spanned<N>>,
        range: RangeInclusive<N>,
        cap: Option<N>,
        default: N,
    ) -> N {
        let most = Most(*range.end(), "any handler").or(cap);
        self.bounded(name, asked, *range.start(), most, default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota { deadline: Duration::from_secs(60), memory: 32 << 20 };

    fn judged(text: &str) -> Result<(Duration, Limits), String> {
        within(text, &Caps::default())
    }

    fn within(text: &str, caps: &Caps) -> Result<(Duration, Limits), String> {
        let mut problems = Problems::of(text);
        let judged = toml::from_str::<LimitsText>(text).unwrap().judge(QUOTA, caps, &mut problems);
        problems.none().map(|()| judged).map_err(|error| error.to_string())
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
    #[test]
    fn what_the_operator_caps_is_refused_if_asked_for_and_less_if_not() {
        let caps = Caps {
            deadline: Some(Duration::from_secs(2)),
            cpu: Some(Duration::from_secs(1)),
            memory: Some(4 << 20),
            host_calls: Some(10),
            ..Caps::default()
        };
        let (deadline, limits) = within("", &caps).unwrap();
        assert_eq!((deadline, limits.cpu), (Duration::from_secs(2), Some(Duration::from_secs(1))));
        assert_eq!((limits.memory, limits.host_calls), (4 << 20, 10));
        let error = within("deadline = \"1s\"\nmemory = \"8MiB\"\nhost-calls = 11", &caps).unwrap_err();
        assert!(!error.contains("limits.deadline"), "{error}");
        for asked in ["line 2, field `limits.memory`", "line 3, field `limits.host-calls`", "(setting `grants`)"] {
            assert!(error.contains(asked), "{error}");
        }
    }
}
