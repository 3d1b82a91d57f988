use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tidemill_events::format_rfc3339;
use tidemill_host::store::{Release, Report};

use super::change::short;
use crate::output::printable;

/// How many reports in a row a host may miss before it counts as gone.
const MISSED: u64 = 3;

/// A host, measured by what is live.
pub(super) struct Standing {
    pub(super) report: Report,
    pub(super) state: State,
    /// Seconds since it has reported.
    ago: u64,
}

/// Whether a host serves what is live.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It does.
    Serves,
    /// It doesn't, and this is what it does, and why.
    Lags(String),
    /// It has been silent for too long: it has ended, or its CPU stands still.
    Gone,
}

/// Whether a host has been silent for too long.
pub(super) fn is_gone(report: &Report, now: SystemTime) -> bool {
    ago(report, now) > report.every.saturating_mul(MISSED)
}

fn ago(report: &Report, now: SystemTime) -> u64 {
    let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    // A host's clock may be ahead.
    now.saturating_sub(report.at)
}

impl Standing {
    /// What a host's report says beside the live release.
    pub(super) fn of(report: Report, live: &Release, now: SystemTime) -> Self {
        let state = match lag(&report, live) {
            _ if is_gone(&report, now) => State::Gone,
            Some(lag) => State::Lags(lag),
            None => State::Serves,
        };
        Self { ago: ago(&report, now), state, report }
    }

    /// Whether somebody waits for it.
    pub(super) fn counts(&self) -> bool {
        self.state != State::Gone
    }

    /// In lines.
    pub(super) fn in_words(&self) -> Vec<String> {
        let Report { host, release, every, dropped, problem, .. } = &self.report;
        let (host, ago) = (printable(host), in_units(self.ago));
        let mut lines = vec![match (&self.state, release) {
            (State::Gone, _) => format!("{host}: gone: last reported {ago} ago, though it would every {every} s"),
            (State::Lags(lag), _) => format!("{host}: lags: {lag} (reported {ago} ago)"),
            (State::Serves, _) => {
                let number = release.map(|number| number.to_string()).unwrap_or_default();
                format!("{host}: serves release {number} (reported {ago} ago)")
            }
        }];
        if let (State::Serves, Some(problem)) = (&self.state, problem) {
            lines.push(format!("  problem: {}", printable(problem)));
        }
        let dropped = dropped.iter().map(|(handler, digest)| format!("{} {}", printable(handler), short(*digest)));
        lines.extend(dropped.map(|canary| format!("  has dropped the canary {canary}")));
        lines
    }

    /// As data.
    pub(super) fn as_json(&self) -> Value {
        let Report { host, release, wanted, problem, handlers, dropped, engine, at, every } = &self.report;
        let (state, lag) = match &self.state {
            State::Serves => ("serves", None),
            State::Lags(lag) => ("lags", Some(lag)),
            State::Gone => ("gone", None),
        };
        json!({
            "host": host,
            "state": state,
            "lag": lag,
            "release": release,
            "wanted": wanted,
            "problem": problem,
            "handlers": handlers,
            "dropped": dropped,
            "engine": engine,
            "reported_at": SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(*at)).map(format_rfc3339),
            "reported_seconds_ago": self.ago,
            "reports_every_seconds": every,
        })
    }
}

/// What a host does in place of serving what is live, and why. `None`: it serves it.
fn lag(report: &Report, live: &Release) -> Option<String> {
    let why = match &report.problem {
        Some(problem) => printable(problem),
        None if report.wanted == Some(live.number) => format!("it is loading release {}", live.number),
        None => format!("it has not seen release {} yet", live.number),
    };
    match report.release {
        None => return Some(format!("serves no release: {why}")),
        Some(number) if number != live.number => return Some(format!("serves release {number}: {why}")),
        Some(_) => {}
    }
    // What it says that it serves counts for more than the number.
    let other = live.handlers.iter().find(|(name, served)| report.handlers.get(*name) != Some(&served.artifact));
    let (name, served) = other?;
    let found = report.handlers.get(name).map_or("nothing".to_owned(), |digest| short(*digest));
    let (number, wanted) = (live.number, short(served.artifact));
    Some(format!("serves {found} as {name} in release {number}, where {wanted} belongs"))
}

fn in_units(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
