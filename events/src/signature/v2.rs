//! Scheme v2: `signature-v2` = `v2,KEYID,BASE64`, an HMAC-SHA256 over all that makes the event what it is.
//!
//! Its message is the pre-authentication encoding of six pieces: event type, event id, event time (as its attribute has
//! it), ordering key, content type, data; what is absent is empty. The ordering key is the attribute `ordering-key`, or
//! the delivered key where there is no such attribute; where there are both, they are the same or nothing matches. Its
//! key is SHA-256 over `tidemill-signature-v2:` and the secret. Several entries stand with one space between, so that a publisher can sign with two keys at once.
//! `docs/signature.md` says all of it, with an example.
//!
//! Sources: the pre-authentication encoding (PAE) is that of PASETO, "Common implementation details"; the list of
//! entries, the version in each and the base64 are those of the Standard Webhooks specification, "Signature scheme".

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::Mac;

use super::{Signed, VerifyError};
use crate::key::is_key_id;
use crate::{Key, KeyRing, Message, attribute};

/// What each entry of this version begins with.
const VERSION: &str = "v2";
/// The most entries that are looked at: a stranger's list must not cost more than a few hashes.
const MAX_ENTRIES: usize = 8;
/// Bytes of an HMAC-SHA256.
const MAC_BYTES: usize = 32;

/// The value of the attribute `signature-v2` for a message that has all its other attributes.
#[must_use]
pub fn sign(key: &Key, message: &Message) -> String {
    let mac = authenticate(key, &Signed::of(message)).finalize().into_bytes();
    Entry { key_id: key.id(), mac: mac.into() }.to_string()
}

/// Checks the value of the attribute `signature-v2` and gives the key that it was made with.
///
/// An entry counts only under the key that it names, so one that names none of `keys` is passed over.
///
/// # Errors
/// [`VerifyError::MalformedSignature`] where an entry has another form, [`VerifyError::UnknownKey`] where none names a
/// key of the ring, [`VerifyError::InvalidSignature`] where none that does matches.
pub(crate) fn verify<'a>(keys: &'a KeyRing, message: &Signed<'_>, signature: &str) -> Result<&'a Key, VerifyError> {
    let entries = parse(signature)?;
    let mut known = entries.iter().filter_map(|entry| Some((keys.get(entry.key_id)?, entry.mac))).peekable();
    if known.peek().is_none() {
        return Err(match entries.first() {
            Some(entry) => VerifyError::UnknownKey(entry.key_id.to_owned()),
            // Entries of later versions alone: for this one there is no signature.
            None => VerifyError::NotSigned,
        });
    }
    if let (Some(delivered), Some(signed)) = (message.ordering_key, message.reserved.get(attribute::ORDERING_KEY))
        && delivered != signed
    {
        return Err(VerifyError::InvalidSignature);
    }
    // `verify_slice` compares in constant time.
    let matching = known.find(|(key, mac)| authenticate(key, message).verify_slice(mac).is_ok());
    matching.map(|(key, _)| key).ok_or(VerifyError::InvalidSignature)
}

struct Entry<'a> {
    key_id: &'a str,
    mac: [u8; MAC_BYTES],
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION},{},{}", self.key_id, STANDARD.encode(self.mac))
    }
}

/// The entries of this version. Those of others are passed over, so that a later one can be signed beside this.
fn parse(signature: &str) -> Result<Vec<Entry<'_>>, VerifyError> {
    let mut entries = Vec::new();
    for (index, text) in signature.split(' ').enumerate() {
        let wrong = |what: &str| {
            VerifyError::MalformedSignature(format!("entry {} of the attribute `signature-v2` {what}", index + 1))
        };
        if index == MAX_ENTRIES {
            return Err(wrong(&format!("is one more than the {MAX_ENTRIES} that are read")));
        }
        let (version, rest) = text.split_once(',').ok_or_else(|| wrong("is not v2,KEYID,BASE64"))?;
        if version != VERSION {
            if !is_version(version) {
                return Err(wrong("begins with no version"));
            }
            continue;
        }
        let (key_id, mac) = rest.split_once(',').ok_or_else(|| wrong("is not v2,KEYID,BASE64"))?;
        if !is_key_id(key_id) {
            return Err(wrong("names no key: an id has 1 to 64 letters, digits, `.`, `_` or `-`"));
        }
        entries.push(Entry { key_id, mac: read_mac(mac).map_err(|what| wrong(&what))? });
    }
    Ok(entries)
}

/// The bytes of an HMAC, or what is wrong with their text.
fn read_mac(text: &str) -> Result<[u8; MAC_BYTES], String> {
    let mut mac = [0; MAC_BYTES];
    match STANDARD.decode_slice(text, &mut mac) {
        Ok(MAC_BYTES) => Ok(mac),
        // What is too long or too short is decoded whole, to say what it is.
        _ => Err(match STANDARD.decode(text) {
            Ok(mac) => format!("has {} bytes behind its key, and an HMAC-SHA256 has {MAC_BYTES}", mac.len()),
            Err(error) => format!("has no base64 behind its key: {error}"),
        }),
    }
}

/// `v` and a number, as `v2`, `v10`.
fn is_version(text: &str) -> bool {
    text.strip_prefix('v')
        .is_some_and(|number| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The HMAC that has seen a message.
fn authenticate(key: &Key, message: &Signed<'_>) -> hmac::Hmac<sha2::Sha256> {
    let text = |name: &str| message.reserved.get(name).unwrap_or_default().as_bytes();
    let delivered_key = || message.ordering_key.unwrap_or_default().as_bytes();
    let signed_key = message.reserved.get(attribute::ORDERING_KEY).map(str::as_bytes);
    let pieces = [
        text(attribute::EVENT_TYPE),
        text(attribute::EVENT_ID),
        text(attribute::EVENT_TIME),
        signed_key.unwrap_or_else(delivered_key),
        text(attribute::CONTENT_TYPE),
        message.data,
    ];
    // A length in PAE has its highest bit cleared; no slice is so long that it would be set.
    let length = |length: usize| (length as u64).to_le_bytes();
    pieces.iter().fold(key.v2().chain_update(length(pieces.len())), |mac, piece| {
        mac.chain_update(length(piece.len())).chain_update(piece)
    })
}
