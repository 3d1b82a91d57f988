use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{GetOptions, PutMode, PutOptions, PutPayload, PutResult};
use rustix::fs::{FlockOperation, flock};

use super::{Store, StoreError};

/// How often the lock is asked for, and how long between: who holds it does so for one reading and one writing.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Compare-and-swap in a folder: a lock around the comparison and the swap, which every writer of the same folder takes.
///
/// Readers take none: an object is replaced whole, by a rename.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    lock: Arc<PathBuf>,
}

impl Folder {
    /// For the folder whose lock is this file.
    pub(super) fn new(lock: PathBuf) -> Self {
        Self { lock: Arc::new(lock) }
    }

    /// Writes an object as `options` say, also where they ask for a version that the object must have. The outer error is
    /// about the lock.
    pub(super) async fn swap(
        &self,
        store: &Store,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<object_store::Result<PutResult>, StoreError> {
        let PutMode::Update(expected) = options.mode else {
            return Ok(store.objects.put_opts(path, payload, options).await);
        };
        let _lock = self.take(store).await?;
        let head = GetOptions { head: true, ..GetOptions::default() };
        let found = match store.objects.get_opts(path, head).await {
            Ok(found) => found.meta.e_tag,
            Err(error) => return Ok(Err(error)),
        };
        if found != expected.e_tag {
            let (path, source) = (path.to_string(), "another version is there".into());
            return Ok(Err(object_store::Error::Precondition { path, source }));
        }
        Ok(store.objects.put_opts(path, payload, PutOptions::default()).await)
    }

    /// The lock, which is given up with the file. It is the system's, so it outlives no process.
    async fn take(&self, store: &Store) -> Result<File, StoreError> {
        let locked = || StoreError::Locked { store: Arc::clone(&store.name), file: self.lock.display().to_string() };
        let file = File::options().create(true).append(true).open(&*self.lock).map_err(|source| StoreError::Away {
            store: Arc::clone(&store.name),
            doing: "locking",
            object: self.lock.display().to_string(),
            source: Box::new(object_store::Error::Generic { store: "LocalFileSystem", source: source.into() }),
        })?;
        for _ in 0..TRIES {
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                return Ok(file);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(locked())
    }
}
