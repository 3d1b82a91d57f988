//! What a sender may deliver who proves to be the push account: what can't be verified leaves the subscription, and
//! sources that can't sign are taken by rule.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use common::issuer::{Issuer, SigningKey};
use common::{Answer, SCRIPT, TestHost, delivery, event, log, sign, unsigned, wasm};
use hyper::StatusCode;
use serde_json::Value;
use tempfile::TempDir;
use tidemill_events::Envelope;
use tidemill_host::config::{AuthMode, DeadLetterTarget};
use tidemill_test_artifacts::SCRIPTED;

const UPLOADS: &str = "projects/p/subscriptions/uploads";

struct Fixture {
    host: TestHost,
    issuer: Issuer,
    dead: TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let (issuer, dead) = (Issuer::start().await, tempfile::tempdir().unwrap());
        let (oidc, target) = (issuer.config(), DeadLetterTarget::Folder(dead.path().to_owned()));
        let handlers: &[(&str, &str, &[u8])] = &[("scripted", SCRIPT, &wasm(SCRIPTED))];
        let host = TestHost::start_with(handlers, |config| {
            config.auth = AuthMode::Oidc(oidc);
            config.dead_letter.target = Some(target);
            config.dead_letter.max_attempts = Some(3);
            config.verify.unsigned_sources = [
                &format!("{UPLOADS} eventType=OBJECT_FINALIZE -> script"),
                "//uploads/a -> script",
                "//uploads/b -> script",
            ]
            .map(|rule| rule.parse().unwrap())
            .to_vec();
        })
        .await;
        Self { host, issuer, dead }
    }

    /// Posts as the push account.
    async fn post(&self, envelope: &Envelope) -> Answer {
        let token = self.issuer.lasting_token(&SigningKey::a());
        let mut answer = self.host.post_as(&format!("Bearer {token}"), envelope).await;
        answer.message_id.clone_from(&envelope.delivery.message_id);
        answer
    }

    /// The codes of the dead letters, by message id.
    fn letters(&self) -> Vec<(String, String)> {
        let files =
            std::fs::read_dir(self.dead.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        let letters = files.map(|text| serde_json::from_slice::<Value>(&text).unwrap());
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        letters.map(|letter| (text(&letter["message"]["messageId"]), text(&letter["deadLetter"]["code"]))).collect()
    }
}

/// Of two subscriptions' messages one has to know which came from where.
fn from(subscription: &str, mut envelope: Envelope) -> Envelope {
    envelope.delivery.subscription = subscription.into();
    envelope
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_never_be_verified_is_stored_and_acknowledged() {
    let fixture = Fixture::start().await;
    let mut relabelled = sign(&event("script", b"[]"));
    relabelled.message.attributes.insert("event-type".into(), "admin.granted".into());
    let mut malformed = sign(&event("script", b"[]"));
    malformed.message.attributes.insert("signature-v2".into(), "v2,k1,?".into());
    let cases = [
        (relabelled, "invalid-signature"),
        (malformed, "malformed-signature"),
        (unsigned(&[("event-type", "script")], b"[]"), "not-signed"),
        (sign(&event("user.vanished", b"[]")), "unknown-event-type"),
    ];
    for (envelope, code) in &cases {
        let answer = fixture.post(envelope).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{code}");
        assert!(!answer.headers.contains_key("tidemill-handler"), "{code}");
        let letter = (envelope.delivery.message_id.clone(), (*code).to_owned());
        assert!(fixture.letters().contains(&letter), "{letter:?} is not among {:?}", fixture.letters());
    }
    assert_eq!(fixture.letters().len(), cases.len());
}

/// A key that the host doesn't hold may be on its way: the event comes again until its attempts are used up.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_yet_come_is_waited_for() {
    let fixture = Fixture::start().await;
    let mut envelope = sign(&event("script", b"[]"));
    let signature = envelope.message.attributes["signature-v2"].replace("k1", "k9");
    envelope.message.attributes.insert("signature-v2".into(), signature);
    // Counted by the broker, and by the host where the broker doesn't count.
    for counts in [true, false] {
        envelope.delivery = delivery();
        for attempt in 1..=2 {
            envelope.delivery.attempt = counts.then_some(attempt);
            let answer = fixture.post(&envelope).await;
            assert_eq!((answer.status, answer.code().as_str()), (StatusCode::FORBIDDEN, "unknown-key"));
        }
        envelope.delivery.attempt = counts.then_some(3);
        assert_eq!(fixture.post(&envelope).await.status, StatusCode::NO_CONTENT);
        let letter = (envelope.delivery.message_id.clone(), "unknown-key".to_owned());
        assert!(fixture.letters().contains(&letter), "{:?}", fixture.letters());
    }
}

