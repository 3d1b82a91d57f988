//! `invoke`, `publish` and `build`, and what they say when they are used wrongly.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde_json::{Value, json};
use tidemill_events::{Delivery, Envelope, Message};
use tidemill_test_artifacts as artifacts;

use crate::tidemill::{Running, free_port, place, run, stderr, stdout, tidemill};

#[test]
fn invoke_shows_outcome_log_time_and_memory() {
    let handlers = tempfile::tempdir().unwrap();
    place(handlers.path(), "rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let folder = handlers.path().join("rename");
    let invoke = |data: &str| {
        let folder = folder.to_str().unwrap();
        run(&["invoke", folder, "--event-type", "user.name.changed", "--data", data, "--output", "json"])
    };
    let done = invoke(r#"{"Name":"new-name"}"#);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let shown: Value = serde_json::from_str(stdout(&done)).unwrap();
    assert_eq!((&shown["outcome"], &shown["handler"]), (&json!("done"), &json!("rename")));
    assert!(shown["log"][0]["text"].as_str().unwrap().contains("new-name"), "{shown}");
    assert!(shown["memory_bytes"].as_u64().unwrap() > 0 && shown["elapsed_ms"].as_f64().unwrap() > 0.0);
    let rejected = invoke(r#"{"Name":""}"#);
    assert_eq!(rejected.status.code(), Some(1));
    assert_eq!(serde_json::from_str::<Value>(stdout(&rejected)).unwrap()["outcome"], "reject");
}

#[test]
fn invoke_refuses_an_event_type_that_the_manifest_does_not_list() {
    let handlers = tempfile::tempdir().unwrap();
    place(handlers.path(), "rename", "events = [\"user.name.changed\", \"b\"]", artifacts::USER_NAME_CHANGED);
    let folder = handlers.path().join("rename");
    let output = run(&["invoke", folder.to_str().unwrap(), "--event-type", "user.name.chnaged"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("lists user.name.changed, b"), "{}", stderr(&output));
}

#[test]
fn a_closed_pipe_and_a_foreign_variable_change_nothing() {
    let handlers = tempfile::tempdir().unwrap();
    place(handlers.path(), "rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tidemill();
    command.arg("invoke").arg(handlers.path().join("rename"));
    command.args(["--event-type", "user.name.changed", "--data", r#"{"Name":"Ada"}"#]);
    command.env("NO_TEXT", OsStr::from_bytes(&[0xff])).stdout(writer);
    assert_eq!(command.status().unwrap().code(), Some(0));
}

#[test]
fn invoke_takes_a_recorded_delivery_and_a_bare_component() {
    let folder = tempfile::tempdir().unwrap();
    let attributes = [("event-type".to_owned(), "user.name.changed".to_owned())].into();
    let envelope = Envelope {
        message: Message { data: br#"{"Name":"Ada"}"#.to_vec(), attributes, ordering_key: None },
        delivery: Delivery { message_id: "7".into(), ..Delivery::default() },
    };
    let (event, component) = (folder.path().join("event.json"), folder.path().join("user_name_changed.wasm"));
    std::fs::write(&event, envelope.encode()).unwrap();
    std::fs::copy(artifacts::USER_NAME_CHANGED, &component).unwrap();
    let output = run(&["invoke", component.to_str().unwrap(), "--event", event.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("Ada") && stdout(&output).contains("done"), "{}", stdout(&output));
}

#[test]
fn invoke_gives_a_handler_its_deadline_and_says_what_it_is_built_for() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "events = [\"a\"]\n[limits]\ndeadline = \"3s\"\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n";
    place(folder.path(), "shows", manifest, artifacts::SCRIPTED);
    let handler = folder.path().join("shows");
    let invoke = || {
        run(&["invoke", handler.to_str().unwrap(), "--event-type", "a", "--data", r#"["show"]"#, "--output", "json"])
    };
    let output = invoke();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let run: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(run["interface"], "0.2");
    let event: Value = serde_json::from_str(run["log"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(event["delivery"]["time_limit_ms"], 3000);
    let newer = artifacts::built_for("0.3.0", artifacts::SCRIPTED).unwrap();
    std::fs::write(handler.join("handler.wasm"), newer).unwrap();
    let output = invoke();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("built for version 0.3.0 of the interface"), "{}", stderr(&output));
}

#[test]
fn publish_signs_and_sends_straight_to_a_host() {
    let handlers = tempfile::tempdir().unwrap();
    place(handlers.path(), "rename", "events = [\"user.name.changed\"]", artifacts::USER_NAME_CHANGED);
    let port = free_port().to_string();
    let mut serve = tidemill();
    serve.args(["serve", "--port", &port, "--address", "127.0.0.1", "--auth", "none", "--accept", "v1,v2"]);
    serve.args(["--signing-key", "k1=s3cret", "--log-format", "json", "--handlers"]).arg(handlers.path());
    let host = Running::start(serve);
    host.line("serving", |line| line["message"].as_str().is_some_and(|text| text.starts_with("serving")));
    let url = format!("http://127.0.0.1:{port}/events");
    let publish = |key: &str| {
        run(&[
            "publish",
            "--to",
            &url,
            "--signing-key",
            key,
            "--event-type",
            "user.name.changed",
            "--data",
            r#"{"Name":"Ada"}"#,
            "--output",
            "json",
        ])
    };
    let published = publish("k1=s3cret");
    assert_eq!(published.status.code(), Some(0), "{}", stderr(&published));
    let published: Value = serde_json::from_str(stdout(&published)).unwrap();
    let done = host.line("done", |line| line["outcome"] == "done");
    assert_eq!((&done["message_id"], &done["event_id"]), (&published["message_id"], &published["event_id"]));
    let refused = publish("k1=other");
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("invalid-signature"), "{}", stderr(&refused));
    assert_eq!(host.terminate(), Some(0));
}

#[test]
fn misuse_ends_with_2_and_says_what_to_do() {
    for (arguments, says) in [
        (vec!["publish", "--event-type", "a"], "--signing-key"),
        (vec!["publish", "--event-type", "a", "--signing-key", "k1=a"], "--topic"),
        (vec!["publish", "--signing-key", "k1=a", "--to", "http://127.0.0.1:1"], "--event-type is missing"),
        (vec!["publish", "--event-type", "a", "--signing-key", "k1=a", "--topic", "events"], "--topic"),
        (vec!["publish", "--event-type", "a", "--signing-key", "hunter2", "--to", "http://127.0.0.1:1/"], "has no `=`"),
        (
            vec!["publish", "--event-type", "a", "--data", "{", "--signing-key", "k1=a", "--to", "http://127.0.0.1:1/"],
            "--data is no JSON",
        ),
        (vec!["publish", "--event-type", "a", "--attribute", "x", "--signing-key", "k1=a"], "NAME=VALUE"),
        (vec!["invoke", "/nowhere/handler.wasm", "--event-type", "a"], "/nowhere/handler.wasm"),
        (vec!["invoke", "/nowhere", "--event", "/nowhere/event"], "--event /nowhere/event"),
        (vec!["invoke", "/nowhere", "--event", "/nowhere/event", "--attribute", "a=b"], "cannot be used with"),
        (vec!["invoke", "/nowhere", "--event", "/nowhere/event", "--data", "{}"], "cannot be used with"),
        (vec!["build", "/nowhere"], "/nowhere"),
        (vec!["dev", "/nowhere", "--data", "/tmp"], "/nowhere"),
        (vec!["serve"], "handlers: it is not set"),
        (vec!["swerve"], "swerve"),
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
        assert!(!stderr(&output).contains("hunter2"), "a secret shows: {}", stderr(&output));
    }
}

#[test]
fn build_makes_what_a_host_can_serve() {
    let out = tempfile::tempdir().unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-handlers/email-on-register");
    let output = run(&["build", source, "--out", out.path().to_str().unwrap(), "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let built: Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(built["built"][0]["handler"], "email-on-register");
    let folder = out.path().join("email-on-register");
    assert!(folder.join("handler.wasm").is_file() && folder.join("handler.toml").is_file());
    let left: Vec<_> = std::fs::read_dir(out.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["email-on-register"], "something is left over");
}

#[test]
fn grants_shows_what_each_handler_may_do_and_what_it_may_not() {
    let handlers = tempfile::tempdir().unwrap();
    let asks = "events = [\"a\"]\n[permissions]\nhttp = [\"https://api.example.com\"]\n[instances]\nreuse = 50\n";
    place(handlers.path(), "asks", asks, artifacts::EMPTY);
    place(handlers.path(), "plain", "events = [\"b\"]\n[limits]\nmemory = \"8MiB\"\n", artifacts::EMPTY);
    let grants = |rules: &[&str]| {
        let arguments = ["grants", "--output", "json", "--handlers", handlers.path().to_str().unwrap()];
        let output = run(&[&arguments[..], rules].concat());
        (output.status.code(), serde_json::from_str::<Value>(stdout(&output)).unwrap())
    };
    let (code, shown) = grants(&[]);
    assert_eq!(code, Some(1));
    let refused = shown["handlers"][0]["refused"][0].as_str().unwrap();
    assert!(refused.starts_with("handler.toml, line 3, field `permissions.http`"), "{refused}");
    let refused = shown["handlers"][0]["refused"][1].as_str().unwrap();
    assert!(refused.starts_with("handler.toml, line 5, field `instances.reuse`"), "{refused}");
    assert_eq!(shown["handlers"][1]["instances"], json!({ "reuse": 1, "max_age_ms": null }));
    assert_eq!(shown["handlers"][1]["limits"]["memory_bytes"], 8 << 20);

    let (code, shown) = grants(&["--grant", "asks http=https://*.example.com reuse=100 memory=1MiB"]);
    assert_eq!(code, Some(0));
    assert_eq!(shown["handlers"][0]["http"], json!(["https://api.example.com:443"]));
    assert_eq!(shown["handlers"][0]["limits"]["memory_bytes"], 1 << 20);
    assert_eq!(shown["handlers"][0]["instances"], json!({ "reuse": 50, "max_age_ms": 60_000 }));
    let rule = "asks http=https://*.example.com:443 reuse=100 memory=1048576";
    assert_eq!(shown["handlers"][0]["rules"], json!([rule]));
    place(handlers.path(), "twin", "events = [\"b\"]\n", artifacts::EMPTY);
    let (code, shown) = grants(&["--grant", "asks all", "--grant", "mial all"]);
    assert_eq!((code, &shown["contested"]), (Some(1), &json!({ "b": ["plain", "twin"] })));
    assert_eq!(shown["unknown_handlers"], json!(["mial"]));
    let (code, shown) = grants(&["--grant", "asks all", "--grant", "twin events=b"]);
    assert_eq!((code, &shown["contested"]), (Some(0), &json!({})));
    let output = run(&["grants", "--handlers", handlers.path().to_str().unwrap(), "--grant", "asks htpp=x"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("grants (flag --grant)"), "{}", stderr(&output));
}

#[test]
fn invoke_takes_a_secret_from_a_file_and_never_shows_it() {
    let folder = tempfile::tempdir().unwrap();
    let manifest =
        "events = [\"a\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n[config]\nkey = { secret = true }\n";
    place(folder.path(), "leaky", manifest, artifacts::SCRIPTED);
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "hunter2\n").unwrap();
    let script = json!([
        { "config": "key" },
        { "log": { "level": "info", "context": "{config:key}", "message": "m" } },
        { "reject": { "reason": "{config:key}" } },
    ]);
    let (handler, value) = (folder.path().join("leaky"), format!("leaky.key={}", secret.display()));
    let invoke = |more: &[&str]| {
        let (handler, data) = (handler.to_str().unwrap(), script.to_string());
        run(&[&["invoke", handler, "--event-type", "a", "--data", &data, "--handler-config-file", &value], more]
            .concat())
    };
    for output in [invoke(&["--output", "json"]), invoke(&[])] {
        let shown = format!("{}{}", stdout(&output), stderr(&output));
        assert!(shown.contains("key=[secret key]") && shown.contains("reject"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    std::fs::remove_file(&secret).unwrap();
    let refused = invoke(&[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("`config.key`") && stderr(&refused).contains("can't be read"),
        "{}",
        stderr(&refused)
    );
}
