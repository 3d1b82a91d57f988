//! Publishes the outbox: one relay a process, so that no two publish the same event at once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tidemill_publisher::Publisher;
use tokio::sync::{mpsc, oneshot};

use crate::DatabaseError;
use crate::batch::Batch;
use crate::database::Database;
use crate::outbox::{self, Position};

/// How many events go out together. The next ones wait until all of these are answered for.
const BATCH: u32 = 100;
/// How long a request waits for its event. The change is committed, so the caller need not wait for more.
const REQUEST_PATIENCE: Duration = Duration::from_secs(2);
/// How long the relay rests where it had to leave events in the outbox, and no request wakes it before.
const REST: Duration = Duration::from_secs(5);

/// The way for requests to say that there is something to publish.
#[derive(Debug, Clone)]
pub(crate) struct Relay {
    notices: mpsc::UnboundedSender<Notice>,
}

/// There is an event at this position, and somebody waits until it was tried.
struct Notice {
    position: Position,
    /// Dropped once the event was tried: that is all the waiting side has to know.
    _tried: oneshot::Sender<()>,
}

/// A relay: the way to it, and its work, which somebody has to [run](Worker::run).
pub(crate) fn new(database: Database, publisher: Arc<dyn Publisher>) -> (Relay, Worker) {
    let (notices, inbox) = mpsc::unbounded_channel();
    (Relay { notices }, Worker { database, publisher, inbox, waiting: Vec::new() })
}

impl Relay {
    /// Has the event at `position` published, with all before it. Returns once it was tried, or the request has waited
    /// long enough; whether it went out is the relay's concern, since the change that it tells of has happened anyway.
    ///
    /// On Cloud Run the CPU stops with the answer: what a request doesn't wait for goes out during the next one.
    pub(crate) async fn publish(&self, position: Position) {
        let (tried, was_tried) = oneshot::channel();
        if self.notices.send(Notice { position, _tried: tried }).is_ok() {
            _ = tokio::time::timeout(REQUEST_PATIENCE, was_tried).await;
        }
    }
}

/// The work of a relay.
pub(crate) struct Worker {
    database: Database,
    publisher: Arc<dyn Publisher>,
    inbox: mpsc::UnboundedReceiver<Notice>,
    waiting: Vec<Notice>,
}

impl Worker {
    /// Publishes what an earlier process left, then what is announced. Ends when the last [`Relay`] is dropped and what
    /// was announced has been tried.
    pub(crate) async fn run(mut self) {
        loop {
            let left = self.pass().await.unwrap_or_else(|error| {
                tracing::error!(%error, "the outbox can't be read or cleared; what it holds is published later");
                true
            });
            // Whoever still waits has waited for events that this pass could not get to.
            self.waiting.clear();
            let notice = if left {
                match tokio::time::timeout(REST, self.inbox.recv()).await {
                    Ok(notice) => notice,
                    Err(_) => continue,
                }
            } else {
                self.inbox.recv().await
            };
            match notice {
                Some(notice) => self.waiting.push(notice),
                None => break,
            }
        }
    }

    /// Goes once through the outbox, batch by batch. Gives whether it had to leave events there.
    async fn pass(&mut self) -> Result<bool, DatabaseError> {
        let mut tried = Position::START;
        let mut blocked = BTreeSet::new();
        loop {
            while let Ok(notice) = self.inbox.try_recv() {
                self.waiting.push(notice);
            }
            self.waiting.retain(|notice| notice.position > tried);
            let entries = self.database.transaction(move |tx| outbox::after(tx, tried, BATCH)).await?;
            let Some(last) = entries.last() else { return Ok(!blocked.is_empty()) };
            tried = last.position;
            let outcome = Batch::new(entries, &blocked).publish(&*self.publisher).await;
            if outcome.published.is_empty() && !outcome.failed.is_empty() {
                // An outage, most likely: the rest would fare no better.
                return Ok(true);
            }
            blocked.extend(outcome.failed);
            self.database.transaction(move |tx| outbox::delete(tx, &outcome.published)).await?;
        }
    }
}
