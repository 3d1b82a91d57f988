//! The real handlers, run in a real host against a provider that answers as told.

use std::process::Output;

use serde_json::{Value, json};
use tidemill_test_artifacts as artifacts;
use tidemill_test_artifacts::{assert_test_exists, foreach_handler};

use crate::provider::Provider;
use crate::tidemill::{place, stderr, stdout, tidemill};

foreach_handler!(assert_test_exists);

/// One event through one handler, whose keys are set to what `config` says.
async fn invoke(name: &str, wasm: &str, manifest: &str, config: &[String], event: (&str, &str)) -> Output {
    invoke_with(name, wasm, manifest, config, event, &[]).await
}

/// The same with further flags.
async fn invoke_with(
    name: &str,
    wasm: &str,
    manifest: &str,
    config: &[String],
    event: (&str, &str),
    flags: &[&str],
) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let manifest = std::fs::read_to_string(manifest).unwrap();
    place(folder.path(), name, &manifest, wasm);
    let mut command = tidemill();
    command.arg("invoke").arg(folder.path().join(name)).args(["--event-type", event.0, "--data", event.1]);
    command.args(["--event-id", "e1", "--output", "json"]);
    for value in config {
        command.args(["--handler-config", value]);
    }
    command.args(flags);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn shown(output: &Output) -> Value {
    serde_json::from_str(stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

async fn mail(provider: &Provider, data: &str) -> Value {
    let config = [
        format!("email-on-register.mail-url={}", provider.url("/mail")),
        "email-on-register.mail-key=t0psecret".to_owned(),
    ];
    let (wasm, manifest) = (artifacts::EMAIL_ON_REGISTER, artifacts::EMAIL_ON_REGISTER_MANIFEST);
    shown(&invoke("email-on-register", wasm, manifest, &config, ("user.registered", data)).await)
}

async fn push(provider: &Provider, data: &str) -> Value {
    let config =
        [format!("push-on-like.push-url={}", provider.url("/push")), "push-on-like.push-key=t0psecret".to_owned()];
    let (wasm, manifest) = (artifacts::PUSH_ON_LIKE, artifacts::PUSH_ON_LIKE_MANIFEST);
    shown(&invoke("push-on-like", wasm, manifest, &config, ("post.liked", data)).await)
}

const ADA: &str = r#"{"id":"1","email":"ada@example.com","name":"Ada"}"#;
const LIKE: &str = r#"{"post_id":"7","liked_by":"Bob","device_token":"token"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn email_on_register() {
    let provider = Provider::start().await;
    assert_eq!(mail(&provider, ADA).await["outcome"], "done");
    let taken = provider.taken();
    assert_eq!((taken.len(), taken[0].path.as_str()), (1, "/mail"));
    assert_eq!(taken[0].idempotency_key.as_deref(), Some("e1"));
    assert_eq!(taken[0].authorization.as_deref(), Some("Bearer t0psecret"));
    assert_eq!(taken[0].body["to"], "ada@example.com");
    assert!(taken[0].body["text"].as_str().unwrap().contains("Ada"));

    for (status, outcome) in
        [(500, "retry"), (503, "retry"), (429, "retry"), (400, "reject"), (401, "reject"), (422, "reject")]
    {
        provider.fail_next(&[status]);
        let shown = mail(&provider, ADA).await;
        assert_eq!(shown["outcome"], outcome, "{status}: {shown}");
        assert!(shown["reason"].as_str().unwrap().contains(&status.to_string()), "{shown}");
        assert!(!shown.to_string().contains("t0psecret"), "the key shows: {shown}");
    }
    for bad in ["{", "[]", r#"{"id":"1","name":"Ada"}"#, r#"{"id":"1","email":"no address","name":"Ada"}"#] {
        let folder_event = if bad == "{" { continue } else { bad };
        assert_eq!(mail(&provider, folder_event).await["outcome"], "reject", "{bad}");
    }
    assert_eq!(provider.taken().len(), 7, "what was rejected was sent nevertheless");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_on_like() {
    let provider = Provider::start().await;
    assert_eq!(push(&provider, LIKE).await["outcome"], "done");
    let taken = provider.taken();
    assert_eq!((taken[0].path.as_str(), &taken[0].body["to"]), ("/push", &json!("token")));
    assert_eq!(taken[0].idempotency_key.as_deref(), Some("e1"));
    for (status, outcome) in [(502, "retry"), (404, "reject")] {
        provider.fail_next(&[status]);
        assert_eq!(push(&provider, LIKE).await["outcome"], outcome, "{status}");
    }
    assert_eq!(push(&provider, r#"{"post_id":"7"}"#).await["outcome"], "reject");
}

#[tokio::test(flavor = "multi_thread")]
async fn user_name_changed() {
    let (wasm, manifest) = (artifacts::USER_NAME_CHANGED, artifacts::USER_NAME_CHANGED_MANIFEST);
    let run =
        async |data: &str| shown(&invoke("user-name-changed", wasm, manifest, &[], ("user.name.changed", data)).await);
    let done = run(r#"{"Name":"new-name"}"#).await;
    assert_eq!(done["outcome"], "done");
    assert!(done["log"][0]["text"].as_str().unwrap().contains("new-name"), "{done}");
    for bad in [r#"{"Name":""}"#, r#"{"name":"x"}"#, r#"{"Name":7}"#] {
        assert_eq!(run(bad).await["outcome"], "reject", "{bad}");
    }
}

/// A provider that nobody answers at, and one that never answers: both may pass, so both are retries.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_is_away_or_silent_means_retry() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let away = crate::tidemill::free_port();
    for address in [format!("127.0.0.1:{away}"), silent.local_addr().unwrap().to_string()] {
        let config = [
            format!("email-on-register.mail-url=http://{address}/mail"),
            "email-on-register.mail-key=t0psecret".to_owned(),
        ];
        let (wasm, manifest) = (artifacts::EMAIL_ON_REGISTER, artifacts::EMAIL_ON_REGISTER_MANIFEST);
        let shown = shown(&invoke("email-on-register", wasm, manifest, &config, ("user.registered", ADA)).await);
        assert_eq!(shown["outcome"], "retry", "{shown}");
    }
}

/// Where something else is opened, this machine is no longer.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_in_a_private_network_needs_the_operators_word() {
    let provider = Provider::start().await;
    let config = [
        format!("email-on-register.mail-url={}", provider.url("/mail")),
        "email-on-register.mail-key=t0psecret".to_owned(),
    ];
    let (wasm, manifest) = (artifacts::EMAIL_ON_REGISTER, artifacts::EMAIL_ON_REGISTER_MANIFEST);
    for (opened, outcome) in [("mail.internal", "retry"), (&*provider.address.to_string(), "done")] {
        let (event, flags) = (("user.registered", ADA), ["--allow-private", opened]);
        let shown = shown(&invoke_with("email-on-register", wasm, manifest, &config, event, &flags).await);
        assert_eq!(shown["outcome"], outcome, "{opened}: {shown}");
    }
    assert_eq!(provider.taken().len(), 1);
}
