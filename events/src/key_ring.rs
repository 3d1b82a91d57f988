use crate::{Key, KeyError};

/// The keys that a host holds. Each has an id of its own.
///
/// Several make it possible to change keys without losing an event: the host holds the new one beside the old, then the
/// publishers sign with the new one, then the host lets the old one go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyRing {
    keys: Vec<Key>,
}

/// Why keys make no ring.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRingError {
    /// Two keys have the same id.
    #[error("the id {0:?} is given twice; each key has an id of its own")]
    Twice(String),
    /// A line is no key. Its text is not repeated.
    #[error("line {line}: {problem}")]
    Line {
        /// The line's number, the first being 1.
        line: usize,
        /// What is wrong with it.
        problem: KeyError,
    },
}

impl KeyRing {
    /// A ring of these keys.
    ///
    /// # Errors
    /// Where an id is there twice.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyRingError> {
        let mut ids: Vec<_> = keys.iter().map(Key::id).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            Some(twice) => Err(KeyRingError::Twice((*twice).to_owned())),
            None => Ok(Self { keys }),
        }
    }

    /// Reads keys from a text, `ID=SECRET` a line. Empty lines and lines that start with `#` are passed over, and so is
    /// white space around a line.
    ///
    /// # Errors
    /// Where a line is no key, with its number.
    pub fn parse_lines(text: &str) -> Result<Vec<Key>, KeyRingError> {
        let lines = text.lines().map(str::trim).enumerate();
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines
            .map(|(index, line)| line.parse().map_err(|problem| KeyRingError::Line { line: index + 1, problem }))
            .collect()
    }

    /// The key of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id() == id)
    }

    /// All keys.
    #[must_use]
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

impl From<Key> for KeyRing {
    fn from(key: Key) -> Self {
        Self { keys: vec![key] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_one_a_line() {
        let keys = KeyRing::parse_lines("# ours\nk1=a\n\n  k2=b \r\n").unwrap();
        let ring = KeyRing::new(keys).unwrap();
        assert_eq!(ring.get("k2"), Some(&Key::new("k2", "b").unwrap()));
        assert_eq!(ring.get("k3"), None);
    }

    #[test]
    fn what_is_wrong_is_named_and_no_secret_shows() {
        let problem = KeyRing::parse_lines("k1=a\nhunter2\n").unwrap_err();
        assert_eq!(problem, KeyRingError::Line { line: 2, problem: KeyError::NoSeparator });
        assert!(!problem.to_string().contains("hunter2"));
        let twice = vec!["k1=a".parse().unwrap(), "k2=b".parse().unwrap(), "k1=c".parse().unwrap()];
        assert_eq!(KeyRing::new(twice).unwrap_err(), KeyRingError::Twice("k1".into()));
    }
}
