use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};

/// What names an event for deduplication.
///
/// It is a SHA-256, so that the length of a stranger's text costs the store nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DedupKey([u8; 32]);

impl DedupKey {
    /// Names an event by the id that its publisher gave it: the same however often it is published or delivered. Only an
    /// id that a signature vouches for names an event; any other could be made to shadow one.
    #[must_use]
    pub fn event(id: &str) -> Self {
        Self(Sha256::new().chain_update(b"event\0").chain_update(id).finalize().into())
    }

    /// Names an event by the message that brought it, in texts which together are the same however often the broker
    /// delivers that message, and no other's: its source, its id.
    #[must_use]
    pub fn message(texts: &[&str]) -> Self {
        // The lengths keep the texts apart: a zero byte may be in any.
        let length = |text: &str| u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes();
        let hash = texts.iter().fold(Sha256::new().chain_update(b"message\0"), |hash, text| {
            hash.chain_update(length(text)).chain_update(text)
        });
        Self(hash.finalize().into())
    }

    /// The part of a store that this key belongs to, where there are `parts` of them.
    pub(super) fn part(&self, parts: usize) -> usize {
        let [first, second, ..] = self.0;
        usize::from(u16::from_be_bytes([first, second])) % parts.max(1)
    }
}

/// Its first eight bytes, which are as good as all where they are a hash already; a map's own hasher still keys them, so that
/// nobody can have events meet in one place of it.
impl Hash for DedupKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(u64::from_ne_bytes(*self.0.first_chunk().unwrap_or(&[0; 8])));
    }
}

/// Lower-case hexadecimal digits, 64 of them.
impl fmt::Display for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for DedupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DedupKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn different_names_give_different_keys() {
        let names = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("a\0b", "c"), ("a", "b\0c")];
        let mut keys: BTreeSet<_> =
            names.iter().map(|(subscription, id)| DedupKey::message(&[subscription, id])).collect();
        keys.extend(["abc", "a\0bc", "", "a"].map(DedupKey::event));
        assert_eq!(keys.len(), names.len() + 4);
        assert_eq!(DedupKey::event("abc"), DedupKey::event("abc"));
    }

    #[test]
    fn a_key_is_the_same_in_every_version() {
        // Hosts of two versions may share a store: what one has done the other must recognise.
        // printf 'event\0a' | sha256sum, and printf 'message\0\0\0\0\0\0\0\0\001s\0\0\0\0\0\0\0\001m' | sha256sum
        assert_eq!(
            DedupKey::event("a").to_string(),
            "4082d2371b5a007f99b91c5aeb563060ffc575c4c5da4010b63d0c09327ae4e7"
        );
        assert_eq!(
            DedupKey::message(&["s", "m"]).to_string(),
            "080be33a3c86b99037c0a9b5df61c159410eeb8ef6afe217749c3cfc3f5f326f"
        );
    }
}
