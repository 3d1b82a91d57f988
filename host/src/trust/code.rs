use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of an engine, in bytes.
const MAX_ID: usize = 42;

/// The name of an engine, as far as compiled code depends on it: its version, its settings, its target and the processor's
/// features that it uses. Equal names load each other's code.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EngineId(String);

/// A text is no name of an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no name of an engine: letters, digits and hyphens, at most {MAX_ID}")]
pub struct EngineIdError;

/// Native code that is what somebody trusted has compiled: it may be run.
///
/// It is made where that is known, in this room alone: of the very bytes that a trusted key's signature covers
/// ([`super::Vouched::code`]), or that this host's own cache has sealed ([`super::CodeCache`]).
pub struct AuthenticCode(Vec<u8>);

impl AuthenticCode {
    /// Takes the word of whoever calls that it has checked these bytes.
    pub(super) fn checked(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The code.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for AuthenticCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthenticCode of {} bytes", self.0.len())
    }
}

impl EngineId {
    /// As a text, which can stand in a file's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EngineId {
    type Err = EngineIdError;

    fn from_str(text: &str) -> Result<Self, EngineIdError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let fits = (1..=MAX_ID).contains(&text.len()) && text.chars().all(plain);
        fits.then(|| Self(text.to_owned())).ok_or(EngineIdError)
    }
}

impl TryFrom<String> for EngineId {
    type Error = EngineIdError;

    fn try_from(text: String) -> Result<Self, EngineIdError> {
        text.parse()
    }
}

impl From<EngineId> for String {
    fn from(id: EngineId) -> Self {
        id.0
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
