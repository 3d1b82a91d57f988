//! `[instances]` of a `handler.toml`: whether an instance handles one event or several, and whether the operator lets it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::permissions::ungranted;
use super::problem::Problems;
use crate::config::{Allowance, MAX_REUSE, parse_duration};
use crate::runtime::Reuse;

/// How long an instance is kept where the manifest doesn't say.
const DEFAULT_AGE: Duration = Duration::from_secs(60);
/// What it may say.
const AGE: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);

/// The table as it is written.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct InstancesText {
    reuse: Option<Spanned<u32>>,
    max_age: Option<Spanned<String>>,
}

impl InstancesText {
    /// How long instances are used again; `None` where each event has a fresh one. What is wrong or not allowed is noted.
    pub(super) fn judge(self, allowance: &Allowance<'_>, problems: &mut Problems<'_>) -> Option<Reuse> {
        let max_age = self.max_age.map_or(Ok(DEFAULT_AGE), |text| {
            age(text.get_ref()).map_err(|problem| problems.note_at(&text, "instances.max-age", problem))
        });
        let events = self.reuse.map_or(Ok(1), |reuse| {
            events(*reuse.get_ref(), allowance).map_err(|problem| problems.note_at(&reuse, "instances.reuse", problem))
        });
        let (events, max_age) = (events.ok()?, max_age.ok()?);
        (events > 1).then_some(Reuse { events, max_age })
    }
}

fn age(text: &str) -> Result<Duration, String> {
    let age = parse_duration(text)?;
    if AGE.contains(&age) {
        return Ok(age);
    }
    Err(format!("asks for {age:?}; an instance may be kept for {:?} to {:?}", AGE.start(), AGE.end()))
}

fn events(asked: u32, allowance: &Allowance<'_>) -> Result<u32, String> {
    if !(1..=MAX_REUSE).contains(&asked) {
        return Err(format!("asks for {asked}; an instance may handle 1 to {MAX_REUSE} events"));
    }
    if asked > allowance.reuse() {
        let what = format!("instances that handle {asked} events each");
        return Err(ungranted(allowance, &what, "reuse", &asked.to_string()));
    }
    Ok(asked)
}
