//! Tokens that the issuer signed, and not for this: what they say is wrong, or could be read in two ways.

use serde_json::{Value, json};

use crate::common::issuer::{AUDIENCE, EMAIL, REMOVED, SigningKey, with_signature};
use crate::row::Answer::{self, Refused};
use crate::row::Mode::{Iam, Oidc};
use crate::row::Row;
use crate::scene::Scene;
use crate::token::{MALFORMED, with_token};

const ISSUER: Answer = Refused(403, "wrong-issuer");
const ADDRESSEE: Answer = Refused(403, "wrong-audience");
const ACCOUNT: Answer = Refused(403, "wrong-email");
const UNVERIFIED: Answer = Refused(403, "email-not-verified");
const EXPIRED: Answer = Refused(401, "expired-token");
const EARLY: Answer = Refused(401, "token-not-yet-valid");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = of_others(scene);
    rows.extend(of_another_time(scene));
    rows.extend(of_another_form(scene));
    rows.extend(checked_by_the_platform(scene));
    rows
}

/// An `Authorization` that Cloud Run let in, of an account that may not deliver.
pub(crate) fn of_another_account(scene: &Scene) -> String {
    let token = scene.issuer.token(|claims| claims["email"] = json!("dev@example.com"));
    format!("Bearer {}", with_signature(&token, REMOVED))
}

/// A row of a signed token with one claim of another value; `null` takes it away.
fn claim(scene: &Scene, what: &str, name: &str, value: Value, answer: Answer) -> Row {
    let token = scene.issuer.token(|claims| {
        let claims = claims.as_object_mut().unwrap();
        claims.remove(name);
        if !value.is_null() {
            claims.insert(name.to_owned(), value);
        }
    });
    with_token(scene, what, Oidc, token, answer)
}

fn of_others(scene: &Scene) -> Vec<Row> {
    let row = |what, name: &str, value: Value, answer| claim(scene, what, name, value, answer);
    vec![
        row("another issuer", "iss", json!("https://accounts.example.com"), ISSUER),
        row("an issuer that begins alike", "iss", json!("https://accounts.google.com.example.com"), ISSUER),
        row("an issuer that ends alike", "iss", json!("https://example.com/accounts.google.com"), ISSUER),
        row("the issuer with a slash behind it", "iss", json!("https://accounts.google.com/"), ISSUER),
        row("the issuer over plain HTTP", "iss", json!("http://accounts.google.com"), ISSUER),
        row("the issuer in capitals", "iss", json!("https://ACCOUNTS.GOOGLE.COM"), ISSUER),
        row("a list of issuers", "iss", json!(["https://accounts.google.com"]), MALFORMED),
        row("no issuer", "iss", Value::Null, MALFORMED),
        row("another audience", "aud", json!("https://other.example.com/events"), ADDRESSEE),
        row("an audience that begins alike", "aud", json!(format!("{AUDIENCE}/more")), ADDRESSEE),
        row("an empty audience", "aud", json!(""), ADDRESSEE),
        row("a list of audiences", "aud", json!([AUDIENCE, "https://other.example.com"]), MALFORMED),
        row("no audience", "aud", Value::Null, MALFORMED),
        row("another account", "email", json!("other@example.com"), ACCOUNT),
        row("an account that begins alike", "email", json!(format!("{EMAIL}.example.com")), ACCOUNT),
        row("the account in capitals", "email", json!(EMAIL.to_uppercase()), ACCOUNT),
        row("the account with a space behind it", "email", json!(format!("{EMAIL} ")), ACCOUNT),
        row("no account", "email", Value::Null, ACCOUNT),
        row("a list of accounts", "email", json!([EMAIL]), MALFORMED),
        row("`email_verified` false", "email_verified", json!(false), UNVERIFIED),
        row("no `email_verified`", "email_verified", Value::Null, UNVERIFIED),
        row("`email_verified` a text", "email_verified", json!("true"), MALFORMED),
        row("`email_verified` a number", "email_verified", json!(1), MALFORMED),
    ]
}

fn of_another_time(scene: &Scene) -> Vec<Row> {
    let issued = scene.issuer.claims()["iat"].as_u64().unwrap();
    let row = |what, name: &str, value: Value, answer| claim(scene, what, name, value, answer);
    let written = |what, number: &str| {
        let claims = scene.issuer.claims().to_string().replace(&format!("{}", issued + 3600), number);
        assert!(claims.contains(number));
        let key = SigningKey::a();
        with_token(scene, what, Oidc, scene.issuer.raw_token(&key.header().to_string(), &claims, &key), MALFORMED)
    };
    vec![
        row("expired", "exp", json!(issued - 3600), EXPIRED),
        row("`exp` 0", "exp", json!(0), EXPIRED),
        row("no `exp`", "exp", Value::Null, MALFORMED),
        row("`exp` a text", "exp", json!((issued + 3600).to_string()), MALFORMED),
        row("`exp` negative", "exp", json!(-1), MALFORMED),
        row("`exp` with a fraction", "exp", json!(issued as f64 + 3600.5), MALFORMED),
        written("`exp` beyond 64 bits", "99999999999999999999"),
        written("`exp` beyond every number", "1e999"),
        written("`exp` in hex", "0xffffffff"),
        row("issued in ten minutes", "iat", json!(issued + 600), EARLY),
        row("issued at the end of time", "iat", json!(u64::MAX), EARLY),
        row("no `iat`", "iat", Value::Null, MALFORMED),
        row("not before ten minutes from now", "nbf", json!(issued + 600), EARLY),
        row("`nbf` a text", "nbf", json!("0"), MALFORMED),
    ]
}

fn of_another_form(scene: &Scene) -> Vec<Row> {
    let good = scene.issuer.claims().to_string();
    let key = SigningKey::a();
    let row = |what, claims: String| {
        let token = scene.issuer.raw_token(&key.header().to_string(), &claims, &key);
        with_token(scene, what, Oidc, token, MALFORMED)
    };
    let first = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    vec![
        row("claims that name `email` twice", first(r#""email":"other@example.com""#)),
        row("claims that name `email` twice, once escaped", first(r#""e\u006dail":"other@example.com""#)),
        row("claims that name `aud` twice", first(r#""aud":"https://other.example.com""#)),
        row("claims that name `exp` twice", first(r#""exp":0"#)),
        row("claims in an array", format!("[{good}]")),
        row("claims with more behind them", format!("{good}{good}")),
        row("claims with a lone surrogate", first(r#""x":"\ud800""#)),
        row("claims nested 2000 deep", first(&format!(r#""x":{}{}"#, "[".repeat(2000), "]".repeat(2000)))),
        row("no claims", "{}".into()),
    ]
}

fn checked_by_the_platform(scene: &Scene) -> Vec<Row> {
    let issued = scene.issuer.claims()["iat"].as_u64().unwrap();
    let row = |what, name: &str, value: Value, answer| {
        let token = scene.issuer.token(|claims| claims[name] = value);
        with_token(scene, what, Iam, with_signature(&token, REMOVED), answer)
    };
    vec![
        row("another account", "email", json!("other@example.com"), ACCOUNT),
        row("`email_verified` false", "email_verified", json!(false), UNVERIFIED),
        row("another audience", "aud", json!("https://other.example.com"), ADDRESSEE),
        row("another issuer", "iss", json!("https://accounts.example.com"), ISSUER),
        row("expired", "exp", json!(issued - 3600), EXPIRED),
        row("issued in ten minutes", "iat", json!(issued + 600), EARLY),
    ]
}
