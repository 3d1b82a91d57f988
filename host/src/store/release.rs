use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::artifact::Digest;

/// The number of a release: 1, 2, 3 … Not every number was ever live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseNumber(pub u64);

/// A statement of which artifact serves as which handler, and in what share. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its number.
    pub number: ReleaseNumber,
    /// The release that was live before, where there was one.
    pub previous: Option<ReleaseNumber>,
    /// What was done.
    pub action: Action,
    /// When, in RFC 3339, by the clock of who did it.
    pub at: String,
    /// Who did it, as they said.
    pub by: String,
    /// Why, as they said. May be empty.
    pub why: String,
    /// What serves, by handler.
    pub handlers: BTreeMap<String, Served>,
}

/// What made a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// New artifacts.
    Deploy,
    /// Canaries that became what serves.
    Promote,
    /// The handlers of an earlier release, again.
    Rollback {
        /// Which.
        to: ReleaseNumber,
    },
    /// A canary that the hosts dropped by themselves.
    DropCanary {
        /// Whose.
        handler: String,
    },
    /// A handler that serves no more.
    Remove {
        /// Which.
        handler: String,
    },
}

/// What serves as one handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// What serves all events, or those that the canary doesn't.
    pub artifact: Digest,
    /// What is tried on some of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
}

/// An artifact that serves a share of a handler's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The artifact.
    pub artifact: Digest,
    /// How many of 10,000 events.
    pub per_ten_thousand: u16,
}

impl Release {
    /// The artifacts that a host needs for it, each with its handler's name.
    pub fn artifacts(&self) -> impl Iterator<Item = (&str, Digest)> {
        self.handlers.iter().flat_map(|(name, served)| {
            let canary = served.canary.map(|canary| canary.artifact);
            [Some(served.artifact), canary].into_iter().flatten().map(|digest| (name.as_str(), digest))
        })
    }
}

impl ReleaseNumber {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for ReleaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ReleaseNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| format!("{text:?} is no number of a release; write a whole number from 1 up"))
    }
}
