//! What a handler may not publish, and who may publish nothing.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::json;
use tidemill_host::config::{Grants, HandlerValues, Quota, Terms};
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::registry::Artifact;
use tidemill_host::runtime::{Runtime, RuntimeConfig};
use tidemill_test_artifacts::PUBLISH;

use super::common::{log, wasm};
use super::receiver::Receiver;
use super::{cause, host, printed};

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_is_told_to_the_guest_and_once_to_the_log() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    for (publish, sent, told) in [
        (
            json!({ "type": "user.registered" }),
            0,
            "doesn't list the event type \"user.registered\" under [permissions]",
        ),
        (json!({ "type": "B" }), 0, "doesn't list the event type \"B\""),
        (json!({ "type": "" }), 0, "doesn't list the event type \"\""),
        (json!({ "type": "b", "times": 102 }), 100, "100 further ones may be published"),
        (json!({ "type": "b", "bytes": 10_000_000 }), 0, "a message takes at most 10000000"),
        (json!({ "type": "b", "bytes": 4_000_000, "times": 3 }), 2, "10000000 bytes together"),
        (json!({ "type": "b", "key": "k".repeat(1025) }), 0, "ordering key has 1025 bytes"),
        (json!({ "type": "b", "attributes": { "a": "v".repeat(1025) } }), 0, "has 1025 bytes"),
        (json!({ "type": "b", "attributes": { "": "v" } }), 0, "a name has 1 to 256"),
        (json!({ "type": "b", "attributes": { "signature-v2": "v2,k1,x" } }), 0, "\"signature-v2\" can't be given"),
        (json!({ "type": "b", "attributes": { "Tidemill-Depth": "0" } }), 0, "\"Tidemill-Depth\" can't be given"),
        (json!({ "type": "b", "attributes": { "googclient_traceparent": "x" } }), 0, "can't be given"),
    ] {
        // Twice, so that there is more than one refusal.
        let answer = host.post(&cause(&json!({ "publish": [publish, publish] }))).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{told}: {answer:?}");
        let refused = printed(&answer).into_iter().filter(|line| line.starts_with("publish: ")).collect::<Vec<_>>();
        assert!(refused.len() > 1 && refused.iter().all(|line| line.contains(told)), "{told}: {refused:?}");
        assert_eq!(receiver.take().len(), sent, "{told}");
        let told_to_the_log = log::of_message(&answer.message_id);
        let warnings: Vec<_> = told_to_the_log.iter().filter(|line| line["severity"] == "WARNING").collect();
        assert!(warnings.len() == 1 && warnings[0]["message"].as_str().unwrap().contains(told), "{warnings:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_publish_is_not_loaded_and_told_why() {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let without = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 64 << 20, outgoing }).unwrap();
    let with = without.clone().publishing(true);
    let load = |runtime: &Runtime, permissions: &str| {
        let manifest = format!("events = [\"a\"]\n[permissions]\n{permissions}\n");
        let artifact = Artifact { manifest: manifest.into_bytes(), wasm: wasm(PUBLISH) };
        let quota = Quota { deadline: Duration::from_secs(10), memory: 64 << 20 };
        let terms = Terms { values: HandlerValues::default(), quota, grants: Grants::all() };
        tokio::task::block_in_place(|| artifact.load(runtime, "a", &terms).map(drop).map_err(|e| e.to_string()))
    };
    load(&with, "publish = [\"b\"]").unwrap();
    let unasked = load(&with, "").unwrap_err();
    assert!(unasked.contains("[permissions] publish = [\"mail.sent\"]"), "{unasked}");
    let nameless = load(&with, "publish = [\"\"]").unwrap_err();
    assert!(nameless.contains("field `permissions.publish`: an event type has 1 to 1024 bytes"), "{nameless}");
    let nowhere = load(&without, "publish = [\"b\"]").unwrap_err();
    assert!(nowhere.contains("field `permissions.publish`") && nowhere.contains("setting `publish-to`"), "{nowhere}");
}
