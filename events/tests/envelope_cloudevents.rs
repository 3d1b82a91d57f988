//! CloudEvents: both modes, Pub/Sub messages and events of other sources, and what is refused.
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
use serde_json::{Value, json};
use support::{MESSAGE_PUBLISHED, Request, TOPIC, any_envelope, binary, came_as, event, percent, structured};
use tidemill_events::{Envelope, Form, Key, Scheme, Sender, Verifier, VerifyError, parse_rfc3339};

const BODY: &str = r#"{"message":{"attributes":{"event-type":"user.registered"},"data":"e30=","messageId":"7","message_id":"7",
    "publishTime":"2026-11-24T09:30:00Z","publish_time":"2026-11-24T09:30:00Z"},"subscription":"projects/p/subscriptions/s"}"#;

/// As "CloudEvents format" in the Eventarc documentation has it.
fn documented() -> Request {
    Request::new(
        &[
            ("ce-id", "7"),
            ("ce-source", TOPIC),
            ("ce-specversion", "1.0"),
            ("ce-type", MESSAGE_PUBLISHED),
            ("ce-time", "2026-11-24T09:30:00.5Z"),
            ("content-type", "application/json; charset=utf-8"),
        ],
        BODY,
    )
}

fn storage() -> Request {
    Request::new(
        &[
            ("ce-id", "8"),
            ("ce-source", "//storage.googleapis.com/projects/_/buckets/b"),
            ("ce-specversion", "1.0"),
            ("ce-type", "google.cloud.storage.object.v1.finalized"),
            ("ce-subject", "objects/Gr%C3%B6%C3%9Fe.txt"),
            ("ce-time", "2026-11-24T09:30:00Z"),
            ("ce-bucket", "b"),
            ("content-type", "application/json; charset=utf-8"),
            ("authorization", "Bearer secret"),
            ("traceparent", "00-1"),
        ],
        r#"{"bucket": "b", "size": 1.10}"#,
    )
}

fn members(changes: &Value) -> Request {
    let mut whole = json!({
        "specversion": "1.0", "id": "9", "source": "/here", "type": "com.example.someevent", "time": "2018-04-05T17:31:00Z",
    });
    for (name, value) in changes.as_object().unwrap() {
        whole[name] = value.clone();
    }
    event(&whole)
}

