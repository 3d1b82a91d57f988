use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{Repository, form};
use crate::store::{Live, Store, StoreError};

/// The tag that is the lock. No object's tag is called so.
const TAG: &str = "lock";

/// How long a write is taken to be on its way at most, where nobody says otherwise.
const LANDS: Duration = Duration::from_secs(5);

/// What has writers of one repository take turns, though all that a registry offers is a tag that the last who writes it
/// has.
///
/// It is [Fischer's timed algorithm][1]. Who wants the lock looks until it is free, writes a token of its own there, waits,
/// and looks again: it holds the lock if its token is still there. That is sound as long as
///
/// 1. a tag, once written, is what everybody reads, and
/// 2. a write has landed `lands` after the look that it follows, or never does. The client sees to half of that: look and
///    write together are given up after `lands / 2`, so the registry has the other half to end what it was sent.
///
/// Whoever else found the lock free did so before this token landed, so its own landed within `lands` of that; who waits
/// for `lands` after its write was answered therefore sees the last token of all. Nobody's clock is compared with another's.
///
/// A holder sends nothing later than `4 × lands` after its look, so nothing of it lands after `5 × lands`. Who has seen the
/// same token for `6 × lands` takes it for that of a writer who has ended, and so for free. Tokens are never used twice.
///
/// [1]: https://lamport.azurewebsites.net/pubs/fast-mutex.pdf
#[derive(Debug, Clone)]
pub(in crate::store) struct Lock {
    repository: Arc<Repository>,
    lands: Duration,
}

/// The lock, taken.
#[derive(Debug)]
pub(in crate::store) struct Held<'a> {
    lock: &'a Lock,
    /// When the last request may be sent.
    until: Instant,
}

impl Lock {
    pub(in crate::store) fn new(repository: Arc<Repository>) -> Self {
        Self { repository, lands: LANDS }
    }

    /// The same, where a write is on its way for this long at most.
    pub(in crate::store) fn landing_within(&self, lands: Duration) -> Self {
        Self { repository: Arc::clone(&self.repository), lands }
    }

    /// Takes the lock, unless what is live is no longer what `before` says: then there is nothing to wait for.
    pub(in crate::store) async fn take(&self, store: &Store, before: Option<&Live>) -> Result<Held<'_>, StoreError> {
        let away = |doing, error| store.away(doing, TAG, error);
        let free = digest_of(None);
        let patience = Instant::now() + 12 * self.lands;
        let mut own = None;
        let mut other: Option<(String, Instant)> = None;
        while Instant::now() < patience {
            store.still(before).await?;
            let began = Instant::now();
            let soon = began + self.lands / 2;
            let Ok(found) = timeout_at(soon, self.repository.digest(TAG)).await else { continue };
            match found.map_err(|error| away("locking", error))? {
                Some(token) if token != free && Some(&token) != own.as_ref() => {
                    let since = other.take().filter(|(seen, _)| *seen == token).map_or(began, |(_, since)| since);
                    let ended = since.elapsed() > 6 * self.lands;
                    other = Some((token, since));
                    if !ended {
                        sleep(self.lands.mul_f64(rand::random_range(0.1..0.3))).await;
                        continue;
                    }
                }
                _ => {}
            }
            let holder = format!("{:032x}", rand::random::<u128>());
            own = Some(digest_of(Some(&holder)));
            // Where there is no answer the token may be there or not. If it is, it is taken for free at the next look.
            let Some(written) = by(soon, self.write(Some(&holder))).await else { continue };
            written.map_err(|error| away("locking", error))?;
            sleep(self.lands).await;
            let Ok(found) = timeout(self.lands / 2, self.repository.digest(TAG)).await else { continue };
            let held = found.map_err(|error| away("locking", error))? == own;
            // Who was held up for long starts again with all its time.
            if held && began.elapsed() < 2 * self.lands {
                return Ok(Held { lock: self, until: began + 4 * self.lands });
            }
        }
        Err(StoreError::Locked { store: Arc::clone(&store.name), file: format!("{}:{TAG}", self.repository) })
    }

    async fn write(&self, holder: Option<&str>) -> object_store::Result<()> {
        self.repository.push_empty().await?;
        self.repository.put(TAG, &form::lock(holder)).await.map(drop)
    }
}

impl Held<'_> {
    /// Does this, and lets go of the lock.
    ///
    /// # Errors
    /// What it gives; or where it wasn't done in time, since somebody else might take the lock.
    pub(in crate::store) async fn during<T>(
        self,
        store: &Store,
        section: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let late = || {
            let problem = "the registry was too slow to make a release live before the lock is lost; look what is live";
            store.away("writing", "live.json", super::trouble(problem))
        };
        let done = by(self.until, section).await.ok_or_else(late)?;
        // Where that fails, the lock is free when the others have waited long enough.
        _ = by(self.until, self.lock.write(None)).await;
        done
    }
}

/// Does this, and nothing of it after the deadline: who was held up looks at the time before it sends another request, which
/// a timeout alone doesn't see to, as that looks at what it waits for first.
async fn by<T>(deadline: Instant, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let in_time = std::future::poll_fn(move |context| {
        if Instant::now() < deadline { work.as_mut().poll(context).map(Some) } else { Poll::Ready(None) }
    });
    timeout_at(deadline, in_time).await.ok().flatten()
}

/// The digest that the lock's tag has where this one holds it.
fn digest_of(holder: Option<&str>) -> String {
    serde_json::to_vec(&form::lock(holder)).map(|bytes| form::digest(&bytes)).unwrap_or_default()
}
