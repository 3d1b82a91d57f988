//! The published test vectors of the signature schemes: each case, decoded and verified, ends as its file says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::SystemTime;

use serde::Deserialize;
use tidemill_events::{Envelope, Key, Scheme, Verifier, VerifyError};

#[derive(Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    secret: String,
    envelope: serde_json::Value,
    expect: String,
}

fn judge(case: &Case) -> &'static str {
    let Ok(envelope) = Envelope::decode(case.envelope.to_string().as_bytes()) else { return "malformed-envelope" };
    let key = Key::new("k1", &case.secret).unwrap();
    match Verifier::new(vec![key], vec![Scheme::V1]).verify(envelope, SystemTime::UNIX_EPOCH) {
        Ok(_) => "valid",
        Err(VerifyError::NotSigned) => "not-signed",
        Err(VerifyError::MalformedSignature(_)) => "malformed-signature",
        Err(VerifyError::InvalidSignature) => "invalid-signature",
        Err(VerifyError::MissingEventType) => "missing-event-type",
    }
}

#[test]
fn v1_vectors_end_as_they_say() {
    let vectors: Vectors = serde_json::from_str(include_str!("vectors/signature-v1.json")).unwrap();
    assert!(vectors.cases.len() >= 10, "only {} cases", vectors.cases.len());
    for case in &vectors.cases {
        assert_eq!(judge(case), case.expect, "case {:?}", case.name);
    }
}
