//! Tokens that the issuer didn't sign, or not as it signs.

use ring::hmac;
use serde_json::{Value, json};

use crate::common::issuer::{REMOVED, SigningKey, base64url, unsigned, with_signature};
use crate::row::Answer::{self, Refused};
use crate::row::Mode::Oidc;
use crate::row::Row;
use crate::scene::Scene;
use crate::token::{MALFORMED, with_token};

const ALGORITHM: Answer = Refused(401, "wrong-algorithm");
const UNKNOWN_KEY: Answer = Refused(401, "unknown-token-key");
const BAD: Answer = Refused(401, "bad-token-signature");

pub(crate) fn rows(scene: &Scene) -> Vec<Row> {
    let mut rows = algorithms(scene);
    rows.extend(keys(scene));
    rows.extend(signatures(scene));
    rows.extend(headers(scene));
    rows
}

/// A header like a good one's, but for this.
fn header(changes: &Value) -> String {
    let mut header = SigningKey::a().header();
    for (name, value) in changes.as_object().unwrap() {
        header[name] = value.clone();
    }
    header.to_string()
}

/// A row of a token with this header and good claims, signed with a key.
fn signed(scene: &Scene, what: &str, header: &str, key: &SigningKey, answer: Answer) -> Row {
    with_token(scene, what, Oidc, scene.issuer.raw_token(header, &scene.issuer.claims().to_string(), key), answer)
}

fn algorithms(scene: &Scene) -> Vec<Row> {
    let claims = scene.issuer.claims().to_string();
    let a = SigningKey::a();
    let unsigned = |what, algorithm: &str| {
        let token = format!("{}.", unsigned(&header(&json!({ "alg": algorithm })), &claims));
        with_token(scene, what, Oidc, token, ALGORITHM)
    };
    // Whoever takes the key as a secret takes what everybody can make: the public key is public.
    let confused = |what, secret: &[u8]| {
        let text = self::unsigned(&header(&json!({ "alg": "HS256" })), &claims);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), text.as_bytes());
        with_token(scene, what, Oidc, format!("{text}.{}", base64url(mac.as_ref())), ALGORITHM)
    };
    let of = |what, algorithm: &str| signed(scene, what, &header(&json!({ "alg": algorithm })), &a, ALGORITHM);
    vec![
        unsigned("`alg` none, no signature", "none"),
        unsigned("`alg` None, no signature", "None"),
        unsigned("`alg` nOnE, no signature", "nOnE"),
        unsigned("`alg` empty, no signature", ""),
        of("`alg` none with a good signature", "none"),
        confused("HS256 with the public key's modulus as the secret", &a.public().n),
        confused("HS256 with the public key in PEM as the secret", pem(&a).as_bytes()),
        confused("HS256 with the public key's JWK as the secret", a.jwk().to_string().as_bytes()),
        confused("HS256 with the empty secret", b""),
        of("`alg` RS512", "RS512"),
        of("`alg` PS256", "PS256"),
        of("`alg` ES256", "ES256"),
        of("`alg` EdDSA", "EdDSA"),
        of("`alg` rs256", "rs256"),
        signed(scene, "`alg` a list", &header(&json!({ "alg": ["RS256"] })), &a, MALFORMED),
        signed(scene, "no `alg`", r#"{"kid":"a"}"#, &a, MALFORMED),
    ]
}

/// The public key as many programs keep it: `RSAPublicKey` of PKCS #1 in PEM.
fn pem(key: &SigningKey) -> String {
    fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
        // Every length here is in the form with two bytes of length but that of the exponent.
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let head = if content.len() < 128 { vec![tag, length[1]] } else { vec![tag, 0x82, length[0], length[1]] };
        [head, content.to_vec()].concat()
    }
    let public = key.public();
    let integer = |bytes: &[u8]| tagged(2, &[&[0], bytes].concat());
    let der = tagged(0x30, &[integer(&public.n), tagged(2, &public.e)].concat());
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN RSA PUBLIC KEY-----\n{}\n-----END RSA PUBLIC KEY-----\n", lines.join("\n"))
}

