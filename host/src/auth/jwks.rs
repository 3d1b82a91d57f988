//! The issuer's public keys: a JWK Set (RFC 7517), read with `jsonwebtoken`, used with `ring`.
//!
//! Of `jsonwebtoken` only the types of the key set serve here. Its `decode` reads the system's clock, has one
//! cryptography for the whole process and panics where nobody chose it, passes over `crit` and over names that come
//! twice, and takes lists for `iss` and `aud`.

use std::collections::HashMap;
use std::sync::Arc;

use jsonwebtoken::jwk::{Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{DecodingKey, DecodingKeyKind};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use serde::Deserialize;
use serde_json::Value;

use super::token::Token;

/// Bits below which a key is none: NIST SP 800-131A. `ring` takes none below either.
const MIN_BITS: usize = 2048;

/// The keys of an issuer that can verify RS256, by their ids.
pub(super) struct KeySet(HashMap<String, Arc<Rs256Key>>);

/// An RSA public key for RS256 (RSASSA-PKCS1-v1_5 with SHA-256; RFC 7518, section 3.3).
pub(super) struct Rs256Key(RsaPublicKeyComponents<Vec<u8>>);

impl KeySet {
    /// The keys of a JWK Set, without those that are for something else; `None` where the text is no JWK Set. RFC 7517,
    /// section 5, asks readers to pass over what they don't understand, so that an issuer can add kinds of keys.
    pub(super) fn read(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }

        let set: Set = serde_json::from_slice(json).ok()?;
        let mut keys = HashMap::new();
        for jwk in set.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok()) {
            if let (Some(key), Some(id)) = (Rs256Key::read(&jwk), jwk.common.key_id) {
                // Of two keys of one id the first one stays: ids are distinct (RFC 7517, section 4.5).
                keys.entry(id).or_insert_with(|| Arc::new(key));
            }
        }
        Some(Self(keys))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn get(&self, id: &str) -> Option<Arc<Rs256Key>> {
        self.0.get(id).cloned()
    }
}

impl Rs256Key {
    fn read(jwk: &Jwk) -> Option<Self> {
        let for_signatures = match (&jwk.common.public_key_use, &jwk.common.key_operations) {
            (Some(of), _) => *of == PublicKeyUse::Signature,
            (None, Some(operations)) => operations.contains(&KeyOperations::Verify),
            (None, None) => true,
        };
        let for_rs256 = jwk.common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::RS256);
        if !for_signatures || !for_rs256 {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let DecodingKeyKind::RsaModulusExponent { n, e } = key.kind() else { return None };
        let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        (bits >= MIN_BITS && !e.is_empty()).then_some(Self(RsaPublicKeyComponents { n, e }))
    }

    /// Whether the token was signed with this key. Its own word for the algorithm is not asked.
    pub(super) fn verifies(&self, token: &Token<'_>) -> bool {
        token.signature.as_ref().is_some_and(|signature| {
            self.0.verify(&RSA_PKCS1_2048_8192_SHA256, token.signed.as_bytes(), signature).is_ok()
        })
    }
}

/// Some issuers write the sign byte that ASN.1 wants, and `ring` wants none.
fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|byte| *byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use serde_json::json;

    use super::*;

    fn jwk(id: &str, bits: usize) -> Value {
        let n = URL_SAFE_NO_PAD.encode(vec![0xff; bits / 8]);
        json!({ "kty": "RSA", "kid": id, "use": "sig", "alg": "RS256", "n": n, "e": "AQAB" })
    }

    fn with(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
        let mut jwk = jwk("changed", 2048);
        change(jwk.as_object_mut().unwrap());
        jwk
    }

    fn ids(keys: Vec<Value>) -> Vec<String> {
        let set = KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
        let mut ids: Vec<_> = set.0.into_keys().collect();
        ids.sort();
        ids
    }

    #[test]
    fn what_is_no_rs256_key_is_passed_over() {
        let others = vec![
            jwk("short", 2040),
            with(|key| drop(key.insert("kty".into(), json!("EC")))),
            with(|key| drop(key.insert("kty".into(), json!("AKP")))),
            with(|key| drop(key.insert("use".into(), json!("enc")))),
            with(|key| drop(key.insert("use".into(), json!(5)))),
            with(|key| drop(key.insert("alg".into(), json!("PS256")))),
            with(|key| drop(key.insert("alg".into(), json!("RS1024")))),
            with(|key| drop(key.remove("kid"))),
            with(|key| drop(key.remove("n"))),
            with(|key| drop(key.insert("n".into(), json!("not base64!")))),
            with(|key| drop(key.insert("e".into(), json!("AA")))),
            with(|key| {
                key.remove("use");
                key.insert("key_ops".into(), json!(["encrypt"]));
            }),
            json!({ "kty": "oct", "kid": "symmetric", "k": "AAAA" }),
            json!("no object"),
            json!(null),
        ];
        assert!(ids(others.clone()).is_empty());
        assert_eq!(ids([others, vec![jwk("good", 2048)]].concat()), ["good"]);
    }

    #[test]
    fn what_a_key_may_leave_out_it_may_leave_out() {
        let bare = with(|key| {
            key.remove("use");
            key.remove("alg");
        });
        assert_eq!(ids(vec![bare, jwk("long", 4096), jwk("long", 2048)]), ["changed", "long"]);
        let zeros = with(|key| {
            let n = [vec![0], vec![0xff; 256]].concat();
            key.insert("n".into(), json!(URL_SAFE_NO_PAD.encode(n)));
        });
        let set = KeySet::read(json!({ "keys": [zeros] }).to_string().as_bytes()).unwrap();
        assert_eq!(set.get("changed").unwrap().0.n.len(), 256);
    }

    #[test]
    fn what_is_no_key_set_is_none() {
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "<html>"] {
            assert!(KeySet::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
