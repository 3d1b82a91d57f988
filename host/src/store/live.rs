use std::sync::Arc;

use object_store::{GetOptions, PutMode, PutOptions, UpdateVersion};
use serde::{Deserialize, Serialize};

use super::{Release, ReleaseNumber, Store, StoreError, Turns};

/// The object that says what is live.
const LIVE: &str = "live.json";
/// The most bytes of it that are read: it holds a number.
const MAX_LIVE: u64 = 4 << 10;
/// The most bytes of a release that are read: thousands of handlers.
const MAX_RELEASE: u64 = 8 << 20;
/// How many numbers of releases that never were live a writer passes over.
const MAX_TAKEN: usize = 1000;

/// Which release is live, and in which version of the object that says so.
#[derive(Debug, Clone)]
pub struct Live {
    /// The release.
    pub release: ReleaseNumber,
    pub(super) version: UpdateVersion,
}

/// What a look at the store found.
#[derive(Debug, Clone)]
pub enum Look {
    /// Nothing else than at the look before.
    Same,
    /// Nothing was ever made live.
    Empty,
    /// This.
    Live(Live),
}

#[derive(Serialize, Deserialize)]
struct Pointer {
    release: ReleaseNumber,
}

impl Store {
    /// Looks at what is live. Where that is what `known` says, nothing but a few headers is sent.
    ///
    /// # Errors
    /// Where the store can't be reached, or the object is none that a store writes.
    pub async fn look(&self, known: Option<&Live>) -> Result<Look, StoreError> {
        let if_none_match = known.and_then(|live| live.version.e_tag.clone());
        let options = GetOptions { if_none_match, ..GetOptions::default() };
        let found = match self.objects.get_opts(&self.path(LIVE), options).await {
            Ok(found) => found,
            Err(object_store::Error::NotModified { .. }) => return Ok(Look::Same),
            Err(object_store::Error::NotFound { .. }) => return Ok(Look::Empty),
            Err(error) => return Err(self.away("reading", LIVE, error)),
        };
        if found.meta.size > MAX_LIVE {
            return Err(self.spoilt(LIVE, format_args!("it has {} bytes", found.meta.size)));
        }
        let version = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
        let bytes = found.bytes().await.map_err(|error| self.away("reading", LIVE, error))?;
        let Pointer { release } = serde_json::from_slice(&bytes).map_err(|error| self.spoilt(LIVE, error))?;
        Ok(Look::Live(Live { release, version }))
    }

    /// A release.
    ///
    /// # Errors
    /// Where the store can't be reached, or has no such release.
    pub async fn release(&self, number: ReleaseNumber) -> Result<Release, StoreError> {
        let name = file(number);
        let bytes = self.read(&name, MAX_RELEASE).await?;
        let bytes = bytes.ok_or_else(|| StoreError::NoRelease { store: Arc::clone(&self.name), number })?;
        let release: Release = serde_json::from_slice(&bytes).map_err(|error| self.spoilt(&name, error))?;
        if release.number == number {
            Ok(release)
        } else {
            Err(self.spoilt(&name, format_args!("it says that it is release {}", release.number)))
        }
    }

    /// Makes a release live that follows `before`, what was live when it was thought of. Its number and what it follows
    /// are given to it here.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] where something else was made live meanwhile; then this one never is.
    pub async fn make_live(&self, before: Option<&Live>, release: Release) -> Result<Release, StoreError> {
        let Turns::Registry(lock) = &self.turns else { return self.follow(before, release).await };
        let held = lock.take(self, before).await?;
        held.during(self, self.follow(before, release)).await
    }

    async fn follow(&self, before: Option<&Live>, mut release: Release) -> Result<Release, StoreError> {
        release.previous = before.map(|live| live.release);
        release.number = before.map_or(ReleaseNumber(1), |live| live.release.next());
        // A number may be taken by a release that was overtaken, or whose writer ended before it was live.
        for _ in 0..MAX_TAKEN {
            let bytes = serde_json::to_vec_pretty(&release).map_err(|error| self.spoilt("the release", error))?;
            if self.create(&file(release.number), bytes.into()).await? {
                self.point(before, release.number).await?;
                return Ok(release);
            }
            release.number = release.number.next();
        }
        Err(self.overtaken().await)
    }

