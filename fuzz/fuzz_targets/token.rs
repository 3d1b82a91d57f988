//! A token in compact form, against what other readers of base64url and JSON find in it.
#![no_main]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use serde_json::{Map, Value};
use tidemill_fuzz::mutate_token;
use token::{Claims, Header, Part, Token, TokenError};

/// The parser itself. The host around it holds an engine, which takes minutes to compile for a fuzzer.
#[path = "../../host/src/auth/token/mod.rs"]
mod token;

const LONGEST: usize = 8192;
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { mutate_token(data, size, max_size, seed) });

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Token::parse(text) {
        Ok(token) => {
            is_what_others_read(&token, text);
            is_bound_to_its_form(text);
        }
        Err(error) => {
            assert!(holds_no_text(error).to_string().len() < 100, "an error says more than a sentence: {error}");
            is_what_others_miss(error, text);
        }
    }
});

/// What is copied, and borrows nothing that was read, has no room for any of it.
fn holds_no_text<E: Copy + 'static>(error: E) -> E {
    error
}

fn is_what_others_read(token: &Token<'_>, text: &str) {
    assert!(text.len() <= LONGEST);
    let [header, claims, signature] = parts(text).expect("what was read has three parts");
    assert_eq!(token.signed, format!("{header}.{claims}"));
    // Written again it is the same text: there is one way to write a token, and none to say two things with one.
    match &token.signature {
        Some(bytes) => assert_eq!(URL_SAFE_NO_PAD.encode(bytes), signature),
        None => assert_eq!(signature, REMOVED),
    }
    assert_eq!(token.is_stripped(), signature == REMOVED);

    let members = object(header).expect("the header is an object");
    assert_eq!(members.len(), names(header));
    let algorithm = members["alg"].as_str().expect("`alg` is a string").to_owned();
    let key_id = members.get("kid").map(|id| id.as_str().expect("`kid` is a string").to_owned());
    assert_eq!(token.header, Header { algorithm, key_id });
    assert!(!members.contains_key("crit"));

    let members = object(claims).expect("the claims are an object");
    assert_eq!(members.len(), names(claims));
    let text = |name: &str| members.get(name).map(|value| value.as_str().expect("a string").to_owned());
    let seconds = |name: &str| members.get(name).map(|value| value.as_u64().expect("a whole number"));
    let read = Claims {
        issuer: text("iss").expect("`iss`"),
        audience: text("aud").expect("`aud`"),
        expires: seconds("exp").expect("`exp`"),
        issued: seconds("iat").expect("`iat`"),
        not_before: seconds("nbf"),
        email: text("email"),
        email_verified: members.get("email_verified").is_some_and(|value| value.as_bool().expect("true or false")),
    };
    assert_eq!(token.claims, read);
}

/// Nothing that is written around a token or in the place of its dots leaves it one.
fn is_bound_to_its_form(text: &str) {
    for (dot, _) in text.match_indices('.') {
        for separator in ["", "..", ",", ":", " ", "\n", "\0", "A", "=", "%2e", "\u{3002}"] {
            let changed = format!("{}{separator}{}", &text[..dot], &text[dot + 1..]);
            assert!(Token::parse(&changed).is_err(), "`{separator}` in the place of a dot: {changed}");
        }
    }
    for around in [".", "=", " ", "\n", "\0", "~"] {
        assert!(Token::parse(&format!("{around}{text}")).is_err(), "{around:?} before {text}");
        assert!(Token::parse(&format!("{text}{around}")).is_err(), "{around:?} behind {text}");
    }
}

/// What is refused is refused for what it is.
fn is_what_others_miss(error: TokenError, text: &str) {
    if error == TokenError::TooLong {
        assert!(text.len() > LONGEST);
        return;
    }
    let Some(parts) = parts(text) else {
        assert_eq!(error, TokenError::Parts, "{text}");
        return;
    };
    let written = |part: Part| parts[part as usize];
    let members = |part: Part| object(written(part)).expect("a part whose members are judged is an object");
    match error {
        TokenError::TooLong | TokenError::Parts => panic!("{error}: {text}"),
        TokenError::Base64(part) => assert!(!is_base64url(written(part)), "{part}: {text}"),
        TokenError::Json(part) => assert!(is_base64url(written(part)) && object(written(part)).is_none(), "{text}"),
        TokenError::Repeated(part) => assert!(members(part).len() < names(written(part)), "{part}: {text}"),
        TokenError::Missing(part, name) => assert!(!members(part).contains_key(name), "{name}: {text}"),
        TokenError::Critical => assert!(members(Part::Header).contains_key("crit"), "{text}"),
        TokenError::Form { part, member, expected } => {
            let members = members(part);
            let value = &members[member];
            let fits = match expected {
                "a string" => value.is_string(),
                "a whole number of seconds" => value.is_u64(),
                "true or false" => value.is_boolean(),
                "JWT" => value.as_str().is_some_and(|of| of.to_lowercase() == "jwt"),
                other => panic!("no target knows what {other} is"),
            };
            assert!(!fits, "{member}: {text}");
        }
    }
}

fn parts(text: &str) -> Option<[&str; 3]> {
    text.split('.').collect::<Vec<_>>().try_into().ok()
}

/// The members as serde_json has them by default: of two of one name the last one.
fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// How many names the object in a part has, each counted as often as it is there: its colons outside of strings.
fn names(part: &str) -> usize {
    let (mut count, mut depth, mut in_string, mut escaped) = (0, 0, false, false);
    for byte in URL_SAFE_NO_PAD.decode(part).expect("a part that is an object") {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 => count += 1,
            _ => {}
        }
    }
    count
}

/// RFC 4648, section 5, without padding, and with nothing in the bits behind the last byte (section 3.5).
fn is_base64url(text: &str) -> bool {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let Some(digits) = text.chars().map(|digit| ALPHABET.find(digit)).collect::<Option<Vec<_>>>() else { return false };
    match (digits.len() % 4, digits.last()) {
        (1, _) => false,
        (2, Some(last)) => last % 16 == 0,
        (3, Some(last)) => last % 4 == 0,
        _ => true,
    }
}
