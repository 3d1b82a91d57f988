//! The messages on disk, behind one thread that owns the SQLite connection.
//!
//! The thread takes all commands that wait and runs them in one transaction, so the cost of a commit is shared under
//! load. It answers after the commit, never before. Which messages are under way is known in memory alone: after a
//! crash there is nothing on disk to clean up.

mod tables;
mod worker;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tidemill_events::Message;
use tokio::sync::{mpsc, oneshot};

use worker::Command;

/// The broker's id of a message. It grows with each message, and no two of one machine's brokers give the same:
/// a new file starts at the microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(i64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why the message file can't be opened, read or written.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The folder can't be made.
    #[error("the folder {path} can't be made: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// Another broker has the file open.
    #[error("{path} is in use by another process: end that one, or choose another data folder")]
    InUse {
        /// The message file.
        path: PathBuf,
    },
    /// The file has a form that this version doesn't know.
    #[error("{path} was written by another version (form {found}): move it away, or use that version")]
    Version {
        /// The message file.
        path: PathBuf,
        /// The form that it has.
        found: i64,
    },
    /// SQLite failed.
    #[error("the message file {path}: {source}")]
    Sqlite {
        /// The message file.
        path: PathBuf,
        /// What SQLite said.
        source: Arc<rusqlite::Error>,
    },
    /// The system gives no thread for the store.
    #[error("the message store's thread can't be started: {0}")]
    Thread(Arc<std::io::Error>),
    /// The store's thread has ended.
    #[error("the message store has ended")]
    Closed,
}

/// A message that is due, with what its delivery needs to know.
#[derive(Debug)]
pub(super) struct Due {
    pub(super) id: MessageId,
    pub(super) published: SystemTime,
    /// How often it was nacked so far.
    pub(super) nacks: u32,
    pub(super) message: Message,
}

/// What [`Store::lease`] gives.
#[derive(Debug, Default)]
pub(super) struct Leased {
    pub(super) messages: Vec<Due>,
    /// When the next message becomes due, of those that are not due yet.
    pub(super) next_due: Option<SystemTime>,
}

/// What became of a leased message.
#[derive(Debug, Clone, Copy)]
pub(super) enum Settlement {
    /// It is done with, and leaves the store.
    Remove,
    /// It was nacked, and is due again at this time.
    Nack(SystemTime),
}

/// A handle on the store's thread, which ends with its last handle.
#[derive(Debug, Clone)]
pub(super) struct Store {
    commands: mpsc::Sender<Command>,
}

impl Store {
    /// Opens the file in `folder`, or makes it. What was nacked and waits becomes due `now`: the receiver that
    /// it waited for is as new as this process.
    pub(super) fn open(folder: &Path, now: SystemTime) -> Result<Self, StoreError> {
        let tables = tables::Tables::open(folder, now)?;
        let (commands, queue) = mpsc::channel(worker::BATCH);
        // The thread is not joined: it ends by itself when the last handle has gone, and closes the file.
        _ = std::thread::Builder::new()
            .name("broker-store".into())
            .spawn(move || worker::run(tables, queue))
            .map_err(|error| StoreError::Thread(Arc::new(error)))?;
        Ok(Self { commands })
    }

    /// Adds messages that are due `now`, or when those before them in their ordering key have gone.
    pub(super) async fn publish(
        &self,
        topic: String,
        messages: Vec<Message>,
        now: SystemTime,
    ) -> Result<Vec<MessageId>, StoreError> {
        self.ask(|reply| Command::Publish { topic, messages, now, reply }).await
    }

    /// Up to `limit` messages that are due `now` and not leased yet, the longest due first. Each is the caller's until
    /// it settles it.
    pub(super) async fn lease(&self, limit: usize, now: SystemTime) -> Result<Leased, StoreError> {
        self.ask(|reply| Command::Lease { limit, now, reply }).await
    }

    /// Ends a lease. With the message, the next of its ordering key becomes due `now`.
    ///
    /// Where this fails, the message stays as it was, and is delivered again.
    pub(super) async fn settle(
        &self,
        id: MessageId,
        settlement: Settlement,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.ask(|reply| Command::Settle { id, settlement, now, reply }).await
    }

    /// How many messages there are.
    pub(super) async fn pending(&self) -> Result<u64, StoreError> {
        self.ask(|reply| Command::Pending { reply }).await
    }

    async fn ask<T>(&self, command: impl FnOnce(worker::Reply<T>) -> Command) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
