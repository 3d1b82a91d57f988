//! Wrapped envelopes that two readers could understand differently, that are too large, or none. All are signed well.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use serde_json::{Value, json};
use tidemill_events::{Envelope, Message};

use crate::row::Answer::{self, Refused, Stored};
use crate::row::Mode::{NoAuth, Oidc};
use crate::row::Row;
use crate::scene::Scene;
use crate::wire::Http;

pub(crate) const MALFORMED: Answer = Refused(400, "malformed-envelope");
const TOO_LONG: Answer = Refused(413, "body-too-long");
/// How deep is deeper than any stack that is walked down.
pub(crate) const DEEP: usize = 100_000;

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = twice(scene);
    rows.extend(of_other_types(scene));
    rows.extend(of_bad_text(scene));
    rows.extend(of_bad_base64(scene));
    rows.extend(too_large(scene));
    rows.extend(vouched(scene));
    rows
}

fn row(what: &str, body: impl Into<Vec<u8>>) -> Row {
    Row::new(what, NoAuth, Http::post(body), MALFORMED)
}

fn good(scene: &Scene) -> String {
    String::from_utf8(scene.changed(|_| {}).encode()).unwrap()
}

/// A good envelope with a text before the first place that reads so.
fn before(scene: &Scene, place: &str, text: &str) -> String {
    let good = good(scene);
    assert!(good.contains(place), "{place} is not in {good}");
    good.replacen(place, &format!("{text}{place}"), 1)
}

/// A good envelope with a member of another value.
fn with(scene: &Scene, pointer: &str, value: Value) -> Vec<u8> {
    let mut envelope: Value = serde_json::from_str(&good(scene)).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    envelope.pointer_mut(parent).unwrap()[name] = value;
    envelope.to_string().into_bytes()
}

