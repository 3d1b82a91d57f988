//! What the wrapped envelope may look like, and what it may not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use tidemill_events::{Delivery, Envelope, Message};

fn decode(text: &str) -> Envelope {
    Envelope::decode(text.as_bytes()).unwrap()
}

fn refused(text: &str) -> String {
    Envelope::decode(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn the_documented_push_body_is_read_whole() {
    let envelope = decode(
        r#"{"deliveryAttempt": 5,
            "message": {
              "attributes": {"key": "value"}, "data": "SGVsbG8gQ2xvdWQgUHViL1N1YiEgSGVyZSBpcyBteSBtZXNzYWdlIQ==",
              "messageId": "2070443601311540", "message_id": "2070443601311540", "orderingKey": "key",
              "publishTime": "2021-02-26T19:13:55.749Z", "publish_time": "2021-02-26T19:13:55.749Z"},
            "subscription": "projects/myproject/subscriptions/mysubscription"}"#,
    );
    assert_eq!(envelope.message.data, b"Hello Cloud Pub/Sub! Here is my message!");
    assert_eq!(envelope.message.attributes["key"], "value");
    assert_eq!(envelope.message.ordering_key.as_deref(), Some("key"));
    assert_eq!(envelope.delivery.message_id, "2070443601311540");
    assert_eq!(envelope.delivery.subscription, "projects/myproject/subscriptions/mysubscription");
    assert_eq!(envelope.delivery.attempt, Some(5));
    let expected = SystemTime::UNIX_EPOCH + Duration::from_millis(1_614_366_835_749);
    assert_eq!(envelope.delivery.publish_time, Some(expected));
}

#[test]
fn either_spelling_serves_alone() {
    let snake = decode(r#"{"message":{"message_id":"1","publish_time":"2021-02-26T19:13:55Z"},"subscription":"s"}"#);
    let camel = decode(r#"{"message":{"messageId":"1","publishTime":"2021-02-26T19:13:55Z"},"subscription":"s"}"#);
    assert_eq!(snake, camel);
    assert_eq!(snake.delivery.message_id, "1");
}

#[test]
fn what_is_optional_may_be_absent_null_or_empty() {
    let absent = decode(r#"{"message":{"messageId":"1"},"subscription":"s"}"#);
    let null = decode(
        r#"{"message":{"messageId":"1","data":null,"attributes":null,"orderingKey":null,"publishTime":null},
            "subscription":"s","deliveryAttempt":null}"#,
    );
    let empty =
        decode(r#"{"message":{"messageId":"1","data":"","attributes":{},"orderingKey":""},"subscription":"s"}"#);
    assert_eq!(absent, null);
    assert_eq!(absent, empty);
    assert!(absent.message.data.is_empty());
}

#[test]
fn unknown_fields_and_escaped_slashes_are_tolerated() {
    let envelope = decode(
        r#"{"new":[1,{"deep":true}],"message":{"data":"AP\/\/","messageId":"1","later":{}},"subscription":"a\/b"}"#,
    );
    assert_eq!(envelope.message.data, [0, 0xff, 0xff]);
    assert_eq!(envelope.delivery.subscription, "a/b");
}

#[test]
fn a_local_publishers_short_form_is_read() {
    let envelope = decode(r#"{"message":{"attributes":{"event-type":"user.name.changed"},"data":"e30="}}"#);
    assert_eq!(envelope.message.data, b"{}");
    assert_eq!(envelope.delivery.message_id, "");
}

#[test]
fn each_wrong_form_is_refused_by_name() {
    for (body, says) in [
        ("", "no push envelope"),
        ("{", "no push envelope"),
        ("[]", "no push envelope"),
        (r#"{"subscription":"s"}"#, "missing field `message`"),
        (r#"{"message":{"data":"not base 64 encoded"},"subscription":"s"}"#, "`message.data` is no base64"),
        (r#"{"message":{"data":7},"subscription":"s"}"#, "expected a string"),
        (r#"{"message":{"attributes":{"a":1}},"subscription":"s"}"#, "expected a string"),
        (r#"{"message":{"attributes":{"a":"1","a":"2"}},"subscription":"s"}"#, "an attribute stands twice: \"a\""),
        (r#"{"message":{"data":"","data":"e30="},"subscription":"s"}"#, "duplicate field `data`"),
        (r#"{"message":{"messageId":"1","message_id":"2"},"subscription":"s"}"#, "`message.messageId` and"),
        (r#"{"message":{"publishTime":"soon"},"subscription":"s"}"#, "`message.publishTime`"),
        (r#"{"message":{},"subscription":"s"} trailing"#, "trailing characters"),
        (r#"{"message":{},"deliveryAttempt":-1}"#, "no push envelope"),
        (r#"{"message":null}"#, "missing field `message`"),
        (r#"[{"data":""},"s"]"#, "expected a JSON object"),
        (r#"{"message":["e30=",{}],"subscription":"s"}"#, "expected a JSON object"),
    ] {
        let error = refused(body);
        assert!(error.contains(says), "{body}: {error}");
    }
    for (field, long) in [
        ("message.messageId", format!(r#"{{"message":{{"messageId":"{}"}}}}"#, "x".repeat(1025))),
        ("a name", format!(r#"{{"message":{{"attributes":{{"{}":""}}}}}}"#, "x".repeat(257))),
        ("a value", format!(r#"{{"message":{{"attributes":{{"a":"{}"}}}}}}"#, "x".repeat(1025))),
        ("subscription", format!(r#"{{"message":{{}},"subscription":"{}"}}"#, "x".repeat(1025))),
        ("message.publishTime", format!(r#"{{"message":{{"publishTime":"{}"}}}}"#, "x".repeat(5000))),
    ] {
        let error = refused(&long);
        assert!(error.contains(field) && error.len() < 500, "{error}");
    }
    for text in ["x".repeat(5000), "\u{1}".repeat(5000)] {
        for body in [
            serde_json::json!({ "message": text }),
            serde_json::json!({"message": {}, "deliveryAttempt": text}),
            serde_json::json!({"message": {"attributes": text}}),
            serde_json::json!({"message": {"data": {}, (text.clone()): 1}}),
        ] {
            let error = refused(&body.to_string());
            assert!(error.len() < 400 && error.contains("at line 1"), "{error}");
        }
        let twice = format!(r#"{{"message":{{"attributes":{{{0:?}:"",{0:?}:""}}}}}}"#, "x".repeat(200));
        let error = refused(&twice);
        assert!(error.contains("stands twice") && error.matches('x').count() <= 70, "{error}");
    }
    let attributes = |n: usize| (0..n).map(|i| (format!("a{i}"), "".into())).collect::<serde_json::Map<_, _>>();
    let many = |n| serde_json::json!({"message": {"attributes": attributes(n)}}).to_string();
    assert_eq!(decode(&many(128)).message.attributes.len(), 128);
    assert!(refused(&many(129)).contains("more than 128 attributes"));
    let deep = format!("{{\"message\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(refused(&deep).contains("no push envelope"));
}

prop_compose! {
    fn any_envelope()(
        data in any::<Vec<u8>>(),
        attributes in prop::collection::btree_map("\\PC{0,60}", "\\PC{0,200}", 0..5),
        ordering_key in prop::option::of("[^\0]{1,20}"),
        message_id in "\\PC{0,200}",
        subscription in "\\PC{0,200}",
        attempt in any::<Option<u32>>(),
        publish_nanos in prop::option::of(0..4_000_000_000_000_000_000u64),
    ) -> Envelope {
        let publish_time = publish_nanos.map(|n| SystemTime::UNIX_EPOCH + Duration::from_nanos(n));
        Envelope {
            message: Message { data, attributes, ordering_key },
            delivery: Delivery { message_id, subscription, attempt, publish_time, ..Delivery::default() },
        }
    }
}

proptest! {
    #[test]
    fn decode_undoes_encode(envelope in any_envelope()) {
        prop_assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
    }

    #[test]
    fn no_body_panics(body in any::<Vec<u8>>()) {
        _ = Envelope::decode(&body);
    }
}
