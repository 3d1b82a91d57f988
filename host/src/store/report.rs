use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{ReleaseNumber, Store, StoreError};
use crate::artifact::Digest;
use crate::trust::EngineId;

/// The most bytes of a report that are read.
const MAX_REPORT: u64 = 1 << 20;
/// Reports that are read at once.
const AT_ONCE: usize = 16;

/// What a host says of itself: what it really serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The host's name, one for each process.
    pub host: String,
    /// The release that it serves. `None`: none yet.
    pub release: Option<ReleaseNumber>,
    /// The release that it should serve, as far as it has seen.
    pub wanted: Option<ReleaseNumber>,
    /// Why it serves another, in a sentence.
    pub problem: Option<String>,
    /// The artifacts that it serves, by handler.
    pub handlers: BTreeMap<String, Digest>,
    /// The canaries that it has dropped by itself, by handler.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dropped: BTreeMap<String, Digest>,
    /// The engine whose code it can load, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineId>,
    /// When it said so, in seconds since 1970-01-01T00:00:00Z: by its own clock, and once it was read by the store's, where
    /// that keeps times. A host's clock may be wrong.
    pub at: u64,
    /// Seconds after which it says so again, changed or not: who has been silent for much longer is gone.
    pub every: u64,
}

impl Store {
    /// Keeps a host's report in the place of the one before.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn put_report(&self, report: &Report) -> Result<(), StoreError> {
        let name = file(&report.host);
        let bytes = serde_json::to_vec_pretty(report).map_err(|error| self.spoilt(&name, error))?;
        self.write(&name, bytes.into()).await
    }

    /// Takes a host's report away, as it ends.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn remove_report(&self, host: &str) -> Result<(), StoreError> {
        use object_store::ObjectStoreExt;
        let name = file(host);
        match self.objects.delete(&self.path(&name)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.away("removing", &name, error)),
        }
    }

    /// All hosts' reports, by their names. One that can't be read as a report is left out: another version's, perhaps.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn reports(&self) -> Result<Vec<Report>, StoreError> {
        let listed = self.objects.list_with_delimiter(Some(&self.path("hosts"))).await;
        let listed = listed.map_err(|error| self.away("listing", "hosts", error))?;
        let names: Vec<_> =
            listed.objects.iter().filter_map(|object| Some(format!("hosts/{}", object.location.filename()?))).collect();
        let read = stream::iter(names).map(|name| async move {
            match self.read_dated(&name, MAX_REPORT).await {
                Err(StoreError::Spoilt { .. }) => Ok(None),
                read => read,
            }
        });
        let found: Vec<_> = read.buffer_unordered(AT_ONCE).try_collect().await?;
        let dated = found.iter().flatten().filter_map(|(bytes, modified)| {
            let report: Report = serde_json::from_slice(bytes).ok()?;
            Some(Report { at: modified.unwrap_or(report.at), ..report })
        });
        let mut reports: Vec<_> = dated.collect();
        reports.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(reports)
    }
}

fn file(host: &str) -> String {
    format!("hosts/{host}.json")
}
