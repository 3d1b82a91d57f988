//! A stand-in for the providers of mail and push notifications: takes what handlers send, and shows it.
//!
//! | request | what it does |
//! | --- | --- |
//! | `POST /mail`, `POST /push` | keeps the JSON object in the body; answers `{"id": …}` |
//! | `GET /messages` | what was kept, oldest first, as JSON |
//! | `GET /` | the same as a page |
//! | `POST /fail?next=N&status=503` | makes the next N sends fail with that status, to show what a handler does then |
//!
//! A send with an `Idempotency-Key` that was seen before is answered as the first one and counts once, as with the
//! real providers. All is kept in memory, up to a number of messages.

mod http;
mod page;
mod record;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;

pub use record::{Kind, Sent};

use crate::server;
use record::Record;

/// The stand-in for providers. Clones share what was sent.
#[derive(Debug, Clone)]
pub struct Sink {
    record: Arc<Mutex<Record>>,
}

impl Sink {
    /// A sink that keeps the latest `capacity` messages.
    #[must_use]
    pub fn new(capacity: NonZeroUsize) -> Self {
        Self { record: Arc::new(Mutex::new(Record::new(capacity))) }
    }

    /// What was sent and is still kept, oldest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Sent> {
        self.record().messages().cloned().collect()
    }

    /// Serves the requests above on `listener` until `shutdown` ends; then finishes those under way.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let sink = self.clone();
        let handle = move |request| {
            let sink = sink.clone();
            async move { http::answer(&sink, request).await }
        };
        server::serve(listener, handle, shutdown).await;
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        // Nothing under the lock can panic half-way through a change.
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
