//! Signatures that are stripped, swapped, forged, or of another form; and events that were signed and are none.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ring::{digest, hmac};
use tidemill_events::signature::{v1, v2};
use tidemill_events::{Message, format_rfc3339};

use crate::row::Answer::{self, Refused, Stored};
use crate::row::Mode::{NoAuth, Oidc, V1};
use crate::row::{Mode, Row};
use crate::scene::{OTHER_TYPE, SECOND_KEY, Scene, UNSIGNED_SOURCE, key};

const NOT_SIGNED: Answer = Refused(401, "not-signed");
const MALFORMED: Answer = Refused(401, "malformed-signature");
const INVALID: Answer = Refused(403, "invalid-signature");
const UNKNOWN_KEY: Answer = Refused(403, "unknown-key");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = stripped(scene);
    rows.extend(altered(scene));
    rows.extend(of_another_form(scene));
    rows.extend(forged(scene));
    rows.extend(signed_and_wrong(scene));
    rows
}

/// A row of a good delivery that was changed after signing.
fn changed(scene: &Scene, what: &str, host: Mode, answer: Answer, change: impl FnOnce(&mut Message)) -> Row {
    Row::new(what, host, scene.delivery(host, &scene.changed(change)), answer)
}

fn set(message: &mut Message, name: &str, value: impl Into<String>) {
    message.attributes.insert(name.into(), value.into());
}

fn get<'a>(message: &'a Message, name: &str) -> &'a str {
    &message.attributes[name]
}

fn remove(message: &mut Message, names: &[&str]) {
    message.attributes.retain(|name, _| !names.contains(&name.as_str()));
}

fn stripped(scene: &Scene) -> Vec<Row> {
    let row = |what, host, answer, change: fn(&mut Message)| changed(scene, what, host, answer, change);
    let both = |message: &mut Message| remove(message, &["signature", "signature-v2"]);
    let mut claimed = scene.changed(both);
    claimed.delivery.subscription = UNSIGNED_SOURCE.into();
    let mut spoilt = scene.changed(|message| set(message, "event-type", OTHER_TYPE));
    spoilt.delivery.subscription = UNSIGNED_SOURCE.into();
    vec![
        row("both signatures taken off", NoAuth, NOT_SIGNED, both),
        row("both signatures taken off, by a vouched sender", Oidc, Stored("not-signed"), both),
        row("downgraded: `signature-v2` taken off, `signature` left", NoAuth, NOT_SIGNED, |message| {
            remove(message, &["signature-v2"]);
        }),
        row("downgraded, by a vouched sender", Oidc, Stored("not-signed"), |message| {
            remove(message, &["signature-v2"]);
        }),
        row("`signature-v2` emptied", NoAuth, MALFORMED, |message| set(message, "signature-v2", "")),
        row("`signature-v2` emptied beside a good `signature`", V1, MALFORMED, |message| {
            set(message, "signature-v2", "");
        }),
        row("the signature under the name `Signature-V2`", NoAuth, NOT_SIGNED, |message| {
            let signature = message.attributes.remove("signature-v2").unwrap();
            set(message, "Signature-V2", signature);
        }),
        Row::new(
            "not signed, and claims to come from an unsigned source",
            NoAuth,
            scene.delivery(NoAuth, &claimed),
            NOT_SIGNED,
        ),
        row("not signed, with an attribute `ce-source` of an unsigned source", Oidc, Stored("not-signed"), |message| {
            remove(message, &["signature", "signature-v2"]);
            set(message, "ce-source", UNSIGNED_SOURCE);
        }),
        Row::new(
            "from an unsigned source, with a signature that doesn't hold",
            Oidc,
            scene.delivery(Oidc, &spoilt),
            Stored("invalid-signature"),
        ),
    ]
}

