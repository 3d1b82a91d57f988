use std::fmt;
use std::str::FromStr;

use crate::Envelope;

/// A rule for a source that can't sign: its messages are taken without a signature, as events of one type.
///
/// It counts only where the sender's token vouches for the delivery, and only for messages that carry no signature.
/// Written `SOURCE [NAME=VALUE …] -> EVENT-TYPE`, such as
/// `projects/p/subscriptions/uploads eventType=OBJECT_FINALIZE -> upload.finished`: the source is a subscription's full
/// name, or the source of a CloudEvent; each pair is an attribute that the message must have, with that value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exemption {
    source: String,
    attributes: Vec<(String, String)>,
    event_type: String,
}

/// A text that is no exemption.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no rule for an unsigned source: {problem}; write SOURCE [NAME=VALUE …] -> EVENT-TYPE, such as \
     projects/p/subscriptions/uploads eventType=OBJECT_FINALIZE -> upload.finished"
)]
pub struct ExemptionError {
    text: String,
    problem: &'static str,
}

impl Exemption {
    /// The subscription or source that it is about.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The event type that its messages get.
    #[must_use]
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// Whether it is about this delivery.
    pub(super) fn covers(&self, envelope: &Envelope) -> bool {
        let Envelope { message, delivery, .. } = envelope;
        let from = delivery.subscription == self.source || delivery.source.as_ref() == Some(&self.source);
        from && self.attributes.iter().all(|(name, value)| message.attributes.get(name) == Some(value))
    }
}

impl FromStr for Exemption {
    type Err = ExemptionError;

    fn from_str(text: &str) -> Result<Self, ExemptionError> {
        let wrong = |problem| ExemptionError { text: text.to_owned(), problem };
        let (from, event_type) = text.split_once("->").ok_or_else(|| wrong("it has no `->`"))?;
        let mut from = from.split_whitespace();
        let source = from.next().ok_or_else(|| wrong("it names no source"))?.to_owned();
        let attribute = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        };
        let attributes: Option<Vec<_>> = from.map(attribute).collect();
        let attributes = attributes.ok_or_else(|| wrong("what stands behind the source is no NAME=VALUE"))?;
        let mut types = event_type.split_whitespace();
        match (types.next(), types.next()) {
            (Some(event_type), None) => Ok(Self { source, attributes, event_type: event_type.to_owned() }),
            _ => Err(wrong("it has not one event type behind `->`")),
        }
    }
}

impl fmt::Display for Exemption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        self.attributes.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))?;
        write!(f, " -> {}", self.event_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_back_as_it_was_written() {
        for text in ["projects/p/subscriptions/s -> a.b", "//storage.googleapis.com/b ce-type=x eventType=Y -> up"] {
            assert_eq!(text.parse::<Exemption>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn each_wrong_form_says_what_is_wrong() {
        for (text, says) in [
            ("", "no `->`"),
            ("projects/p/subscriptions/s", "no `->`"),
            (" -> a", "no source"),
            ("s eventType -> a", "no NAME=VALUE"),
            ("s =x -> a", "no NAME=VALUE"),
            ("s ->", "not one event type"),
            ("s -> a b", "not one event type"),
        ] {
            let error = text.parse::<Exemption>().unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
