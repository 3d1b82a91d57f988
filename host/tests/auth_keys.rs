//! The issuer's keys: how often they are asked for, how long they count, and what happens while they can't be had. Time
//! is an argument, so hours pass at once and nothing depends on how fast a machine is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::issuer::{EMAIL, Issuer, Published, SigningKey};
use common::log;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use serde_json::{Value, json};
use tidemill_host::auth::{AuthError, Authenticator, Sender};
use tidemill_host::config::AuthMode;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// An issuer, and a host's authenticator that knows none of its keys yet.
struct Setting {
    issuer: Issuer,
    auth: Arc<Authenticator>,
}

type Judged = Result<(), AuthError>;

impl Setting {
    async fn new() -> Self {
        log::capture();
        let issuer = Issuer::start().await;
        let auth = Arc::new(Authenticator::new(AuthMode::Oidc(issuer.config())).unwrap());
        Self { issuer, auth }
    }

    /// A token signed with this key, so many seconds after the start.
    fn judge(&self, key: &SigningKey, seconds: u64) -> impl Future<Output = Judged> + Send + use<> {
        let headers = bearer(&self.issuer.lasting_token(key));
        let (auth, now) = (Arc::clone(&self.auth), self.issuer.now + Duration::from_secs(seconds));
        async move {
            let sender = auth.authenticate(&headers, now).await?;
            assert_eq!(sender, Sender::Vouched { email: EMAIL.into() });
            Ok(())
        }
    }

    /// Many at once.
    async fn judge_many(&self, count: usize, key: &SigningKey, seconds: u64) -> Vec<Judged> {
        let mut all = JoinSet::new();
        let one = bearer(&self.issuer.lasting_token(key));
        for _ in 0..count {
            let (auth, headers) = (Arc::clone(&self.auth), one.clone());
            let now = self.issuer.now + Duration::from_secs(seconds);
            all.spawn(async move { auth.authenticate(&headers, now).await.map(drop) });
        }
        all.join_all().await
    }