fn altered(scene: &Scene) -> Vec<Row> {
    let row = |what, change: fn(&mut Message)| changed(scene, what, NoAuth, INVALID, change);
    let other = scene.changed(|_| {}).message.attributes;
    let swap = |what, host, answer| {
        changed(scene, what, host, answer, |message| set(message, "signature-v2", &other["signature-v2"]))
    };
    let mut keyed = scene.event();
    keyed.ordering_key = Some("user-1".into());
    let keyed = |what, change: fn(&mut Message)| {
        let mut envelope = scene.signed(&keyed);
        change(&mut envelope.message);
        Row::new(what, NoAuth, scene.delivery(NoAuth, &envelope), INVALID)
    };
    vec![
        swap("the signature of another message", NoAuth, INVALID),
        swap("the signature of another message, by a vouched sender", Oidc, Stored("invalid-signature")),
        swap("the signature of another message beside a good `signature`", V1, INVALID),
        row("relabelled as another type", |message| set(message, "event-type", OTHER_TYPE)),
        row("another event id", |message| set(message, "event-id", "01a20ce4")),
        row("another time", |message| set(message, "event-time", "2026-01-01T00:00:00Z")),
        row("the same time, written otherwise", |message| {
            let time = get(message, "event-time").replace('Z', "+00:00");
            set(message, "event-time", time);
        }),
        row("the time taken off", |message| remove(message, &["event-time"])),
        row("an ordering key added", |message| set(message, "ordering-key", "user-1")),
        row("a delivered ordering key added", |message| message.ordering_key = Some("user-1".into())),
        keyed("another ordering key", |message| set(message, "ordering-key", "user-2")),
        keyed("the ordering key taken off", |message| {
            remove(message, &["ordering-key"]);
            message.ordering_key = None;
        }),
        keyed("a delivered ordering key that is not the signed one", |message| {
            message.ordering_key = Some("user-2".into());
        }),
        row("another content type", |message| set(message, "content-type", "text/plain")),
        row("the content type taken off", |message| remove(message, &["content-type"])),
        row("one bit of the data changed", |message| message.data[3] ^= 1),
        row("a byte appended to the data", |message| message.data.push(b' ')),
        row("the data emptied", |message| message.data.clear()),
        row("the last byte of the type moved to the id", |message| {
            let id = format!("t{}", get(message, "event-id"));
            set(message, "event-type", "scrip");
            set(message, "event-id", id);
        }),
        row("the last byte of the content type moved to the data", |message| {
            set(message, "content-type", "application/jso");
            message.data.insert(0, b'n');
        }),
        row("a NUL appended to the type", |message| set(message, "event-type", "script\0")),
        changed(scene, "the data changed, with `signature` alone", V1, INVALID, |message| {
            remove(message, &["signature-v2"]);
            message.data.push(b' ');
        }),
    ]
}

/// A row of a good delivery whose `signature-v2` was rewritten.
fn rewritten(scene: &Scene, what: &str, answer: Answer, rewrite: impl FnOnce(&str) -> String) -> Row {
    changed(scene, what, NoAuth, answer, |message| {
        let signature = rewrite(get(message, "signature-v2"));
        set(message, "signature-v2", signature);
    })
}

