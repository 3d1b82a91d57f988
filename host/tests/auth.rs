//! Who may deliver, by tokens of an issuer of the test's own: what is let in, what is refused and as what.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::time::Duration;

use common::issuer::{AUDIENCE, EMAIL, Issuer, Published, REMOVED, SigningKey, unsigned, with_signature};
use common::{TestHost, log, signed, wasm};
use hyper::header::{AUTHORIZATION, HeaderName};
use hyper::{HeaderMap, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use tidemill_host::auth::{AuthError, Authenticator, Part, Sender, TokenError};
use tidemill_host::config::{AuthMode, IamConfig};
use tidemill_test_artifacts::EMPTY;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn oidc(issuer: &Issuer) -> Authenticator {
    Authenticator::new(AuthMode::Oidc(issuer.config())).unwrap()
}

fn iam(audiences: &[&str]) -> Authenticator {
    let audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
    Authenticator::new(AuthMode::Iam(IamConfig { emails: vec![EMAIL.into()], audiences })).unwrap()
}

fn bearer(token: &str) -> HeaderMap {
    HeaderMap::from_iter([(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())])
}

fn vouched() -> Result<Sender, AuthError> {
    Ok(Sender::Vouched { email: EMAIL.into() })
}

/// A claim or a header's member, changed.
fn set(name: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |object| object[name] = value
}

fn without(name: &'static str) -> impl FnOnce(&mut Value) {
    move |object| drop(object.as_object_mut().unwrap().remove(name))
}

#[tokio::test]
async fn a_good_token_vouches_for_its_account() {
    let issuer = Issuer::start().await;
    let auth = oidc(&issuer);
    for change in [set("iss", json!("accounts.google.com")), set("iss", json!("https://accounts.google.com"))] {
        assert_eq!(auth.authenticate(&bearer(&issuer.token(change)), issuer.now).await, vouched());
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn without_a_mode_nobody_is_asked() {
    let auth = Authenticator::new(AuthMode::None).unwrap();
    let issuer = Issuer::start().await;
    for headers in [HeaderMap::new(), bearer("nonsense")] {
        assert_eq!(auth.authenticate(&headers, issuer.now).await, Ok(Sender::Anybody));
    }
}

/// What is refused before any key is looked up, so that no stranger's text makes the host ask the issuer.
#[tokio::test]
async fn what_no_key_could_help_is_refused_without_one() {
    let issuer = Issuer::start().await;
    let auth = oidc(&issuer);
    let (a, good) = (SigningKey::a(), issuer.token(|_| {}));
    let claims = issuer.claims().to_string();
    let header = |change: &dyn Fn(&mut Value)| {
        let mut header = a.header();
        change(&mut header);
        header.to_string()
    };
    let secret = hmac::Key::new(hmac::HMAC_SHA256, &a.public().n);
    let confused = unsigned(&header(&|header| header["alg"] = json!("HS256")), &claims);
    let confused =
        format!("{confused}.{}", common::issuer::base64url(hmac::sign(&secret, confused.as_bytes()).as_ref()));
    let with_header = |header: String| issuer.raw_token(&header, &claims, &a);
    let twice = claims.replacen('{', r#"{"email":"other@example.com","#, 1);
    let cases = [
        ("empty", String::new(), AuthError::NoToken),
        ("no token", "nonsense".into(), TokenError::Parts.into()),
        ("five parts", format!("{good}.a.b"), TokenError::Parts.into()),
        ("two tokens", format!("{good}, Bearer {good}"), TokenError::Parts.into()),
        ("padding", format!("{good}="), TokenError::Base64(Part::Signature).into()),
        ("too long", format!("{good}{}", "A".repeat(8 << 10)), TokenError::TooLong.into()),
        (
            "claim twice",
            issuer.raw_token(&a.header().to_string(), &twice, &a),
            TokenError::Repeated(Part::Claims).into(),
        ),
        ("no expiry", issuer.token(without("exp")), TokenError::Missing(Part::Claims, "exp").into()),
        ("no issue", issuer.token(without("iat")), TokenError::Missing(Part::Claims, "iat").into()),
        (
            "list of audiences",
            issuer.token(set("aud", json!([AUDIENCE]))),
            TokenError::Form { part: Part::Claims, member: "aud", expected: "a string" }.into(),
        ),
        ("critical", with_header(header(&|header| header["crit"] = json!(["b64"]))), TokenError::Critical.into()),
        ("alg none", with_header(header(&|header| header["alg"] = json!("none"))), AuthError::WrongAlgorithm),
        (
            "alg none, unsigned",
            format!("{}.", unsigned(&header(&|header| header["alg"] = json!("None")), &claims)),
            AuthError::WrongAlgorithm,
        ),
        ("HS256 with the public key", confused, AuthError::WrongAlgorithm),
        ("RS512", with_header(header(&|header| header["alg"] = json!("RS512"))), AuthError::WrongAlgorithm),
        (
            "no kid",
            with_header(header(&|header| drop(header.as_object_mut().unwrap().remove("kid")))),
            AuthError::NoKeyId,
        ),
        ("stripped", with_signature(&good, REMOVED), AuthError::StrippedSignature),
    ];
    for (name, token, expected) in cases {
        let error = auth.authenticate(&bearer(&token), issuer.now).await.unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!format!("{error} {error:?}").contains("example.com"), "{name}: {error} repeats what the token says");
    }
    let mut several = bearer("x");
    several.append(AUTHORIZATION, format!("Bearer {good}").parse().unwrap());
    assert_eq!(auth.authenticate(&several, issuer.now).await, Err(AuthError::SeveralTokens));
    assert_eq!(auth.authenticate(&HeaderMap::new(), issuer.now).await, Err(AuthError::NoToken));
    assert_eq!(issuer.fetches(), 0);
}

#[tokio::test]
async fn what_the_issuer_did_not_sign_or_not_for_this_host_is_refused() {
    let issuer = Issuer::start().await;
    let auth = oidc(&issuer);
    let (a, b, good) = (SigningKey::a(), SigningKey::b(), issuer.token(|_| {}));
    let claims = issuer.claims();
    let other = set("email", json!("other@example.com"));
    let issued = claims["iat"].as_u64().unwrap();
    let cases = [
        ("unknown key", issuer.lasting_token(&b), AuthError::UnknownKey),
        ("another's key", issuer.raw_token(&a.header().to_string(), &claims.to_string(), &b), AuthError::BadSignature),
        ("no signature", with_signature(&good, ""), AuthError::BadSignature),
        ("cut signature", with_signature(&good, "AAAA"), AuthError::BadSignature),
        (
            "signature of another token",
            with_signature(&issuer.token(other), good.rsplit_once('.').unwrap().1),
            AuthError::BadSignature,
        ),
        (
            "key in the header",
            issuer.raw_token(
                &json!({ "alg": "RS256", "kid": "a", "jwk": b.jwk() }).to_string(),
                &claims.to_string(),
                &b,
            ),
            AuthError::BadSignature,
        ),
        ("expired", issuer.token(set("exp", json!(issued - 30))), AuthError::Expired),
        ("future", issuer.token(set("iat", json!(issued + 60))), AuthError::NotYetValid),
        ("not before", issuer.token(set("nbf", json!(issued + 60))), AuthError::NotYetValid),
        ("other issuer", issuer.token(set("iss", json!("https://accounts.example.com"))), AuthError::Issuer),
        ("other audience", issuer.token(set("aud", json!("https://events.example.com/"))), AuthError::Audience),
        ("other account", issuer.token(set("email", json!("other@example.com"))), AuthError::Email),
        ("no account", issuer.token(without("email")), AuthError::Email),
        ("unverified", issuer.token(set("email_verified", json!(false))), AuthError::EmailNotVerified),
        ("not said to be verified", issuer.token(without("email_verified")), AuthError::EmailNotVerified),
    ];
    for (name, token, expected) in cases {
        let error = auth.authenticate(&bearer(&token), issuer.now).await.unwrap_err();
        assert_eq!(error, expected, "{name}");
        assert!(!format!("{error} {error:?}").contains("example.com"), "{name}: {error} repeats what the token says");
    }
    assert_eq!(auth.authenticate(&bearer(&good), issuer.now).await, vouched());
    assert_eq!(issuer.fetches(), 1);
}

/// No bit of a token can be changed.
#[tokio::test]
async fn a_token_with_any_character_changed_is_refused() {
    let issuer = Issuer::start().await;
    let auth = oidc(&issuer);
    let good = issuer.token(|_| {});
    for index in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        let judged = auth.authenticate(&bearer(&changed), issuer.now).await;
        assert!(judged.is_err(), "character {index}: {judged:?}");
    }
    assert_eq!(auth.authenticate(&bearer(&good), issuer.now).await, vouched());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn iam_judges_what_the_platform_has_checked() {
    let issuer = Issuer::start().await;
    let stripped = |change: &dyn Fn(&mut Value)| with_signature(&issuer.token(change), REMOVED);
    let good = stripped(&|_| {});
    let any = stripped(&|claims| claims["aud"] = json!("https://other.example.com"));
    assert_eq!(iam(&[]).authenticate(&bearer(&good), issuer.now).await, vouched());
    assert_eq!(iam(&[]).authenticate(&bearer(&any), issuer.now).await, vouched());
    let auth = iam(&[AUDIENCE]);
    assert_eq!(auth.authenticate(&bearer(&good), issuer.now).await, vouched());
    let issued = issuer.claims()["iat"].as_u64().unwrap();
    for (name, token, expected) in [
        ("other audience", any, AuthError::Audience),
        ("signed", issuer.token(|_| {}), AuthError::UncheckedSignature),
        ("no signature", with_signature(&good, ""), AuthError::UncheckedSignature),
        ("expired", stripped(&|claims| claims["exp"] = json!(issued - 30)), AuthError::Expired),
        ("other issuer", stripped(&|claims| claims["iss"] = json!("https://evil.example.com")), AuthError::Issuer),
        ("other account", stripped(&|claims| claims["email"] = json!("other@example.com")), AuthError::Email),
        ("unverified", stripped(&|claims| claims["email_verified"] = json!(false)), AuthError::EmailNotVerified),
    ] {
        assert_eq!(auth.authenticate(&bearer(&token), issuer.now).await, Err(expected), "{name}");
    }
    assert_eq!(auth.authenticate(&HeaderMap::new(), issuer.now).await, Err(AuthError::NoToken));
    assert_eq!(issuer.fetches(), 0);
}

/// Somebody else who may invoke the service shows Cloud Run a token of their own, and writes one for the host.
#[tokio::test]
async fn iam_judges_the_token_that_the_platform_reads_first() {
    let issuer = Issuer::start().await;
    let auth = iam(&[]);
    let forged = with_signature(&issuer.token(|_| {}), REMOVED);
    let own = with_signature(&issuer.token(set("email", json!("dev@example.com"))), REMOVED);
    let serverless = HeaderName::from_static("x-serverless-authorization");
    for (checked, expected) in [
        (format!("Bearer {own}"), AuthError::Email),
        ("Basic x".into(), AuthError::NoToken),
        (String::new(), AuthError::NoToken),
    ] {
        let mut headers = bearer(&forged);
        headers.insert(serverless.clone(), checked.parse().unwrap());
        assert_eq!(auth.authenticate(&headers, issuer.now).await, Err(expected), "{checked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_answers_by_what_the_token_proves() {
    let issuer = Issuer::start().await;
    // Before the host, which begins to fetch at its start.
    issuer.publish(Published::status(500));
    let host = TestHost::start_with(&[("empty", "events = [\"a\"]", &wasm(EMPTY))], |config| {
        config.auth = AuthMode::Oidc(issuer.config());
    })
    .await;
    let event = || signed("a", b"{}");
    let early = host.post_as(&format!("Bearer {}", issuer.token(|_| {})), &event()).await;
    assert_eq!((early.status, early.code().as_str()), (StatusCode::SERVICE_UNAVAILABLE, "keys-unavailable"));
    issuer.publish(Published::keys(&[&SigningKey::a()]));
    let good = format!("Bearer {}", issuer.token(|_| {}));
    // Not before the wait after the failure is over.
    let mut statuses = vec![];
    while statuses.last() != Some(&StatusCode::NO_CONTENT) && statuses.len() < 600 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        statuses.push(host.post_as(&good, &event()).await.status);
    }
    assert_eq!(statuses.last(), Some(&StatusCode::NO_CONTENT), "{statuses:?}");
    let none = host.post(&event()).await;
    assert_eq!((none.status, none.code().as_str()), (StatusCode::UNAUTHORIZED, "no-token"));
    assert_eq!(none.headers["www-authenticate"], "Bearer");
    let other = format!("Bearer {}", issuer.token(set("email", json!("other@example.com"))));
    let other = host.post_as(&other, &event()).await;
    assert_eq!((other.status, other.code().as_str()), (StatusCode::FORBIDDEN, "wrong-email"));
    assert!(!other.headers.contains_key("www-authenticate"));
    let refusals = log::lines(|line| line["code"] == "wrong-email");
    assert_eq!(refusals.len(), 1);
    assert!(!refusals[0].to_string().contains("example.com"), "{}", refusals[0]);
}

/// A stranger is answered on the headers, while the body that they announce has not come.
#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_body_is_never_read() {
    let issuer = Issuer::start().await;
    let host = TestHost::start_with(&[], |config| config.auth = AuthMode::Oidc(issuer.config())).await;
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"POST /events HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 401");
}
