//! Deliveries in the other forms: unwrapped, and CloudEvents in both modes.

use serde_json::{Value, json};

use crate::common::fresh_id;
use crate::envelope::{DEEP, GZIP, MALFORMED};
use crate::row::Answer::{self, Refused, Stored};
use crate::row::Mode::{NoAuth, Oidc};
use crate::row::Row;
use crate::scene::{Scene, UNSIGNED_SOURCE};
use crate::wire::Http;

const NOT_SIGNED: Answer = Refused(401, "not-signed");
const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
const STRUCTURED: &str = "application/cloudevents+json";

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = unwrapped(scene);
    rows.extend(binary(scene));
    rows.extend(structured(scene));
    rows
}

/// A good delivery as one that isn't wrapped.
fn good_unwrapped(scene: &Scene) -> Http {
    let envelope = scene.changed(|_| {});
    let attributes = envelope.message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Http::post(envelope.message.data.clone())
        .headers(attributes)
        .header("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s")
        .header("x-goog-pubsub-message-id", fresh_id())
}

fn unwrapped(scene: &Scene) -> Vec<Row> {
    let row = |what, http: Http, answer| Row::new(what, NoAuth, http, answer);
    let with = |what, name: &str, value: &[u8]| row(what, good_unwrapped(scene).header(name, value), MALFORMED);
    let good = scene.changed(|_| {}).message;
    let many = (0..129).map(|n| (format!("a{n}"), String::new()));
    let many = many.fold(good_unwrapped(scene), |http, (name, value)| http.header(name, value));
    let keyed = good_unwrapped(scene).header("x-goog-pubsub-ordering-key", "user-1");
    vec![
        row("unwrapped data without metadata", Http::post(good.data.clone()), MALFORMED),
        row(
            "unwrapped without a signature",
            Http::post(good.data).header("x-goog-pubsub-message-id", "1").header("event-type", "script"),
            NOT_SIGNED,
        ),
        with("unwrapped with an attribute's header twice", "event-type", b"account.closed"),
        with("unwrapped with an attribute's header twice, in another case", "Event-Type", b"account.closed"),
        with("unwrapped with `signature-v2` twice", "signature-v2", b"v2,k1,x"),
        with("unwrapped with two message ids", "x-goog-pubsub-message-id", b"1"),
        with("unwrapped with two subscriptions", "x-goog-pubsub-subscription-name", UNSIGNED_SOURCE.as_bytes()),
        with("unwrapped with an attribute that is no UTF-8", "tenant", b"\xff"),
        with("unwrapped with an attribute of 1,025 bytes", "tenant", &[b'v'; 1025]),
        with("unwrapped with an attribute's name of 257 bytes", &"n".repeat(257), b""),
        with("unwrapped with a publish time that is none", "x-goog-pubsub-publish-time", b"yesterday"),
        with("unwrapped with a second content type", "content-type", b"text/plain"),
        row("unwrapped with 129 further attributes", many, MALFORMED),
        row("unwrapped with an ordering key added", keyed, Refused(403, "invalid-signature")),
        with("unwrapped and a CloudEvent at once", "ce-id", b"1"),
        row("a wrapped envelope that says it is unwrapped", says_unwrapped(scene), NOT_SIGNED),
        row(
            "an envelope in gzip with `Content-Encoding`",
            Http::post(GZIP).header("Content-Encoding", "gzip"),
            MALFORMED,
        ),
    ]
}

/// Its headers have no signature, and what stands in its body is data.
fn says_unwrapped(scene: &Scene) -> Http {
    Http::post(scene.changed(|_| {}).encode()).header("x-goog-pubsub-message-id", "1").header("event-type", "script")
}

/// A good delivery as Eventarc sends it, but for these headers, and without those that are empty.
fn binary_with(scene: &Scene, changes: &[(&str, &str)]) -> Http {
    let body = scene.changed(|_| {}).encode();
    let good = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "//x/y"), ("ce-type", PUBLISHED)];
    let kept = good.into_iter().filter(|(name, _)| !changes.iter().any(|(other, _)| other == name));
    Http::post(body).headers(kept.chain(changes.iter().copied().filter(|(_, value)| !value.is_empty())))
}

