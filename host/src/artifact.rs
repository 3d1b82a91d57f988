//! A handler as bytes, and its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest manifest that is read, in bytes.
pub const MAX_MANIFEST: u64 = 1 << 20;
/// The longest component that is read, in bytes.
pub const MAX_COMPONENT: u64 = 256 << 20;

/// The bytes of a handler and of its manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// `handler.toml`.
    pub manifest: Vec<u8>,
    /// `handler.wasm`.
    pub wasm: Vec<u8>,
}

/// A SHA-256. The name of an artifact is the one over manifest and component, each with its length (8 bytes, little-endian)
/// before it. Written `sha256:HEX`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// A text is no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no digest: write sha256: and 64 hexadecimal digits")]
pub struct DigestError;

impl Artifact {
    /// Its digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for part in [&self.manifest, &self.wasm] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Digest(hash.finalize().into())
    }
}

impl Digest {
    /// SHA-256 of these bytes alone.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digits alone, as a name that any file system takes.
    #[must_use]
    pub fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digits = text.strip_prefix("sha256:").ok_or(DigestError)?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| DigestError)?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_and_names_where_the_parts_meet() {
        let artifact = |manifest: &str, wasm: &str| Artifact { manifest: manifest.into(), wasm: wasm.into() };
        let digest = artifact("ab", "c").digest();
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_ne!(digest, artifact("a", "bc").digest());
        for text in ["", "sha256:", &digest.hex(), &format!("sha256:{}0", digest.hex())] {
            assert_eq!(text.parse::<Digest>(), Err(DigestError), "{text}");
        }
    }
}