/// What is no envelope at all is kept as it came.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_envelope_is_kept_whole() {
    let fixture = Fixture::start().await;
    let token = fixture.issuer.lasting_token(&SigningKey::a());
    let request = hyper::Request::post(format!("http://{}/events", fixture.host.address))
        .header("authorization", format!("Bearer {token}"))
        .body(http_body_util::Full::from("not an envelope"))
        .unwrap();
    let answer = common::client(false).request(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let [(_, code)] = fixture.letters().try_into().unwrap();
    assert_eq!(code, "malformed-envelope");
    let file = std::fs::read_dir(fixture.dead.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(Envelope::decode(&std::fs::read(file).unwrap()).unwrap().message.data, b"not an envelope");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_sign_is_taken_by_rule() {
    let fixture = Fixture::start().await;
    let notice = |kind: &str| unsigned(&[("eventType", kind), ("bucketId", "photos")], br#"["show"]"#);
    let taken = from(UPLOADS, notice("OBJECT_FINALIZE"));
    let answer = fixture.post(&taken).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.headers["tidemill-handler"].to_str().unwrap().starts_with("scripted@"));
    let lines = log::of_message(&answer.message_id);
    let shown = lines.iter().find(|line| line["stream"] == "stdout").unwrap();
    let shown: Value = serde_json::from_str(shown["message"].as_str().unwrap()).unwrap();
    assert_eq!((&shown["event_type"], &shown["attributes"]["bucketId"]), (&"script".into(), &"photos".into()));
    // Another kind of notice, another subscription, and a message that claims a type of its own: no rule is about them.
    for other in [
        from(UPLOADS, notice("OBJECT_DELETE")),
        from("projects/p/subscriptions/other", notice("OBJECT_FINALIZE")),
        from("projects/p/subscriptions/other", unsigned(&[("event-type", "script")], b"[]")),
    ] {
        assert_eq!(fixture.post(&other).await.status, StatusCode::NO_CONTENT);
        assert!(fixture.letters().contains(&(other.delivery.message_id.clone(), "not-signed".into())));
    }
}

/// An id is one source's own: another source may well have the same.
#[tokio::test(flavor = "multi_thread")]
async fn two_sources_may_have_the_same_id() {
    let fixture = Fixture::start().await;
    let token = fixture.issuer.lasting_token(&SigningKey::a());
    let post = async |source: &str, data: &'static str| {
        let request = hyper::Request::post(format!("http://{}/", fixture.host.address))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("ce-specversion", "1.0")
            .header("ce-id", "the-same")
            .header("ce-source", source)
            .header("ce-type", "upload");
        let request = request.body(http_body_util::Full::from(data)).unwrap();
        let answer = common::client(false).request(request).await.unwrap();
        (answer.status(), answer.headers()["tidemill-code"].to_str().unwrap().to_owned())
    };
    let done = (StatusCode::NO_CONTENT, "done".to_owned());
    assert_eq!(post("//uploads/a", "[]").await, done);
    assert_eq!(post("//uploads/b", "[]").await, done);
    assert_eq!(post("//uploads/b", "[]").await, (StatusCode::NO_CONTENT, "duplicate".to_owned()));
    for source in ["//nobody/a", "//nobody/b"] {
        assert_eq!(post(source, "[]").await, (StatusCode::NO_CONTENT, "not-signed".to_owned()));
    }
    assert_eq!(fixture.letters().len(), 2);
}

/// What is wrong with an unwrapped delivery is in its headers, so they are kept with it; the token is not.
#[tokio::test(flavor = "multi_thread")]
async fn of_a_request_that_is_no_envelope_the_headers_are_kept() {
    let fixture = Fixture::start().await;
    let token = fixture.issuer.lasting_token(&SigningKey::a());
    let request = hyper::Request::post(format!("http://{}/events", fixture.host.address))
        .header("authorization", format!("Bearer {token}"))
        .header("x-goog-pubsub-message-id", "77")
        .header("x-goog-pubsub-subscription-name", "projects/p/subscriptions/s")
        .header("event-type", "user.registered")
        .header("signature-v2", "v2,k1,x")
        .header("ce-id", "an attribute of the publisher's")
        .body(http_body_util::Full::from("the data"))
        .unwrap();
    assert_eq!(common::client(false).request(request).await.unwrap().status(), StatusCode::NO_CONTENT);
    let file = std::fs::read_dir(fixture.dead.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains(&token));
    let kept = Envelope::decode(text.as_bytes()).unwrap();
    assert_eq!((kept.message.data.as_slice(), kept.delivery.message_id.as_str()), (b"the data".as_slice(), "77"));
    for (name, value) in [("event-type", "user.registered"), ("signature-v2", "v2,k1,x")] {
        assert_eq!(kept.message.attributes[name], value);
    }
}

/// The rule is worth nothing without the token.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_token_no_rule_helps() {
    let fixture = Fixture::start().await;
    let notice = from(UPLOADS, unsigned(&[("eventType", "OBJECT_FINALIZE")], b"[]"));
    let answer = fixture.host.post(&notice).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "no-token"));
    assert!(fixture.letters().is_empty());
    assert_eq!(delivery().subscription, "projects/p/subscriptions/s");
}
