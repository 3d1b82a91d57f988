use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit};
use sha2::Sha256;

/// A signing key: an id by which people and signatures name it, and a secret.
///
/// The secret never shows: `Debug` writes the id alone.
#[derive(Clone)]
pub struct Key {
    id: String,
    /// The HMAC with the secret already taken in: hashing it anew for each message would cost two blocks more.
    mac: Hmac<Sha256>,
}

/// Why a text is no signing key. The text itself is not repeated, as it may hold the secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no `=` between an id and a secret.
    #[error("a signing key is written ID=SECRET, such as k1=s3cret; this one has no `=`")]
    NoSeparator,
    /// The id is empty, too long, or has other characters.
    #[error("the id of a signing key is 1 to 64 letters, digits, `.`, `_` or `-`; this one has {0} characters")]
    Id(usize),
    /// The secret is empty.
    #[error("the signing key {0:?} has no secret behind its `=`")]
    NoSecret(String),
}

impl Key {
    /// A key of an id (1 to 64 letters, digits, `.`, `_`, `-`) and a secret (not empty; its UTF-8 bytes are the key).
    ///
    /// # Errors
    /// Where either is of another form.
    pub fn new(id: &str, secret: &str) -> Result<Self, KeyError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if id.is_empty() || id.len() > 64 || !id.chars().all(allowed) {
            return Err(KeyError::Id(id.chars().count()));
        }
        let no_secret = || KeyError::NoSecret(id.to_owned());
        if secret.is_empty() {
            return Err(no_secret());
        }
        // RFC 2104 takes a key of any length, so this fails for none.
        let mac = Hmac::new_from_slice(secret.as_bytes()).map_err(|_| no_secret())?;
        Ok(Self { id: id.to_owned(), mac })
    }

    /// The id, which may be shown.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// An HMAC-SHA256 under this key that has seen no data yet.
    pub(crate) fn mac(&self) -> Hmac<Sha256> {
        self.mac.clone()
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Reads `ID=SECRET`. The secret may itself hold `=`.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (id, secret) = text.split_once('=').ok_or(KeyError::NoSeparator)?;
        Self::new(id, secret)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_may_hold_separators_and_never_shows() {
        let key: Key = "k1=a=b=".parse().unwrap();
        assert_eq!(key.id(), "k1");
        assert_eq!(
            crate::signature::v1::sign(&key, b"x"),
            crate::signature::v1::sign(&Key::new("k2", "a=b=").unwrap(), b"x")
        );
        assert_eq!(format!("{key:?}"), "Key { id: \"k1\", .. }");
    }

    #[test]
    fn each_wrong_form_has_its_error_and_no_error_repeats_the_secret() {
        assert_eq!("s3cret".parse::<Key>().unwrap_err(), KeyError::NoSeparator);
        assert_eq!("=s3cret".parse::<Key>().unwrap_err(), KeyError::Id(0));
        assert_eq!("a b=s3cret".parse::<Key>().unwrap_err(), KeyError::Id(3));
        assert_eq!("k1=".parse::<Key>().unwrap_err(), KeyError::NoSecret("k1".into()));
        assert!(!"hunter2".parse::<Key>().unwrap_err().to_string().contains("hunter2"));
    }
}