fn of_another_form(scene: &Scene) -> Vec<Row> {
    let row = |what, answer, rewrite: fn(&str) -> String| rewritten(scene, what, answer, rewrite);
    // One whose base64 has a character that another alphabet writes otherwise.
    let mut url_safe = scene.changed(|_| {});
    while !get(&url_safe.message, "signature-v2").contains(['+', '/']) {
        url_safe = scene.changed(|_| {});
    }
    let value = format!("v2,k1,{}", URL_SAFE.encode(mac(get(&url_safe.message, "signature-v2"))));
    set(&mut url_safe.message, "signature-v2", value);
    vec![
        row("hex in place of base64", MALFORMED, |good| format!("v2,k1,{}", hex::encode(mac(good)))),
        Row::new("base64 of the alphabet for URLs", NoAuth, scene.delivery(NoAuth, &url_safe), MALFORMED),
        row("base64 without its padding", MALFORMED, |good| format!("v2,k1,{}", STANDARD_NO_PAD.encode(mac(good)))),
        row("base64 with more padding", MALFORMED, |good| format!("{good}=")),
        row("base64 with spare bits set", MALFORMED, |good| {
            // 32 bytes leave two spare bits in the last character, and A to D differ in these alone.
            let zeros = STANDARD.encode([0; 32]);
            format!("{good} v2,k1,{}B=", &zeros[..42])
        }),
        row("31 bytes of the HMAC", MALFORMED, |good| format!("v2,k1,{}", STANDARD.encode(&mac(good)[..31]))),
        row("33 bytes, the HMAC's and one more", MALFORMED, |good| {
            format!("v2,k1,{}", STANDARD.encode([mac(good), vec![0]].concat()))
        }),
        row("no HMAC at all", MALFORMED, |_| "v2,k1,".into()),
        row("nine entries, the last of them good", MALFORMED, |good| {
            format!("{}{good}", "v2,k9,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= ".repeat(8))
        }),
        row("two good entries with a tab between", MALFORMED, |good| format!("{good}\t{good}")),
        row("two good entries with two spaces between", MALFORMED, |good| format!("{good}  {good}")),
        row("two good entries with a comma between", MALFORMED, |good| format!("{good},{good}")),
        row("a space before the entry", MALFORMED, |good| format!(" {good}")),
        row("a line's end behind the entry", MALFORMED, |good| format!("{good}\n")),
        row("the version `V2`", MALFORMED, |good| good.replace("v2", "V2")),
        row("the version `v02`, which is another", NOT_SIGNED, |good| good.replace("v2", "v02")),
        row("the version `v3` alone", NOT_SIGNED, |good| good.replace("v2", "v3")),
        row("a bad entry beside the good one's text in another version", INVALID, |good| {
            format!("v2,k1,{} {}", STANDARD.encode([0; 32]), good.replace("v2", "v3"))
        }),
        row("no key id", MALFORMED, |good| good.replace("k1", "")),
        row("the key id `../k1`", MALFORMED, |good| good.replace("k1", "../k1")),
        row("a key id of 65 bytes", MALFORMED, |good| good.replace("k1", &"k".repeat(65))),
        row("the key id `K1` for `k1`", UNKNOWN_KEY, |good| good.replace("k1", "K1")),
        row("the key id of another of the host's keys", INVALID, |good| good.replace("k1", "k2")),
    ]
}

/// The bytes of a good signature's HMAC.
fn mac(signature: &str) -> Vec<u8> {
    STANDARD.decode(signature.rsplit_once(',').unwrap().1).unwrap()
}

/// What version 2 signs, and an HMAC over it, written anew from the page on signatures.
fn encoded(message: &Message) -> Vec<u8> {
    let text = |name: &str| message.attributes.get(name).map(|text| text.clone().into_bytes()).unwrap_or_default();
    let names = ["event-type", "event-id", "event-time", "ordering-key", "content-type"];
    let pieces = names.map(text).into_iter().chain([message.data.clone()]);
    let piece = |piece: Vec<u8>| [(piece.len() as u64).to_le_bytes().to_vec(), piece].concat();
    [6_u64.to_le_bytes().to_vec()].into_iter().chain(pieces.map(piece)).collect::<Vec<_>>().concat()
}

fn hmac_of(key: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
}

