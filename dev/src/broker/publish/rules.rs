//! What Pub/Sub would refuse. Better to hear it here than from the cloud.
//! Source: "Quotas and limits" and `PubsubMessage` in the Pub/Sub documentation.

use tidemill_events::Message;

/// The longest a request may be, counted over data, attributes and keys.
const MAX_BYTES: usize = 10 << 20;
const MAX_MESSAGES: usize = 1000;
const MAX_ATTRIBUTES: usize = 100;
const MAX_ATTRIBUTE_NAME: usize = 256;
const MAX_ATTRIBUTE_VALUE: usize = 1024;
const MAX_ORDERING_KEY: usize = 1024;

/// Why Pub/Sub would refuse to publish something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPublish {
    /// The topic's name has another form.
    #[error(
        "the topic {0:?} is not of the form projects/PROJECT/topics/NAME, where NAME has 3 to 255 letters, digits \
         or -_.~+%, begins with a letter and not with \"goog\""
    )]
    Topic(String),
    /// There are no messages, or too many.
    #[error("a request publishes 1 to {MAX_MESSAGES} messages; this one has {0}")]
    Messages(usize),
    /// The messages are too long together.
    #[error("a request has at most {MAX_BYTES} bytes of messages; this one has {0}")]
    Bytes(usize),
    /// A message has neither data nor attributes.
    #[error("the message at index {index} is empty: it needs data or at least one attribute")]
    Empty {
        /// Its place in the request.
        index: usize,
    },
    /// A message has too many attributes.
    #[error("the message at index {index} has {found} attributes: at most {MAX_ATTRIBUTES} are possible")]
    Attributes {
        /// Its place in the request.
        index: usize,
        /// How many it has.
        found: usize,
    },
    /// An attribute's name is empty, too long or reserved.
    #[error(
        "the message at index {index} has an attribute {name:?}: names have 1 to {MAX_ATTRIBUTE_NAME} bytes and don't \
         begin with \"goog\", apart from \"googclient_\""
    )]
    AttributeName {
        /// Its place in the request.
        index: usize,
        /// The name.
        name: String,
    },
    /// An attribute's value is too long.
    #[error(
        "the attribute {name:?} of the message at index {index} has {found} bytes: at most {MAX_ATTRIBUTE_VALUE} \
         are possible"
    )]
    AttributeValue {
        /// Its place in the request.
        index: usize,
        /// The attribute's name.
        name: String,
        /// How long the value is.
        found: usize,
    },
    /// An ordering key is too long.
    #[error(
        "the ordering key of the message at index {index} has {found} bytes: at most {MAX_ORDERING_KEY} are possible"
    )]
    OrderingKey {
        /// Its place in the request.
        index: usize,
        /// How long it is.
        found: usize,
    },
}

/// Checks a request as Pub/Sub would.
pub(in crate::broker) fn check(topic: &str, messages: &[Message]) -> Result<(), InvalidPublish> {
    check_topic(topic)?;
    if messages.is_empty() || messages.len() > MAX_MESSAGES {
        return Err(InvalidPublish::Messages(messages.len()));
    }
    let bytes = messages.iter().map(size).sum();
    if bytes > MAX_BYTES {
        return Err(InvalidPublish::Bytes(bytes));
    }
    messages.iter().enumerate().try_for_each(|(index, message)| check_message(index, message))
}

/// Checks a topic's full name.
pub(super) fn check_topic(topic: &str) -> Result<(), InvalidPublish> {
    let name = match topic.split('/').collect::<Vec<_>>().as_slice() {
        ["projects", project, "topics", name] if !project.is_empty() => *name,
        _ => "",
    };
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.~+%".contains(c);
    let good = (3..=255).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(allowed)
        && !name.starts_with("goog");
    if good { Ok(()) } else { Err(InvalidPublish::Topic(topic.to_owned())) }
}

fn check_message(index: usize, message: &Message) -> Result<(), InvalidPublish> {
    if message.data.is_empty() && message.attributes.is_empty() {
        return Err(InvalidPublish::Empty { index });
    }
    if message.attributes.len() > MAX_ATTRIBUTES {
        return Err(InvalidPublish::Attributes { index, found: message.attributes.len() });
    }
    for (name, value) in &message.attributes {
        let reserved = name.starts_with("goog") && !name.starts_with("googclient_");
        if name.is_empty() || name.len() > MAX_ATTRIBUTE_NAME || reserved {
            return Err(InvalidPublish::AttributeName { index, name: name.clone() });
        }
        if value.len() > MAX_ATTRIBUTE_VALUE {
            return Err(InvalidPublish::AttributeValue { index, name: name.clone(), found: value.len() });
        }
    }
    match &message.ordering_key {
        Some(key) if key.len() > MAX_ORDERING_KEY => Err(InvalidPublish::OrderingKey { index, found: key.len() }),
        _ => Ok(()),
    }
}

fn size(message: &Message) -> usize {
    let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    message.data.len() + attributes + message.ordering_key.as_ref().map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "projects/p/topics/events";

    fn with_attribute(name: &str, value: &str) -> Message {
        Message { attributes: [(name.to_owned(), value.to_owned())].into(), ..Message::default() }
    }

    #[test]
    fn what_pubsub_takes_is_taken() {
        let longest = with_attribute(&"n".repeat(256), &"v".repeat(1024));
        let traced = with_attribute("googclient_traceparent", "00-ab");
        let largest = Message { data: vec![0; MAX_BYTES - 1280 - 27], ..Message::default() };
        check(TOPIC, &[longest, traced, largest]).unwrap();
    }

    #[test]
    fn each_broken_rule_has_its_error() {
        for topic in [
            "events",
            "projects/p/topics/",
            "projects//topics/abc",
            "projects/p/topics/ab",
            "projects/p/topics/1ab",
            "projects/p/topics/google",
            "projects/p/topics/a b c",
            "projects/p/subscriptions/abc",
            "projects/p/topics/abc/d",
        ] {
            assert_eq!(check(topic, &[with_attribute("a", "")]), Err(InvalidPublish::Topic(topic.into())));
        }
        let good = with_attribute("a", "");
        let refused = |message: Message| check(TOPIC, &[good.clone(), message]).unwrap_err();
        assert_eq!(check(TOPIC, &[]), Err(InvalidPublish::Messages(0)));
        assert_eq!(check(TOPIC, &vec![good.clone(); 1001]), Err(InvalidPublish::Messages(1001)));
        assert_eq!(refused(Message::default()), InvalidPublish::Empty { index: 1 });
        assert_eq!(
            refused(Message { data: vec![0; MAX_BYTES], ..Message::default() }),
            InvalidPublish::Bytes(MAX_BYTES + 1)
        );
        let many = (0..101).map(|n| (n.to_string(), String::new())).collect();
        assert_eq!(
            refused(Message { attributes: many, ..Message::default() }),
            InvalidPublish::Attributes { index: 1, found: 101 }
        );
        for name in ["", "goog-x", &"n".repeat(257)] {
            assert_eq!(
                refused(with_attribute(name, "v")),
                InvalidPublish::AttributeName { index: 1, name: name.into() }
            );
        }
        assert_eq!(
            refused(with_attribute("n", &"v".repeat(1025))),
            InvalidPublish::AttributeValue { index: 1, name: "n".into(), found: 1025 }
        );
        let long_key = Message { ordering_key: Some("k".repeat(1025)), ..good.clone() };
        assert_eq!(refused(long_key), InvalidPublish::OrderingKey { index: 1, found: 1025 });
    }
}
