use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What a public key's text begins with.
const SCHEME: &str = "ed25519:";
/// What comes before the 32 bytes of an Ed25519 key in PKCS#8 (RFC 8410, section 7): version 1, which OpenSSL reads too.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// What signatures are checked with. Written `ed25519:` and its 32 bytes in base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

/// A text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no public key: write ed25519: and 44 characters of base64, as `tidemill keygen` prints them")]
pub struct PublicKeyError;

/// What artifacts are signed with.
pub struct SecretKey(Ed25519KeyPair);

/// A secret key can't be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
    /// The text is no key in PEM.
    #[error(
        "it is no secret key: an Ed25519 key in PEM (\"BEGIN PRIVATE KEY\") is due, as `tidemill keygen` writes it"
    )]
    NoKey,
}

impl PublicKey {
    /// A short name of the key: 16 hexadecimal digits of its SHA-256. Signatures name the key by it.
    #[must_use]
    pub fn id(&self) -> String {
        let mut id = hex::encode(Sha256::digest(self.0));
        id.truncate(16);
        id
    }

    /// Whether the signature is this key's, of exactly these bytes.
    #[must_use]
    pub fn verifies(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(bytes, signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, PublicKeyError> {
        let base64 = text.strip_prefix(SCHEME).ok_or(PublicKeyError)?;
        let bytes = STANDARD.decode(base64).map_err(|_| PublicKeyError)?;
        bytes.try_into().map(Self).map_err(|_| PublicKeyError)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SecretKey {
    /// Makes a new key, and gives it together with its text in PEM, the only form that it is kept in.
    ///
    /// # Errors
    /// Where the system has no random numbers.
    pub fn generate() -> Result<(Self, Zeroizing<String>), KeyError> {
        let seed = ring::rand::generate::<[u8; 32]>(&SystemRandom::new()).map_err(|_| KeyError::Random)?;
        let seed = Zeroizing::new(seed.expose());
        let der = Zeroizing::new([&PKCS8_HEAD[..], &seed[..]].concat());
        let base64 = Zeroizing::new(STANDARD.encode(&*der));
        // Its 48 bytes are one line of PEM (RFC 7468, section 2).
        let pem = Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", &*base64));
        Ok((Self::from_pem(&pem)?, pem))
    }

    /// Reads a key in PKCS#8 and PEM: what `tidemill keygen` writes, or `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| KeyError::NoKey)?;
        // "Maybe unchecked": the public key stands in the second version of the format only.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der()).map(Self).map_err(|_| KeyError::NoKey)
    }

    /// What its signatures are checked with.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        // An Ed25519 key has 32 bytes; ring gives them as a slice.
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// The signature of these bytes, 64 bytes long.
    pub(super) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {}", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_and_verifies_what_it_signed_and_nothing_else() {
        let (key, pem) = SecretKey::generate().unwrap();
        let again = SecretKey::from_pem(&pem).unwrap();
        let public: PublicKey = key.public().to_string().parse().unwrap();
        assert_eq!((public, public.id().len()), (again.public(), 16));
        let signature = again.sign(b"bytes");
        assert!(public.verifies(b"bytes", &signature));
        assert!(!public.verifies(b"bytez", &signature));
        assert!(!SecretKey::generate().unwrap().0.public().verifies(b"bytes", &signature));
        for at in 0..signature.len() {
            let mut flipped = signature.clone();
            flipped[at] ^= 1;
            assert!(!public.verifies(b"bytes", &flipped), "byte {at}");
        }
        assert!(!format!("{key:?}").contains(&pem[30..60]));
    }

    /// RFC 8032, section 7.1, test 2, with the key in the form that `openssl genpkey` writes.
    #[test]
    fn it_signs_as_the_standard_does() {
        let seed = hex::decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb").unwrap();
        let der = [&PKCS8_HEAD[..], &seed].concat();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        let key = SecretKey::from_pem(&pem).unwrap();
        assert_eq!(hex::encode(key.public().0), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(
            hex::encode(key.sign(&[0x72])),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
    }

    #[test]
    fn what_is_no_key_is_said_to_be_none() {
        for text in ["", "ed25519:", "ed25519:AAAA", "rsa:AAAA", &format!("ed25519:{}", STANDARD.encode([0; 33]))] {
            assert_eq!(text.parse::<PublicKey>(), Err(PublicKeyError), "{text}");
        }
        for text in ["", "hunter2", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(SecretKey::from_pem(text).unwrap_err(), KeyError::NoKey, "{text}");
        }
    }
}
