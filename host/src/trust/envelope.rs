use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{PublicKey, SecretKey, Statement};

/// What the payload is, as every signature covers it.
const PAYLOAD_TYPE: &str = "application/vnd.tidemill.artifact.v1+json";

/// The file beside a handler's others that holds an envelope.
pub const SIGNATURE_FILE: &str = "handler.sig";
/// The longest envelope that is read, in bytes.
pub const MAX_ENVELOPE: usize = 64 << 10;
/// How long a key's id is, in characters.
const KEY_ID: usize = 16;

/// A statement and its signatures, in the form of DSSE (<https://github.com/secure-systems-lab/dsse>). Whose they are, and
/// whether they hold, is not known until [`Self::signed_by`] is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    #[serde(with = "in_base64")]
    payload: Vec<u8>,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Signature {
    /// A hint: which key to try.
    keyid: String,
    #[serde(with = "in_base64")]
    sig: Vec<u8>,
}

/// Bytes are no envelope of a statement.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Too long.
    #[error("it is no signature: it has {0} bytes, at most {MAX_ENVELOPE} are read")]
    Long(usize),
    /// No envelope, or no statement in it.
    #[error("it is no signature as `tidemill sign` writes it: {0}")]
    Form(#[from] serde_json::Error),
    /// A key is named otherwise than by its id.
    #[error("it is no signature as `tidemill sign` writes it: a keyid is not {KEY_ID} hexadecimal digits")]
    KeyId,
    /// An envelope around something else.
    #[error("it signs {0:?}, which is no artifact of Tidemill's ({PAYLOAD_TYPE:?})")]
    Payload(String),
}

impl Envelope {
    /// Signs a statement.
    ///
    /// # Errors
    /// None that is known of: a statement can always be written as JSON.
    pub fn sign(statement: &Statement, key: &SecretKey) -> Result<Self, EnvelopeError> {
        let payload = serde_json::to_vec(statement)?;
        let mut envelope = Self { payload_type: PAYLOAD_TYPE.to_owned(), payload, signatures: Vec::new() };
        envelope.add(key);
        Ok(envelope)
    }

    /// Adds another key's signature of the same statement. Of one key there is one.
    pub fn add(&mut self, key: &SecretKey) {
        let keyid = key.public().id();
        self.signatures.retain(|signature| signature.keyid != keyid);
        self.signatures.push(Signature { keyid, sig: key.sign(&self.signed_bytes()) });
    }

    /// Reads an envelope. What it says is nobody's word yet.
    ///
    /// # Errors
    /// Where it is none, or doesn't hold a [`Statement`].
    pub fn read(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE {
            return Err(EnvelopeError::Long(bytes.len()));
        }
        let envelope: Self = serde_json::from_slice(bytes)?;
        if envelope.payload_type != PAYLOAD_TYPE {
            return Err(EnvelopeError::Payload(envelope.payload_type));
        }
        envelope.statement()?;
        // Of a key's own form, since people are shown them.
        let is_id = |id: &str| id.len() == KEY_ID && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !envelope.key_ids().all(is_id) {
            return Err(EnvelopeError::KeyId);
        }
        Ok(envelope)
    }

    /// As it is written to a file.
    ///
    /// # Errors
    /// None that is known of.
    pub fn write(&self) -> Result<Vec<u8>, EnvelopeError> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// What it states, whoever signed it.
    ///
    /// # Errors
    /// Where the payload is no statement, which [`Self::read`] has looked at.
    pub fn statement(&self) -> Result<Statement, EnvelopeError> {
        Ok(serde_json::from_slice(&self.payload)?)
    }

    /// Whether one of the signatures is this key's, and right.
    #[must_use]
    pub fn signed_by(&self, key: &PublicKey) -> bool {
        let (id, bytes) = (key.id(), self.signed_bytes());
        self.signatures.iter().any(|signature| signature.keyid == id && key.verifies(&bytes, &signature.sig))
    }

    /// The ids of the keys that it says it was signed with.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.signatures.iter().map(|signature| signature.keyid.as_str())
    }

    /// DSSE's pre-authentication encoding: the signature covers what the payload is, and where it ends.
    fn signed_bytes(&self) -> Vec<u8> {
        let (kind, body) = (&self.payload_type, &self.payload);
        let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), body.len()).into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

/// Bytes as a string of base64.
mod in_base64 {
    use base64::Engine as _;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use super::STANDARD;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::Artifact;

    fn statement() -> Statement {
        Statement::of("mail", &Artifact { manifest: b"m".to_vec(), wasm: b"w".to_vec() })
    }

    #[test]
    fn what_was_signed_reads_back_as_it_was_and_is_the_keys() {
        let ((one, _), (two, _)) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let mut envelope = Envelope::sign(&statement(), &one).unwrap();
        assert!(envelope.signed_by(&one.public()) && !envelope.signed_by(&two.public()));
        envelope.add(&two);
        envelope.add(&two);
        let read = Envelope::read(&envelope.write().unwrap()).unwrap();
        assert_eq!((read.statement().unwrap(), read.key_ids().count()), (statement(), 2));
        assert!(read.signed_by(&one.public()) && read.signed_by(&two.public()));
    }

    #[test]
    fn another_statement_or_kind_under_the_same_signature_is_nobodys() {
        let (key, _) = SecretKey::generate().unwrap();
        let envelope = Envelope::sign(&statement(), &key).unwrap();
        let mut other = envelope.clone();
        other.payload = serde_json::to_vec(&Statement { handler: "pay".into(), ..statement() }).unwrap();
        assert!(!other.signed_by(&key.public()));
        let mut other = envelope.clone();
        other.payload_type.push('2');
        assert!(!other.signed_by(&key.public()));
        assert!(matches!(Envelope::read(&other.write().unwrap()), Err(EnvelopeError::Payload(_))));
        // A signature under another's name is no signature either.
        let mut other = envelope;
        other.signatures[0].keyid = SecretKey::generate().unwrap().0.public().id();
        assert!(!other.signed_by(&key.public()));
    }

    #[test]
    fn what_is_no_envelope_is_an_error_that_says_so() {
        for bytes in [&b""[..], b"{}", b"[]", &[b' '; MAX_ENVELOPE + 1]] {
            assert!(Envelope::read(bytes).is_err());
        }
    }
}
