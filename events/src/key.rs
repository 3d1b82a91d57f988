use std::fmt;
use std::str::FromStr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What the secret is hashed with to give version 2 a key of its own.
const V2_DOMAIN: &[u8] = b"tidemill-signature-v2:";

/// A signing key: an id by which people and signatures name it, and a secret.
///
/// The secret never shows: `Debug` writes the id alone. It isn't kept either, only the states of the two HMACs that it
/// began, and those are overwritten with zeros when the key is dropped.
#[derive(Clone)]
pub struct Key {
    id: String,
    /// The HMACs with the secret already taken in: hashing it anew for each message would cost two blocks more.
    v1: Hmac<Sha256>,
    v2: Hmac<Sha256>,
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
    /// The secret is empty, or nothing but `=`, as where a secret in base64 was given without an id.
    #[error("the signing key has no secret behind its `=`: a signing key is written ID=SECRET, such as k1=s3cret")]
    NoSecret,
}

impl Key {
    /// A key of an id (1 to 64 letters, digits, `.`, `_`, `-`) and a secret (not empty; its UTF-8 bytes are the key).
    ///
    /// # Errors
    /// Where either is of another form.
    pub fn new(id: &str, secret: &str) -> Result<Self, KeyError> {
        if !is_key_id(id) {
            return Err(KeyError::Id(id.chars().count()));
        }
        if secret.trim_matches('=').is_empty() {
            return Err(KeyError::NoSecret);
        }
        // RFC 2104 takes a key of any length, so this fails for none.
        let mac = |key: &[u8]| Hmac::new_from_slice(key).map_err(|_| KeyError::NoSecret);
        let derived = Sha256::new().chain_update(V2_DOMAIN).chain_update(secret.as_bytes());
        let derived: Zeroizing<[u8; 32]> = Zeroizing::new(derived.finalize().into());
        Ok(Self { id: id.to_owned(), v1: mac(secret.as_bytes())?, v2: mac(derived.as_slice())? })
    }

    /// The id, which may be shown.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Version 1's HMAC-SHA256 under this key, that has seen no data yet. Its key is the secret.
    pub(crate) fn v1(&self) -> Hmac<Sha256> {
        self.v1.clone()
    }

    /// Version 2's. Its key is SHA-256 over `tidemill-signature-v2:` and the secret: with one key for both, what
    /// version 1 signs (any data at all) could be made to look like what version 2 signs.
    pub(crate) fn v2(&self) -> Hmac<Sha256> {
        self.v2.clone()
    }

    /// Whether both hold the same secret under the same id.
    fn is(&self, other: &Self) -> bool {
        // In constant time: it is the secrets that are compared, in a form.
        let same = |a: Hmac<Sha256>, b: Hmac<Sha256>| a.verify(&b.finalize().into_bytes()).is_ok();
        self.id == other.id && same(self.v1(), other.v1())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for Key {}

/// Whether a text has the form of a key's id: 1 to 64 letters, digits, `.`, `_` or `-`.
pub(crate) fn is_key_id(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&text.len()) && text.chars().all(allowed)
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
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn a_secret_may_hold_separators_and_never_shows() {
        let key: Key = "k1=a=b=".parse().unwrap();
        assert_eq!(key.id(), "k1");
        assert_eq!(key, Key::new("k1", "a=b=").unwrap());
        assert_ne!(key, Key::new("k2", "a=b=").unwrap());
        assert_ne!(key, Key::new("k1", "a=b").unwrap());
        assert_eq!(format!("{key:?}"), "Key { id: \"k1\", .. }");
    }

    #[test]
    fn each_wrong_form_has_its_error_and_no_error_repeats_the_secret() {
        assert_eq!("s3cret".parse::<Key>().unwrap_err(), KeyError::NoSeparator);
        assert_eq!("=s3cret".parse::<Key>().unwrap_err(), KeyError::Id(0));
        assert_eq!("a b=s3cret".parse::<Key>().unwrap_err(), KeyError::Id(3));
        // A secret in base64, alone: what stands before its `=` must not be taken for an id.
        for text in ["k1=", "dGhpc2lzYXNlY3JldA=", "dGhpc2lzYXNlY3JldA=="] {
            assert_eq!(text.parse::<Key>().unwrap_err(), KeyError::NoSecret);
        }
        assert!(!KeyError::NoSecret.to_string().contains("dGhpc"));
        assert!(!"hunter2".parse::<Key>().unwrap_err().to_string().contains("hunter2"));
    }

    /// Compiles only while the hash states that an HMAC is made of, and that hold the secret's traces, are overwritten.
    #[test]
    fn what_is_kept_of_a_secret_is_overwritten_with_zeros() {
        fn overwrites<T: ZeroizeOnDrop>() {}
        overwrites::<Sha256>();
    }
}