fn twice(scene: &Scene) -> Vec<Row> {
    let row = |what, place: &str, text: &str| row(what, before(scene, place, text));
    let (message, data, id) = (r#""message":"#, r#""data":"#, r#""messageId":"#);
    vec![
        row("`message` twice", message, r#""message":{},"#),
        row("`message` twice, once escaped", message, r#""mess\u0061ge":{},"#),
        row("`subscription` twice", message, r#""subscription":"projects/p/subscriptions/uploads","#),
        row("`deliveryAttempt` twice", message, r#""deliveryAttempt":1000,"#),
        row("`data` twice", data, r#""data":"W10=","#),
        row("`attributes` twice", data, r#""attributes":{"event-type":"account.closed"},"#),
        row("`messageId` twice", id, r#""messageId":"1","#),
        row("an attribute twice", r#""event-type":"#, r#""event-type":"account.closed","#),
        row("an attribute twice, the same", r#""event-type":"#, r#""event-type":"script","#),
        row("an attribute twice, once escaped", r#""event-type":"#, r#""event\u002dtype":"account.closed","#),
        self::row("`messageId` and `message_id` that differ", with(scene, "/message/message_id", json!("1"))),
        self::row(
            "`publishTime` and `publish_time` that differ",
            with(scene, "/message/publish_time", json!("2026-01-01T00:00:00Z")),
        ),
    ]
}

fn of_other_types(scene: &Scene) -> Vec<Row> {
    let with = |what, pointer: &str, value: Value| row(what, with(scene, pointer, value));
    let attempt = |what, number: &str| {
        let text = good(scene).replacen(r#""deliveryAttempt":1"#, &format!(r#""deliveryAttempt":{number}"#), 1);
        row(what, text)
    };
    let good: Value = serde_json::from_str(&good(scene)).unwrap();
    let message = &good["message"];
    let mut no_time = good.clone();
    (no_time["message"]["publishTime"], no_time["message"]["publish_time"]) = (json!("yesterday"), json!("yesterday"));
    let deep = |open: &str| open.repeat(DEEP);
    vec![
        row("an empty body", ""),
        row("no JSON", "message=x"),
        row("`null`", "null"),
        row("an array around the envelope", json!([good]).to_string()),
        row("an array of the envelope's members", json!([message, "projects/p/subscriptions/s", 1]).to_string()),
        with("`message` an array of its members", "/message", json!([message["data"], message["attributes"]])),
        with("`message` a text", "/message", json!(message.to_string())),
        with("`message` null", "/message", Value::Null),
        with("`attributes` an array of pairs", "/message/attributes", json!([["event-type", "script"]])),
        with("an attribute that is a number", "/message/attributes/event-type", json!(1)),
        with("an attribute that is null", "/message/attributes/tenant", Value::Null),
        with("an attribute that is an object", "/message/attributes/event-type", json!({ "script": true })),
        with("`data` an array of bytes", "/message/data", json!([91, 93])),
        with("`messageId` a number", "/message/messageId", json!(1)),
        with("`subscription` an object", "/subscription", json!({})),
        row("`publishTime` no time", no_time.to_string()),
        attempt("`deliveryAttempt` negative", "-1"),
        attempt("`deliveryAttempt` with a fraction", "1.5"),
        attempt("`deliveryAttempt` beyond 32 bits", "4294967296"),
        attempt("`deliveryAttempt` beyond every number", "1e999"),
        attempt("`deliveryAttempt` of a million digits", &"9".repeat(1_000_000)),
        attempt("`deliveryAttempt` a text", r#""1""#),
        row("a body of 100,000 arrays", deep("[")),
        row("`message` of 100,000 arrays", format!(r#"{{"message":{}"#, deep("["))),
        row("`attributes` of 100,000 objects", format!(r#"{{"message":{{"attributes":{}"#, deep(r#"{"a":"#))),
        row(
            "100,000 open arrays in a field that nobody reads",
            before(scene, r#""message":"#, &format!(r#""x":{}"#, deep("["))),
        ),
    ]
}

fn of_bad_text(scene: &Scene) -> Vec<Row> {
    let inside = |what, bytes: &[u8]| {
        let text = before(scene, "script\"", "\u{1}");
        let (start, end) = text.split_once('\u{1}').unwrap();
        row(what, [start.as_bytes(), bytes, end.as_bytes()].concat())
    };
    let utf16: Vec<u8> = good(scene).encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        inside("a byte that is no UTF-8", b"\xff"),
        inside("UTF-8 that is longer than it need be", b"\xc0\xaf"),
        inside("a surrogate in UTF-8", b"\xed\xa0\x80"),
        inside("half of a pair of surrogates, escaped", br"\ud800"),
        inside("the pair of surrogates the wrong way round", br"\udc00\ud800"),
        inside("a raw control character", b"\x01"),
        inside("a raw line's end", b"\r\n"),
        inside("an escape that there is none of", br"\x41"),
        row("UTF-16", utf16),
        row("a byte order mark", format!("\u{feff}{}", good(scene))),
        row("a NUL behind the envelope", format!("{}\0", good(scene))),
        row("a second envelope behind the first", good(scene).repeat(2)),
        row("a comment", format!("/* */{}", good(scene))),
        row("a comma too many", before(scene, r#","subscription""#, ",")),
        row("single quotes", good(scene).replace('"', "'")),
        row("the envelope cut off", &good(scene)[..good(scene).len() - 1]),
        row("the envelope in gzip", GZIP),
    ]
}

/// `{}`, compressed.
pub(crate) const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00";

fn of_bad_base64(scene: &Scene) -> Vec<Row> {
    // Of these bytes the alphabet for URLs makes other characters, and their number leaves bits over.
    let data = [scene.event().data, vec![b' ', 0xfb, 0xff, 0xfe]].concat();
    let envelope = scene.resigned(|message| message.data.clone_from(&data));
    let row = |what, text: String| {
        let standard = STANDARD.encode(&data);
        assert_ne!(text, standard);
        let body = String::from_utf8(envelope.encode()).unwrap();
        let (text, standard) = (json!(text).to_string(), json!(standard).to_string());
        assert!(body.contains(&standard), "{body}");
        row(what, body.replacen(&standard, &text, 1))
    };
    let good = STANDARD.encode(&data);
    let (start, end) = good.split_at(8);
    vec![
        row("base64 of the alphabet for URLs", URL_SAFE.encode(&data)),
        row("base64 without its padding", STANDARD_NO_PAD.encode(&data)),
        row("base64 with a line's end in it", format!("{start}\n{end}")),
        row("base64 with a space behind it", format!("{good} ")),
        row("base64 with more behind its padding", format!("{good}W10=")),
        row("base64 with spare bits set", spare_bit(&good)),
        row("data that are no base64", "[{}]".into()),
    ]
}

/// The same bytes, written with a bit set that means nothing.
fn spare_bit(base64: &str) -> String {
    let text = base64.trim_end_matches('=');
    let (start, last) = text.split_at(text.len() - 1);
    let last = char::from(last.as_bytes()[0] + 1);
    format!("{start}{last}{}", &base64[text.len()..])
}

fn too_large(scene: &Scene) -> Vec<Row> {
    let row = |what, change: &dyn Fn(&mut Message)| row(what, scene.resigned(change).encode());
    let named = |what, change: &dyn Fn(&mut Envelope)| {
        let mut envelope = scene.changed(|_| {});
        change(&mut envelope);
        self::row(what, envelope.encode())
    };
    let mut chunks = b"1000001\r\n".to_vec();
    chunks.resize(chunks.len() + (16 << 20) + 1, b' ');
    let head = |length: usize| Http::post(Vec::new()).unframed().header("Content-Length", length.to_string());
    vec![
        row("129 attributes", &|message| {
            message.attributes.remove("signature");
            message.attributes.extend((0..129 - message.attributes.len()).map(|n| (format!("a{n}"), String::new())));
        }),
        row("an attribute's name of 257 bytes", &|message| {
            message.attributes.insert("n".repeat(257), String::new());
        }),
        row("an attribute of 1,025 bytes", &|message| {
            message.attributes.insert("tenant".into(), "v".repeat(1025));
        }),
        row("an ordering key of 1,025 bytes", &|message| message.ordering_key = Some("k".repeat(1025))),
        named("a message id of 1,025 bytes", &|envelope| envelope.delivery.message_id = "1".repeat(1025)),
        named("a subscription of 1,025 bytes", &|envelope| envelope.delivery.subscription = "s".repeat(1025)),
        row("10 MiB and one byte of data", &|message| message.data = vec![b' '; (10 << 20) + 1]),
        Row::new("a body that is announced as 16 MiB and one byte", NoAuth, head((16 << 20) + 1), TOO_LONG),
        Row::new(
            "a body of 16 MiB and one byte that is not announced",
            NoAuth,
            Http::post(chunks).unframed().header("Transfer-Encoding", "chunked"),
            TOO_LONG,
        ),
        Row::new(
            "a body of 16 MiB and one byte, by a sender without a token",
            Oidc,
            head((16 << 20) + 1),
            Refused(401, "no-token"),
        ),
    ]
}

/// What a vouched sender brings and is none, is stored; where, is not for it to say.
fn vouched(scene: &Scene) -> Vec<Row> {
    let row = |what, body: Vec<u8>, code| Row::new(what, Oidc, scene.request(Oidc, body), Stored(code));
    let mut outside = scene.changed(|message| message.data.push(b' '));
    outside.delivery.message_id = "../../outside".into();
    vec![
        row("no JSON, by a vouched sender", b"{".to_vec(), "malformed-envelope"),
        row(
            "an attribute twice, by a vouched sender",
            before(scene, r#""event-type":"#, r#""event-type":"account.closed","#).into_bytes(),
            "malformed-envelope",
        ),
        row("changed, under a message id that is a path", outside.encode(), "invalid-signature"),
    ]
}
