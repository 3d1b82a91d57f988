//! Publishing through Google Cloud Pub/Sub, or its emulator.

mod builder;
mod emulator_host;
mod failure;
mod lanes;
mod topic;

use std::sync::Arc;
use std::time::Duration;

use google_cloud_pubsub::model;
use tidemill_events::{Event, Message, Signer};
use tokio::sync::Semaphore;

pub use builder::{PubSubBuilder, PubSubError};
pub use emulator_host::{EmulatorHost, EmulatorHostError};
pub use topic::{TopicName, TopicNameError};

use crate::{MessageId, PublishError, Publisher, Publishing, limits};
use lanes::Lanes;

/// How many bytes a unit of the bound on what is in flight stands for. A message counts as one unit at least, since it
/// costs a few kilobytes in queues and tasks however short it is.
const UNIT: usize = 16 << 10;
/// How many units may be in flight: 64 MiB, or 4,096 short messages.
const IN_FLIGHT_UNITS: usize = (64 << 20) / UNIT;

/// Publishes to one topic through Google's client, or to the emulator.
///
/// Concurrent publishes travel in batches. What is in flight is bounded, by bytes and by number: past the bound
/// `publish` waits, within its time limit. Events with the same ordering key are sent in the order of the calls; order
/// beyond that needs a caller that publishes the next one only after the one before has succeeded.
#[derive(Debug)]
pub struct PubSub {
    lanes: Lanes,
    topic: TopicName,
    signer: Signer,
    in_flight: Arc<Semaphore>,
    time_limit: Duration,
}

impl PubSub {
    /// Begins a publisher to `topic` that signs with `signer`.
    #[must_use]
    pub fn builder(topic: TopicName, signer: Signer) -> PubSubBuilder {
        PubSubBuilder::new(topic, signer)
    }

    async fn send(&self, message: Message) -> Result<MessageId, PublishError> {
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

impl Publisher for PubSub {
    fn publish<'a>(&'a self, event: &'a Event) -> Publishing<'a> {
        Box::pin(async move {
            let message = limits::sign(&self.signer, event)?.into_message();
            tokio::time::timeout(self.time_limit, self.send(message))
                .await
                .unwrap_or_else(|_| Err(failure::timeout(&self.topic, self.time_limit)))
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::new_event;

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_its_message_counted_until_the_client_is_done_with_it() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host: EmulatorHost = silent.local_addr().unwrap().to_string().parse().unwrap();
        let signer = Signer::new("k1=s3cret".parse().unwrap());
        let topic = "projects/shop/topics/events".parse().unwrap();
        let limit = Duration::from_millis(500);
        let publisher = PubSub::builder(topic, signer).emulator(host).time_limit(limit).build().await.unwrap();
        let event = Event {
            ordering_key: Some("user-7".into()),
            data: vec![b' '; 2 * UNIT],
            ..new_event("tick", &serde_json::json!({}))
        };

        tokio::select! {
            biased;
            result = publisher.publish(&event) => panic!("published to nobody: {result:?}"),
            () = std::future::ready(()) => {}
        }

        // Two units of data, and a third that its attributes begin.
        assert_eq!(publisher.in_flight.available_permits(), IN_FLIGHT_UNITS - 3);
        let everything = u32::try_from(IN_FLIGHT_UNITS).unwrap();
        let all = tokio::time::timeout(Duration::from_secs(60), publisher.in_flight.acquire_many(everything)).await;
        assert!(matches!(all, Ok(Ok(_))), "the permit never came back: {all:?}");
    }
}