fn keys(scene: &Scene) -> Vec<Row> {
    let (a, b) = (SigningKey::a(), SigningKey::b());
    let kid = |what, kid: Value, answer| signed(scene, what, &header(&json!({ "kid": kid })), &a, answer);
    let elsewhere = format!("http://{}/certs", scene.evil.address);
    // Signed with the attacker's key, which the header offers under the id of the issuer's.
    let offered = |what, offer: Value| signed(scene, what, &header(&offer), &b, BAD);
    vec![
        signed(scene, "no `kid`", r#"{"alg":"RS256"}"#, &a, Refused(401, "no-key-id")),
        kid("an unknown `kid`", json!("c"), UNKNOWN_KEY),
        kid("an empty `kid`", json!(""), UNKNOWN_KEY),
        kid("the `kid` in capitals", json!("A"), UNKNOWN_KEY),
        kid("a `kid` that is a path", json!("../../../../dev/null"), UNKNOWN_KEY),
        kid("a `kid` that is SQL", json!("a' OR '1'='1"), UNKNOWN_KEY),
        kid("a `kid` that is an address", json!(elsewhere), UNKNOWN_KEY),
        kid("a `kid` of 4 KiB", json!("a".repeat(4 << 10)), UNKNOWN_KEY),
        kid("a `kid` that is a number", json!(1), MALFORMED),
        signed(scene, "signed with an attacker's key under its own `kid`", &b.header().to_string(), &b, UNKNOWN_KEY),
        offered("signed with an attacker's key under the issuer's `kid`", json!({})),
        offered("the attacker's key in `jwk`", json!({ "jwk": b.jwk() })),
        offered("the attacker's keys at `jku`", json!({ "jku": elsewhere })),
        offered("the attacker's certificate at `x5u`", json!({ "x5u": elsewhere })),
        offered("the attacker's certificate in `x5c`", json!({ "x5c": [base64url(&b.public().n)] })),
    ]
}

fn signatures(scene: &Scene) -> Vec<Row> {
    let good = scene.issuer.token(|_| {});
    let of_another = scene.issuer.token(|claims| claims["email"] = json!("other@example.com"));
    let of_another = of_another.rsplit_once('.').unwrap().1;
    let row = |what, signature: &str, answer| with_token(scene, what, Oidc, with_signature(&good, signature), answer);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    vec![
        row("the signature taken off", "", BAD),
        row("the signature of another token", of_another, BAD),
        row("the signature cut short", &signature[..340], BAD),
        row("a signature of zeros", &base64url(&[0; 256]), BAD),
        row("a signature of ones", &base64url(&[0xff; 256]), BAD),
        row("the signature that Cloud Run removes", REMOVED, Refused(401, "stripped-signature")),
        with_token(scene, "header and claims swapped", Oidc, format!("{claims}.{head}.{signature}"), MALFORMED),
    ]
}

fn headers(scene: &Scene) -> Vec<Row> {
    let a = SigningKey::a();
    let row = |what, header: &str| signed(scene, what, header, &a, MALFORMED);
    vec![
        row("a header that is no JSON", "alg=RS256"),
        row("a header that is an array", r#"["RS256"]"#),
        row("a header that names `alg` twice", r#"{"alg":"none","alg":"RS256","kid":"a"}"#),
        row("a header that names `alg` twice, once escaped", r#"{"alg":"none","al\u0067":"RS256","kid":"a"}"#),
        row("a header that names `kid` twice", r#"{"alg":"RS256","kid":"b","kid":"a"}"#),
        row("a header with `crit`", &header(&json!({ "crit": ["exp"] }))),
        row("a header of an access token, `typ` at+jwt", &header(&json!({ "typ": "at+jwt" }))),
        row("a header with a byte order mark", &format!("\u{feff}{}", header(&json!({})))),
        row(
            "a header nested 2000 deep",
            &header(&json!({})).replacen('{', &format!(r#"{{"x":{}{},"#, "[".repeat(2000), "]".repeat(2000)), 1),
        ),
    ]
}
