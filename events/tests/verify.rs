//! From an event to a signed message and back.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tidemill_events::{Delivery, Envelope, Event, Key, Message, Scheme, Signer, Verifier, VerifyError, attribute};

const ARRIVAL: SystemTime = SystemTime::UNIX_EPOCH;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn event() -> Event {
    Event {
        id: "0193".into(),
        event_type: "user.registered".into(),
        time: SystemTime::UNIX_EPOCH + Duration::new(1_764_000_000, 5),
        content_type: Some("application/json".into()),
        ordering_key: Some("user-1".into()),
        attributes: BTreeMap::from([("tenant".into(), "acme".into())]),
        data: br#"{"email":"a@example.com"}"#.to_vec(),
    }
}

fn delivered(message: Message) -> Envelope {
    let delivery = Delivery {
        message_id: "7".into(),
        subscription: "projects/p/subscriptions/s".into(),
        attempt: Some(2),
        publish_time: Some(SystemTime::UNIX_EPOCH + Duration::from_secs(9)),
    };
    Envelope { message, delivery }
}

fn plain(attributes: &[(&str, &str)], data: &[u8]) -> Message {
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Message { data: data.to_vec(), attributes, ordering_key: None }
}

fn verifier() -> Verifier {
    Verifier::new(vec![key("old=other"), key("k1=s3cret")], vec![Scheme::V1])
}

#[test]
fn a_signed_event_arrives_as_it_was() {
    let message = Signer::new(key("k1=s3cret")).sign(&event()).into_message();
    let verified = verifier().verify(delivered(message), ARRIVAL).unwrap();
    assert_eq!(verified.event, event());
    assert_eq!(verified.delivery.attempt, Some(2));
}

#[test]
fn reserved_attributes_of_a_publisher_give_way_to_the_fields() {
    let mut forged = event();
    forged.attributes.insert(attribute::EVENT_TYPE.into(), "admin.granted".into());
    forged.attributes.insert(attribute::SIGNATURE.into(), "00".into());
    let message = Signer::new(key("k1=s3cret")).sign(&forged).into_message();
    assert_eq!(verifier().verify(delivered(message), ARRIVAL).unwrap().event, event());
}

#[test]
fn the_plain_scheme_takes_id_and_time_from_the_delivery() {
    let signature = tidemill_events::signature::v1::sign(&key("k1=s3cret"), b"{}");
    let message = plain(&[("event-type", "user.name.changed"), ("signature", &signature)], b"{}");
    let event = verifier().verify(delivered(message), ARRIVAL).unwrap().into_inner().event;
    assert_eq!(event.id, "7");
    assert_eq!(event.time, SystemTime::UNIX_EPOCH + Duration::from_secs(9));
    assert_eq!(event.attributes, BTreeMap::new());
    assert_eq!(event.content_type, None);
}

#[test]
fn an_event_type_is_needed_and_asked_for_after_the_signature() {
    let signature = tidemill_events::signature::v1::sign(&key("k1=s3cret"), b"{}");
    for attributes in [vec![("signature", signature.as_str())], vec![("signature", &signature), ("event-type", "")]] {
        let error = verifier().verify(delivered(plain(&attributes, b"{}")), ARRIVAL).unwrap_err();
        assert_eq!(error, VerifyError::MissingEventType);
    }
    let error = verifier().verify(delivered(plain(&[], b"{}")), ARRIVAL).unwrap_err();
    assert_eq!(error, VerifyError::NotSigned);
}

#[test]
fn without_keys_or_schemes_nothing_verifies() {
    let message = Signer::new(key("k1=s3cret")).sign(&event()).into_message();
    let no_keys = Verifier::new(vec![], vec![Scheme::V1]);
    assert_eq!(no_keys.verify(delivered(message.clone()), ARRIVAL).unwrap_err(), VerifyError::InvalidSignature);
    let no_schemes = Verifier::new(vec![key("k1=s3cret")], vec![]);
    assert_eq!(no_schemes.verify(delivered(message), ARRIVAL).unwrap_err(), VerifyError::NotSigned);
}

proptest! {
    #[test]
    fn any_changed_bit_of_the_data_fails(data in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>()) {
        let mut message = Signer::new(key("k1=s3cret")).sign(&Event { data, ..event() }).into_message();
        prop_assert!(verifier().verify(delivered(message.clone()), ARRIVAL).is_ok());
        let bit = at.index(message.data.len() * 8);
        message.data[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verifier().verify(delivered(message), ARRIVAL).unwrap_err(), VerifyError::InvalidSignature);
    }
}
