use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::bindings::tidemill::handler::events as wit;
use crate::{Bytes, Failure, FromData};

/// What a publisher emitted. The host has verified its signature before a handler sees it.
///
/// `T` is the type of the data: any that serde reads from JSON, or [`Bytes`], the default, for the data as it came. So
/// `Event` alone is also what takes an event without data, which is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<T = Bytes> {
    /// The event's own id, the same in each of its deliveries: the idempotency key of what a handler does.
    pub id: String,
    /// What happened, such as `user.registered`. One of those that the handler's manifest lists.
    pub event_type: String,
    /// When it happened, by the publisher's clock; when the broker took it, where the publisher didn't say.
    pub time: SystemTime,
    /// The media type of the data, such as `application/json`, where the publisher gave one.
    pub content_type: Option<String>,
    /// What the event says.
    pub data: T,
    /// What else the publisher attached to it: names and values, as it sent them.
    pub attributes: BTreeMap<String, String>,
    /// What this one delivery adds.
    pub delivery: Delivery,
}

/// What one delivery adds to an event. Nothing in it is the publisher's word, apart from the ordering key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The broker's id of the message that carried the event.
    pub message_id: String,
    /// The full name of the subscription. Empty where the sender named none.
    pub subscription: String,
    /// How often the broker has delivered this message, this time included: from 1 up, approximately. `None` where the
    /// subscription has no dead-letter policy, since the broker then doesn't count.
    pub attempt: Option<u32>,
    /// When the broker took the message. `None` where the sender didn't say.
    pub publish_time: Option<SystemTime>,
    /// Messages with the same ordering key are delivered one after the other. `None` where there is no key.
    pub ordering_key: Option<String>,
    /// How long the handler may take, from the making of its instance on, in whole milliseconds: the deadline that the host
    /// holds it to. Who sees in time that it won't do can answer with a [`Failure::retry`]; who doesn't is ended, as a fault.
    pub time_limit: Duration,
}

impl Event {
    /// Reads the data as a `T`. For a handler of several event types, which has to look at [`Event::event_type`] first.
    ///
    /// # Errors
    /// A rejection where the data is no `T`; it says where, and what was found there.
    pub fn parse<T: FromData>(self) -> Result<Event<T>, Failure> {
        let Self { id, event_type, time, content_type, data, attributes, delivery } = self;
        let data = T::from_data(data.0, content_type.as_deref())?;
        Ok(Event { id, event_type, time, content_type, data, attributes, delivery })
    }
}

impl From<wit::Event> for Event {
    fn from(event: wit::Event) -> Self {
        let wit::Delivery { message_id, subscription, attempt, publish_time, ordering_key, time_limit_ms } =
            event.delivery;
        // One by one: to collect them brings a sort, a tenth of the smallest handler.
        let mut attributes = BTreeMap::new();
        for wit::Attribute { name, value } in event.attributes {
            attributes.insert(name, value);
        }
        Self {
            id: event.id,
            event_type: event.event_type,
            time: system_time(event.time),
            content_type: event.content_type,
            data: Bytes(event.data),
            attributes,
            delivery: Delivery {
                message_id,
                subscription,
                attempt,
                publish_time: publish_time.map(system_time),
                ordering_key,
                time_limit: Duration::from_millis(time_limit_ms),
            },
        }
    }
}

/// A time that the clock's type can't hold, some billions of years from now, comes out as the epoch.
fn system_time(time: wit::Timestamp) -> SystemTime {
    Duration::from_secs(time.seconds)
        .checked_add(Duration::from_nanos(time.nanoseconds.into()))
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wit_event(data: &[u8]) -> wit::Event {
        wit::Event {
            id: "e1".into(),
            event_type: "user.registered".into(),
            time: wit::Timestamp { seconds: 1, nanoseconds: 500_000_000 },
            content_type: Some("application/json".into()),
            data: data.to_vec(),
            attributes: vec![wit::Attribute { name: "user-id".into(), value: "7".into() }],
            delivery: wit::Delivery {
                message_id: "m1".into(),
                subscription: "projects/p/subscriptions/s".into(),
                attempt: Some(2),
                publish_time: Some(wit::Timestamp { seconds: u64::MAX, nanoseconds: 0 }),
                ordering_key: Some("k".into()),
                time_limit_ms: 8000,
            },
        }
    }

    #[test]
    fn every_field_arrives() {
        let event: Event<Vec<u8>> = Event::from(wit_event(b"[1,2]")).parse().unwrap();
        assert_eq!(
            event,
            Event {
                id: "e1".into(),
                event_type: "user.registered".into(),
                time: SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
                content_type: Some("application/json".into()),
                data: vec![1, 2],
                attributes: BTreeMap::from([("user-id".into(), "7".into())]),
                delivery: Delivery {
                    message_id: "m1".into(),
                    subscription: "projects/p/subscriptions/s".into(),
                    attempt: Some(2),
                    publish_time: Some(SystemTime::UNIX_EPOCH),
                    ordering_key: Some("k".into()),
                    time_limit: Duration::from_secs(8),
                },
            }
        );
    }

    #[test]
    fn without_a_type_the_data_stays_as_it_came() {
        let event: Event = Event::from(wit_event(b"\xff[")).parse().unwrap();
        assert_eq!(*event.data, *b"\xff[");
    }
}
