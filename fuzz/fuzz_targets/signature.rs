//! The verifier, over whatever a request brings: nothing verifies but what the key has signed.
#![no_main]

use std::sync::LazyLock;
use std::time::SystemTime;

use libfuzzer_sys::fuzz_target;
use tidemill_events::signature::{v1, v2};
use tidemill_events::{Envelope, Key, KeyRing, Scheme, Sender, Verifier, VerifyError, attribute};
use tidemill_fuzz::Request;

static KEY: LazyLock<Key> = LazyLock::new(|| "k1=s3cret".parse().expect("a key"));
static KEYS: LazyLock<KeyRing> = LazyLock::new(|| KEY.clone().into());
static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::new(vec![Scheme::V2, Scheme::V1]));

fn verify(envelope: &Envelope) -> Result<(), VerifyError> {
    let verified = VERIFIER.verify(&KEYS, envelope.clone(), Sender::Stranger, SystemTime::UNIX_EPOCH);
    match verified {
        Ok(received) => {
            assert_eq!(received.event.data, envelope.message.data);
            let (mut message, delivery) = received.into_inner().into_message();
            if !envelope.message.attributes.contains_key(attribute::CONTENT_TYPE) {
                // One value may have been taken for the emulator's, and turned out to be the publisher's.
                message.attributes.remove(attribute::CONTENT_TYPE);
            }
            assert_eq!(
                (message.attributes, delivery),
                (envelope.message.attributes.clone(), envelope.delivery.clone())
            );
            Ok(())
        }
        Err(unverified) => {
            assert_eq!(&unverified.envelope, envelope);
            Err(unverified.reason)
        }
    }
}

fn is_about_the_signature(error: &VerifyError) -> bool {
    use VerifyError::{InvalidSignature, MalformedSignature, NotSigned, UnknownKey};
    matches!(error, NotSigned | MalformedSignature(_) | InvalidSignature | UnknownKey(_))
}

fuzz_target!(|input: &[u8]| {
    let Request { headers, body } = Request::new(input);
    let Ok(mut envelope) = Envelope::from_request(headers, body) else { return };
    let (v1, v2) = (v1::sign(&KEY, &envelope.message.data), v2::sign(&KEY, &envelope.message));
    let attribute = |name: &str| envelope.message.attributes.get(name);
    let (has_v1, has_v2) = (attribute(attribute::SIGNATURE), attribute(attribute::SIGNATURE_V2));
    let genuine = match (has_v1, has_v2) {
        (_, Some(text)) => text.split(' ').any(|entry| entry == v2),
        (Some(text), None) => text.eq_ignore_ascii_case(&v1),
        (None, None) => false,
    };
    if verify(&envelope).is_ok() {
        assert!(genuine, "verified, and not signed");
    }

    // Signed by v2, whatever else it is: what is wrong then is not the signature, unless the two ordering keys differ.
    envelope.message.attributes.insert(attribute::SIGNATURE_V2.to_owned(), v2);
    if let Err(error) = verify(&envelope) {
        let keys = (&envelope.message.ordering_key, envelope.message.attributes.get(attribute::ORDERING_KEY));
        let differ = matches!(keys, (Some(delivered), Some(signed)) if delivered != signed);
        assert!(!is_about_the_signature(&error) || differ, "{error}");
    }

    envelope.message.data.push(0);
    envelope.message.attributes.insert(attribute::SIGNATURE.to_owned(), v1::sign(&KEY, &envelope.message.data));
    assert_eq!(verify(&envelope), Err(VerifyError::InvalidSignature), "other data, under a good v1");
});
