//! What lies beside an artifact for who trusts keys: signatures, and code that was compiled ahead of time.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Store, StoreError};
use crate::artifact::Digest;
use crate::trust::{EngineId, Envelope, MAX_ENVELOPE};

/// The most bytes of code that are read: an interpreter's is 37 MB.
const MAX_CODE: u64 = 512 << 20;
/// The most signatures of one artifact that are read: so many keys and engines.
const MOST: usize = 64;
/// Signatures that are read at once.
const AT_ONCE: usize = 8;

impl Store {
    /// Keeps a signature of an artifact, beside those that are there, and says whether it is new.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn put_signature(&self, artifact: Digest, envelope: &Envelope) -> Result<bool, StoreError> {
        let bytes = envelope.write().map_err(|error| self.spoilt("the signature", error))?;
        // By its own digest, so that nobody's signature takes the place of another's.
        let mut name = Digest::of(&bytes).hex();
        name.truncate(32);
        self.create(&format!("{}/{name}.json", signatures(artifact)), bytes.into()).await
    }

    /// The signatures of an artifact, whosever they are. What can't be read as one is passed over.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn signatures(&self, artifact: Digest) -> Result<Vec<Envelope>, StoreError> {
        let folder = signatures(artifact);
        let listed = self.objects.list_with_delimiter(Some(&self.path(&folder))).await;
        let listed = listed.map_err(|error| self.away("listing", &folder, error))?;
        let names = listed.objects.iter().filter_map(|object| object.location.filename());
        let names: Vec<_> = names.take(MOST).map(|name| format!("{folder}/{name}")).collect();
        let read = stream::iter(names).map(|name| async move {
            let bytes = match self.read(&name, MAX_ENVELOPE as u64).await {
                Ok(bytes) => bytes,
                Err(StoreError::Spoilt { .. }) => None,
                Err(error) => return Err(error),
            };
            let envelope = bytes.and_then(|bytes| Envelope::read(&bytes).ok());
            if envelope.is_none() {
                tracing::debug!(object = name, "it is no signature that can be read, and is passed over");
            }
            Ok(envelope)
        });
        let found: Vec<_> = read.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Keeps what an engine has made of an artifact's component, in the place of what is there. Whether that is what it
    /// should be, a signature says.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn put_code(&self, artifact: Digest, engine: &EngineId, code: Vec<u8>) -> Result<(), StoreError> {
        self.write(&code_file(artifact, engine), code.into()).await
    }

    /// What somebody says that an engine has made of an artifact's component. It must not be loaded before a signature
    /// has vouched for it ([`crate::trust::Vouched::code`]).
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn code(&self, artifact: Digest, engine: &EngineId) -> Result<Option<Vec<u8>>, StoreError> {
        match self.read(&code_file(artifact, engine), MAX_CODE).await {
            // Too long to be any: as good as none, since the component is there.
            Err(StoreError::Spoilt { .. }) => Ok(None),
            read => Ok(read?.map(Into::into)),
        }
    }
}

fn signatures(artifact: Digest) -> String {
    format!("artifacts/{}/signatures", artifact.hex())
}

fn code_file(artifact: Digest, engine: &EngineId) -> String {
    format!("artifacts/{}/code/{engine}.cwasm", artifact.hex())
}
