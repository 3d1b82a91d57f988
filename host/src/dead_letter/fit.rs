//! What a message has to lose to be taken by Pub/Sub, which takes less than what a host takes.

use tidemill_events::Message;
use tidemill_events::limits::{ATTRIBUTES, MESSAGE_BYTES, NAME_BYTES, VALUE_BYTES};

/// Names what was cut or left out.
const CUT: &str = "dead-letter-cut";
/// What a dead letter keeps longest of what was added to it.
const LAST: [&str; 2] = [CUT, "dead-letter-code"];

/// Makes a dead letter fit for a topic. Its data is never touched: what is too long without any attribute stays too long,
/// and is refused by the topic.
///
/// Values are cut to the longest that there may be, names that are longer than that go, and where there are too many
/// attributes or bytes, those go first that were added to the letter, then the longest. What was cut stands in the
/// attribute `dead-letter-cut`.
pub(super) fn fit(mut message: Message) -> Message {
    let mut cut = Vec::new();
    message.attributes.retain(|name, value| {
        let fits = (1..=NAME_BYTES).contains(&name.len());
        if !fits || value.len() > VALUE_BYTES {
            value.truncate(value.floor_char_boundary(VALUE_BYTES));
            cut.push(name.chars().take(64).collect::<String>());
        }
        fits
    });
    while message.attributes.len() + usize::from(!cut.is_empty()) > ATTRIBUTES || size(&message) > MESSAGE_BYTES {
        let Some(name) = first_to_go(&message) else { break };
        message.attributes.remove(&name);
        cut.push(name.chars().take(64).collect());
    }
    if !cut.is_empty() {
        let mut cut = cut.join(" ");
        cut.truncate(cut.floor_char_boundary(VALUE_BYTES));
        message.attributes.insert(CUT.to_owned(), cut);
    }
    message
}

/// Of the attributes that were added those that say least, then the longest of the message's own.
fn first_to_go(message: &Message) -> Option<String> {
    let added = |name: &str| name.starts_with("dead-letter-");
    let names = message.attributes.iter().filter(|(name, _)| !LAST.contains(&name.as_str()));
    let first = names.max_by_key(|(name, value)| (added(name), name.len() + value.len()));
    first.map(|(name, _)| name.clone())
}

/// Bytes that count, with room for what says what was cut.
fn size(message: &Message) -> usize {
    let attributes: usize = message.attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    message.data.len() + attributes + message.ordering_key.as_ref().map_or(0, String::len) + CUT.len() + VALUE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(data: usize, attributes: &[(&str, &str)]) -> Message {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Message { data: vec![0; data], attributes, ordering_key: None }
    }

    #[test]
    fn what_fits_stays_as_it_is() {
        let whole = message(MESSAGE_BYTES - 2000, &[("event-type", "a"), ("dead-letter-code", "reject")]);
        assert_eq!(fit(whole.clone()), whole);
    }

    #[test]
    fn long_values_are_cut_between_characters_and_long_names_go() {
        let fitted = fit(message(1, &[("ce-subject", &"ä".repeat(1000)), (&"n".repeat(257), ""), ("short", "s")]));
        assert_eq!(fitted.attributes["ce-subject"], "ä".repeat(512));
        assert_eq!(fitted.attributes["dead-letter-cut"], format!("ce-subject {}", "n".repeat(64)));
        assert_eq!((fitted.attributes.len(), fitted.attributes["short"].as_str()), (3, "s"));
    }

    #[test]
    fn too_many_attributes_lose_first_what_was_added() {
        let names: Vec<_> = (0..99).map(|number| format!("a{number}")).collect();
        let mut full = message(1, &names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
        for name in ["code", "reason", "handler"] {
            full.attributes.insert(format!("dead-letter-{name}"), "x".into());
        }
        let fitted = fit(full);
        assert_eq!(fitted.attributes.len(), ATTRIBUTES);
        assert_eq!(fitted.attributes["dead-letter-code"], "x");
        assert!(!fitted.attributes.contains_key("dead-letter-reason"));
        // 100 places, of which the code and what was cut have two.
        assert_eq!(fitted.attributes.keys().filter(|name| name.starts_with('a')).count(), 98);
    }

    #[test]
    fn a_message_of_nearly_the_longest_keeps_its_data() {
        let reason = "r".repeat(1024);
        let fitted = fit(message(MESSAGE_BYTES - 1200, &[("event-type", "a"), ("dead-letter-reason", &reason)]));
        assert_eq!((fitted.data.len(), fitted.attributes["event-type"].as_str()), (MESSAGE_BYTES - 1200, "a"));
        assert!(!fitted.attributes.contains_key("dead-letter-reason"));
    }
}
