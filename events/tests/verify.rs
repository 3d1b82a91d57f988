//! From an event to a signed message and back, and everything that must not come back.
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
use tidemill_events::{
    Delivery, Envelope, Event, Key, KeyRing, Message, Received, Scheme, Schemes, Sender, Signer, Verified, Verifier,
    VerifyError, Voucher, attribute,
};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;
const SUBSCRIPTION: &str = "projects/p/subscriptions/s";

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn keys() -> KeyRing {
    KeyRing::new(vec![key("old=other"), key("k1=s3cret")]).unwrap()
}

fn event() -> Event {
    Event {
        id: "0193".into(),
        event_type: "user.registered".into(),
        time: NOW + Duration::new(100, 5),
        content_type: Some("application/json".into()),
        ordering_key: Some("user-1".into()),
        attributes: BTreeMap::from([("tenant".into(), "acme".into())]),
        data: br#"{"email":"a@example.com"}"#.to_vec(),
    }
}

fn signed(schemes: Schemes, event: &Event) -> Message {
    Signer::new(key("k1=s3cret")).schemes(schemes).sign(event).into_message()
}

fn delivered(message: Message) -> Envelope {
    let delivery = Delivery {
        message_id: "7".into(),
        subscription: SUBSCRIPTION.into(),
        attempt: Some(2),
        publish_time: Some(NOW + Duration::from_secs(9)),
        ..Delivery::default()
    };
    Envelope { message, delivery }
}

fn plain(attributes: &[(&str, &str)], data: &[u8]) -> Message {
    let attributes = attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Message { data: data.to_vec(), attributes, ordering_key: None }
}

fn verify(accept: &[Scheme], message: Message) -> Result<Verified<Received>, VerifyError> {
    let verifier = Verifier::new(accept.to_vec());
    verifier.verify(&keys(), delivered(message), Sender::Stranger, NOW).map_err(|unverified| unverified.reason)
}

const V1: &[Scheme] = &[Scheme::V1];
const V2: &[Scheme] = &[Scheme::V2];
const BOTH: &[Scheme] = &[Scheme::V1, Scheme::V2];

#[test]
fn a_signed_event_arrives_as_it_was_whatever_it_was_signed_with() {
    for (schemes, accept, scheme) in [
        (Schemes::Both, V1, Scheme::V1),
        (Schemes::Both, V2, Scheme::V2),
        (Schemes::Both, BOTH, Scheme::V2),
        (Schemes::Only(Scheme::V1), V1, Scheme::V1),
        (Schemes::Only(Scheme::V1), BOTH, Scheme::V1),
        (Schemes::Only(Scheme::V2), V2, Scheme::V2),
    ] {
        let message = signed(schemes, &event());
        let verified = verify(accept, message.clone()).unwrap();
        assert_eq!(verified.event, event());
        assert_eq!(verified.delivery.attempt, Some(2));
        assert_eq!(verified.voucher, Voucher::Signature { scheme, key_id: "k1".into() });
        assert_eq!(verified.vouched_id(), (scheme == Scheme::V2).then_some("0193"));
        assert_eq!(verified.into_inner().into_message().0, message, "nothing of the message is lost");
    }
}

#[test]
fn only_what_is_accepted_counts() {
    for (schemes, accept) in
        [(Schemes::Only(Scheme::V1), V2), (Schemes::Only(Scheme::V2), V1), (Schemes::Both, &[] as &[_])]
    {
        assert_eq!(verify(accept, signed(schemes, &event())).unwrap_err(), VerifyError::NotSigned);
    }
    let no_keys = Verifier::new(BOTH.to_vec());
    let refused = no_keys.verify(
        &KeyRing::default(),
        delivered(signed(Schemes::Only(Scheme::V1), &event())),
        Sender::Stranger,
        NOW,
    );
    assert_eq!(refused.unwrap_err().reason, VerifyError::InvalidSignature);
}

/// A good v1 signature must not let through what v2 has found to be changed, wherever v1 is accepted.
#[test]
fn a_bad_v2_is_never_rescued_by_a_good_v1() {
    for accept in [V1, V2, BOTH] {
        let mut relabelled = signed(Schemes::Both, &event());
        relabelled.attributes.insert(attribute::EVENT_TYPE.into(), "admin.granted".into());
        assert_eq!(verify(accept, relabelled).unwrap_err(), VerifyError::InvalidSignature);
        let mut emptied = signed(Schemes::Both, &event());
        emptied.attributes.insert(attribute::SIGNATURE_V2.into(), String::new());
        assert!(matches!(verify(accept, emptied).unwrap_err(), VerifyError::MalformedSignature(_)));
    }
}

