use super::{Store, StoreError};
use crate::artifact::{Artifact, Digest, MAX_COMPONENT, MAX_MANIFEST};

impl Store {
    /// Keeps an artifact, under its digest, and says whether it is new.
    ///
    /// # Errors
    /// Where the store can't be reached, or has something else under that digest.
    pub async fn put_artifact(&self, artifact: &Artifact) -> Result<bool, StoreError> {
        let digest = artifact.digest();
        // The manifest last: who finds it finds the component.
        self.create(&component(digest), artifact.wasm.clone().into()).await?;
        let new = self.create(&manifest(digest), artifact.manifest.clone().into()).await?;
        if !new {
            // What is there is looked at by whoever uses it; this is when somebody is there to be told.
            self.artifact(digest).await?;
        }
        Ok(new)
    }

    /// An artifact, whose bytes are those that its digest names.
    ///
    /// # Errors
    /// Where the store can't be reached, doesn't have it, or has it changed.
    pub async fn artifact(&self, digest: Digest) -> Result<Artifact, StoreError> {
        let missing = || StoreError::NoArtifact { store: std::sync::Arc::clone(&self.name), digest };
        let manifest_bytes = self.read(&manifest(digest), MAX_MANIFEST).await?.ok_or_else(missing)?;
        let component_bytes = self.read(&component(digest), MAX_COMPONENT).await?.ok_or_else(missing)?;
        let artifact = Artifact { manifest: manifest_bytes.into(), wasm: component_bytes.into() };
        let found = artifact.digest();
        if found == digest {
            Ok(artifact)
        } else {
            Err(self.spoilt(&format!("artifacts/{}", digest.hex()), format_args!("what is there is {found}")))
        }
    }

    /// An artifact's manifest alone, as it lies there: the digest is that of both parts, so whoever serves an artifact
    /// reads [`Store::artifact`].
    ///
    /// # Errors
    /// Where the store can't be reached, or doesn't have it.
    pub async fn manifest(&self, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let bytes = self.read(&manifest(digest), MAX_MANIFEST).await?;
        let missing = || StoreError::NoArtifact { store: std::sync::Arc::clone(&self.name), digest };
        bytes.map(Into::into).ok_or_else(missing)
    }
}

fn manifest(digest: Digest) -> String {
    format!("artifacts/{}/handler.toml", digest.hex())
}

fn component(digest: Digest) -> String {
    format!("artifacts/{}/handler.wasm", digest.hex())
}
