use std::fmt;
use std::str::FromStr;

/// The full name of a topic, `projects/PROJECT/topics/TOPIC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicName(String);

/// A text that is no topic's full name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TopicNameError {
    /// The text has other parts.
    #[error("{0:?} is no topic: write its full name, projects/PROJECT/topics/TOPIC")]
    Form(String),
    /// The last part is no topic's name.
    #[error(
        "{topic:?} in {text:?} is no topic's name: it has 3 to 255 letters, digits or -._~+%, begins with a letter, and not with \"goog\""
    )]
    Name {
        /// The whole text.
        text: String,
        /// Its last part.
        topic: String,
    },
}

impl TopicName {
    /// The full name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TopicName {
    type Err = TopicNameError;

    fn from_str(text: &str) -> Result<Self, TopicNameError> {
        let mut parts = text.split('/');
        let topic = match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("projects"), Some(project), Some("topics"), Some(topic), None) if !project.is_empty() => topic,
            _ => return Err(TopicNameError::Form(text.to_owned())),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~+%".contains(c);
        let named = (3..=255).contains(&topic.len())
            && topic.starts_with(|c: char| c.is_ascii_alphabetic())
            && topic.chars().all(allowed)
            && !topic.starts_with("goog");
        if named {
            Ok(Self(text.to_owned()))
        } else {
            Err(TopicNameError::Name { text: text.to_owned(), topic: topic.to_owned() })
        }
    }
}

impl fmt::Display for TopicName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_are_taken() {
        for text in ["projects/shop/topics/events", "projects/example.com:shop/topics/user.events-v1~+%"] {
            assert_eq!(text.parse::<TopicName>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_was_found() {
        for text in
            ["", "events", "projects//topics/events", "projects/a/topics/b/c", "projects/a/subscriptions/events"]
        {
            assert_eq!(text.parse::<TopicName>().unwrap_err(), TopicNameError::Form(text.into()));
        }
        for topic in ["", "ab", "1st", "goog-events", "évents", "two words", &"a".repeat(256)] {
            let text = format!("projects/shop/topics/{topic}");
            assert_eq!(text.parse::<TopicName>().unwrap_err(), TopicNameError::Name { text, topic: topic.into() });
        }
    }
}
