//! The keys that signatures are checked with, and how they change while the host serves.

mod file;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tidemill_events::{Key, KeyRing};

use crate::config::KeysConfig;

/// The least time between two readings that were asked for by a signature that named no key of the ring: anybody can
/// send such a signature, and nobody may make the host read files all day.
const ASKED_PAUSE: Duration = Duration::from_secs(1);

/// How long a delivery waits for such a reading. A file that takes longer is read on beside it.
const ASKED_WAIT: Duration = Duration::from_secs(1);

/// The key ring, as it is now. It follows the file that keys come from, where there is one.
#[derive(Debug)]
pub struct Keys {
    ring: ArcSwap<KeyRing>,
    config: KeysConfig,
    reading: tokio::sync::Mutex<()>,
    asked: Mutex<Option<Instant>>,
    /// What was last said to be wrong with the file.
    trouble: Mutex<Option<String>>,
}

impl Keys {
    /// The keys that the configuration gave, which the host begins with.
    #[must_use]
    pub fn new(config: KeysConfig) -> Self {
        Self {
            ring: ArcSwap::from_pointee(config.ring.clone()),
            config,
            reading: tokio::sync::Mutex::default(),
            asked: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// The ring at this moment.
    #[must_use]
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// Reads the file again every so often, for ever.
    pub async fn follow(self: Arc<Self>) {
        if self.config.file.is_none() {
            return std::future::pending().await;
        }
        loop {
            tokio::time::sleep(self.config.reload).await;
            self.reload().await;
        }
    }

    /// Reads the file now, for a signature that fits no key of `ring`: its key may have come just now, and a timer may
    /// have slept with the processor. Gives the ring where it is another one since.
    ///
    /// At most one reading a second comes of this, however many ask; who asks meanwhile waits for it, for a second too.
    pub async fn newer_than(self: &Arc<Self>, ring: &Arc<KeyRing>) -> Option<Arc<KeyRing>> {
        let asks = self.may_ask();
        let reading = {
            let keys = Arc::clone(self);
            async move {
                if asks {
                    // A task of its own, since it must end as one reading though nobody waits so long.
                    _ = tokio::spawn(async move { keys.reload().await }).await;
                } else {
                    drop(keys.reading.lock().await);
                }
            }
        };
        _ = tokio::time::timeout(ASKED_WAIT, reading).await;
        Some(self.ring()).filter(|now| !Arc::ptr_eq(now, ring))
    }

    fn may_ask(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let may = self.config.file.is_some() && asked.is_none_or(|before| before.elapsed() >= ASKED_PAUSE);
        if may {
            *asked = Some(Instant::now());
        }
        may
    }

    async fn reload(&self) {
        let Some(path) = &self.config.file else { return };
        // One reading at a time, and who waited for another's has what that one found.
        let Ok(_reading) = self.reading.try_lock() else {
            drop(self.reading.lock().await);
            return;
        };
        let read = file::read_settled(path.clone()).await;
        let ring = read.and_then(|keys| {
            let keys: Vec<_> = self.config.fixed.iter().cloned().chain(keys).collect();
            if keys.is_empty() {
                return Err("it holds no key, and there is no other".to_owned());
            }
            KeyRing::new(keys).map_err(|error| error.to_string())
        });
        self.take(path, ring);
    }

    fn take(&self, path: &Path, read: Result<KeyRing, String>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(ring) => {
                *trouble = None;
                let before = self.ring.load();
                if **before != ring {
                    tracing::info!(file = %path.display(), keys = ids(&ring), before = ids(&before), "signing keys changed");
                    self.ring.store(Arc::new(ring));
                }
            }
            Err(problem) if trouble.as_ref() != Some(&problem) => {
                tracing::error!(
                    file = %path.display(),
                    keys = ids(&self.ring.load()),
                    "signing-keys-file: {problem}; the keys from before still count, and the file is read again later"
                );
                *trouble = Some(problem);
            }
            Err(_) => {}
        }
    }
}

fn ids(ring: &KeyRing) -> String {
    ring.keys().iter().map(Key::id).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
