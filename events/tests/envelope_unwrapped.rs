//! The unwrapped envelope: what its headers may say, and which form a request is taken for.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use support::{Request, any_envelope, binary, came_as, structured, unwrapped, wrapped};
use tidemill_events::{Envelope, Event, Form, Key, KeyRing, Scheme, Sender, Signer, Verifier};

const ID: (&str, &str) = ("x-goog-pubsub-message-id", "2070443601311540");
const SUBSCRIPTION: (&str, &str) = ("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s");

fn documented() -> Request {
    Request::new(
        &[
            ("content-length", "25"),
            ("content-type", "application/json"),
            ("user-agent", "CloudPubSub-Google"),
            ("host", "subscription-project.uc.r.appspot.com"),
            SUBSCRIPTION,
            ID,
            ("x-goog-pubsub-publish-time", "2021-02-26T19:13:55.749Z"),
            ("x-goog-pubsub-ordering-key", "some-key"),
        ],
        r#"{"status": "Hello there"}"#,
    )
}

#[test]
fn the_documented_request_is_read_whole() {
    let Envelope { message, delivery } = documented().read().unwrap();
    assert_eq!(message.data, br#"{"status": "Hello there"}"#);
    assert_eq!(message.attributes, BTreeMap::from([("content-type".into(), "application/json".into())]));
    assert_eq!(message.ordering_key.as_deref(), Some("some-key"));
    assert_eq!(delivery.message_id, "2070443601311540");
    assert_eq!(delivery.subscription, "projects/p/subscriptions/s");
    assert_eq!(delivery.attempt, None);
    assert_eq!(delivery.publish_time, Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_614_366_835_749)));
    assert_eq!((delivery.form, delivery.source), (Form::Unwrapped, None));
}

#[test]
fn what_the_emulator_sends_has_no_content_type() {
    let request = Request::new(
        &[
            ID,
            ("x-goog-pubsub-publish-time", "2026-11-25T08:04:45.286Z"),
            SUBSCRIPTION,
            ("User-Agent", "Java/17.0.15"),
            ("Host", "127.0.0.1:18991"),
            ("Accept", "text/html, image/gif, image/jpeg, */*; q=0.2"),
            ("Connection", "keep-alive"),
            ("Content-type", "application/x-www-form-urlencoded"),
            ("Content-Length", "2"),
        ],
        "{}",
    );
    assert_eq!(request.read().unwrap().message.attributes, BTreeMap::new());
    let typed = request.without("Content-type").with("Content-Type", "text/plain").read().unwrap();
    assert_eq!(typed.message.attributes["content-type"], "text/plain");
}

#[test]
fn credentials_and_what_the_way_adds_are_no_attributes() {
    let added = [
        "accept",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "forwarded",
        "host",
        "proxy-authorization",
        "te",
        "traceparent",
        "transfer-encoding",
        "user-agent",
        "via",
        "x-appengine-country",
        "x-cloud-trace-context",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-goog-iap-jwt-assertion",
        "x-goog-pubsub-later",
        "x-request-id",
        "x-serverless-authorization",
        "x-api-key",
        "x-apigateway-api-userinfo",
    ];
    let request = added.iter().fold(documented(), |request, name| {
        request.with(name, "Bearer secret").with(&name.to_uppercase(), "Bearer secret")
    });
    assert_eq!(request.read().unwrap(), documented().read().unwrap());
    let request = documented()
        .with("googclient_traceparent", "00-1")
        .with("content-encoding", "gzip")
        .with("X-Tenant", "")
        .with("priority", "high");
    let attributes = request.read().unwrap().message.attributes;
    let names: Vec<_> = attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["content-encoding", "content-type", "googclient_traceparent", "priority", "x-tenant"]);
}

#[test]
fn either_header_of_pubsub_makes_the_form() {
    for header in [ID, SUBSCRIPTION] {
        let envelope = Request::new(&[header], "no JSON").read().unwrap();
        assert_eq!(
            (envelope.message.data.as_slice(), envelope.delivery.form),
            (b"no JSON".as_slice(), Form::Unwrapped)
        );
    }
    let json = wrapped(&documented().read().unwrap()).body;
    let envelope = Request::new(&[ID], json.clone()).read().unwrap();
    assert_eq!(envelope.message.data, json, "the headers decide, not the body");
}

