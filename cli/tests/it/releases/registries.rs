//! Components that others pushed to a registry, and a registry that releases are kept in.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tidemill_test_artifacts as artifacts;

use super::shop::{Shop, shown};
use crate::registry::Registry;
use crate::tidemill::{run, stderr, stdout};

const MANIFEST: &str = "events = [\"a\"]\n";
const ANNOTATION: &str = "dev.tidemill.handler.toml.base64";

#[test]
fn a_component_that_was_pushed_by_other_tools_is_deployed_into_any_store() {
    let Some(registry) = Registry::start() else { return };
    let shop = Shop::new();
    let wasm = fs::read(artifacts::EMPTY).unwrap();
    let push =
        |tag: &str, annotations: &[(&str, &str)]| shop.wait(registry.push("team/push_mail", tag, &wasm, annotations));
    let digest = push("plain", &[]);
    push("with", &[(ANNOTATION, &STANDARD.encode(MANIFEST))]);
    push("wrong", &[(ANNOTATION, "events")]);
    let url = |version: &str| format!("oci://{}/team/push_mail{version}", registry.host());

    // Without a manifest nobody knows what it serves; then it is in a file, or came along.
    let refused = shop.run(&["deploy", &url(":plain")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("name one, --manifest FILE"), "{}", stderr(&refused));
    let file = shop.path("mail.toml");
    fs::write(&file, MANIFEST).unwrap();
    let first = shop.run(&["deploy", &url(&format!("@{digest}")), "--manifest", &file, "--output", "json"]);
    assert_eq!(first.status.code(), Some(0), "{}", stderr(&first));
    assert_eq!(shown(&first)["changes"][0]["handler"], "push-mail");
    let again = shop.run(&["deploy", &url(":with")]);
    assert!(stdout(&again).starts_with("nothing changes: release 1"), "{}{}", stdout(&again), stderr(&again));
    assert!(stderr(&again).contains("push_mail:with is sha256:"), "{}", stderr(&again));
    assert_eq!(shop.wait(shop.store.artifact(shop.live().handlers["push-mail"].artifact)).unwrap().wasm, wasm);

    for (arguments, code, says) in [
        (vec!["deploy", &url(":gone")], 1, "there is no such component"),
        (vec!["deploy", &url(":wrong")], 1, "is no base64"),
        (vec!["deploy", "oci://nowhere"], 2, "it names no component in a registry"),
        (vec!["deploy", &shop.handlers(), "--manifest", &file], 2, "--manifest is for a component from a registry"),
        (vec!["deploy", "oci://127.0.0.1:9/a/b", "--manifest", &file], 1, "it can't be read"),
    ] {
        let refused = shop.run(&arguments);
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains(says), "{arguments:?}: {}", stderr(&refused));
    }
}

/// Each change waits for the registry's lock, so they are few.
#[test]
fn a_registry_keeps_releases_and_their_signatures() {
    let Some(registry) = Registry::start() else { return };
    let shop = Shop::new();
    let (one, store) = (shop.handler("one", "a", 1), format!("oci://{}/team/store", registry.host()));
    let key = shop.path("key.pem");
    let trusted = format!("release={}", stdout(&run(&["keygen", "--out", &key])).trim());
    let on_it = |arguments: &[&str]| {
        let output = run(&[arguments, &["--store", &store, "--output", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", stderr(&output));
        shown(&output)
    };
    let first = on_it(&["deploy", &one, "--sign-with", &key, "--compile"]);
    assert_eq!((&first["release"], &first["store"]), (&json!(1), &json!(store)));
    assert!(on_it(&["verify", "--trusted-key", &trusted])["artifacts"][0]["code_for"][0].is_string());
    shop.handler("one", "a", 2);
    assert_eq!(on_it(&["deploy", &one])["release"], 2);
    let listed = on_it(&["releases"]);
    let states: Vec<_> = listed["releases"].as_array().unwrap().iter().map(|release| &release["state"]).collect();
    assert_eq!(states, ["live", "past"]);
    assert_eq!(on_it(&["status"])["hosts"], json!([]));
}