    /// What the log says of this issuer's keys.
    fn lines(&self) -> Vec<Value> {
        let url = self.issuer.address.to_string();
        log::lines(|line| {
            line["message"].as_str().is_some_and(|text| text.starts_with("auth: ") && text.contains(&url))
        })
    }
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_on_a_cold_host_cause_one_fetch_and_no_error() {
    let setting = Setting::new().await;
    setting.issuer.hold();
    let a = SigningKey::a();
    let many = setting.judge_many(1000, &a, 0);
    let release = async {
        // By then the first one is waiting, and the others come while it does or just after.
        setting.issuer.until_fetches(1).await;
        setting.issuer.release();
    };
    let (judged, ()) = tokio::join!(many, release);
    assert_eq!(judged, vec![Ok(()); 1000]);
    assert_eq!(setting.issuer.fetches(), 1);
    assert_eq!(setting.judge_many(1000, &a, 5).await, vec![Ok(()); 1000]);
    assert_eq!(setting.issuer.fetches(), 1);
}

/// The request that began a fetch is hung up on; who waits with it gets what it brings.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_outlives_the_request_that_began_it() {
    let setting = Setting::new().await;
    setting.issuer.hold();
    let first = tokio::spawn(setting.judge(&SigningKey::a(), 0));
    setting.issuer.until_fetches(1).await;
    let second = tokio::spawn(setting.judge(&SigningKey::a(), 0));
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    setting.issuer.release();
    assert_eq!(second.await.unwrap(), Ok(()));
    assert_eq!(setting.issuer.fetches(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_keys_cause_one_fetch_an_interval() {
    let setting = Setting::new().await;
    let (a, b) = (SigningKey::a(), SigningKey::b());
    assert_eq!(setting.judge(&a, 0).await, Ok(()));
    for (seconds, fetches) in [(0, 1), (29, 1), (30, 2), (59, 2), (60, 3)] {
        let judged = setting.judge_many(100, &b, seconds).await;
        assert_eq!(judged, vec![Err(AuthError::UnknownKey); 100]);
        assert_eq!(setting.issuer.fetches(), fetches, "{seconds} s");
    }
    assert_eq!(setting.judge(&a, 60).await, Ok(()));
}

/// The issuer signs with a new key, then withdraws the old one.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_counts_when_it_is_met_and_an_old_one_until_it_is_withdrawn() {
    let setting = Setting::new().await;
    let (a, b) = (SigningKey::a(), SigningKey::b());
    assert_eq!(setting.judge(&a, 0).await, Ok(()));
    setting.issuer.publish(Published::keys(&[&a, &b]));
    assert_eq!(setting.judge_many(100, &b, 40).await, vec![Ok(()); 100]);
    assert_eq!(setting.judge(&a, 40).await, Ok(()));
    assert_eq!(setting.issuer.fetches(), 2);
    setting.issuer.publish(Published::keys(&[&b]));
    // The fetch goes on beside the request that began it; a token with a key that nobody knows waits for it.
    assert_eq!(setting.judge(&a, 4000).await, Ok(()));
    let nobodys = setting.issuer.raw_token(
        &json!({ "alg": "RS256", "kid": "c" }).to_string(),
        &setting.issuer.claims().to_string(),
        &b,
    );
    let now = setting.issuer.now + Duration::from_secs(4000);
    assert_eq!(setting.auth.authenticate(&bearer(&nobodys), now).await, Err(AuthError::UnknownKey));
    assert_eq!(setting.judge(&a, 4000).await, Err(AuthError::UnknownKey));
    assert_eq!(setting.judge(&b, 4000).await, Ok(()));
    assert_eq!(setting.issuer.fetches(), 3);
}

/// Keys are kept for as long as the issuer says, and renewed in the last fifth of it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_renewed_when_the_issuer_says() {
    for (answer, fresh, due) in [
        (Published::keys(&[&SigningKey::a()]), 2879, 2880),
        (Published::keys(&[&SigningKey::a()]).header("cache-control", "public, max-age=1000"), 799, 800),
        (Published::keys(&[&SigningKey::a()]).header("cache-control", "max-age=1000").header("age", "500"), 399, 400),
        (Published::keys(&[&SigningKey::a()]).header("cache-control", "max-age=1"), 239, 240),
        (Published::keys(&[&SigningKey::a()]).header("cache-control", "max-age=31536000"), 69_119, 69_120),
    ] {
        let setting = Setting::new().await;
        setting.issuer.publish(answer);
        let a = SigningKey::a();
        for seconds in [0, fresh] {
            assert_eq!(setting.judge_many(20, &a, seconds).await, vec![Ok(()); 20]);
            assert_eq!(setting.issuer.fetches(), 1);
        }
        assert_eq!(setting.judge_many(20, &a, due).await, vec![Ok(()); 20]);
        setting.issuer.until_fetches(2).await;
    }
}

/// The issuer takes its time, and no request that can be judged waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_while_keys_are_renewed() {
    let setting = Setting::new().await;
    let a = SigningKey::a();
    assert_eq!(setting.judge(&a, 0).await, Ok(()));
    setting.issuer.hold();
    assert_eq!(setting.judge_many(100, &a, 3000).await, vec![Ok(()); 100]);
    setting.issuer.until_fetches(2).await;
    assert_eq!(setting.judge_many(100, &a, 5000).await, vec![Ok(()); 100]);
    assert_eq!(setting.issuer.fetches(), 2);
    setting.issuer.release();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_go_on_counting_while_the_issuer_is_away() {
    let setting = Setting::new().await;
    let (a, b) = (SigningKey::a(), SigningKey::b());
    assert_eq!(setting.judge(&a, 0).await, Ok(()));
    setting.issuer.stop().await;
    for hours in 1..100 {
        assert_eq!(setting.judge(&a, hours * 3600).await, Ok(()));
        // A token with an unknown key waits for the fetch, so each of these is over.
        assert_eq!(setting.judge(&b, hours * 3600).await, Err(AuthError::UnknownKey));
    }
    assert_eq!(setting.issuer.fetches(), 1);
    let lines = setting.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["severity"], "WARNING");
    assert!(lines[0]["message"].as_str().unwrap().contains("go on counting"), "{}", lines[0]);
}