#[test]
fn each_wrong_form_is_refused_by_name() {
    let long = "x".repeat(5000);
    for (request, says) in [
        (documented().with(ID.0, "1"), "\"x-goog-pubsub-message-id\" stands twice"),
        (documented().with("X-Goog-Pubsub-Subscription-Name", "s"), "subscription-name\" stands twice"),
        (documented().with("x-goog-pubsub-publish-time", "2021-02-26T19:13:55Z"), "publish-time\" stands twice"),
        (documented().with("x-goog-pubsub-ordering-key", "k"), "ordering-key\" stands twice"),
        (documented().with("content-type", "text/plain"), "\"content-type\" stands twice"),
        (documented().with("signature", "00").with("Signature", "01"), "\"Signature\" stands twice"),
        (documented().with("signature", b"\xff"), "the header \"signature\" is no UTF-8"),
        (Request::default().with(ID.0, b"\xc3\x28"), "message-id\" is no UTF-8"),
        (documented().with("signature", &long), "the header \"signature\" has 5000 bytes"),
        (documented().with(&long, ""), "has 5000 bytes, and may have 256"),
        (Request::new(&[(ID.0, &long)], ""), "message-id\" has 5000 bytes, and may have 1024"),
        (Request::new(&[ID, ("x-goog-pubsub-ordering-key", &long)], ""), "ordering-key\" has 5000 bytes"),
        (Request::new(&[ID, ("x-goog-pubsub-publish-time", "soon")], ""), "publish-time\": \"soon\" is no RFC 3339"),
        (Request::new(&[ID, ("x-goog-pubsub-publish-time", &long)], ""), "publish-time\" has 5000 bytes"),
        ((0..129).fold(documented(), |r, i| r.with(&format!("a{i}"), "")), "more than 128 attributes"),
    ] {
        let error = request.refused();
        assert!(error.contains(says), "{says}: {error}");
        assert!(error.len() < 300 && error.matches('x').count() <= 70, "{error}");
    }
}

#[test]
fn two_forms_at_once_are_refused() {
    let event = binary(&documented().read().unwrap());
    let in_json = structured(&documented().read().unwrap());
    for (request, says) in [
        (documented().with("ce-specversion", "1.0"), "`ce-…` and `x-goog-pubsub-…`"),
        (documented().with("CE-Subject", "s"), "`ce-…` and `x-goog-pubsub-…`"),
        (event.with(SUBSCRIPTION.0, ""), "`ce-…` and `x-goog-pubsub-…`"),
        (in_json.clone().with("ce-id", "1"), "cloudevents…` and `ce-…`"),
        (in_json.clone().with(ID.0, "1"), "cloudevents…` and `x-goog-pubsub-…`"),
        (in_json.with("Content-Type", "application/json"), "\"content-type\" stands twice"),
    ] {
        let error = request.refused();
        assert!(error.contains(says), "{says}: {error}");
    }
}

#[test]
fn data_without_metadata_are_answered_with_the_setting_that_is_missing() {
    for body in ["", "Hello", r#"{"Name":"Ada"}"#, "[]", "7", "\u{0}", r#"[["e30="],"s"]"#] {
        let error = Request::new(&[("content-type", "application/json")], body).refused();
        assert!(error.contains("no push envelope") && error.contains("--push-no-wrapper-write-metadata"), "{error}");
    }
    for body in [r#"{"message":{"data":7}}"#, r#"{"message":[]}"#, r#"{"message":{"data":"?"}}"#] {
        let error = Request::new(&[], body).refused();
        assert!(!error.contains("--push-no-wrapper"), "{error}");
    }
}

/// What Pub/Sub calls 10 MB is read as MiB, and not a byte more is taken, whatever the body has room for.
#[test]
fn no_form_has_more_than_ten_mebibytes_of_data() {
    let mut envelope = documented().read().unwrap();
    for (bytes, refused) in [(10 << 20, false), ((10 << 20) + 1, true)] {
        envelope.message.data = vec![b'x'; bytes];
        for request in [wrapped(&envelope), unwrapped(&envelope), binary(&envelope), structured(&envelope)] {
            let error = request.read().err().map(|error| error.to_string());
            let expected = "the event's data has 10485761 bytes, and may have 10485760 at most".to_owned();
            assert_eq!(error, refused.then_some(expected), "{bytes}");
        }
    }
}

#[test]
fn a_signature_verifies_in_every_form() {
    let event = Event {
        id: "0193".into(),
        event_type: "user.registered".into(),
        time: SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000),
        content_type: Some("application/json".into()),
        ordering_key: Some("user-1".into()),
        attributes: BTreeMap::from([("tenant".into(), "acme".into())]),
        data: br#"{"email":"a@example.com"}"#.to_vec(),
    };
    let key: Key = "k1=s3cret".parse().unwrap();
    let message = Signer::new(key.clone()).sign(&event).into_message();
    let envelope = Envelope { message, delivery: documented().read().unwrap().delivery };
    let (verifier, keys) = (Verifier::new(vec![Scheme::V2]), KeyRing::from(key));
    for request in [wrapped(&envelope), unwrapped(&envelope), binary(&envelope), structured(&envelope)] {
        let verified = verifier.verify(&keys, request.read().unwrap(), Sender::Stranger, event.time).unwrap();
        assert_eq!(verified.event, event);
    }
}

proptest! {
    #[test]
    fn decode_undoes_encode(envelope in any_envelope()) {
        prop_assert_eq!(unwrapped(&envelope).read().unwrap(), came_as(&envelope, Form::Unwrapped, None));
        prop_assert_eq!(wrapped(&envelope).read().unwrap(), envelope);
    }

    #[test]
    fn no_request_panics(
        headers in prop::collection::vec(
            (prop_oneof![Just(ID.0.to_owned()), Just("signature".to_owned()), Just("content-type".to_owned()), any::<String>()],
             any::<Vec<u8>>()),
            0..6,
        ),
        body in any::<Vec<u8>>(),
    ) {
        _ = Request { headers, body }.read();
    }
}
