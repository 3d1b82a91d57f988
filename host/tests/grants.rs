//! What the operator doesn't grant, no handler has: it is refused when it is loaded, with the line that asks.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::{TestHost, log, wasm};
use hyper::StatusCode;
use serde_json::json;
use tidemill_host::config::{Grants, HandlerValues, Quota, Terms};
use tidemill_host::registry::{Manifest, ManifestError};
use tidemill_host::runtime::Reuse;
use tidemill_test_artifacts::{EMPTY, SCRIPTED};

const MANIFEST: &str = r#"
events = [
    "script",
    "other",
]
[limits]
memory = "32MiB"
host-calls = 5000
[permissions]
http = ["http://127.0.0.1:9", "config:url"]
key-value = ["default"]
[config]
url = "https://api.example.com/v1"
[instances]
reuse = 100
"#;

fn grants(rules: &[&str]) -> Grants {
    Grants::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
}

fn judged(manifest: &str, rules: &[&str]) -> Result<Manifest, Vec<String>> {
    let quota = Quota { deadline: Duration::from_secs(60), memory: 64 << 20 };
    let terms = Terms { values: HandlerValues::default(), quota, grants: grants(rules) };
    Manifest::parse(manifest, "one", &terms).map_err(|error| match error {
        ManifestError::Fields(fields) => fields.iter().map(ToString::to_string).collect(),
        other => vec![other.to_string()],
    })
}

#[test]
fn each_ask_that_is_not_granted_is_told_with_its_line_and_the_rule_that_would_grant_it() {
    let refused = judged(MANIFEST, &["two all", "one events=script memory=16MiB host-calls=5000"]).unwrap_err();
    for (line, field, says) in [
        (4, "events", "'one events=other'"),
        (7, "limits.memory", "asks for 33554432; it may have 0 to 16777216 (setting `grants`)"),
        (10, "permissions.http", "'one http=http://127.0.0.1:9'"),
        (10, "permissions.http", "'one http=https://api.example.com:443'"),
        (11, "permissions.key-value", "'one key-value=default'"),
        (15, "instances.reuse", "'one reuse=100'"),
    ] {
        let start = format!("handler.toml, line {line}, field `{field}`: ");
        assert!(
            refused.iter().any(|told| told.starts_with(&start) && told.contains(says)),
            "{start}{says}: {refused:#?}"
        );
    }
    assert_eq!(refused.len(), 6, "{refused:#?}");
}

#[test]
fn the_rules_that_a_refusal_names_are_enough() {
    let rules = ["one http=http://127.0.0.1:9 http=https://api.example.com:443 key-value=default reuse=100"];
    let granted = judged(MANIFEST, &rules).unwrap().grant;
    assert_eq!((granted.http.len(), granted.key_value.len()), (2, 1));
    let reuse = Some(Reuse { events: 100, max_age: Duration::from_secs(60) });
    assert_eq!((granted.reuse, judged(MANIFEST, &["* all"]).unwrap().grant.reuse), (reuse, reuse));
}

#[test]
fn instances_are_kept_within_bounds_or_the_line_is_told() {
    for (asks, line, says) in [
        ("reuse = 0", 3, "field `instances.reuse`: asks for 0; an instance may handle 1 to 1000000 events"),
        ("reuse = 1000001", 3, "field `instances.reuse`"),
        (
            "reuse = 2\nmax-age = \"0ms\"",
            4,
            "field `instances.max-age`: asks for 0ns; an instance may be kept for 1ms to",
        ),
        ("max-age = \"2h\"", 3, "field `instances.max-age`"),
        ("max-age = \"soon\"", 3, "field `instances.max-age`: \"soon\" is no time"),
    ] {
        let refused = judged(&format!("events = [\"a\"]\n[instances]\n{asks}"), &["* all"]).unwrap_err();
        let told = refused.iter().any(|told| told.contains(&format!("line {line}, ")) && told.contains(says));
        assert!(told && refused.len() == 1, "{asks}: {refused:?}");
    }
    let once = judged("events = [\"a\"]\n[instances]\nreuse = 1\nmax-age = \"1s\"", &[]).unwrap();
    assert_eq!(once.grant.reuse, None);
}

#[test]
fn a_metadata_server_is_refused_whatever_is_granted() {
    for origin in ["http://169.254.169.254", "http://metadata.google.internal", "http://[::ffff:169.254.169.254]"] {
        let manifest = format!("events = [\"a\"]\n[permissions]\nhttp = [\"{origin}\"]\n");
        let refused = judged(&manifest, &["* all", "one http=https://api.example.com"]).unwrap_err();
        assert!(
            refused[0].starts_with("handler.toml, line 3") && refused[0].contains("no handler may reach"),
            "{refused:?}"
        );
    }
}

/// A host with nothing granted serves what asks for nothing, and says of the rest which line asks for too much.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_loads_what_is_granted_and_nothing_else() {
    let handlers = [
        ("plain", "events = [\"plain\"]\n", &*wasm(EMPTY)),
        ("asks", "events = [\"script\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n", &*wasm(SCRIPTED)),
    ];
    let host = TestHost::start_with(&handlers, |config| config.grants = Grants::default()).await;
    assert_eq!(host.deliver("plain", "{}").await.status, StatusCode::NO_CONTENT);
    assert_eq!(host.script(json!([])).await.code(), "unknown-event-type");
    let told = |line: &serde_json::Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("handler refused") && message.contains("line 3, field `permissions.http`")
    };
    assert_eq!(log::lines(told).len(), 1);

    let host =
        TestHost::start_with(&handlers, |config| config.grants = grants(&["asks http=http://127.0.0.1:9"])).await;
    assert_eq!(host.script(json!([])).await.status, StatusCode::NO_CONTENT);
}

/// What the operator grants and gives goes by a handler's name, so no manifest chooses it.
#[test]
fn a_manifest_that_calls_itself_otherwise_is_refused() {
    judged("name = \"one\"\nevents = [\"a\"]\n", &[]).unwrap();
    let refused = judged("events = [\"a\"]\nname = \"mail\"\n", &["mail all"]).unwrap_err();
    assert!(refused[0].starts_with("handler.toml, line 2, field `name`: it says \"mail\""), "{refused:?}");
}

/// Else the rule that a refusal advises would be another one than it seems.
#[test]
fn an_event_type_that_no_rule_can_name_is_refused_whatever_is_granted() {
    for event_type in ["mail.sent,* all", "mail.sent all", "mail.*", "a\\u0007b", "\\t"] {
        for asks in ["events = [\"TYPE\"]", "events = [\"a\"]\n[permissions]\npublish = [\"TYPE\"]"] {
            let refused = judged(&asks.replace("TYPE", event_type), &["* all"]).unwrap_err();
            assert!(refused.len() == 1 && refused[0].contains("is no event type that can be granted"), "{refused:?}");
        }
    }
}
