//! Push requests' bodies: signed events of users, each with an id of its own.

use std::time::SystemTime;

use bytes::Bytes;
use tidemill_events::{Delivery, Envelope, Event, Key, KeyError, Scheme, Schemes, Signer};

/// The key that every contender is started with, as `ID` and `SECRET`.
pub(crate) const KEY: (&str, &str) = ("bench", "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b");

/// The event type where nothing says another.
pub(crate) const EVENT_TYPE: &str = "test.bench";

/// What fills a long body: text without a character that JSON escapes.
const FILLING: &str =
    "The tide comes in twice a day and leaves the mill pond full, and the wheel turns as it runs out. ";

/// Signs events. It gives no id twice, however many servers it signs for.
pub(crate) struct Factory {
    signer: Signer,
    /// When all of it happened, and was published.
    now: SystemTime,
    next: u64,
}

impl Factory {
    /// One whose events happen `now`.
    ///
    /// # Errors
    /// Never, as long as [`KEY`] is a key.
    pub(crate) fn new(now: SystemTime) -> Result<Self, KeyError> {
        let (id, secret) = KEY;
        let signer = Signer::new(Key::new(id, secret)?).schemes(Schemes::Only(Scheme::V2));
        Ok(Self { signer, now, next: 1 })
    }

    /// The next push request's body, of an event of this type whose data have `size` bytes (100 at least).
    pub(crate) fn event(&mut self, event_type: &str, size: usize) -> Bytes {
        let number = self.next;
        self.next += 1;
        let event = Event {
            id: format!("01a20ce4-05c0-7c3f-9d5e-{number:012x}"),
            event_type: event_type.to_owned(),
            time: self.now,
            content_type: Some("application/json".to_owned()),
            ordering_key: None,
            attributes: [].into(),
            data: user(number, size),
        };
        let message = self.signer.sign(&event).into_message();
        let delivery = Delivery {
            message_id: (16_000_000_000_000_000 + number).to_string(),
            subscription: "projects/tidemill-bench/subscriptions/events".to_owned(),
            publish_time: Some(self.now),
            ..Delivery::default()
        };
        Envelope { message, delivery }.encode().into()
    }
}

/// A user as JSON, in `size` bytes, or as few as one takes: of 1,000 on, the field `bio` makes up the difference.
fn user(number: u64, size: usize) -> Vec<u8> {
    let mut user = format!(r#"{{"id":"u-{number:012}","email":"ada.{number:012}@example.com","name":"Ada "#);
    let end = r#""}"#;
    if size >= 1000 {
        user.push_str(r#"Lovelace","bio":""#);
    }
    let missing = size.saturating_sub(user.len() + end.len());
    user.extend(FILLING.chars().cycle().take(missing));
    user.push_str(end);
    user.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_size_that_was_asked_for_and_is_json() {
        for size in [100, 999, 1000, 10_000] {
            let user = user(7, size);
            assert_eq!(user.len(), size);
            assert!(serde_json::from_slice::<serde_json::Value>(&user).unwrap()["email"].is_string());
        }
    }

    #[test]
    fn no_id_comes_twice() {
        let mut factory = Factory::new(SystemTime::UNIX_EPOCH).unwrap();
        let ids: Vec<_> = (0..2)
            .map(|_| Envelope::decode(&factory.event(EVENT_TYPE, 100)).unwrap())
            .map(|envelope| (envelope.delivery.message_id, envelope.message.attributes["event-id"].clone()))
            .collect();
        assert!(ids[0].0 != ids[1].0 && ids[0].1 != ids[1].1);
    }
}
