//! What the operator says of handlers, all together.

use std::path::PathBuf;

use super::reader::Reader;
use super::{Config, Grants, HandlerValues, KeyValueStoreConfig, Problems, Quota, Sources, bounds};

/// What a manifest is judged by.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Values for handlers' configuration keys.
    pub values: HandlerValues,
    /// The most that any handler may ask for.
    pub quota: Quota,
    /// What handlers may do.
    pub grants: Grants,
}

/// What a host has for handlers that ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// A place for what they keep.
    pub key_value: bool,
    /// A way out for what they publish.
    pub publish: bool,
}

impl Config {
    /// What manifests are judged by.
    #[must_use]
    pub fn terms(&self) -> Terms {
        Terms { values: self.handler_values.clone(), quota: self.quota, grants: self.grants.clone() }
    }
}

impl Reader<'_> {
    pub(super) fn quota(&mut self) -> Option<Quota> {
        let deadline = self.one("max-deadline", bounds::some_time);
        let memory = self.one("max-memory", bounds::memory);
        Some(Quota { deadline: deadline?, memory: memory? })
    }

    pub(super) fn grants(&mut self) -> Option<Grants> {
        self.each("grants", str::parse).map(Grants::new)
    }

    pub(super) fn handlers(&mut self) -> Option<PathBuf> {
        self.required("handlers", "name the folder of handlers, for example --handlers ./handlers").map(PathBuf::from)
    }
}

impl Sources {
    /// Reads what manifests are judged by, the folder of handlers, and what the host would offer: for a command that
    /// judges and serves nothing.
    ///
    /// # Errors
    /// All problems of the sources and of these settings together.
    pub fn terms(&self) -> Result<(PathBuf, Terms, Offers), Problems> {
        let mut reader = Reader::new(self);
        let (handlers, quota, grants, key_value) =
            (reader.handlers(), reader.quota(), reader.grants(), reader.key_value());
        let publish = reader.sends();
        let read = (|| {
            let terms = Terms { values: self.handler_values.clone(), quota: quota?, grants: grants? };
            let key_value = !matches!(key_value?.store, KeyValueStoreConfig::None);
            Some((handlers?, terms, Offers { key_value, publish: publish? }))
        })();
        reader.finish(read)
    }
}