/// And the other way round: who accepts both does not ask for both.
#[test]
fn a_bad_v1_beside_a_good_v2_counts_only_where_v1_alone_is_accepted() {
    let mut message = signed(Schemes::Both, &event());
    message.attributes.insert(attribute::SIGNATURE.into(), "00".into());
    assert!(verify(BOTH, message.clone()).is_ok());
    assert_eq!(verify(V1, message).unwrap_err(), VerifyError::InvalidSignature);
}

#[test]
fn reserved_attributes_of_a_publisher_give_way_to_the_fields() {
    let mut forged = event();
    for name in attribute::RESERVED {
        forged.attributes.insert(name.into(), "forged".into());
    }
    assert_eq!(verify(V2, signed(Schemes::Both, &forged)).unwrap().event, event());
}

#[test]
fn the_plain_scheme_takes_id_and_time_from_the_delivery() {
    let signature = tidemill_events::signature::v1::sign(&key("k1=s3cret"), b"{}");
    let message = plain(&[("event-type", "user.name.changed"), ("signature", &signature)], b"{}");
    let event = verify(V1, message).unwrap().into_inner().event;
    assert_eq!(event.id, "7");
    assert_eq!(event.time, NOW + Duration::from_secs(9));
    assert_eq!(event.attributes, BTreeMap::new());
    assert_eq!(event.content_type, None);
}

#[test]
fn an_event_type_is_needed_and_asked_for_after_the_signature() {
    let signature = tidemill_events::signature::v1::sign(&key("k1=s3cret"), b"{}");
    for attributes in [vec![("signature", signature.as_str())], vec![("signature", &signature), ("event-type", "")]] {
        assert_eq!(verify(V1, plain(&attributes, b"{}")).unwrap_err(), VerifyError::MissingEventType);
    }
    assert_eq!(verify(V1, plain(&[], b"{}")).unwrap_err(), VerifyError::NotSigned);
}

/// Old and new key at once, as a publisher may sign while keys are changed.
#[test]
fn one_entry_that_fits_is_enough_and_keys_that_are_not_there_are_passed_over() {
    let mut message = signed(Schemes::Only(Scheme::V2), &event());
    let [ours, theirs] =
        ["k1=s3cret", "new=secret"].map(|text| tidemill_events::signature::v2::sign(&key(text), &message));
    let mut judge = |value: String| {
        message.attributes.insert(attribute::SIGNATURE_V2.into(), value);
        verify(V2, message.clone()).map(drop)
    };
    assert_eq!(judge(format!("{theirs} {ours}")), Ok(()));
    assert_eq!(judge(format!("v3,something=else {ours}")), Ok(()));
    assert_eq!(judge(theirs.clone()), Err(VerifyError::UnknownKey("new".into())));
    assert_eq!(judge("v3,something".into()), Err(VerifyError::NotSigned));
    // The right bytes under the name of another key that is held.
    assert_eq!(judge(ours.replace("k1", "old")), Err(VerifyError::InvalidSignature));
    let eight = [theirs.as_str(); 7].join(" ");
    assert_eq!(judge(format!("{eight} {ours}")), Ok(()));
    assert!(matches!(judge(format!("{eight} {theirs} {ours}")), Err(VerifyError::MalformedSignature(_))));
}

/// The emulator delivers by the ordering key and does not hand it on.
#[test]
fn an_ordering_key_that_the_broker_keeps_to_itself_is_known_nevertheless() {
    let mut message = signed(Schemes::Both, &event());
    message.ordering_key = None;
    assert_eq!(verify(V2, message.clone()).unwrap().event.ordering_key.as_deref(), Some("user-1"));
    message.ordering_key = Some("user-2".into());
    assert_eq!(verify(V2, message.clone()).unwrap_err(), VerifyError::InvalidSignature);
    message.attributes.insert(attribute::ORDERING_KEY.into(), "user-2".into());
    assert_eq!(verify(V2, message).unwrap_err(), VerifyError::InvalidSignature);
    // A publisher that doesn't repeat it: the delivered one is signed.
    let mut plain = signed(Schemes::Only(Scheme::V2), &event());
    plain.attributes.remove(attribute::ORDERING_KEY);
    assert!(verify(V2, plain.clone()).is_ok());
    plain.ordering_key = None;
    assert_eq!(verify(V2, plain).unwrap_err(), VerifyError::InvalidSignature);
}