/// A storm of requests on a cold host whose issuer is down is no storm of fetches, and ends when the issuer is back.
#[tokio::test(flavor = "multi_thread")]
async fn failed_fetches_wait_longer_and_longer_and_recover() {
    let setting = Setting::new().await;
    let a = SigningKey::a();
    setting.issuer.publish(Published::status(500));
    for (seconds, fetches) in [(0, 1), (1, 2), (2, 2), (3, 3), (6, 3), (7, 4), (15, 5)] {
        assert_eq!(setting.judge_many(100, &a, seconds).await, vec![Err(AuthError::KeysUnavailable); 100]);
        assert_eq!(setting.issuer.fetches(), fetches, "{seconds} s");
    }
    setting.issuer.publish(Published::keys(&[&a]));
    assert_eq!(setting.judge(&a, 30).await, Err(AuthError::KeysUnavailable));
    assert_eq!(setting.judge_many(100, &a, 31).await, vec![Ok(()); 100]);
    assert_eq!(setting.issuer.fetches(), 6);
    let lines = setting.lines();
    let told: Vec<_> = lines.iter().map(|line| line["severity"].as_str().unwrap()).collect();
    assert_eq!(told, ["WARNING", "INFO"], "{lines:?}");
    assert!(lines[0]["message"].as_str().unwrap().contains("500"), "{}", lines[0]);
}

/// Whatever comes in place of keys, none are taken from it, and the log says what it was.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_set_is_said_to_be_none() {
    let a = SigningKey::a();
    let other = Issuer::start().await;
    let elsewhere = format!("http://{}/certs", other.address);
    for (answer, says) in [
        (Published::status(404), "404"),
        (Published::status(302).header("location", elsewhere), "redirects are not followed"),
        (Published::body("<html>"), "no JWK Set"),
        (Published::body(r#"{"keys":[]}"#), "no RSA key"),
        (Published::body(format!("{{\"x\":\"{}\",\"keys\":[{}]}}", "x".repeat(256 << 10), a.jwk())), "longer than"),
    ] {
        let setting = Setting::new().await;
        setting.issuer.publish(answer);
        assert_eq!(setting.judge(&a, 0).await, Err(AuthError::KeysUnavailable), "{says}");
        let line = setting.lines()[0]["message"].as_str().unwrap().to_owned();
        assert!(line.contains(says), "{line}");
    }
    assert_eq!(other.fetches(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_never_answers_is_given_up() {
    let mut setting = Setting::new().await;
    let mut config = setting.issuer.config();
    config.fetch_timeout = Duration::from_millis(100);
    setting.auth = Arc::new(Authenticator::new(AuthMode::Oidc(config)).unwrap());
    setting.issuer.hold();
    assert_eq!(setting.judge(&SigningKey::a(), 0).await, Err(AuthError::KeysUnavailable));
    assert!(setting.lines()[0]["message"].as_str().unwrap().contains("within 100ms"));
}

/// Whoever answers at an https URL is asked in TLS or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn an_https_url_is_never_asked_in_plain_text() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut setting = Setting::new().await;
    let mut config = setting.issuer.config();
    config.jwks_url = format!("https://{}/certs", listener.local_addr().unwrap()).parse().unwrap();
    setting.auth = Arc::new(Authenticator::new(AuthMode::Oidc(config)).unwrap());
    let a = SigningKey::a();
    let (judged, first) = tokio::join!(setting.judge(&a, 0), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        // Not an HTTP method's letter: a handshake record (RFC 8446, section 5.1).
        stream.read_u8().await.unwrap()
    });
    assert_eq!((judged, first), (Err(AuthError::KeysUnavailable), 22));
}
