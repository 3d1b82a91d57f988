//! `Verifier::receive` says what its two steps say, whatever comes, and whoever owns the body.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::result_large_err, reason = "what is compared is compared whole")]

mod support;

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use support::{Request, any_envelope, binary, structured, unwrapped, wrapped};
use tidemill_events::{
    Delivery, Envelope, Event, Key, KeyRing, NotReceived, Received, Scheme, Sender, Signer, Unverified, Verified,
    Verifier,
};

const NOW: Duration = Duration::from_secs(1_800_000_000);

/// What became of a request: an event, or the reason and what is kept.
type Became = Result<Verified<Received>, (String, Envelope)>;

fn named(mut envelope: Envelope) -> Envelope {
    if envelope.delivery.message_id.is_empty() {
        envelope.delivery.message_id = "unnamed".to_owned();
    }
    envelope
}

fn in_two_steps(request: &Request, verifier: &Verifier, keys: &KeyRing, now: SystemTime) -> Became {
    let headers = || request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    match request.read() {
        Ok(envelope) => verifier
            .verify(keys, named(envelope), Sender::Vouched, now)
            .map_err(|unverified| (unverified.reason.to_string(), unverified.envelope)),
        Err(error) => Err((error.to_string(), named(Envelope::salvage(headers(), &request.body)))),
    }
}

fn in_one(request: &Request, body: Cow<'_, [u8]>, verifier: &Verifier, keys: &KeyRing, now: SystemTime) -> Became {
    let headers = request.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    let received = verifier.receive(keys, headers, body, Sender::Vouched, now, || "unnamed".to_owned());
    received.map_err(|not| match not {
        NotReceived::NoEnvelope(no) => (no.error.to_string(), no.salvaged),
        NotReceived::Unverified(unverified) => {
            let Unverified { envelope, reason } = *unverified;
            (reason.to_string(), envelope)
        }
    })
}

fn check(request: &Request) -> usize {
    let keys = KeyRing::from("k1=s3cret".parse::<Key>().unwrap());
    let now = UNIX_EPOCH + NOW;
    let mut taken = 0;
    for accept in [vec![Scheme::V2], vec![Scheme::V1], vec![Scheme::V2, Scheme::V1]] {
        let rule = "projects/p/subscriptions/open -> open.event".parse().unwrap();
        let verifier = Verifier::new(accept).max_age(Duration::from_secs(3600)).exemptions(vec![rule]);
        let expected = in_two_steps(request, &verifier, &keys, now);
        taken += usize::from(expected.is_ok());
        for body in [Cow::Borrowed(request.body.as_slice()), Cow::Owned(request.body.clone())] {
            assert_eq!(in_one(request, body, &verifier, &keys, now), expected);
        }
    }
    taken
}

fn signed(envelope: Envelope, data: Vec<u8>) -> Envelope {
    let event = Event {
        id: "01a20bb7".into(),
        event_type: "user.registered".into(),
        time: UNIX_EPOCH + NOW,
        content_type: envelope.message.attributes.get("content-type").cloned(),
        ordering_key: envelope.message.ordering_key.clone(),
        attributes: envelope.message.attributes,
        data,
    };
    let signer = Signer::new("k1=s3cret".parse().unwrap());
    Envelope { message: signer.sign(&event).into_message(), delivery: envelope.delivery }
}

proptest! {
    #[test]
    fn whatever_comes(
        envelope in any_envelope(),
        sign in any::<bool>(),
        form in prop::sample::select(vec![wrapped, unwrapped, binary, structured]),
        spoiled in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        nameless in prop::bool::weighted(0.2),
        open in prop::bool::weighted(0.3),
    ) {
        let data = envelope.message.data.clone();
        let mut envelope = if sign { signed(envelope, data) } else { envelope };
        if nameless {
            envelope.delivery.message_id.clear();
        }
        if open {
            envelope.delivery.subscription = "projects/p/subscriptions/open".to_owned();
        }
        let mut request = form(&envelope);
        if let Some((index, byte)) = spoiled && !request.body.is_empty() {
            let at = index.index(request.body.len());
            request.body[at] = byte;
        }
        check(&request);
    }
}

/// What the property seldom makes.
#[test]
fn what_is_signed_is_taken_whatever_its_size_and_its_escapes() {
    for size in [0, 1, 3_071, 3_072, 3_073, 100_000] {
        let envelope = signed(Envelope::default(), vec![b'x'; size]);
        let envelope = Envelope {
            delivery: Delivery { message_id: "7".into(), ..Delivery::default() },
            message: envelope.message,
        };
        let request = wrapped(&envelope);
        assert_eq!(check(&request), 3, "{size}");
        // A writer may escape any character; the slash of base64 is what some do.
        let text = String::from_utf8(request.body.clone()).unwrap();
        let escaped = Request { body: text.replace("eHh4", "\\u0065Hh4").into_bytes(), ..request.clone() };
        assert_eq!(check(&escaped), 3, "{size}");
        let broken = Request { body: text.replace("eHh4", "eHh=").into_bytes(), ..request };
        assert_eq!(check(&broken), if size < 3 { 3 } else { 0 }, "{size}");
    }
    let too_long =
        Envelope { message: signed(Envelope::default(), vec![0; (10 << 20) + 1]).message, ..Envelope::default() };
    assert_eq!(check(&wrapped(&too_long)), 0);
}
