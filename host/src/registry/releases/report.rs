use std::time::UNIX_EPOCH;

use super::follow::Following;
use crate::store::{ReleaseNumber, Report};

/// How often a host says what it serves, changed or not.
pub(super) const EVERY: u64 = 10;

impl Following {
    /// What this host has to say of itself.
    pub(super) fn report(&self) -> Report {
        let snapshot = self.registry.snapshot();
        let dropped = snapshot.trials().filter(|trial| trial.dropped());
        Report {
            host: self.releases.host.clone(),
            release: self.serving.as_ref().map(|release| release.number),
            wanted: self.wanted(),
            problem: self.trouble.clone(),
            handlers: snapshot.handlers().map(|handler| (handler.name.clone(), handler.digest)).collect(),
            dropped: dropped.map(|trial| (trial.canary.name.clone(), trial.canary.digest)).collect(),
            engine: Some(self.releases.loader.runtime.id().clone()),
            at: (self.releases.clock)().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            every: EVERY,
        }
    }

    fn wanted(&self) -> Option<ReleaseNumber> {
        self.seen.as_ref().map(|live| live.release).or_else(|| self.serving.as_ref().map(|release| release.number))
    }
}
