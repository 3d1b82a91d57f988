//! What Pub/Sub refuses whatever the topic ("Quotas and limits" in its documentation).
//!
//! Checked here, for every transport, because Pub/Sub judges a whole batch: one event past a limit fails the others that
//! happened to travel with it. And what [`Direct`](crate::Direct) took on a desk must not fail in production.

use tidemill_events::limits::{
    ATTRIBUTES as MAX_ATTRIBUTES, MESSAGE_BYTES as MAX_BYTES, NAME_BYTES as MAX_NAME_BYTES,
    ORDERING_KEY_BYTES as MAX_ORDERING_KEY_BYTES, VALUE_BYTES as MAX_VALUE_BYTES,
};
use tidemill_events::{Event, Message, SignedMessage, attribute};

use crate::{PublishError, Signing};

/// Bytes of the values that an event's own attributes have at most which a signer or a clock makes: an RFC 3339 time with
/// nanoseconds, HMAC-SHA256 in hexadecimal digits, and `v2,KEYID,BASE64` with the longest id of a key.
const SIGNERS_OWN: [(&str, usize); 3] =
    [(attribute::EVENT_TIME, 30), (attribute::SIGNATURE, 64), (attribute::SIGNATURE_V2, 3 + 64 + 1 + 44)];

/// What of an event's text an error repeats, in characters.
const QUOTED: usize = 64;

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
    #[error(
        "the attribute name {name:?} has {len} bytes, and a name has 1 to {MAX_NAME_BYTES}",
        name = quoted(.0),
        len = .0.len()
    )]
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

impl Unpublishable {
    /// Judges an event as publishing it would, whichever key signs it: for who has to know before. Gives the bytes that
    /// count against a message's limit, those of the longest signatures included.
    ///
    /// # Errors
    /// The first rule that the event breaks.
    pub fn judge(event: &Event) -> Result<usize, Self> {
        identity(event)?;
        let own = [
            (attribute::EVENT_TYPE, Some(&event.event_type)),
            (attribute::EVENT_ID, Some(&event.id)),
            (attribute::CONTENT_TYPE, event.content_type.as_ref()),
            (attribute::ORDERING_KEY, event.ordering_key.as_ref()),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?.len())));
        let further = event.attributes.iter().filter(|(name, _)| !attribute::RESERVED.contains(&name.as_str()));
        let further = further.map(|(name, value)| (name.as_str(), value.len()));
        check_parts(event.data.len(), event.ordering_key.as_deref(), own.chain(SIGNERS_OWN).chain(further))
    }
}

/// As much of a text as an error repeats, in characters.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED).collect()
}

/// Signs an event that keeps to the limits.
pub(crate) fn sign(signing: &dyn Signing, event: &Event) -> Result<SignedMessage, PublishError> {
    let unpublishable = |reason| PublishError::Unpublishable { event_id: event.id.clone(), reason };
    identity(event).map_err(unpublishable)?;
    let signed = signing.sign(event).ok_or(PublishError::NoKey)?;
    check(signed.message()).map_err(unpublishable)?;
    Ok(signed)
}

/// What every host asks of an event's id and type.
fn identity(event: &Event) -> Result<(), Unpublishable> {
    if event.id.is_empty() {
        return Err(Unpublishable::NoId);
    }
    if !Event::is_id(&event.id) {
        return Err(Unpublishable::Id);
    }
    if event.event_type.is_empty() {
        return Err(Unpublishable::NoType);
    }
    Ok(())
}

/// How many bytes of a message count against [`MAX_BYTES`].
pub(crate) fn size(message: &Message) -> usize {
    size_of_parts(message.data.len(), message.ordering_key.as_deref(), attributes(message))
}

pub(crate) fn check(message: &Message) -> Result<(), Unpublishable> {
    check_parts(message.data.len(), message.ordering_key.as_deref(), attributes(message)).map(drop)
}

/// Names, and the bytes of their values.
fn attributes(message: &Message) -> impl Iterator<Item = (&str, usize)> + Clone {
    message.attributes.iter().map(|(name, value)| (name.as_str(), value.len()))
}

fn size_of_parts<'a>(data: usize, key: Option<&str>, attributes: impl Iterator<Item = (&'a str, usize)>) -> usize {
    data + attributes.map(|(name, value)| name.len() + value).sum::<usize>() + key.map_or(0, str::len)
}

fn check_parts<'a>(
    data: usize,
    key: Option<&str>,
    attributes: impl Iterator<Item = (&'a str, usize)> + Clone,
) -> Result<usize, Unpublishable> {
    let bytes = size_of_parts(data, key, attributes.clone());
    if bytes > MAX_BYTES {
        return Err(Unpublishable::TooLong(bytes));
    }
    // Before the attributes, one of which repeats it.
    if let Some(key) = key.filter(|key| key.len() > MAX_ORDERING_KEY_BYTES) {
        return Err(Unpublishable::OrderingKey(key.len()));
    }
    let count = attributes.clone().count();
    if count > MAX_ATTRIBUTES {
        return Err(Unpublishable::TooManyAttributes(count));
    }
    for (name, value) in attributes {
        if name.is_empty() || name.len() > MAX_NAME_BYTES {
            return Err(Unpublishable::AttributeName(name.to_owned()));
        }
        if value > MAX_VALUE_BYTES {
            return Err(Unpublishable::AttributeValue { name: name.to_owned(), bytes: value });
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use tidemill_events::Signer;

    use super::*;
    use crate::new_event;

    fn judge(change: impl FnOnce(&mut Event)) -> Result<(), Unpublishable> {
        let mut event = new_event("user.registered", &serde_json::json!({}));
        // What will be signed may have a time as long as any.
        event.time = std::time::UNIX_EPOCH + std::time::Duration::new(1_800_000_000, 123_456_789);
        change(&mut event);
        // A key with the longest id, so that both count the same.
        let key = format!("{}=s3cret", "k".repeat(64));
        let judged = Unpublishable::judge(&event);
        match sign(&Signer::new(key.parse().unwrap()), &event) {
            Ok(signed) => {
                assert_eq!(judged, Ok(size(signed.message())));
                Ok(())
            }
            Err(PublishError::Unpublishable { reason, .. }) => {
                assert_eq!(judged, Err(reason.clone()));
                Err(reason)
            }
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
        let told = Unpublishable::AttributeName("ä".repeat(1 << 20)).to_string();
        assert!(told.contains(&format!("\"{}\" has 2097152 bytes", "ä".repeat(64))), "{told}");
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
