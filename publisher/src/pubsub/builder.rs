use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::RetryPolicyExt;
use google_cloud_pubsub::client::BasePublisher;
use google_cloud_pubsub::retry_policy::RetryableErrors;
use tidemill_events::Signer;
use tokio::sync::Semaphore;

use super::lanes::Lanes;
use super::{EmulatorHost, IN_FLIGHT_UNITS, PubSub, TopicName};
use crate::DEFAULT_TIME_LIMIT;

/// What a [`PubSub`] is made of; see [`PubSub::builder`].
#[derive(Debug)]
pub struct PubSubBuilder {
    topic: TopicName,
    signer: Signer,
    emulator: Option<EmulatorHost>,
    time_limit: Duration,
}

/// Why there is no client for Pub/Sub.
#[derive(Debug, thiserror::Error)]
#[error("can't make a Pub/Sub client for {topic}: {source}")]
pub struct PubSubError {
    topic: TopicName,
    source: Box<dyn Error + Send + Sync>,
}

impl PubSubBuilder {
    pub(super) fn new(topic: TopicName, signer: Signer) -> Self {
        Self { topic, signer, emulator: None, time_limit: DEFAULT_TIME_LIMIT }
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
        // Google's client panics without a default. Losing a race against another thread that installs one is fine.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        // The client stops a little before the limit, to say why it tried in vain; past the limit all that is known is
        // that there was no answer.
        let mut base =
            BasePublisher::builder().with_retry_policy(RetryableErrors.with_time_limit(self.time_limit.mul_f64(0.9)));
        if let Some(host) = &self.emulator {
            base = base.with_endpoint(host.endpoint()).with_credentials(anonymous::Builder::new().build());
        }
        match base.build().await {
            Ok(base) => Ok(PubSub {
                lanes: Lanes::new(base, &self.topic),
                topic: self.topic,
                signer: self.signer,
                in_flight: Arc::new(Semaphore::new(IN_FLIGHT_UNITS)),
                time_limit: self.time_limit,
            }),
            Err(source) => Err(PubSubError { topic: self.topic, source: source.into() }),
        }
    }
}
