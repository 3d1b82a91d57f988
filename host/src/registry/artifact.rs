use std::sync::Arc;

use super::snapshot::Label;
use super::{Digest, Handler, Manifest, ManifestError};
use crate::artifact::Artifact;
use crate::config::{HandlerValueError, Offers, Terms};
use crate::runtime::{Code, LoadError, Runtime};

/// Why an artifact can't be served.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// Something is wrong with its manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The manifest is no text.
    #[error("handler.toml: it is no UTF-8 text")]
    ManifestText,
    /// Something is wrong with its component.
    #[error("handler.wasm: {0}")]
    Component(#[from] LoadError),
}

impl Artifact {
    /// Compiles it into a handler, if the operator's terms allow what it asks for. `folder` names it where its manifest
    /// doesn't.
    ///
    /// It takes as long as [`Runtime::load`] does: call it off the serving threads.
    ///
    /// # Errors
    /// See [`ArtifactError`].
    pub fn load(&self, runtime: &Runtime, folder: &str, terms: &Terms) -> Result<Arc<Handler>, ArtifactError> {
        Handler::load(self.digest(), &self.manifest, Code::Wasm(&self.wasm), runtime, folder, terms)
    }
}

impl Handler {
    /// Makes a handler of the artifact of this digest, whose manifest and code these are.
    pub(super) fn load(
        digest: Digest,
        manifest: &[u8],
        code: Code<'_>,
        runtime: &Runtime,
        folder: &str,
        terms: &Terms,
    ) -> Result<Arc<Self>, ArtifactError> {
        let text = std::str::from_utf8(manifest).map_err(|_| ArtifactError::ManifestText)?;
        // The manifest first: it is judged in no time, and its mistakes are the more common ones.
        let offers = Offers { key_value: runtime.keeps(), publish: runtime.publishes() };
        let manifest = Manifest::parse(text, folder, terms)?.offered(offers)?;
        let Manifest { name, events, entitled, deadline, grant, warnings } = manifest;
        let component = runtime.load_code(code, &grant)?;
        for warning in warnings {
            tracing::warn!(handler = name, "{warning}");
        }
        let (label, manifest) = (Label::new(&name, digest), text.into());
        Ok(Arc::new(Self { name, digest, events, entitled, deadline, grant, component, manifest, label }))
    }

    /// The same handler with the values that its configuration has now; `None` where they are what they were. It reads
    /// the files that values lie in, and compiles nothing.
    ///
    /// # Errors
    /// Where the manifest doesn't hold with them, as when it is loaded.
    pub(super) fn with_values_now(&self, runtime: &Runtime, terms: &Terms) -> Result<Option<Self>, ArtifactError> {
        // Of a manifest without a name, the handler has the folder's.
        let manifest = Manifest::parse(&self.manifest, &self.name, terms)?;
        let Manifest { name, events, entitled, deadline, grant, .. } = manifest;
        if grant.config == self.grant.config {
            return Ok(None);
        }
        let component = runtime.regrant(&self.component, &self.grant, &grant);
        let (digest, manifest, label) = (self.digest, Arc::clone(&self.manifest), self.label.clone());
        Ok(Some(Self { name, digest, events, entitled, deadline, grant, component, manifest, label }))
    }
}

impl ArtifactError {
    /// Whether it is a file outside of the artifact that is wrong, so that the same artifact may be right later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::Manifest(ManifestError::Value { error: HandlerValueError::File { .. }, .. }))
    }
}
