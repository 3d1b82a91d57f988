//! Having every host drop a canary that one has found to do worse than it may.

use tidemill_events::format_rfc3339;

use super::follow::Following;
use crate::artifact::Digest;
use crate::store::{Action, Look, Release, ReleaseNumber, StoreError};

impl Following {
    /// Makes a release live without the canaries that were dropped here, with the evidence. Of several hosts that do so
    /// one wins, and the others then follow its release as any other.
    pub(super) async fn have_canaries_dropped(&mut self) {
        for verdict in self.registry.verdicts() {
            match self.without(&verdict.handler, verdict.canary, &verdict.evidence).await {
                Ok(Some(number)) => {
                    tracing::warn!(handler = verdict.handler, "release {number} takes the canary back at every host");
                }
                Ok(None) | Err(StoreError::Overtaken { .. }) => {
                    tracing::info!(
                        handler = verdict.handler,
                        "the canary is taken back already, or something else is live"
                    );
                }
                Err(error) => {
                    tracing::error!(
                        handler = verdict.handler,
                        "the canary can't be taken back at every host: {error}; it is tried again"
                    );
                    self.registry.undecided(verdict);
                }
            }
        }
    }

    async fn without(
        &self,
        handler: &str,
        canary: Digest,
        evidence: &str,
    ) -> Result<Option<ReleaseNumber>, StoreError> {
        let Look::Live(live) = self.releases.store.look(None).await? else { return Ok(None) };
        let mut release = self.releases.store.release(live.release).await?;
        let Some(served) = release.handlers.get_mut(handler) else { return Ok(None) };
        if served.canary.is_none_or(|served| served.artifact != canary) {
            return Ok(None);
        }
        served.canary = None;
        let release = Release {
            action: Action::DropCanary { handler: handler.to_owned() },
            at: format_rfc3339((self.releases.clock)()),
            by: format!("the host {}", self.releases.host),
            why: evidence.to_owned(),
            ..release
        };
        let made = self.releases.store.make_live(Some(&live), release).await?;
        Ok(Some(made.number))
    }
}
