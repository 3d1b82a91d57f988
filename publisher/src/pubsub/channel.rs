use std::sync::Arc;
use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::RetryPolicyExt;
use google_cloud_pubsub::client::BasePublisher;
use google_cloud_pubsub::model;
use google_cloud_pubsub::retry_policy::RetryableErrors;
use tidemill_events::Message;
use tokio::sync::Semaphore;

use super::lanes::Lanes;
use super::{EmulatorHost, PubSubError, TopicName, failure};
use crate::{MessageId, PublishError, limits};

/// How many bytes a unit of the bound on what is in flight stands for. A message counts as one unit at least, since it
/// costs a few kilobytes in queues and tasks however short it is.
pub(super) const UNIT: usize = 16 << 10;
/// How many units may be in flight: 64 MiB, or 4,096 short messages.
pub(super) const IN_FLIGHT_UNITS: usize = (64 << 20) / UNIT;

/// The way to one topic, for messages that are ready to go.
#[derive(Debug)]
pub(super) struct Channel {
    lanes: Lanes,
    topic: TopicName,
    pub(super) in_flight: Arc<Semaphore>,
    time_limit: Duration,
}

impl Channel {
    /// Makes the client, which connects with the first message. Without an emulator it uses the application's default
    /// credentials.
    pub(super) async fn open(
        topic: TopicName,
        emulator: Option<&EmulatorHost>,
        time_limit: Duration,
    ) -> Result<Self, PubSubError> {
        // Google's client panics without a default. Losing a race against another thread that installs one is fine.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        // The client stops a little before the limit, to say why it tried in vain; past the limit all that is known is
        // that there was no answer.
        let mut base =
            BasePublisher::builder().with_retry_policy(RetryableErrors.with_time_limit(time_limit.mul_f64(0.9)));
        if let Some(host) = emulator {
            base = base.with_endpoint(host.endpoint()).with_credentials(anonymous::Builder::new().build());
        }
        match base.build().await {
            Ok(base) => Ok(Self {
                lanes: Lanes::new(base, &topic),
                topic,
                in_flight: Arc::new(Semaphore::new(IN_FLIGHT_UNITS)),
                time_limit,
            }),
            Err(source) => Err(PubSubError { topic, source: source.into() }),
        }
    }

    /// Sends a message, and gives its id once the topic has it.
    pub(super) async fn send(&self, message: Message) -> Result<MessageId, PublishError> {
        tokio::time::timeout(self.time_limit, self.send_unbounded(message))
            .await
            .unwrap_or_else(|_| Err(failure::timeout(&self.topic, self.time_limit)))
    }

    async fn send_unbounded(&self, message: Message) -> Result<MessageId, PublishError> {
        let units = limits::size(&message).div_ceil(UNIT).max(1);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.in_flight).acquire_many_owned(units).await.map_err(|_| self.stopped())?;
        let ordering_key = message.ordering_key.unwrap_or_default();
        let message = model::Message::new()
            .set_data(message.data)
            .set_attributes(message.attributes)
            .set_ordering_key(&ordering_key);
        let sending = self.lanes.send(ordering_key, message);

        // A task of its own, since the client finishes what it was given even when the caller gives up: the permit must
        // be held as long, or the bound would mean nothing; and a lane that paused must be resumed all the same.
        let topic = self.topic.clone();
        let task = tokio::spawn(async move {
            let sent = sending.await.map_err(|(error, key)| failure::from_client(&topic, key, &error));
            drop(permit);
            sent
        });
        task.await.map_err(|_| self.stopped())?.map(MessageId::new)
    }

    /// The error of a publish whose runtime is going down.
    fn stopped(&self) -> PublishError {
        failure::unreachable(&self.topic, "the runtime is stopping")
    }
}
