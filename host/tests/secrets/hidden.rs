//! Each way for a guest's secret to get out, tried by one list and held to one check.

use std::path::Path;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_host::config::{DeadLetterTarget, PublishTarget};
use tidemill_host::outgoing::{Resolve, Resolving};
use tidemill_test_artifacts::{KEY_VALUE, PUBLISH, SCRIPTED};

use super::in_files;
use crate::common::{Answer, TestHost, log, wasm};

/// With what JSON escapes and a letter of two bytes: it is hidden as it is, not as some form of it.
const SECRET: &str = "Zq8\"wX\\v1Kü-s3cr3t";
/// One that a host's name may have in it.
const LABEL: &str = "qk7pzt5m2x";
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG\n9w0BAQEFAASCBKcw==\n-----END PRIVATE KEY-----\n";

const MANIFEST: &str = r#"
events = ["script"]
[permissions]
http = ["http://*.leak.test"]
[config]
key = { secret = true }
label = { secret = true }
pem = { secret = true }
"#;

/// The same with next to no room for what it writes.
const NARROW: &str = r#"
name = "narrow"
events = ["narrow"]
[limits]
log = "1KiB"
[permissions]
http = ["http://127.0.0.1:9"]
[config]
key = { secret = true }
"#;

/// One that publishes what its event says.
const PUBLISHES: &str = r#"
events = ["publishes"]
[permissions]
publish = ["b"]
[config]
key = { secret = true }
"#;

/// One that opens the store that its event names.
const KEEPS: &str = r#"
events = ["keeps"]
[permissions]
key-value = ["default"]
[config]
label = { secret = true }
"#;

/// Gives every name a private address, so that connecting to it is refused, with the name in the reason.
struct Private;

impl Resolve for Private {
    fn resolve(&self, _: &str) -> Resolving {
        Box::pin(std::future::ready(Ok(vec!["10.0.0.1".parse().unwrap()])))
    }
}

struct Way {
    name: &'static str,
    event_type: &'static str,
    script: Value,
    code: &'static str,
    /// What stands where the secret would.
    shows: &'static str,
}

const NAMED: &str = "[secret key]";

fn way(name: &'static str, script: Value, code: &'static str) -> Way {
    Way { name, event_type: "script", script, code, shows: NAMED }
}

fn ways() -> Vec<Way> {
    let key = "{config:key}";
    // So that a bound of the host's falls somewhere within the secret, wherever exactly that is.
    let before = |bound: usize| format!("{}{key}, and more", "x".repeat(bound - 9));
    let letters: Vec<_> = SECRET.chars().map(String::from).collect();
    let bytes: Vec<_> = SECRET.chars().map(|letter| json!({ "pieces": [letter.to_string()] })).collect();
    let cut = |name, script, code| Way { shows: "x[secret", ..way(name, script, code) };
    let narrow = |name, script| Way { event_type: "narrow", shows: "further bytes", ..way(name, script, "done") };
    let publish = |name, publish| Way { event_type: "publishes", ..way(name, json!({ "publish": [publish] }), "done") };
    // So that the end of a quote of 64 characters falls within the secret.
    let quoted = |before: &str| format!("{}{SECRET}", before.to_owned() + &"x".repeat(50 - before.len()));
    vec![
        publish("a type that may not be published", json!({ "type": quoted("") })),
        publish("an attribute that is the host's", json!({ "type": "b", "attributes": { quoted("tidemill-"): "v" } })),
        publish(
            "an attribute whose name is too long",
            json!({ "type": "b", "attributes": { quoted("") + &"y".repeat(200): "v" } }),
        ),
        publish(
            "an attribute whose value is too long",
            json!({ "type": "b", "attributes": { quoted(""): "v".repeat(1025) } }),
        ),
        Way {
            event_type: "keeps",
            shows: "the store \"[secret label]\"",
            ..way("a store that may not be opened", json!([{ "open": LABEL }]), "done")
        },
        way("standard output", json!([{ "stdout": format!("the key is {key}.") }]), "done"),
        way("standard error", json!([{ "stderr": key }]), "done"),
        way("in upper case", json!([{ "stdout": SECRET.to_ascii_uppercase() }]), "done"),
        way("a line in pieces", json!([{ "pieces": letters }, { "stdout": "" }]), "done"),
        way(
            "a line of which half is printed when the guest ends",
            json!([{ "pieces": ["a ", &SECRET[..12]] }, "trap"]),
            "trap",
        ),
        way("a line of several steps, without an end", Value::Array(bytes), "done"),
        cut("a line that is cut", json!([{ "stdout": before(8 << 10) }]), "done"),
        cut("a line in two writes that is cut", json!([{ "pieces": ["y", before(8 << 10), "z\n"] }]), "done"),
        narrow("output that is cut", json!([{ "stdout": before(1 << 10) }])),
        narrow("output in pieces that is cut", json!([{ "pieces": ["x".repeat(1020), key] }])),
        narrow(
            "what is logged and cut",
            json!([{ "log": { "level": "info", "context": "", "message": before(1 << 10) } }]),
        ),
        way("what is logged", json!([{ "log": { "level": "error", "context": "c", "message": key } }]), "done"),
        cut(
            "what is logged beyond a line's bound",
            json!([{ "log": { "level": "warn", "context": "", "message": before(8 << 10) } }]),
            "done",
        ),
        way("a context", json!([{ "log": { "level": "info", "context": key, "message": "m" } }]), "done"),
        cut(
            "a context that is cut",
            json!([{ "log": { "level": "critical", "context": before(256), "message": "m" } }]),
            "done",
        ),
        way("the reason of a retry", json!({ "retry": { "reason": format!("no luck with {key}") } }), "retry"),
        way("the reason of a rejection, and the dead letter", json!({ "reject": { "reason": key } }), "reject"),
        cut("a reason that is cut", json!({ "reject": { "reason": before(4 << 10) } }), "reject"),
        way("a panic", json!([{ "panic": format!("with {key}") }]), "trap"),
        way("data that doesn't parse", json!([{ "{config:key}": 1 }]), "reject"),
        Way {
            shows: "[secret pem]",
            ..way("a secret of several lines, as its text", json!([{ "stdout": "{config:pem}" }]), "done")
        },
        Way {
            shows: "[secret pem]\\n[secret pem]",
            ..way("a secret of several lines, in one", json!([{ "stdout": PEM.replace('\n', "\\n") }]), "done")
        },
        Way {
            shows: "http://[secret label].elsewhere.test",
            ..way(
                "a host that may not be reached",
                json!([{ "get": { "url": "http://{config:label}.elsewhere.test/" } }]),
                "retry",
            )
        },
        Way {
            shows: "[secret label].leak.test is at 10.0.0.1",
            ..way(
                "a host whose address is refused",
                json!([{ "get": { "url": "http://{config:label}.leak.test/" } }]),
                "retry",
            )
        },
    ]
}

