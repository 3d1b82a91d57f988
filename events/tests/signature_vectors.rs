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
use tidemill_events::{Envelope, Key, KeyRing, Scheme, Sender, Verifier, VerifyError};

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
    let keys = KeyRing::from(Key::new("k1", &case.secret).unwrap());
    match Verifier::new(vec![Scheme::V1]).verify(&keys, envelope, Sender::Stranger, SystemTime::UNIX_EPOCH) {
        Ok(_) => "valid",
        Err(error) => match error.reason {
            VerifyError::NotSigned => "not-signed",
            VerifyError::MalformedSignature(_) => "malformed-signature",
            VerifyError::InvalidSignature => "invalid-signature",
            VerifyError::MissingEventType => "missing-event-type",
            other => panic!("version 1 asks for nothing else: {other}"),
        },
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
