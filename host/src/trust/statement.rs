use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::EngineId;
use crate::artifact::{Artifact, Digest};

/// What a signature says: these bytes may run as this handler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// The handler. What an operator grants is granted by name, so nobody may serve one's artifact as another.
    pub handler: String,
    /// The artifact: manifest and component together.
    pub artifact: Digest,
    /// The manifest alone, so that who has code that fits doesn't need the component.
    pub manifest: Digest,
    /// Native code that was compiled from the component, by the engine that can load it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code: BTreeMap<EngineId, Digest>,
}

impl Statement {
    /// That this artifact may run as this handler. No code is covered yet.
    #[must_use]
    pub fn of(handler: &str, artifact: &Artifact) -> Self {
        Self {
            handler: handler.to_owned(),
            artifact: artifact.digest(),
            manifest: Digest::of(&artifact.manifest),
            code: BTreeMap::new(),
        }
    }

    /// That this code may run in the component's place, too.
    #[must_use]
    pub fn with_code(mut self, engine: EngineId, code: &[u8]) -> Self {
        self.code.insert(engine, Digest::of(code));
        self
    }
}
