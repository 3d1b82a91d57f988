use tidemill_events::{Delivery, Message};

/// What the attributes that a dead letter gets begin with.
const PREFIX: &str = "dead-letter-";

/// A delivery that is given up, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What it is called where it has to have a name: the same each time that the same event is given up.
    pub name: String,
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
    /// `-attempt`, `-handler`, `-artifact`, `-message-id`, `-subscription`). Those of an earlier end are replaced.
    pub(super) fn into_message(self) -> Message {
        let Self { mut message, delivery, cause, .. } = self;
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
        let said = said.into_iter().filter_map(|(name, value)| Some((format!("{PREFIX}{name}"), value?)));
        message.attributes.extend(said.filter(|(_, value)| !value.is_empty()));
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        let mut message = Message { data: b"{}".to_vec(), ..Message::default() };
        message.attributes.insert("a".into(), "b".into());
        message.attributes.insert("dead-letter-code".into(), "of an earlier end".into());
        let delivery = Delivery { message_id: "7".into(), subscription: "s".into(), ..Delivery::default() };
        let cause = Cause {
            code: "reject",
            reason: "no".into(),
            handler: Some("h".into()),
            artifact: Some("sha256:00".into()),
            attempt: Some(3),
        };
        Letter { name: "7".into(), message, delivery, cause }
    }

    #[test]
    fn a_letter_says_what_became_of_it() {
        let message = letter().into_message();
        let said = |name: &str| message.attributes[&format!("dead-letter-{name}")].as_str();
        assert_eq!((said("code"), said("attempt"), said("handler")), ("reject", "3", "h"));
        assert_eq!((said("artifact"), said("message-id"), said("subscription")), ("sha256:00", "7", "s"));
        assert_eq!(said("reason"), "no");
        assert_eq!((message.data.as_slice(), message.attributes["a"].as_str()), (b"{}".as_slice(), "b"));
    }
}
