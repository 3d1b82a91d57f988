//! Version 2 of the signature, as `docs/signature.md` has it, for one key and one entry.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::envelope::Attributes;

/// What the key of version 2 is derived with.
const DERIVATION: &[u8] = b"tidemill-signature-v2:";

/// A signing key: how its entries begin, and the state of an HMAC that has taken it in.
pub(crate) struct Key {
    entry: String,
    mac: Hmac<Sha256>,
}

impl Key {
    /// The key that `ID=SECRET` says; `None` for another text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('=')?;
        let derived = Sha256::new().chain_update(DERIVATION).chain_update(secret).finalize();
        Some(Self { entry: format!("v2,{id},"), mac: Hmac::new_from_slice(&derived).ok()? })
    }

    /// Whether the signature is this key's, over these attributes and this data. It takes the same time for each wrong one.
    pub(crate) fn verifies(&self, attributes: &Attributes<'_>, data: &[u8]) -> bool {
        let Some(signature) = attributes.signature_v2.strip_prefix(&self.entry) else { return false };
        // One byte more than there are, which the decoder asks for as room.
        let mut tag = [0; 33];
        let Ok(32) = STANDARD.decode_slice(signature, &mut tag) else { return false };
        let pieces: [&[u8]; 6] = [
            attributes.event_type.as_bytes(),
            attributes.event_id.as_bytes(),
            attributes.event_time.as_bytes(),
            attributes.ordering_key.as_bytes(),
            attributes.content_type.as_bytes(),
            data,
        ];
        let mut mac = self.mac.clone();
        mac.update(&(pieces.len() as u64).to_le_bytes());
        for piece in pieces {
            mac.update(&(piece.len() as u64).to_le_bytes());
            mac.update(piece);
        }
        tag.get(..32).is_some_and(|tag| mac.verify_slice(tag).is_ok())
    }
}