/// What version 1 signs is any data at all. It must not be worth anything to version 2.
#[test]
fn a_v1_signature_over_the_text_that_v2_signs_is_no_v2_signature() {
    let mut message = signed(Schemes::Only(Scheme::V2), &event());
    let pieces: [&[u8]; 6] = [
        b"user.registered",
        b"0193",
        b"1970-01-01T00:01:40.000000005Z",
        b"user-1",
        b"application/json",
        br#"{"email":"a@example.com"}"#,
    ];
    let mut text = 6u64.to_le_bytes().to_vec();
    for piece in pieces {
        text.extend((piece.len() as u64).to_le_bytes());
        text.extend(piece);
    }
    let v1 = hex::decode(tidemill_events::signature::v1::sign(&key("k1=s3cret"), &text)).unwrap();
    let forged = format!("v2,k1,{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, v1));
    message.attributes.insert(attribute::SIGNATURE_V2.into(), forged);
    assert_eq!(verify(V2, message).unwrap_err(), VerifyError::InvalidSignature);
}

#[test]
fn an_event_has_to_be_of_these_days() {
    let (verifier, day) = (Verifier::new(V2.to_vec()).max_age(Duration::from_secs(86400)), Duration::from_secs(86400));
    let at = |now: SystemTime| {
        let message = signed(Schemes::Only(Scheme::V2), &Event { time: NOW + 10 * day, ..event() });
        verifier.verify(&keys(), delivered(message), Sender::Stranger, now).map(drop).map_err(|error| error.reason)
    };
    assert_eq!(at(NOW + 11 * day), Ok(()));
    assert!(matches!(at(NOW + 11 * day + Duration::from_secs(1)), Err(VerifyError::TooOld { .. })));
    assert_eq!(at(NOW + 10 * day - Duration::from_secs(300)), Ok(()));
    assert!(matches!(at(NOW + 10 * day - Duration::from_secs(301)), Err(VerifyError::FromTheFuture(_))));
}

#[test]
fn a_source_that_cannot_sign_is_taken_by_rule_and_only_from_a_vouched_sender() {
    let rules = [
        format!("{SUBSCRIPTION} eventType=OBJECT_FINALIZE -> upload.finished"),
        format!("{SUBSCRIPTION} eventType=OBJECT_DELETE -> upload.deleted"),
    ];
    let rules = rules.map(|rule| rule.parse().unwrap()).to_vec();
    let verifier = Verifier::new(V2.to_vec()).exemptions(rules);
    let verify = |message: &Message, sender| verifier.verify(&keys(), delivered(message.clone()), sender, NOW);
    let notice = plain(&[("eventType", "OBJECT_DELETE"), ("event-type", "admin.granted"), ("event-id", "1")], b"{}");
    let taken = verify(&notice, Sender::Vouched).unwrap();
    assert_eq!(taken.event.event_type, "upload.deleted");
    assert_eq!(taken.voucher, Voucher::Exemption { source: SUBSCRIPTION.into() });
    assert_eq!(taken.vouched_id(), None);
    assert_eq!(taken.event.attributes, BTreeMap::from([("eventType".into(), "OBJECT_DELETE".into())]));
    let refused = |message: &Message, sender| verify(message, sender).unwrap_err().reason;
    assert_eq!(refused(&notice, Sender::Stranger), VerifyError::NotSigned);
    let other = plain(&[("eventType", "OBJECT_ARCHIVE")], b"{}");
    assert_eq!(refused(&other, Sender::Vouched), VerifyError::NotSigned);
    // A signature is never passed over: who signs is judged by it.
    let signed = plain(&[("eventType", "OBJECT_DELETE"), ("signature-v2", "v2,k1,x")], b"{}");
    assert!(matches!(refused(&signed, Sender::Vouched), VerifyError::MalformedSignature(_)));
}

/// The emulator writes one content type of its own into unwrapped deliveries; a publisher may have signed that very one.
#[test]
fn a_content_type_that_the_emulator_writes_too_verifies_unwrapped() {
    let form = Event { content_type: Some("application/x-www-form-urlencoded".into()), ordering_key: None, ..event() };
    for event in [form, Event { content_type: None, ordering_key: None, ..event() }] {
        let message = signed(Schemes::Only(Scheme::V2), &event);
        let mut headers: Vec<_> = message.attributes.iter().map(|(n, v)| (n.as_str(), v.as_bytes())).collect();
        headers.push(("x-goog-pubsub-message-id", b"7"));
        if event.content_type.is_none() {
            headers.push(("content-type", b"application/x-www-form-urlencoded"));
        }
        let envelope = Envelope::from_request(headers, &message.data).unwrap();
        let verified = Verifier::new(V2.to_vec()).verify(&keys(), envelope, Sender::Stranger, NOW).unwrap();
        assert_eq!(verified.event, event);
    }
}

prop_compose! {
    fn any_event()(
        id in "[!-~]{1,40}",
        event_type in "[a-z.]{1,20}",
        seconds in 0..4_000_000_000u64,
        content_type in prop::option::of("[a-z/]{1,20}"),
        ordering_key in prop::option::of("\\PC{1,20}"),
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) -> Event {
        let time = NOW + Duration::from_secs(seconds);
        Event { id, event_type, time, content_type, ordering_key, attributes: BTreeMap::new(), data }
    }
}

/// The pieces that v2 signs, as bytes that a test can change.
fn pieces(message: &mut Message) -> Vec<Vec<u8>> {
    let mut text = |name: &str| message.attributes.get(name).cloned().unwrap_or_default().into_bytes();
    let mut pieces: Vec<_> = ["event-type", "event-id", "event-time", "content-type"].map(&mut text).to_vec();
    // Without its attribute, the key that is delivered is the one that is signed.
    message.attributes.remove("ordering-key");
    pieces.push(message.ordering_key.clone().unwrap_or_default().into_bytes());
    pieces.push(message.data.clone());
    pieces
}

fn with_pieces(mut message: Message, pieces: &[Vec<u8>]) -> Option<Message> {
    let text = |index: usize| String::from_utf8(pieces[index].clone()).ok();
    for (index, name) in ["event-type", "event-id", "event-time", "content-type"].iter().enumerate() {
        message.attributes.insert((*name).to_owned(), text(index)?);
    }
    message.ordering_key = Some(text(4)?).filter(|key| !key.is_empty());
    message.data.clone_from(&pieces[5]);
    Some(message)
}

proptest! {
    #[test]
    fn verify_undoes_sign(event in any_event()) {
        let now = event.time;
        let message = signed(Schemes::Both, &event);
        let verified = Verifier::new(V2.to_vec()).verify(&keys(), delivered(message), Sender::Stranger, now);
        prop_assert_eq!(verified.unwrap().into_inner().event, event);
    }

    /// A changed bit of the type, the id, the time, the ordering key, the content type or the data fails.
    #[test]
    fn any_changed_bit_of_what_v2_signs_fails(event in any_event(), at in any::<prop::sample::Index>()) {
        let mut message = signed(Schemes::Both, &event);
        let mut pieces = pieces(&mut message);
        let mut bit = at.index(pieces.iter().map(Vec::len).sum::<usize>() * 8);
        for piece in &mut pieces {
            if bit < piece.len() * 8 {
                piece[bit / 8] ^= 1 << (bit % 8);
                break;
            }
            bit -= piece.len() * 8;
        }
        // What is no text any more can't be delivered at all.
        if let Some(changed) = with_pieces(message, &pieces) {
            prop_assert_eq!(verify(BOTH, changed).unwrap_err(), VerifyError::InvalidSignature);
        }
    }

    /// Bytes that move over the border between two pieces are a change too.
    #[test]
    fn bytes_moved_between_neighbours_fail(event in any_event(), from in 0..5usize) {
        let mut message = signed(Schemes::Both, &event);
        let mut pieces = pieces(&mut message);
        if let Some(byte) = pieces[from].pop() {
            pieces[from + 1].insert(0, byte);
            if let Some(changed) = with_pieces(message, &pieces) {
                prop_assert_eq!(verify(BOTH, changed).unwrap_err(), VerifyError::InvalidSignature);
            }
        }
    }

    #[test]
    fn any_changed_bit_of_a_signature_fails(event in any_event(), at in any::<prop::sample::Index>()) {
        let mut message = signed(Schemes::Only(Scheme::V2), &event);
        let signature = message.attributes.get_mut(attribute::SIGNATURE_V2).unwrap();
        let mut bytes = signature.clone().into_bytes();
        let bit = at.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(changed) = String::from_utf8(bytes) {
            *signature = changed;
            prop_assert!(verify(V2, message).is_err());
        }
    }

    #[test]
    fn any_changed_bit_of_the_data_fails_under_v1(data in prop::collection::vec(any::<u8>(), 1..200), at in any::<prop::sample::Index>()) {
        let mut message = signed(Schemes::Only(Scheme::V1), &Event { data, ..event() });
        prop_assert!(verify(V1, message.clone()).is_ok());
        let bit = at.index(message.data.len() * 8);
        message.data[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(verify(V1, message).unwrap_err(), VerifyError::InvalidSignature);
    }
}