    /// Keeps a release that is another store's, under its number, and makes it what is live, whatever was: for a store
    /// that has one writer.
    ///
    /// # Errors
    /// Where the store can't be written to.
    pub async fn keep_live(&self, release: &Release) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec_pretty(release).map_err(|error| self.spoilt("the release", error))?;
        self.write(&file(release.number), bytes.into()).await?;
        let bytes =
            serde_json::to_vec(&Pointer { release: release.number }).map_err(|error| self.spoilt(LIVE, error))?;
        self.write(LIVE, bytes.into()).await
    }

    /// The releases that there are, the newest first, at most so many. Some were never live, and one may not be readable.
    ///
    /// # Errors
    /// Where the store can't be reached.
    pub async fn releases(&self, most: usize) -> Result<Vec<(ReleaseNumber, Result<Release, StoreError>)>, StoreError> {
        let listed = self.objects.list_with_delimiter(Some(&self.path("releases"))).await;
        let listed = listed.map_err(|error| self.away("listing", "releases", error))?;
        let number = |name: &str| name.strip_suffix(".json")?.parse().ok().map(ReleaseNumber);
        let mut numbers: Vec<_> =
            listed.objects.iter().filter_map(|object| number(object.location.filename()?)).collect();
        numbers.sort_unstable_by(|a, b| b.cmp(a));
        let mut releases = Vec::new();
        for number in numbers.into_iter().take(most) {
            match self.release(number).await {
                Err(error @ StoreError::Away { .. }) => return Err(error),
                release => releases.push((number, release)),
            }
        }
        Ok(releases)
    }

    /// Has `live.json` say `release`, if it still is what it was.
    async fn point(&self, before: Option<&Live>, release: ReleaseNumber) -> Result<(), StoreError> {
        let bytes = serde_json::to_vec(&Pointer { release }).map_err(|error| self.spoilt(LIVE, error))?;
        let mode = match before {
            None => PutMode::Create,
            Some(live) => PutMode::Update(live.version.clone()),
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        let path = self.path(LIVE);
        let put = match &self.turns {
            Turns::Folder(folder) => folder.swap(self, &path, bytes.into(), options).await?,
            Turns::Store | Turns::Registry(_) => self.objects.put_opts(&path, bytes.into(), options).await,
        };
        let Err(error) = put else { return Ok(()) };
        // Whatever it says, the write may have landed: an answer can be lost, and a client that then writes again finds
        // its own. Nobody else points to this number.
        if matches!(self.look(None).await, Ok(Look::Live(live)) if live.release == release) {
            return Ok(());
        }
        Err(match error {
            object_store::Error::Precondition { .. } | object_store::Error::AlreadyExists { .. } => {
                self.overtaken().await
            }
            error => self.away("writing", LIVE, error),
        })
    }

    /// Fails where what is live is no longer what it was.
    pub(super) async fn still(&self, before: Option<&Live>) -> Result<(), StoreError> {
        let live = match self.look(before).await? {
            Look::Same => return Ok(()),
            Look::Empty if before.is_none() => return Ok(()),
            Look::Empty => None,
            Look::Live(live) => Some(live.release),
        };
        Err(StoreError::Overtaken { store: Arc::clone(&self.name), live })
    }

    async fn overtaken(&self) -> StoreError {
        let live = match self.look(None).await {
            Ok(Look::Live(live)) => Some(live.release),
            _ => None,
        };
        StoreError::Overtaken { store: Arc::clone(&self.name), live }
    }
}

/// With zeros before the number, so that a listing is in order.
fn file(number: ReleaseNumber) -> String {
    format!("releases/{:010}.json", number.0)
}
