//! Where handlers come from.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::{Problems, Sources, bounds};
use crate::store::StoreUrl;

/// Where handlers come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandlerSource {
    /// A folder, one folder in it for each handler.
    Folder(PathBuf),
    /// The live release of a store.
    Store(StoreConfig),
}

/// A store, and how it is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Where it is.
    pub url: StoreUrl,
    /// What it is reached with.
    pub variables: StoreVariables,
    /// How often it is asked what is live.
    pub poll: Duration,
    /// Where the live release is kept for a start without it.
    pub cache: Option<PathBuf>,
}

/// The variables of the environment that say how a store is reached: a bucket's begin with `AWS_` or `GOOGLE_`; a
/// registry's are those of `wkg`, and where Docker keeps credentials.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreVariables(pub Vec<(String, String)>);

impl fmt::Debug for StoreVariables {
    /// Shows names alone: some are credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl StoreVariables {
    /// Those among all variables.
    pub(super) fn among<'a>(variables: impl Iterator<Item = (&'a String, &'a String)>) -> Self {
        let matters = |name: &str| {
            ["AWS_", "GOOGLE_", "WKG_OCI_"].iter().any(|prefix| name.starts_with(prefix))
                || matches!(name, "DOCKER_CONFIG" | "HOME")
        };
        let found = variables.filter(|(name, _)| matters(name));
        Self(found.map(|(name, value)| (name.clone(), value.clone())).collect())
    }
}

impl Reader<'_> {
    pub(super) fn handler_source(&mut self) -> Option<HandlerSource> {
        let (folder, store) = (self.is_set("handlers"), self.is_set("store"));
        let poll = self.one("store-poll", bounds::some_time);
        let cache = self.optional("store-cache").map(PathBuf::from);
        if folder && store {
            self.problem("store", None, "`handlers` is set as well: give one of them, a folder or a store");
            return None;
        }
        if !store {
            let advice =
                "name the folder of handlers, for example --handlers ./handlers, or a store of releases, --store";
            return self.required("handlers", advice).map(PathBuf::from).map(HandlerSource::Folder);
        }
        let url = self.one("store", str::parse::<StoreUrl>)?;
        Some(HandlerSource::Store(StoreConfig { url, variables: self.store_variables(), poll: poll?, cache }))
    }
}

impl Sources {
    /// Reads where the store is, for a command that changes or shows it.
    ///
    /// # Errors
    /// All problems of the sources and of this setting together.
    pub fn store(&self) -> Result<(StoreUrl, StoreVariables), Problems> {
        let mut reader = Reader::new(self);
        let advice = "name the store, for example --store gs://BUCKET/PREFIX, s3://BUCKET/PREFIX, oci://HOST/REPOSITORY or a folder";
        let url = reader.required("store", advice);
        let url = url.and_then(|_| reader.one("store", str::parse::<StoreUrl>));
        let variables = reader.store_variables();
        reader.finish(url.map(|url| (url, variables)))
    }
}
