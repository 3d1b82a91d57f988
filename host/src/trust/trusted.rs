use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::{AuthenticCode, EngineId, Envelope, PublicKey, PublicKeyError, Statement};
use crate::artifact::Digest;

/// How many signatures of strangers are told of, and of each how many keys.
const TOLD: usize = 5;
/// How many characters of a stranger's text are told.
const LONGEST_TOLD: usize = 64;

/// A key that the operator trusts, and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The name, for people.
    pub name: String,
    /// The key.
    pub key: PublicKey,
}

/// A text names no key to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TrustedKeyError {
    /// There is no name before it.
    #[error("it names no key: write NAME=ed25519:…, with a name of letters, digits, '-', '_' and '.'")]
    Name,
    /// There is no key behind it.
    #[error("{0}")]
    Key(#[from] PublicKeyError),
}

/// Whose signatures count, and whether artifacts need one.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    keys: Vec<TrustedKey>,
    required: bool,
}

/// Why an artifact may not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// Nobody signed it.
    #[error(
        "it isn't signed, and this host runs what a trusted key has signed (setting `trusted-keys`): sign it with `tidemill \
         sign`"
    )]
    Unsigned,
    /// Somebody unknown did.
    #[error(
        "none of its signatures is a trusted key's for the handler {handler:?} (they are of {found}; trusted: {trusted}): sign \
         it with one of those, or name the key in the setting `trusted-keys`"
    )]
    Unknown {
        /// The handler that it should serve as.
        handler: String,
        /// What signatures there are.
        found: String,
        /// The keys that count.
        trusted: String,
    },
}

/// An artifact that may run as the handler it was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// Who says so: the trusted key's name. `None`: nobody has to.
    pub by: Option<String>,
    /// What trusted keys have signed about it.
    statements: Vec<Statement>,
}

impl Trust {
    /// Artifacts need a signature by one of these keys, or, where `required` is false, may have one: then it lets their
    /// code be loaded.
    #[must_use]
    pub fn new(keys: Vec<TrustedKey>, required: bool) -> Self {
        Self { keys, required }
    }

    /// The same keys, one of which has to have signed.
    #[must_use]
    pub fn requiring(self) -> Self {
        Self { required: true, ..self }
    }

    /// Whether any key's signature counts.
    #[must_use]
    pub fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Judges whether the artifact may run as this handler.
    ///
    /// # Errors
    /// Where it needs a signature and has none that counts.
    pub fn judge(&self, handler: &str, artifact: Digest, envelopes: &[Envelope]) -> Result<Vouched, Untrusted> {
        let mut vouched = Vouched { by: None, statements: Vec::new() };
        for envelope in envelopes {
            let Ok(statement) = envelope.statement() else { continue };
            if statement.handler != handler || statement.artifact != artifact {
                continue;
            }
            if let Some(by) = self.keys.iter().find(|trusted| envelope.signed_by(&trusted.key)) {
                vouched.by.get_or_insert_with(|| by.name.clone());
                vouched.statements.push(statement);
            }
        }
        match (&vouched.by, self.required) {
            (None, true) if envelopes.is_empty() => Err(Untrusted::Unsigned),
            (None, true) => Err(self.unknown(handler, envelopes)),
            _ => Ok(vouched),
        }
    }

    /// What there is in the place of a signature that counts: strangers' words, so only a few of them.
    fn unknown(&self, handler: &str, envelopes: &[Envelope]) -> Untrusted {
        let found = envelopes.iter().take(TOLD).map(|envelope| {
            let ids: Vec<_> = envelope.key_ids().take(TOLD).collect();
            let of = envelope.statement().map(|statement| statement.handler).unwrap_or_default();
            format!("{} for {:?}", ids.join(" and "), of.chars().take(LONGEST_TOLD).collect::<String>())
        });
        let mut found: Vec<_> = found.collect();
        if envelopes.len() > TOLD {
            found.push("others".to_owned());
        }
        Untrusted::Unknown { handler: handler.to_owned(), found: found.join(", "), trusted: self.to_string() }
    }
}

impl Vouched {
    /// The engines that there is code for which somebody trusted vouches for.
    pub fn engines(&self) -> impl Iterator<Item = &EngineId> {
        self.statements.iter().flat_map(|statement| statement.code.keys()).collect::<BTreeSet<_>>().into_iter()
    }

    /// Whether there is code for this engine that somebody trusted vouches for.
    #[must_use]
    pub fn covers(&self, engine: &EngineId) -> bool {
        self.statements.iter().any(|statement| statement.code.contains_key(engine))
    }

