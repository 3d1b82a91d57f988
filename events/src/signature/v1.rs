//! Scheme v1: `signature` = hex HMAC-SHA256(key = the secret's UTF-8 bytes, message = the decoded data).
//!
//! It vouches for the data alone: not for the event type, not for the other attributes, not for the time. It is the
//! scheme of the publishers that exist, and compatible with them to the byte.

use hmac::Mac;

use super::VerifyError;
use crate::{Key, KeyRing};

/// The signature of `data`, in lower-case hex.
#[must_use]
pub fn sign(key: &Key, data: &[u8]) -> String {
    hex::encode(key.v1().chain_update(data).finalize().into_bytes())
}

/// Checks a signature (hex of either case) against each key, in constant time for each, and gives the one that fits.
///
/// # Errors
/// [`VerifyError::MalformedSignature`] where the text is no hex, [`VerifyError::InvalidSignature`] where no key fits.
pub(crate) fn verify<'a>(keys: &'a KeyRing, data: &[u8], signature: &str) -> Result<&'a Key, VerifyError> {
    let signature = hex::decode(signature).map_err(|error| {
        VerifyError::MalformedSignature(format!("the attribute `signature` is no hex text: {error}"))
    })?;
    // `verify_slice` compares in constant time; that a signature has the wrong length is no secret.
    let matches = |key: &&Key| key.v1().chain_update(data).verify_slice(&signature).is_ok();
    keys.keys().iter().find(matches).ok_or(VerifyError::InvalidSignature)
}
