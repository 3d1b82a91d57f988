use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::channel::Channel;
use super::{EmulatorHost, PubSub, TopicName};
use crate::{DEFAULT_TIME_LIMIT, Signing};

/// What a [`PubSub`] is made of; see [`PubSub::builder`].
#[derive(Debug)]
pub struct PubSubBuilder {
    topic: TopicName,
    signing: Arc<dyn Signing>,
    emulator: Option<EmulatorHost>,
    time_limit: Duration,
}

/// Why there is no client for Pub/Sub.
#[derive(Debug, thiserror::Error)]
#[error("can't make a Pub/Sub client for {topic}: {source}")]
pub struct PubSubError {
    pub(super) topic: TopicName,
    pub(super) source: Box<dyn Error + Send + Sync>,
}

impl PubSubBuilder {
    pub(super) fn new(topic: TopicName, signing: Arc<dyn Signing>) -> Self {
        Self { topic, signing, emulator: None, time_limit: DEFAULT_TIME_LIMIT }
    }

    /// Publishes to this emulator, without credentials. With `None`, which is the default, to Google Cloud, with the
    /// application's default credentials.
    #[must_use]
    pub fn emulator(mut self, host: impl Into<Option<EmulatorHost>>) -> Self {
        self.emulator = host.into();
        self
    }

    /// Sets how long publishing one event may take, repeated attempts included. [`DEFAULT_TIME_LIMIT`] unless set.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Makes the publisher. It connects with the first event. Call it within a tokio runtime.
    ///
    /// Where the application has installed no default provider for rustls, this installs ring.
    ///
    /// # Errors
    /// Where the credentials can't be read.
    pub async fn build(self) -> Result<PubSub, PubSubError> {
        let channel = Channel::open(self.topic, self.emulator.as_ref(), self.time_limit).await?;
        Ok(PubSub { channel, signing: self.signing })
    }
}