    /// The code, if it is what somebody trusted vouches for as this engine's, together with this manifest.
    #[must_use]
    pub fn code(&self, engine: &EngineId, manifest: &[u8], code: Vec<u8>) -> Option<AuthenticCode> {
        let (manifest, digest) = (Digest::of(manifest), Digest::of(&code));
        let covers = |it: &Statement| it.manifest == manifest && it.code.get(engine) == Some(&digest);
        self.statements.iter().any(covers).then(|| AuthenticCode::checked(code))
    }
}

/// The keys that count, each by its name and its id.
impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.keys.iter().map(|trusted| format!("{} {}", trusted.name, trusted.key.id())).collect();
        f.write_str(&keys.join(", "))
    }
}

impl FromStr for TrustedKey {
    type Err = TrustedKeyError;

    /// Reads `NAME=ed25519:BASE64`.
    fn from_str(text: &str) -> Result<Self, TrustedKeyError> {
        let (name, key) = text.split_once('=').ok_or(TrustedKeyError::Name)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(plain) {
            return Err(TrustedKeyError::Name);
        }
        Ok(Self { name: name.to_owned(), key: key.parse()? })
    }
}

impl fmt::Display for TrustedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SecretKey;
    use super::*;
    use crate::artifact::Artifact;

    fn artifact() -> Artifact {
        Artifact { manifest: b"m".to_vec(), wasm: b"w".to_vec() }
    }

    fn trust(key: &SecretKey, required: bool) -> Trust {
        Trust::new(vec![TrustedKey { name: "release".into(), key: key.public() }], required)
    }

    #[test]
    fn only_a_trusted_keys_word_for_this_handler_and_artifact_counts() {
        let ((known, _), (stranger, _)) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let (trust, digest) = (trust(&known, true), artifact().digest());
        let signed = |handler: &str, artifact: &Artifact, key: &SecretKey| {
            Envelope::sign(&Statement::of(handler, artifact), key).unwrap()
        };
        assert_eq!(trust.judge("mail", digest, &[]), Err(Untrusted::Unsigned));
        let other = Artifact { wasm: b"x".to_vec(), ..artifact() };
        for wrong in
            [signed("mail", &artifact(), &stranger), signed("pay", &artifact(), &known), signed("mail", &other, &known)]
        {
            let refused = trust.judge("mail", digest, std::slice::from_ref(&wrong)).unwrap_err();
            assert!(matches!(refused, Untrusted::Unknown { .. }), "{refused}");
            // One that is right among those that aren't is enough.
            let right = signed("mail", &artifact(), &known);
            let vouched = trust.judge("mail", digest, &[wrong, right]).unwrap();
            assert_eq!(vouched.by.as_deref(), Some("release"));
        }
    }

    #[test]
    fn where_none_is_required_the_unsigned_run_but_their_code_does_not() {
        let ((known, _), (stranger, _)) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let (engine, digest): (EngineId, _) = ("e-1".parse().unwrap(), artifact().digest());
        let statement = Statement::of("mail", &artifact()).with_code(engine.clone(), b"native");
        let trust = trust(&known, false);
        let by = |key| [Envelope::sign(&statement, key).unwrap()];
        let vouched = trust.judge("mail", digest, &by(&stranger)).unwrap();
        assert!(vouched.by.is_none() && vouched.code(&engine, b"m", b"native".to_vec()).is_none());
        let vouched = trust.judge("mail", digest, &by(&known)).unwrap();
        assert!(vouched.code(&engine, b"m", b"nativf".to_vec()).is_none());
        assert!(vouched.code(&"e-2".parse().unwrap(), b"m", b"native".to_vec()).is_none());
        assert_eq!(vouched.code(&engine, b"m", b"native".to_vec()).unwrap().bytes(), b"native");
        assert!(vouched.code(&engine, b"n", b"native".to_vec()).is_none());
        // Of two who have compiled it both count.
        let other = Statement::of("mail", &artifact()).with_code(engine.clone(), b"other");
        let both = [Envelope::sign(&statement, &known).unwrap(), Envelope::sign(&other, &known).unwrap()];
        let vouched = trust.judge("mail", digest, &both).unwrap();
        for code in [&b"native"[..], b"other"] {
            assert!(vouched.code(&engine, b"m", code.to_vec()).is_some());
        }
        assert!(
            Trust::default()
                .judge("mail", digest, &by(&known))
                .unwrap()
                .code(&engine, b"m", b"native".into())
                .is_none()
        );
    }

    #[test]
    fn a_trusted_key_reads_back() {
        let (key, _) = SecretKey::generate().unwrap();
        let trusted = TrustedKey { name: "release-2026".into(), key: key.public() };
        assert_eq!(trusted.to_string().parse(), Ok(trusted));
        assert_eq!("ed25519:AAAA".parse::<TrustedKey>(), Err(TrustedKeyError::Name));
        assert_eq!("a=ed25519:AAAA".parse::<TrustedKey>(), Err(TrustedKeyError::Key(PublicKeyError)));
    }
}
