use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use redb::{Database, ReadableTable, Table};
use tokio::sync::{mpsc, oneshot};

use super::{ENTRIES, USED};
use crate::key_value::step::{Step, Write, account};
use crate::key_value::{Key, KeyValueError, Space};

/// Changes that wait for the thread; whoever comes then waits to be one of them.
const WAITING: usize = 1024;
/// Changes that are written together at most.
const TOGETHER: usize = 256;

/// One change of one value.
pub(super) struct Change<S> {
    pub(super) space: Space,
    pub(super) key: Key,
    pub(super) step: S,
}

/// The thread that alone writes. It ends with this, once it has written what it was given.
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// Makes a change within a transaction, and gives what tells of it once that is on the disk. Dropped untold, it tells
/// that there was a failure.
type Job = Box<dyn FnOnce(&mut Tables<'_>) -> Result<Tell, redb::Error> + Send>;
type Tell = Box<dyn FnOnce()>;

/// What a transaction changes.
struct Tables<'txn> {
    entries: Table<'txn, (&'static str, &'static str, &'static str), &'static [u8]>,
    used: Table<'txn, &'static str, u64>,
    quota: u64,
}

impl Writer {
    pub(super) fn start(database: Arc<Database>, quota: u64, shown: String) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(WAITING);
        let write = move || write_all(&database, waiting, quota, &shown);
        let thread = thread::Builder::new().name("key-value".into()).spawn(write)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Makes a change, and answers when it is on the disk: `None` where it could not be brought there.
    pub(super) async fn write<T, S>(&self, change: Change<S>) -> Option<Result<T, KeyValueError>>
    where
        T: Send + 'static,
        S: FnOnce(Option<&[u8]>) -> Result<Step<T>, KeyValueError> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |tables| {
            let answer = tables.change(change)?;
            Ok(Box::new(move || _ = tell.send(answer)) as Tell)
        });
        self.jobs.as_ref()?.send(job).await.ok()?;
        told.await.ok()
    }
}

impl Drop for Writer {
    /// Waits for the thread, so that the file is free when its store is gone.
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

fn write_all(database: &Database, mut waiting: mpsc::Receiver<Job>, quota: u64, shown: &str) {
    let mut jobs = Vec::new();
    while waiting.blocking_recv_many(&mut jobs, TOGETHER) > 0 {
        match write(database, jobs.drain(..), quota) {
            Ok(tells) => tells.into_iter().for_each(|tell| tell()),
            Err(error) => tracing::error!("the key-value store {shown} can't be written: {error}"),
        }
    }
}

/// Makes changes in one transaction. Where one can't be made for the disk's sake, none is.
fn write(database: &Database, jobs: impl Iterator<Item = Job>, quota: u64) -> Result<Vec<Tell>, redb::Error> {
    let transaction = database.begin_write()?;
    let mut tables = Tables { entries: transaction.open_table(ENTRIES)?, used: transaction.open_table(USED)?, quota };
    let tells = jobs.map(|job| job(&mut tables)).collect::<Result<_, _>>()?;
    drop(tables);
    transaction.commit()?;
    Ok(tells)
}

impl Tables<'_> {
    /// Makes a change, or finds that it may not be made and changes nothing.
    fn change<T, S>(&mut self, change: Change<S>) -> Result<Result<T, KeyValueError>, redb::Error>
    where
        S: FnOnce(Option<&[u8]>) -> Result<Step<T>, KeyValueError>,
    {
        let Change { space, key, step } = change;
        let name = (space.handler(), space.store(), key.as_str());
        let old = self.entries.get(name)?;
        let old_length = old.as_ref().map(|old| old.value().len());
        let step = step(old.as_ref().map(redb::AccessGuard::value));
        drop(old);
        let Step { write, answer } = match step {
            Ok(step) => step,
            Err(error) => return Ok(Err(error)),
        };
        let new = match write {
            Write::Nothing => return Ok(Ok(answer)),
            Write::Put(value) => Some(value),
            Write::Remove => None,
        };
        let used = self.used.get(space.handler())?.map_or(0, |used| used.value());
        let used = match account(used, self.quota, &key, old_length, new.as_ref().map(Vec::len)) {
            Ok(used) => used,
            Err(error) => return Ok(Err(error)),
        };
        match new {
            Some(value) => _ = self.entries.insert(name, value.as_slice())?,
            None => _ = self.entries.remove(name)?,
        }
        self.used.insert(space.handler(), used)?;
        Ok(Ok(answer))
    }
}
