use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use google_cloud_pubsub::client::{BasePublisher, Publisher};
use google_cloud_pubsub::error::PublishError;
use google_cloud_pubsub::model::Message;

use super::TopicName;

/// How long a message waits for others to travel with. Its caller waits too, so this is the least that a timer can do.
const BATCHING_DELAY: Duration = Duration::from_millis(1);

/// Google's client, with a dispatcher of its own for each ordering key that has messages in flight.
///
/// One dispatcher would do for all keys, but it keeps a task and a queue for every key it has ever seen. With a key a
/// user, as is usual, that grows for as long as the process lives.
#[derive(Debug)]
pub(super) struct Lanes {
    base: BasePublisher,
    topic: String,
    unordered: Publisher,
    ordered: Arc<Mutex<HashMap<String, Lane>>>,
}

#[derive(Debug)]
struct Lane {
    publisher: Publisher,
    in_flight: usize,
}

impl Lanes {
    pub(super) fn new(base: BasePublisher, topic: &TopicName) -> Self {
        let topic = topic.as_str().to_owned();
        let unordered = dispatcher(&base, &topic);
        Self { base, topic, unordered, ordered: Arc::default() }
    }

    /// Queues a message, at once, and gives what waits for its message id. An error comes with the ordering key.
    pub(super) fn send(
        &self,
        key: String,
        message: Message,
    ) -> impl Future<Output = Result<String, (PublishError, String)>> + Send + use<> {
        let guard = (!key.is_empty()).then(|| self.enter(&key));
        let publisher = guard.as_ref().map_or(&self.unordered, |guard| &guard.publisher);
        let sending = publisher.publish(message);
        async move {
            let error = match sending.await {
                Ok(id) => return Ok(id),
                Err(error) => error,
            };
            if let Some(guard) = guard {
                // The client pauses a key when a message fails. Who waits for that message is told, and decides.
                guard.publisher.resume_publish(key.as_str());
            }
            Err((error, key))
        }
    }

    fn enter(&self, key: &str) -> Guard {
        let mut ordered = lock(&self.ordered);
        let lane = ordered
            .entry(key.to_owned())
            .or_insert_with(|| Lane { publisher: dispatcher(&self.base, &self.topic), in_flight: 0 });
        lane.in_flight += 1;
        Guard { publisher: lane.publisher.clone(), key: key.to_owned(), ordered: Arc::clone(&self.ordered) }
    }
}

fn dispatcher(base: &BasePublisher, topic: &str) -> Publisher {
    base.publisher(topic).set_delay_threshold(BATCHING_DELAY).build()
}

/// Keeps a lane open while one message is in flight; the last one to leave closes it.
struct Guard {
    publisher: Publisher,
    key: String,
    ordered: Arc<Mutex<HashMap<String, Lane>>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut ordered = lock(&self.ordered);
        if let Some(lane) = ordered.get_mut(&self.key) {
            lane.in_flight -= 1;
            if lane.in_flight == 0 {
                ordered.remove(&self.key);
            }
        }
    }
}

/// Nothing panics while it holds the lock, so a poisoned one holds good lanes nevertheless.
fn lock(ordered: &Mutex<HashMap<String, Lane>>) -> MutexGuard<'_, HashMap<String, Lane>> {
    ordered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use google_cloud_auth::credentials::anonymous;
    use google_cloud_gax::retry_policy::NeverRetry;

    use super::*;

    /// Lanes to an address where nobody listens.
    async fn lanes() -> Lanes {
        let base = BasePublisher::builder()
            .with_endpoint("http://127.0.0.1:9")
            .with_credentials(anonymous::Builder::new().build())
            .with_retry_policy(NeverRetry)
            .build()
            .await
            .unwrap();
        Lanes::new(base, &"projects/shop/topics/events".parse().unwrap())
    }

    #[tokio::test]
    async fn a_lane_is_open_only_while_a_message_with_its_key_is_in_flight() {
        let lanes = lanes().await;
        let open = || {
            let mut keys: Vec<String> = lock(&lanes.ordered).keys().cloned().collect();
            keys.sort();
            keys
        };

        let first = lanes.enter("a");
        let second = lanes.enter("a");
        let other = lanes.enter("b");
        assert_eq!(open(), ["a", "b"]);
        drop(first);
        assert_eq!(open(), ["a", "b"]);
        drop(second);
        assert_eq!(open(), ["b"]);
        drop(other);
        assert!(open().is_empty());

        let sent = lanes.send("a".into(), Message::new().set_ordering_key("a").set_data("x")).await;
        assert!(sent.is_err());
        assert!(open().is_empty());
    }

    #[tokio::test]
    async fn a_failed_message_does_not_leave_an_open_lane_paused() {
        let lanes = lanes().await;
        let _open = lanes.enter("a");
        for _ in 0..3 {
            let sent = lanes.send("a".into(), Message::new().set_ordering_key("a").set_data("x")).await;
            assert!(matches!(sent, Err((PublishError::Rpc(_), _))), "{sent:?}");
        }
    }
}
