use std::collections::BTreeMap;
use std::time::SystemTime;

use tidemill_events::Event;
use uuid::Uuid;

/// A new event of a type, with `data` as its JSON: its id is a UUIDv7, its time is now.
///
/// The fields of [`Event`] are public, so an ordering key or attributes are added by setting them. Make an event once,
/// and publish that same one again where publishing failed: a second call makes another event.
#[must_use]
pub fn new_event(event_type: impl Into<String>, data: &serde_json::Value) -> Event {
    Event {
        id: Uuid::now_v7().to_string(),
        event_type: event_type.into(),
        time: now(),
        content_type: Some("application/json".to_owned()),
        ordering_key: None,
        attributes: BTreeMap::new(),
        data: data.to_string().into_bytes(),
    }
}

/// The wall clock, for what a publisher says happens now.
#[allow(
    clippy::disallowed_methods,
    reason = "when an event happens is the publisher's own statement, made here and carried as data"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_an_id_of_its_own_and_ids_sort_by_time() {
        let events: Vec<Event> = (0..100).map(|n| new_event("tick", &serde_json::json!({ "n": n }))).collect();
        assert!(events.is_sorted_by(|a, b| a.id < b.id));
        assert_eq!(events[7].data, br#"{"n":7}"#);
        assert_eq!(events[7].content_type.as_deref(), Some("application/json"));
        assert_eq!(events[7].id.len(), 36);
    }
}
