//! The published test vectors of signature v2: each case, decoded and verified, ends as its file says.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use tidemill_events::signature::v2;
use tidemill_events::{Envelope, Key, KeyRing, Scheme, Sender, Verifier, VerifyError, attribute, parse_rfc3339};

#[derive(Deserialize)]
struct Vectors {
    max_event_age_seconds: u64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    keys: BTreeMap<String, String>,
    accept: Vec<String>,
    now: String,
    envelope: serde_json::Value,
    expect: String,
}

impl Case {
    fn keys(&self) -> KeyRing {
        KeyRing::new(self.keys.iter().map(|(id, secret)| Key::new(id, secret).unwrap()).collect()).unwrap()
    }

    fn envelope(&self) -> Envelope {
        Envelope::decode(self.envelope.to_string().as_bytes()).unwrap()
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("vectors/signature-v2.json")).unwrap()
}

fn code(error: &VerifyError) -> &'static str {
    match error {
        VerifyError::NotSigned => "not-signed",
        VerifyError::MalformedSignature(_) => "malformed-signature",
        VerifyError::InvalidSignature => "invalid-signature",
        VerifyError::UnknownKey(_) => "unknown-key",
        VerifyError::MissingEventType => "missing-event-type",
        VerifyError::MissingEventId => "missing-event-id",
        VerifyError::MalformedEventId => "malformed-event-id",
        VerifyError::MalformedEventTime(_) => "malformed-event-time",
        VerifyError::TooOld { .. } => "too-old",
        VerifyError::FromTheFuture(_) => "from-the-future",
    }
}

#[test]
fn v2_vectors_end_as_they_say() {
    let Vectors { max_event_age_seconds, cases } = vectors();
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    let mut ends = BTreeSet::new();
    for case in &cases {
        let accept: Vec<Scheme> = case.accept.iter().map(|name| name.parse().unwrap()).collect();
        let verifier = Verifier::new(accept).max_age(Duration::from_secs(max_event_age_seconds));
        let now = parse_rfc3339(&case.now).unwrap();
        let end = match verifier.verify(&case.keys(), case.envelope(), Sender::Stranger, now) {
            Ok(_) => "valid",
            Err(error) => code(&error.reason),
        };
        assert_eq!(end, case.expect, "case {:?}", case.name);
        ends.insert(end);
    }
    assert_eq!(ends.len(), 11, "no case for one of the ends: {ends:?}");
}

/// The vectors that one key signed were not made by this code, which must make the same of them.
#[test]
fn what_v2_signs_is_what_the_vectors_have() {
    let mut signed = 0;
    for case in vectors().cases.iter().filter(|case| case.expect == "valid") {
        let message = case.envelope().message;
        let Some(signature) = message.attributes.get(attribute::SIGNATURE_V2) else { continue };
        let mut parts = signature.split(',');
        if let (Some("v2"), Some(id), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) {
            assert_eq!(&v2::sign(case.keys().get(id).unwrap(), &message), signature, "case {:?}", case.name);
            signed += 1;
        }
    }
    assert!(signed >= 20, "only {signed} signed");
}

#[test]
fn the_example_on_the_page_is_the_first_vector() {
    let page = include_str!("../../docs/signature.md");
    let example = &vectors().cases[0];
    assert_eq!(example.name, "example");
    let message = example.envelope().message;
    for text in message.attributes.values() {
        assert!(page.contains(text.as_str()), "docs/signature.md doesn't have {text}");
    }
    assert!(page.contains(std::str::from_utf8(&message.data).unwrap()));
}