fn binary(scene: &Scene) -> Vec<Row> {
    let row = |what, changes: &[(&str, &str)]| Row::new(what, NoAuth, binary_with(scene, changes), MALFORMED);
    let of_another = [("ce-type", "google.cloud.storage.object.v1.finalized"), ("ce-source", UNSIGNED_SOURCE)];
    vec![
        row("a CloudEvent of version 0.3", &[("ce-specversion", "0.3")]),
        row("a CloudEvent without its version", &[("ce-specversion", "")]),
        row("a CloudEvent without its type", &[("ce-type", "")]),
        row("a CloudEvent without its source", &[("ce-source", "")]),
        row("a CloudEvent with `ce-datacontenttype`", &[("ce-datacontenttype", "application/json")]),
        row("a CloudEvent with two sources", &[("ce-source", "//x/y"), ("Ce-Source", UNSIGNED_SOURCE)]),
        row("a CloudEvent with bytes that are no UTF-8, in percent encoding", &[("ce-subject", "%C0%AF")]),
        row("a CloudEvent with an encoded line's end", &[("ce-subject", "a%0D%0Ab")]),
        row("a CloudEvent with an attribute of 2,049 bytes", &[("ce-subject", &"s".repeat(2049))]),
        row("a CloudEvent in both modes at once", &[("content-type", STRUCTURED)]),
        Row::new(
            "a CloudEvent of another kind, of an unsigned source, without a token",
            NoAuth,
            binary_with(scene, &of_another),
            NOT_SIGNED,
        ),
        Row::new(
            "a CloudEvent of another kind and source, by a vouched sender",
            Oidc,
            binary_with(scene, &[("ce-type", "x.y"), ("authorization", &scene.token())]),
            Stored("not-signed"),
        ),
        Row::new(
            "a CloudEvent on `/` whose headers say nothing of one",
            NoAuth,
            Http::post(scene.changed(|_| {}).encode()).line("POST / HTTP/1.1"),
            Refused(404, "wrong-path"),
        ),
    ]
}

fn structured(scene: &Scene) -> Vec<Row> {
    let envelope: Value = serde_json::from_slice(&scene.changed(|_| {}).encode()).unwrap();
    let event = json!({ "specversion": "1.0", "id": "1", "source": "//x/y", "type": PUBLISHED, "data": envelope });
    let of_type = |what, content_type: &str, body: String| {
        Row::new(what, NoAuth, Http::post(body).header("content-type", content_type), MALFORMED)
    };
    let row = |what, body: String| of_type(what, STRUCTURED, body);
    let with = |what, name: &str, value: Value| {
        let mut event = event.clone();
        event[name] = value;
        row(what, event.to_string())
    };
    let text = event.to_string();
    let first = |what, member: &str| row(what, text.replacen('{', &format!("{{{member},"), 1));
    vec![
        of_type("a batch of CloudEvents", "application/cloudevents-batch+json", json!([event]).to_string()),
        of_type("a CloudEvent in another format", "application/cloudevents+xml", text.clone()),
        row("a structured CloudEvent in an array", json!([event]).to_string()),
        first("a structured CloudEvent with `data` twice", r#""data":{}"#),
        first("a structured CloudEvent with `type` twice, once escaped", r#""typ\u0065":"x.y""#),
        with("a structured CloudEvent with `data` and `data_base64`", "data_base64", json!("e30=")),
        with("a structured CloudEvent with a number as its source", "source", json!(1)),
        with("a structured CloudEvent with an object as an attribute", "x", json!({})),
        with("a structured CloudEvent with a name in capitals", "Subject", json!("s")),
        with("a structured CloudEvent with a line's end in its source", "source", json!("//x/y\n")),
        with("a structured CloudEvent without an envelope within", "data", json!({})),
        with("a structured CloudEvent with text in place of the envelope", "data", json!(envelope.to_string())),
        row(
            "a structured CloudEvent with data of 100,000 arrays",
            text.replace(&envelope.to_string(), &format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ),
    ]
}