/// All texts within a value, names of members included.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found.push(name.clone());
            texts(value, found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// All that has left the host for one event: its log lines, its answer, its dead letter.
fn left(answer: &Answer, letters: &Path) -> Vec<String> {
    let mut found = Vec::new();
    log::of_message(&answer.message_id).iter().for_each(|line| texts(line, &mut found));
    found.extend(answer.headers.values().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()));
    if !answer.body.is_empty() {
        texts(&answer.json(), &mut found);
    }
    for letter in std::fs::read_dir(letters).unwrap() {
        let letter = std::fs::read(letter.unwrap().path()).unwrap();
        texts(&serde_json::from_slice(&letter).unwrap(), &mut found);
    }
    found
}

/// No six characters of a secret in a row, in upper or lower case.
fn assert_hidden(texts: &[String], way: &str) {
    // The first and last line of a key say nothing of it.
    for secret in [SECRET, LABEL].into_iter().chain(PEM.lines().filter(|line| !line.starts_with('-'))) {
        let letters: Vec<char> = secret.chars().collect();
        for part in letters.windows(6).map(|part| part.iter().collect::<String>().to_lowercase()) {
            let shown = texts.iter().find(|text| text.to_lowercase().contains(&part));
            assert!(shown.is_none(), "{way}: {part:?} of a secret is in {shown:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_leaves_the_host_whichever_way_its_guest_writes_it() {
    let folder = tempfile::tempdir().unwrap();
    let letters = folder.path().join("letters");
    let path = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    };
    let (key, label, pem) = (path("key", SECRET), path("label", LABEL), path("pem", PEM));
    let values = in_files(&[
        ("TIDEMILL_HANDLER_LEAKY__KEY_FILE", &key),
        ("TIDEMILL_HANDLER_LEAKY__LABEL_FILE", &label),
        ("TIDEMILL_HANDLER_LEAKY__PEM_FILE", &pem),
        ("TIDEMILL_HANDLER_NARROW__KEY_FILE", &key),
        ("TIDEMILL_HANDLER_PUBLISHES__KEY_FILE", &key),
        ("TIDEMILL_HANDLER_KEEPS__LABEL_FILE", &label),
    ]);
    let change = |config: &mut tidemill_host::config::Config| {
        config.handler_values = values;
        // Nothing is there, and nothing is sent there.
        config.publishing.target = PublishTarget::Host("http://127.0.0.1:9".parse().unwrap());
        config.dead_letter.target = Some(DeadLetterTarget::Folder(letters.clone()));
    };
    let [scripted, publish, key_value] = [SCRIPTED, PUBLISH, KEY_VALUE].map(wasm);
    let handlers = [
        ("leaky", MANIFEST, scripted.as_slice()),
        ("narrow", NARROW, scripted.as_slice()),
        ("publishes", PUBLISHES, publish.as_slice()),
        ("keeps", KEEPS, key_value.as_slice()),
    ];
    let host = TestHost::start_resolving(&handlers, change, Arc::new(Private)).await;
    for Way { name, event_type, script, code, shows } in ways() {
        // What a letter holds of the event itself is its publisher's, so no script has the secret's text, but as steps.
        std::fs::remove_dir_all(&letters).unwrap();
        std::fs::create_dir(&letters).unwrap();
        let answer = host.deliver(event_type, script.to_string()).await;
        assert_eq!(answer.headers["tidemill-code"], code, "{name}: {answer:?}");
        if code == "reject" {
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{name}: it is stored with the dead letters");
        }
        let texts = left(&answer, &letters);
        assert!(texts.iter().any(|text| text.contains(shows)), "{name}: {shows} is nowhere in {texts:#?}");
        assert_hidden(&texts, name);
    }
}
