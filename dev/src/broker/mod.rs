//! A stand-in for Pub/Sub: topics that publishers reach with their ordinary clients, and one push subscription to all of them.
//!
//! - **Publishing** is Pub/Sub's own wire, gRPC and REST on one port, so `PUBSUB_EMULATOR_HOST` is all that a client
//!   needs. Topics exist when they are published to. A message is on disk before its publisher is answered.
//! - **Pushing** is that of a subscription with a dead-letter policy: one wrapped message a request, acknowledged by
//!   102, 200, 201, 202 or 204, delivered again after anything else, after an error and after the ack deadline.
//!   Messages with an ordering key go one at a time for each key, in order.
//! - **Dead letters** are files, one for each message that was nacked too often.
//!
//! What stands on disk survives a `kill -9` of the process: what was not acknowledged is delivered again, and what was
//! under way counts as never tried. It may not survive a loss of power, since that would cost a sync to disk for every
//! message (`synchronous=NORMAL` in SQLite's terms).

mod config;
mod delivery;
mod publish;
mod store;

use std::sync::Arc;

use tidemill_events::{Message, attribute};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

pub use config::{BrokerConfig, ConfigError};
pub use delivery::DeadLetterError;
pub use publish::{InvalidPublish, PublishError};
pub use store::{MessageId, StoreError};

use crate::{clock, server};
use delivery::Courier;
use store::Store;

/// Why a broker could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// A field of the configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The message file can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The dead-letter folder can't be used.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
}

/// The stand-in for Pub/Sub. Clones share the same messages.
#[derive(Debug, Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    courier: Courier,
    /// Tells the delivery loop that a message may have become due.
    due: Notify,
}

impl Broker {
    /// Opens the message file under `config.data`. Nothing is served or pushed yet.
    ///
    /// Messages that an earlier broker left are due at once, with the nacks that they had.
    ///
    /// # Errors
    /// Where the configuration makes no sense, a folder can't be made, another process uses the file, or it was
    /// written by another version.
    pub fn open(config: BrokerConfig) -> Result<Self, BrokerError> {
        config.check()?;
        let courier = Courier::new(&config)?;
        let store = Store::open(&config.data, clock::now())?;
        Ok(Self { shared: Arc::new(Shared { store, courier, due: Notify::new() }) })
    }

    /// Publishes messages to a topic, `projects/PROJECT/topics/NAME`, all of them or none.
    /// Gives their ids, in order, once they are on disk.
    ///
    /// # Errors
    /// Where Pub/Sub would refuse them, or the store fails: then none was taken.
    pub async fn publish(&self, topic: &str, messages: Vec<Message>) -> Result<Vec<MessageId>, PublishError> {
        publish::check(topic, &messages)?;
        let event_types: Vec<String> = messages.iter().map(|message| event_type(message).to_owned()).collect();
        let ids = self.shared.store.publish(topic.to_owned(), messages, clock::now()).await?;
        self.shared.due.notify_one();
        for (message_id, event_type) in ids.iter().zip(event_types) {
            tracing::info!(%message_id, event_type, topic, "published");
        }
        Ok(ids)
    }

    /// How many messages wait to be acknowledged, those under way included.
    ///
    /// # Errors
    /// Where the store fails.
    pub async fn pending(&self) -> Result<u64, StoreError> {
        self.shared.store.pending().await
    }

    /// Takes messages on `listener` and pushes them, until `shutdown` ends; then finishes the requests under way.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let (running, stopped) = watch::channel(());
        let stop = |mut stopped: watch::Receiver<()>| async move { _ = stopped.changed().await };
        tokio::join!(self.serve_publishers(listener, stop(stopped.clone())), self.deliver(stop(stopped)), async {
            shutdown.await;
            drop(running);
        });
    }

    /// The one half of [`serve`](Self::serve): takes messages on `listener`, HTTP/1 and HTTP/2, and pushes none.
    pub async fn serve_publishers(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let broker = self.clone();
        let handle = move |request| {
            let broker = broker.clone();
            async move { publish::answer(&broker, request).await }
        };
        server::serve(listener, handle, shutdown).await;
    }

    /// The other half: pushes what is due. Start it when the receiver listens, since a refused connection is a nack.
    pub async fn deliver(&self, shutdown: impl Future<Output = ()>) {
        delivery::run(self.shared.clone(), shutdown).await;
    }
}

/// The event type of a message, for the log; empty where it has none.
fn event_type(message: &Message) -> &str {
    message.attributes.get(attribute::EVENT_TYPE).map_or("", String::as_str)
}