fn raw(members: &str) -> Request {
    Request::new(
        &[("content-type", "application/cloudevents+json")],
        format!(r#"{{"specversion":"1.0","id":"9","source":"/here","type":"t",{members}}}"#),
    )
}

#[test]
fn the_documented_message_is_read_as_its_wrapped_envelope() {
    let plain = Envelope::decode(BODY.as_bytes()).unwrap();
    let envelope = documented().read().unwrap();
    assert_eq!(envelope, came_as(&plain, Form::CloudEvent, Some(TOPIC)));
    let data: Value = serde_json::from_str(BODY).unwrap();
    let request = members(&json!({"type": MESSAGE_PUBLISHED, "source": TOPIC, "data": data}));
    assert_eq!(request.read().unwrap(), envelope);
    let base64 = base64(BODY.as_bytes());
    let request = members(&json!({"type": MESSAGE_PUBLISHED, "source": TOPIC, "data_base64": base64}));
    assert_eq!(request.read().unwrap(), envelope);
}

#[test]
fn the_messages_own_id_and_time_count_and_the_events_stand_in() {
    let envelope = documented().without("ce-id").with("ce-id", "another").read().unwrap();
    assert_eq!(envelope.delivery.message_id, "7");
    assert_eq!(envelope.delivery.publish_time, parse_rfc3339("2026-11-24T09:30:00Z").ok());
    let mut request = documented();
    request.body = br#"{"message":{"data":"e30="}}"#.to_vec();
    let envelope = request.read().unwrap();
    assert_eq!(envelope.delivery.message_id, "7");
    assert_eq!(envelope.delivery.publish_time, parse_rfc3339("2026-11-24T09:30:00.5Z").ok());
}

#[test]
fn an_event_of_another_source_is_a_message_of_its_own() {
    let Envelope { message, delivery } = storage().read().unwrap();
    assert_eq!(message.data, br#"{"bucket": "b", "size": 1.10}"#);
    assert_eq!(message.ordering_key, None);
    let expected = [
        ("ce-bucket", "b"),
        ("ce-id", "8"),
        ("ce-source", "//storage.googleapis.com/projects/_/buckets/b"),
        ("ce-specversion", "1.0"),
        ("ce-subject", "objects/Größe.txt"),
        ("ce-time", "2026-11-24T09:30:00Z"),
        ("ce-type", "google.cloud.storage.object.v1.finalized"),
        ("content-type", "application/json; charset=utf-8"),
    ];
    assert_eq!(message.attributes, BTreeMap::from(expected.map(|(k, v)| (k.to_owned(), v.to_owned()))));
    assert_eq!(delivery.message_id, "8");
    assert_eq!(delivery.subscription, "");
    assert_eq!(delivery.publish_time, parse_rfc3339("2026-11-24T09:30:00Z").ok());
    assert_eq!(delivery.source.as_deref(), Some("//storage.googleapis.com/projects/_/buckets/b"));
}

#[test]
fn an_event_of_another_source_can_bring_neither_type_nor_signature() {
    let request = storage().with("signature", "00").with("event-type", "user.registered");
    let envelope = request.read().unwrap();
    assert_eq!(envelope, storage().read().unwrap());
    let (verifier, key) = (Verifier::new(vec![Scheme::V2, Scheme::V1]), "k1=s3cret".parse::<Key>().unwrap());
    let refused = verifier.verify(&key.into(), envelope, Sender::Stranger, SystemTime::UNIX_EPOCH);
    assert_eq!(refused.unwrap_err().reason, VerifyError::NotSigned);
}

#[test]
fn an_attribute_that_looks_like_one_of_a_cloudevent_makes_none() {
    let body = r#"{"message":{"attributes":{"ce-source":"/here","ce-type":"t","ce-specversion":"1.0"}}}"#;
    let delivery = Request::new(&[], body).read().unwrap().delivery;
    assert_eq!((delivery.form, delivery.source), (Form::Wrapped, None));
}

#[test]
fn structured_data_arrive_as_they_stand() {
    for (request, data, content_type) in [
        (raw(r#""data": {"b" : 1.10,"a":[ ]} "#), r#"{"b" : 1.10,"a":[ ]}"#, Some("application/json")),
        (raw(r#""data":"I'm \u006aust a string""#), r#""I'm \u006aust a string""#, Some("application/json")),
        (raw(r#""data":null"#), "null", Some("application/json")),
        (raw(r#""data":12345678901234567890.10"#), "12345678901234567890.10", Some("application/json")),
        (raw(r#""data":[],"datacontenttype":"a/b+json;c=d""#), "[]", Some("a/b+json;c=d")),
        (
            raw(r#""datacontenttype":"application/xml","data":"<a b=\"\u20ac\"\/>""#),
            "<a b=\"€\"/>",
            Some("application/xml"),
        ),
        (raw(r#""datacontenttype":"text/plain","data":"plain""#), "plain", Some("text/plain")),
        (raw(r#""datacontenttype":"text/plain","data_base64":"AGE=""#), "\0a", Some("text/plain")),
        (raw(r#""data_base64":"YQ=\u003d""#), "a", None),
        (raw(r#""data_base64":null,"data":1"#), "1", Some("application/json")),
        (raw(r#""subject":null"#), "", None),
    ] {
        let Envelope { message, .. } = request.read().unwrap();
        assert_eq!(String::from_utf8(message.data).unwrap(), data);
        assert_eq!(message.attributes.get("content-type").map(String::as_str), content_type, "{data}");
    }
    let attributes = raw(r#""int":-5,"bool":true,"subject":null,"text":"t""#).read().unwrap().message.attributes;
    let expected = [("ce-bool", "true"), ("ce-id", "9"), ("ce-int", "-5"), ("ce-text", "t")];
    let shown: Vec<_> = attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert!(expected.iter().all(|one| shown.contains(one)) && shown.len() == 7, "{shown:?}");
}

#[test]
fn each_wrong_form_of_binary_mode_is_refused_by_name() {
    let long = "x".repeat(5000);
    for (request, says) in [
        (documented().without("ce-specversion"), "the header \"ce-specversion\" is missing"),
        (documented().without("ce-id"), "the header \"ce-id\" is missing"),
        (documented().without("ce-source"), "the header \"ce-source\" is missing"),
        (documented().without("ce-type"), "the header \"ce-type\" is missing"),
        (documented().without("ce-type").with("ce-type", ""), "\"ce-type\" is missing or empty"),
        (documented().without("ce-specversion").with("ce-specversion", "0.3"), "version \"0.3\", and 1.0"),
        (documented().with("Ce-Id", "7"), "\"ce-id\" stands twice"),
        (storage().with("ce-subject", "s"), "\"ce-subject\" stands twice"),
        (storage().with("ce-ext", b"\xff"), "\"ce-ext\" is no UTF-8"),
        (storage().with("ce-ext", "%ff"), "\"ce-ext\" is no UTF-8"),
        (storage().with("ce-ext", "a%0Ab"), "\"ce-ext\" has a control character"),
        (storage().with("ce-an-ext", "a"), "\"ce-an-ext\" is no name"),
        (storage().with("ce-", "a"), "\"ce-\" is no name"),
        (storage().with("ce-datacontenttype", "a/b"), "\"ce-datacontenttype\" may not be there"),
        (storage().without("ce-time").with("ce-time", "soon"), "\"ce-time\": \"soon\" is no RFC 3339"),
        (storage().without("ce-id").with("ce-id", &long), "\"ce-id\" has 5000 bytes"),
        (storage().without("ce-id").with("ce-id", "x".repeat(1025)), "\"ce-id\" has 1025 bytes"),
        (storage().with("ce-ext", &long), "\"ce-ext\" has 5000 bytes"),
        (storage().without("content-type").with("content-type", &long), "\"content-type\" has 5000 bytes"),
        (storage().with(&format!("ce-{long}"), "a"), "has 5000 bytes, and may have 256"),
        ((0..129).fold(storage(), |r, i| r.with(&format!("ce-a{i}"), "")), "more than 128 attributes"),
        (Request { body: b"{}".to_vec(), ..documented() }, "in the CloudEvent's data: the body is no push envelope"),
        (Request { body: b"".to_vec(), ..documented() }, "in the CloudEvent's data: the body is no push envelope"),
    ] {
        let error = request.refused();
        assert!(error.contains(says), "{says}: {error}");
        assert!(error.len() < 300 && error.matches('x').count() <= 70, "{error}");
    }
}

#[test]
fn each_wrong_form_of_structured_mode_is_refused_by_name() {
    let long = "x".repeat(5000);
    let typed =
        |content_type: &str| Request { headers: vec![("content-type".into(), content_type.into())], ..raw("\"a\":1") };
    for (request, says) in [
        (typed("application/cloudevents-batch+json"), "a batch of CloudEvents"),
        (typed("Application/CloudEvents-Batch+JSON; charset=utf-8"), "a batch of CloudEvents"),
        (typed("application/cloudevents+avro"), "\"application/cloudevents+avro\" is no CloudEvent"),
        (typed("application/cloudevents"), "\"application/cloudevents\" is no CloudEvent"),
        (typed(&format!("application/cloudevents+{long}")), "is no CloudEvent that is read"),
        (members(&json!({"id": null})), "the member \"id\" is missing or empty"),
        (members(&json!({"source": ""})), "the member \"source\" is missing or empty"),
        (members(&json!({"specversion": 1.0})), "the member \"specversion\" is no text"),
        (members(&json!({"id": 9})), "the member \"id\" is no text"),
        (members(&json!({"specversion": "1.0.2"})), "version \"1.0.2\""),
        (members(&json!({"time": "soon"})), "the member \"time\": \"soon\""),
        (members(&json!({"type": ["t"]})), "the member \"type\" is neither text nor number"),
        (members(&json!({"ext": {}})), "the member \"ext\" is neither"),
        (members(&json!({"Ext": "a"})), "the member \"Ext\" is no name"),
        (members(&json!({"ext": "a\nb"})), "the member \"ext\" has a control character"),
        (members(&json!({"ext": long})), "the member \"ext\" has 5000 bytes"),
        (members(&json!({long.clone(): "a"})), "has 5000 bytes, and may have 256"),
        (members(&json!({"data": 1, "data_base64": "YQ=="})), "\"data\" and \"data_base64\" are both there"),
        (members(&json!({"data_base64": "?"})), "\"data_base64\" is no base64"),
        (members(&json!({"data_base64": 7})), "expected a string"),
        (members(&json!({"datacontenttype": "text/plain", "data": {}})), "\"data\" is no text"),
        (members(&json!({"type": MESSAGE_PUBLISHED, "data": BODY})), "in the CloudEvent's data: the body is no push"),
        (members(&json!({"type": MESSAGE_PUBLISHED, "data": {"message": long}})), "in the CloudEvent's data"),
        (members(&json!({"type": MESSAGE_PUBLISHED})), "in the CloudEvent's data"),
        (raw(r#""id":"9""#), "the member \"id\" stands twice"),
        (raw(r#""\u0069d":"9""#), "the member \"id\" stands twice"),
        (raw("\n\"data\":tru"), "expected ident at line 2 column 11"),
        (raw(r#""data":1,"data":2"#), "the member \"data\" stands twice"),
        (raw(r#""ext":1,"ext":1"#), "the member \"ext\" stands twice"),
        (Request { body: b"[]".to_vec(), ..raw("") }, "expected a JSON object"),
        (Request { body: b"".to_vec(), ..raw("") }, "EOF while parsing a value at line 1"),
        (Request { body: b"{\"id\":\"\xff\"}".to_vec(), ..raw("") }, "the body is no UTF-8"),
        (raw(&format!("\"data\":{}", "[".repeat(100_000))), "the body is no CloudEvent"),
        (raw(&(0..129).map(|i| format!("\"a{i}\":1")).collect::<Vec<_>>().join(",")), "more than 128 members"),
    ] {
        let error = request.refused();
        assert!(error.contains(says), "{says}: {error}");
        assert!(error.len() < 300 && error.matches('x').count() <= 70, "{error}");
    }
    let twice = r#"{"message":{"data":"","data":"e30="}}"#;
    let error = raw(&format!(r#""time":null,"data":{twice}"#)).read().unwrap();
    assert_eq!(error.message.data, twice.as_bytes(), "data of a stranger's type are not looked into");
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

proptest! {
    #[test]
    fn decode_undoes_encode_in_both_modes(envelope in any_envelope()) {
        let expected = came_as(&envelope, Form::CloudEvent, Some(TOPIC));
        prop_assert_eq!(binary(&envelope).read().unwrap(), expected.clone());
        prop_assert_eq!(structured(&envelope).read().unwrap(), expected);
    }

    #[test]
    fn both_modes_say_the_same_of_another_sources_event(
        context in prop::collection::btree_map("[a-c0-9]{1,20}", "\\PC{0,60}", 0..6),
        id in "\\PC{1,40}",
        seconds in 0..4_000_000_000u64,
        data in any::<Vec<u8>>(),
    ) {
        let time = tidemill_events::format_rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        let mut whole = json!({"id": id, "time": time, "source": "/here", "type": "t", "specversion": "1.0",
            "datacontenttype": "a/b", "data_base64": base64(&data)});
        let mut request = Request::new(
            &[("ce-source", "/here"), ("ce-type", "t"), ("ce-specversion", "1.0"), ("content-type", "a/b")],
            data.clone(),
        )
        .with("ce-id", percent(&id)).with("ce-time", &time);
        for (name, value) in &context {
            whole[name] = json!(value);
            request = request.with(&format!("ce-{name}"), percent(value));
        }
        let envelope = request.read().unwrap();
        prop_assert_eq!(&event(&whole).read().unwrap(), &envelope);
        prop_assert_eq!(&envelope.message.data, &data);
        prop_assert_eq!(&envelope.delivery.message_id, &id);
        for (name, value) in &context {
            prop_assert_eq!(&envelope.message.attributes[&format!("ce-{name}")], value);
        }
    }

    #[test]
    fn no_event_panics(header in any::<Vec<u8>>(), text in "[\\[\\]{}:,\"a-z\\\\ 0-9.]{0,60}", body in any::<Vec<u8>>()) {
        let json = vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())];
        _ = Request { headers: json.clone(), body: body.clone() }.read();
        _ = Request { headers: json, body: text.into_bytes() }.read();
        _ = Request { body, ..storage().with("ce-ext", header) }.read();
    }
}
