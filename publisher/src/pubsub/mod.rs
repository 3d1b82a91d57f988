//! Publishing through Google Cloud Pub/Sub, or its emulator.

mod builder;
mod channel;
mod emulator_host;
mod failure;
mod forwarder;
mod lanes;
mod topic;

use std::sync::Arc;

use tidemill_events::Event;

pub use builder::{PubSubBuilder, PubSubError};
pub use emulator_host::{EmulatorHost, EmulatorHostError};
pub use forwarder::Forwarder;
pub use topic::{TopicName, TopicNameError};

use crate::{Publisher, Publishing, Signing, limits};
use channel::Channel;

/// Publishes to one topic through Google's client, or to the emulator.
///
/// Concurrent publishes travel in batches. What is in flight is bounded, by bytes and by number: past the bound
/// `publish` waits, within its time limit. Events with the same ordering key are sent in the order of the calls; order
/// beyond that needs a caller that publishes the next one only after the one before has succeeded.
#[derive(Debug)]
pub struct PubSub {
    channel: Channel,
    signing: Arc<dyn Signing>,
}

impl PubSub {
    /// Begins a publisher to `topic` of what `signing` has signed.
    #[must_use]
    pub fn builder(topic: TopicName, signing: impl Signing + 'static) -> PubSubBuilder {
        PubSubBuilder::new(topic, Arc::new(signing))
    }
}

impl Publisher for PubSub {
    fn publish<'a>(&'a self, event: &'a Event) -> Publishing<'a> {
        Box::pin(async move { self.channel.send(limits::sign(&*self.signing, event)?.into_message()).await })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidemill_events::Signer;
    use tokio::net::TcpListener;

    use super::channel::{IN_FLIGHT_UNITS, UNIT};
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
        assert_eq!(publisher.channel.in_flight.available_permits(), IN_FLIGHT_UNITS - 3);
        let everything = u32::try_from(IN_FLIGHT_UNITS).unwrap();
        let all =
            tokio::time::timeout(Duration::from_secs(60), publisher.channel.in_flight.acquire_many(everything)).await;
        assert!(matches!(all, Ok(Ok(_))), "the permit never came back: {all:?}");
    }
}
