//! Whose signatures of artifacts count, and where compiled code is kept.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::reader::Reader;
use super::{Problems, Sources};
use crate::trust::{Trust, TrustedKey};

impl Reader<'_> {
    pub(super) fn trust(&mut self) -> Option<Trust> {
        let keys = self.each("trusted-keys", str::parse::<TrustedKey>)?;
        // Who sets it means that keys count: a variable that got lost on the way must not let everything run.
        let set = self.is_set("trusted-keys").then_some("it");
        if let (true, Some(what)) = (keys.is_empty(), set.or_else(|| self.empty_variable("trusted-keys"))) {
            let problem = format!("{what} is set, and names no key: name one, NAME=ed25519:…, or don't set it at all");
            self.problem("trusted-keys", None, problem);
            return None;
        }
        let required = match self.is_set("unsigned-artifacts") {
            true => self.word("unsigned-artifacts", &[("allow", false), ("refuse", true)])?,
            false => !keys.is_empty(),
        };
        if required && keys.is_empty() {
            self.problem(
                "unsigned-artifacts",
                None,
                "no key is trusted, so nothing could ever be served: name one, --trusted-key NAME=ed25519:…, as `tidemill \
                 keygen` prints it",
            );
            return None;
        }
        let mut names = BTreeSet::new();
        if let Some(TrustedKey { name, .. }) = keys.iter().find(|trusted| !names.insert(&trusted.name)) {
            self.problem("trusted-keys", None, format_args!("two keys have the name {name:?}; give each its own"));
            return None;
        }
        Some(Trust::new(keys, required))
    }

    pub(super) fn code_cache(&mut self) -> Option<PathBuf> {
        self.optional("code-cache").map(PathBuf::from)
    }
}

impl Sources {
    /// Reads whose signatures count, for a command that looks at them.
    ///
    /// # Errors
    /// All problems of the sources and of these settings together.
    pub fn trust(&self) -> Result<Trust, Problems> {
        let mut reader = Reader::new(self);
        let trust = reader.trust();
        reader.finish(trust)
    }
}
