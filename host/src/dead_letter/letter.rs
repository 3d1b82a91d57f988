use tidemill_events::{Delivery, Message};

/// What the attributes that a dead letter gets begin with.
const PREFIX: &str = "dead-letter-";
/// The most attributes that a message of Pub/Sub's has, and the most bytes in the value of one.
/// Source: "Quotas and limits" in the Pub/Sub documentation.
const MAX_ATTRIBUTES: usize = 100;
const MAX_VALUE: usize = 1024;

/// A delivery that is given up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The message as it came, its signatures included; where a request was no envelope, its body.
    pub message: Message,
    /// What its last delivery added.
    pub delivery: Delivery,
    /// Why it is given up.
    pub cause: Cause,
}

/// Why a delivery is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// What its last delivery ended with, for programs.
    pub code: &'static str,
    /// The same for people.
    pub reason: String,
    /// The handler that ran, where one did.
    pub handler: Option<String>,
    /// The digest of that handler's artifact.
    pub artifact: Option<String>,
    /// Which attempt it was, where that is known.
    pub attempt: Option<u32>,
}

impl Letter {
    /// The message to keep: the one that came, with attributes that say what became of it (`dead-letter-code`, `-reason`,
    /// `-attempt`, `-handler`, `-artifact`, `-message-id`, `-subscription`). Those of an earlier end are replaced. Where
    /// the message has so many attributes that not all find room, the last of these are left out.
    pub(super) fn into_message(self) -> Message {
        let Self { mut message, delivery, cause } = self;
        message.attributes.retain(|name, _| !name.starts_with(PREFIX));
        let Cause { code, reason, handler, artifact, attempt } = cause;
        let said = [
            ("code", Some(code.to_owned())),
            ("reason", Some(reason)),
            ("attempt", attempt.map(|attempt| attempt.to_string())),
            ("handler", handler),
            ("artifact", artifact),
            ("message-id", Some(delivery.message_id)),
            ("subscription", Some(delivery.subscription)),
        ];
        for (name, value) in said {
            let value = value.filter(|value| !value.is_empty());
            if let (Some(mut value), true) = (value, message.attributes.len() < MAX_ATTRIBUTES) {
                value.truncate(value.floor_char_boundary(MAX_VALUE));
                message.attributes.insert(format!("{PREFIX}{name}"), value);
            }
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(attributes: usize) -> Letter {
        let mut message = Message { data: b"{}".to_vec(), ..Message::default() };
        message.attributes.extend((0..attributes).map(|n| (format!("a{n}"), String::new())));
        message.attributes.insert("dead-letter-code".into(), "of an earlier end".into());
        let delivery = Delivery { message_id: "7".into(), subscription: "s".into(), ..Delivery::default() };
        let cause = Cause {
            code: "reject",
            reason: "ä".repeat(1000),
            handler: Some("h".into()),
            artifact: Some("sha256:00".into()),
            attempt: Some(3),
        };
        Letter { message, delivery, cause }
    }

    #[test]
    fn a_letter_says_what_became_of_it_within_the_limits_of_a_message() {
        let message = letter(1).into_message();
        let said = |name: &str| message.attributes[&format!("dead-letter-{name}")].as_str();
        assert_eq!((said("code"), said("attempt"), said("handler")), ("reject", "3", "h"));
        assert_eq!((said("artifact"), said("message-id"), said("subscription")), ("sha256:00", "7", "s"));
        assert_eq!(said("reason"), "ä".repeat(512));
        assert_eq!((message.data.as_slice(), message.attributes["a0"].as_str()), (b"{}".as_slice(), ""));
    }

    #[test]
    fn a_message_full_of_attributes_keeps_its_own() {
        let message = letter(98).into_message();
        assert_eq!(message.attributes.len(), 100);
        assert_eq!(message.attributes["dead-letter-code"], "reject");
        assert!(message.attributes.contains_key("a97") && message.attributes.contains_key("dead-letter-reason"));
    }
}
