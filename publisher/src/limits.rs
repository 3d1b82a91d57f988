//! What Pub/Sub refuses whatever the topic ("Quotas and limits" in its documentation).
//!
//! Checked here, for every transport, because Pub/Sub judges a whole batch: one event past a limit fails the others that
//! happened to travel with it. And what [`Direct`](crate::Direct) took on a desk must not fail in production.

use tidemill_events::limits::{
    ATTRIBUTES as MAX_ATTRIBUTES, MESSAGE_BYTES as MAX_BYTES, NAME_BYTES as MAX_NAME_BYTES,
    ORDERING_KEY_BYTES as MAX_ORDERING_KEY_BYTES, VALUE_BYTES as MAX_VALUE_BYTES,
};
use tidemill_events::{Event, Message, SignedMessage, Signer};

use crate::PublishError;

/// Why an event can't be published, wherever to. Only a change of the event helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unpublishable {
    /// Without an id of its own a second publish could not be told from a second event.
    #[error("it has no id: give it one, such as a UUID")]
    NoId,
    /// The id is none that every host takes.
    #[error("its id is no id: it has 1 to 255 visible ASCII characters, such as a UUID has")]
    Id,
    /// Without an event type no handler can be chosen.
    #[error("it has no event type: give it one, such as user.registered")]
    NoType,
    /// Data, attributes and ordering key together are too long.
    #[error(
        "it has {0} bytes, and a message takes at most {MAX_BYTES}: put the data elsewhere and publish a reference to it"
    )]
    TooLong(usize),
    /// Too many attributes. Up to seven of them are the event's own fields and its signatures.
    #[error(
        "it has {0} attributes together with those of its own fields, and a message takes at most {MAX_ATTRIBUTES}"
    )]
    TooManyAttributes(usize),
    /// The name of an attribute is empty or too long.
    #[error("the attribute name {0:?} has {len} bytes, and a name has 1 to {MAX_NAME_BYTES}", len = .0.len())]
    AttributeName(String),
    /// The value of an attribute is too long.
    #[error("the value of the attribute {name:?} has {bytes} bytes, and a value has at most {MAX_VALUE_BYTES}")]
    AttributeValue {
        /// The attribute's name.
        name: String,
        /// How long its value is.
        bytes: usize,
    },
    /// The ordering key is too long.
    #[error("its ordering key has {0} bytes, and a key has at most {MAX_ORDERING_KEY_BYTES}")]
    OrderingKey(usize),
}

/// Signs an event that keeps to the limits.
pub(crate) fn sign(signer: &Signer, event: &Event) -> Result<SignedMessage, PublishError> {
    let unpublishable = |reason| PublishError::Unpublishable { event_id: event.id.clone(), reason };
    if event.id.is_empty() {
        return Err(unpublishable(Unpublishable::NoId));
    }
    if !Event::is_id(&event.id) {
        return Err(unpublishable(Unpublishable::Id));
    }
    if event.event_type.is_empty() {
        return Err(unpublishable(Unpublishable::NoType));
    }
    let signed = signer.sign(event);
    check(signed.message()).map_err(unpublishable)?;
    Ok(signed)
}

/// How many bytes of a message count against [`MAX_BYTES`].
pub(crate) fn size(message: &Message) -> usize {
    let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    message.data.len() + attributes + message.ordering_key.as_ref().map_or(0, String::len)
}

pub(crate) fn check(message: &Message) -> Result<(), Unpublishable> {
    let bytes = size(message);
    if bytes > MAX_BYTES {
        return Err(Unpublishable::TooLong(bytes));
    }
    // Before the attributes, one of which repeats it.
    if let Some(key) = message.ordering_key.as_ref().filter(|key| key.len() > MAX_ORDERING_KEY_BYTES) {
        return Err(Unpublishable::OrderingKey(key.len()));
    }
    if message.attributes.len() > MAX_ATTRIBUTES {
        return Err(Unpublishable::TooManyAttributes(message.attributes.len()));
    }
    for (name, value) in &message.attributes {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Unpublishable::AttributeName(name.clone()));
        }
        if value.len() > MAX_VALUE_BYTES {
            return Err(Unpublishable::AttributeValue { name: name.clone(), bytes: value.len() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::new_event;

    fn judge(change: impl FnOnce(&mut Event)) -> Result<(), Unpublishable> {
        let mut event = new_event("user.registered", &serde_json::json!({}));
        change(&mut event);
        match sign(&Signer::new("k1=s3cret".parse().unwrap()), &event) {
            Ok(_) => Ok(()),
            Err(PublishError::Unpublishable { reason, .. }) => Err(reason),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_keeps_to_each_limit_passes_and_one_more_does_not() {
        assert_eq!(judge(|e| e.ordering_key = Some("k".repeat(1024))), Ok(()));
        assert_eq!(judge(|e| e.ordering_key = Some("k".repeat(1025))), Err(Unpublishable::OrderingKey(1025)));

        let attribute = |name: usize, value: usize| ("n".repeat(name), "v".repeat(value));
        assert_eq!(judge(|e| e.attributes.extend([attribute(256, 1024)])), Ok(()));
        assert_eq!(judge(|e| e.attributes.extend([attribute(0, 1)])), Err(Unpublishable::AttributeName(String::new())));
        assert_eq!(
            judge(|e| e.attributes.extend([attribute(257, 1)])),
            Err(Unpublishable::AttributeName("n".repeat(257)))
        );
        assert_eq!(
            judge(|e| e.attributes.extend([attribute(1, 1025)])),
            Err(Unpublishable::AttributeValue { name: "n".into(), bytes: 1025 })
        );

        // Type, id, time, content type and the two signatures are attributes too.
        let many = |count: usize| (0..count).map(|n| (format!("a{n}"), String::new()));
        assert_eq!(judge(|e| e.attributes.extend(many(94))), Ok(()));
        assert_eq!(judge(|e| e.attributes.extend(many(95))), Err(Unpublishable::TooManyAttributes(101)));

        assert_eq!(judge(|e| e.data = vec![0; MAX_BYTES - 1000]), Ok(()));
        assert!(matches!(judge(|e| e.data = vec![0; MAX_BYTES]), Err(Unpublishable::TooLong(_))));
    }

    #[test]
    fn an_event_without_id_or_type_is_refused() {
        assert_eq!(judge(|e| e.id.clear()), Err(Unpublishable::NoId));
        assert_eq!(judge(|e| e.id = "two words".into()), Err(Unpublishable::Id));
        assert_eq!(judge(|e| e.id = "x".repeat(256)), Err(Unpublishable::Id));
        assert_eq!(judge(|e| e.event_type.clear()), Err(Unpublishable::NoType));
    }
}