fn forged(scene: &Scene) -> Vec<Row> {
    let entry = |key_id: &str, mac: Vec<u8>| format!("v2,{key_id},{}", STANDARD.encode(mac));
    let by = |key: &'static str| {
        move |message: &mut Message| {
            let signature = v2::sign(&key.parse().unwrap(), message);
            set(message, "signature-v2", signature);
        }
    };
    let row = |what, host, answer, change: &dyn Fn(&mut Message)| changed(scene, what, host, answer, change);
    let downgraded = |what, answer, rewrite: &dyn Fn(&Message) -> String| {
        changed(scene, what, V1, answer, |message| {
            let signature = rewrite(message);
            remove(message, &["signature-v2"]);
            set(message, "signature", signature);
        })
    };
    vec![
        row("signed with another secret under a known id", NoAuth, INVALID, &by("k1=guessed")),
        row("signed with a key that the host doesn't hold", NoAuth, UNKNOWN_KEY, &by("k9=mine")),
        // The key may be on its way to the host, so the broker keeps it.
        row("signed with an unknown key, by a vouched sender", Oidc, UNKNOWN_KEY, &by("k9=mine")),
        row("signed with an unknown key beside a good `signature`", V1, UNKNOWN_KEY, &by("k9=mine")),
        row("a key under the id of another", NoAuth, INVALID, &|message| {
            let signature = v2::sign(&SECOND_KEY.parse().unwrap(), message).replace("k2", "k1");
            set(message, "signature-v2", signature);
        }),
        row("an HMAC of zeros", NoAuth, INVALID, &|message| set(message, "signature-v2", entry("k1", vec![0; 32]))),
        row("version 1's HMAC as version 2's", NoAuth, INVALID, &|message| {
            let mac = hex::decode(get(message, "signature")).unwrap();
            set(message, "signature-v2", entry("k1", mac));
        }),
        row("version 1's HMAC in an entry `v1`", NoAuth, NOT_SIGNED, &|message| {
            let mac = STANDARD.encode(hex::decode(get(message, "signature")).unwrap());
            set(message, "signature-v2", format!("v1,k1,{mac}"));
        }),
        row("version 1's HMAC of data that are what version 2 signs", NoAuth, INVALID, &|message| {
            let mac = hex::decode(v1::sign(&key(), &encoded(message))).unwrap();
            set(message, "signature-v2", entry("k1", mac));
        }),
        row("signed with the empty secret", NoAuth, INVALID, &|message| {
            let key = digest::digest(&digest::SHA256, b"tidemill-signature-v2:");
            set(message, "signature-v2", entry("k1", hmac_of(key.as_ref(), &encoded(message))));
        }),
        row("signed with the key's id as its secret", NoAuth, INVALID, &by("k1=k1")),
        downgraded("version 2's HMAC as version 1's", INVALID, &|message| {
            hex::encode(mac(get(message, "signature-v2")))
        }),
        downgraded("version 1, signed with the empty secret", INVALID, &|message| {
            hex::encode(hmac_of(b"", &message.data))
        }),
        downgraded("version 1, emptied", INVALID, &|_| String::new()),
        downgraded("version 1, cut short", INVALID, &|message| get(message, "signature")[..32].to_owned()),
        downgraded("version 1, in base64", MALFORMED, &|message| {
            STANDARD.encode(hex::decode(get(message, "signature")).unwrap())
        }),
    ]
}

/// What somebody with a key signed, and is no event all the same, or none of now.
fn signed_and_wrong(scene: &Scene) -> Vec<Row> {
    let row = |what: &str, host, answer, change: &dyn Fn(&mut Message)| {
        Row::new(format!("signed: {what}"), host, scene.delivery(host, &scene.resigned(change)), answer)
    };
    let with = |what, name: &'static str, value: String, code| {
        row(what, NoAuth, Refused(400, code), &move |message| set(message, name, value.clone()))
    };
    let without = |what, name, code| row(what, NoAuth, Refused(400, code), &move |message| remove(message, &[name]));
    let hour = Duration::from_secs(60 * 60);
    let old = format_rfc3339(scene.now - 193 * hour);
    let early = format_rfc3339(scene.now + Duration::from_secs(11 * 60));
    vec![
        row("of 193 hours ago", NoAuth, Refused(403, "too-old"), &|message| set(message, "event-time", &old)),
        row("of 193 hours ago, by a vouched sender", Oidc, Stored("too-old"), &|message| {
            set(message, "event-time", &old);
        }),
        row("of the year 1970", NoAuth, Refused(403, "too-old"), &|message| {
            set(message, "event-time", "1970-01-01T00:00:00Z");
        }),
        row("in 11 minutes", NoAuth, Refused(403, "from-the-future"), &|message| set(message, "event-time", &early)),
        // A clock may be set right, so the broker keeps it.
        row("in 11 minutes, by a vouched sender", Oidc, Refused(403, "from-the-future"), &|message| {
            set(message, "event-time", &early);
        }),
        without("no event id", "event-id", "missing-event-id"),
        with("an empty event id", "event-id", String::new(), "missing-event-id"),
        with("an event id with a space", "event-id", "a b".into(), "malformed-event-id"),
        with("an event id with a line's end", "event-id", "a\nb".into(), "malformed-event-id"),
        with("an event id beyond ASCII", "event-id", "aä".into(), "malformed-event-id"),
        with("an event id of 256 bytes", "event-id", "x".repeat(256), "malformed-event-id"),
        without("no time", "event-time", "malformed-event-time"),
        with("a time that is none", "event-time", "yesterday".into(), "malformed-event-time"),
        with("a time without an offset", "event-time", "2026-11-24T09:30:00".into(), "malformed-event-time"),
        with("a day that doesn't exist", "event-time", "2026-02-30T09:30:00Z".into(), "malformed-event-time"),
        without("no event type", "event-type", "missing-event-type"),
        with("an empty event type", "event-type", String::new(), "missing-event-type"),
    ]
}
