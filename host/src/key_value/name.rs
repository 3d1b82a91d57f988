use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::KeyValueError;

/// The longest key, in bytes.
pub(super) const LONGEST_KEY: usize = 256;
/// The longest value, in bytes.
pub(super) const LONGEST_VALUE: usize = 1 << 20;

/// The name of a store, as a manifest lists it: a-z, 0-9 and `-`, at most 63, a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreName(Arc<str>);

/// A text is no name of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of a store: use a-z, 0-9 and `-`, at most 63, a letter or digit first, such as \"default\"")]
pub struct StoreNameError;

impl FromStr for StoreName {
    type Err = StoreNameError;

    fn from_str(text: &str) -> Result<Self, StoreNameError> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let is_name = text.len() <= 63 && text.starts_with(plain) && text.chars().all(|c| plain(c) || c == '-');
        if is_name { Ok(Self(text.into())) } else { Err(StoreNameError) }
    }
}

impl fmt::Display for StoreName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One store of one handler. What is in it belongs to no other, whatever its keys look like: every implementation keeps
/// the two names and the key apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Space {
    handler: Arc<str>,
    store: StoreName,
}

impl Space {
    /// The store `store` of the handler `handler`.
    #[must_use]
    pub fn new(handler: &str, store: StoreName) -> Self {
        Self { handler: handler.into(), store }
    }

    /// The handler's name.
    #[must_use]
    pub fn handler(&self) -> &str {
        &self.handler
    }

    /// The store's name.
    #[must_use]
    pub fn store(&self) -> &str {
        &self.store.0
    }
}

/// A key, of 1 to 256 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key of this text.
    ///
    /// # Errors
    /// [`KeyValueError::Key`] where it is empty or too long.
    pub fn new(text: String) -> Result<Self, KeyValueError> {
        if (1..=LONGEST_KEY).contains(&text.len()) { Ok(Self(text)) } else { Err(KeyValueError::Key(text.len())) }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A value, of at most 1 MiB.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    /// A value of these bytes.
    ///
    /// # Errors
    /// [`KeyValueError::Value`] where they are too many.
    pub fn new(bytes: Vec<u8>) -> Result<Self, KeyValueError> {
        if bytes.len() <= LONGEST_VALUE { Ok(Self(bytes)) } else { Err(KeyValueError::Value(bytes.len())) }
    }

    /// Its bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keys_and_values_have_their_bounds() {
        for name in ["default", "a", "0-1", &"a".repeat(63)] {
            assert!(name.parse::<StoreName>().is_ok(), "{name}");
        }
        for name in ["", "-a", "A", "a:b", "a/b", "ä", "a\0", &"a".repeat(64)] {
            assert!(name.parse::<StoreName>().is_err(), "{name}");
        }
        assert!(Key::new("k".repeat(LONGEST_KEY)).is_ok() && Key::new("\0".into()).is_ok());
        assert!(Key::new(String::new()).is_err() && Key::new("k".repeat(LONGEST_KEY + 1)).is_err());
        assert!(Value::new(vec![0; LONGEST_VALUE]).is_ok() && Value::new(vec![0; LONGEST_VALUE + 1]).is_err());
    }
}
