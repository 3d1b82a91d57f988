//! A token's text as its parts: a JWT (RFC 7519) in the compact form of a JWS (RFC 7515, section 7.1).
//!
//! It is read once, and strictly, and everything is judged on what was read: two readers of one text that understand
//! it differently are how tokens are forged.
//!
//! This folder names nothing outside of it, so that a fuzzer can compile it without the rest of the host.

mod claims;
mod members;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use self::claims::Claims;
use self::members::Members;

/// The longest token that is looked at, in bytes. Google's have about 900.
const MAX_TOKEN: usize = 8 << 10;

/// What Cloud Run puts in the place of the signature that it has checked
/// (<https://cloud.google.com/run/docs/troubleshooting#signature-removed>).
const REMOVED: &str = "SIGNATURE_REMOVED_BY_GOOGLE";

/// A token, taken apart. Nothing in it is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// How it says it is signed.
    pub header: Header,
    /// What it says.
    pub claims: Claims,
    /// What the signature is over: header and claims as they are written.
    pub(super) signed: &'a str,
    /// `None` where the platform has taken it away.
    pub(super) signature: Option<Vec<u8>>,
}

/// What counts of a token's header (RFC 7515, section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The algorithm, `alg`.
    pub algorithm: String,
    /// The key's id, `kid`.
    pub key_id: Option<String>,
}

/// A part of a token, for errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The first one.
    Header,
    /// The second one.
    Claims,
    /// The third one.
    Signature,
}

/// Why a text is no token. What it says is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than any token is.
    #[error("the token is longer than the {MAX_TOKEN} bytes that are read of one")]
    TooLong,
    /// It has not three parts.
    #[error("the token is no JWT: it has not three parts with dots between")]
    Parts,
    /// A part is no base64url.
    #[error("the token's {0} is no base64url without padding")]
    Base64(Part),
    /// A part is no JSON object.
    #[error("the token's {0} is no JSON object")]
    Json(Part),
    /// A part has two members of one name, of which any reader may take either.
    #[error("the token's {0} names a member twice")]
    Repeated(Part),
    /// A member is not there.
    #[error("the token's {0} has no `{1}`")]
    Missing(Part, &'static str),
    /// A member has another form.
    #[error("the token's {part} has a `{member}` that is not {expected}")]
    Form {
        /// Where.
        part: Part,
        /// The member's name.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Its header asks for extensions to be understood, and there are none here.
    #[error("the token's header has a `crit`, and no extension is understood here")]
    Critical,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Claims => "set of claims",
            Self::Signature => "signature",
        })
    }
}

impl<'a> Token<'a> {
    /// Takes a token apart. It needs no key and proves nothing.
    ///
    /// # Errors
    /// Where the text is longer than 8 KiB, has not three parts of base64url, repeats a member of its header or its
    /// claims, or has a member of another form than an ID token's.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > MAX_TOKEN {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Parts)?;
        if claims.contains('.') {
            return Err(TokenError::Parts);
        }
        let header = Header::read(&Members::read(Part::Header, &decode(Part::Header, header)?)?)?;
        let claims = Claims::read(&Members::read(Part::Claims, &decode(Part::Claims, claims)?)?)?;
        let signature = if signature == REMOVED { None } else { Some(decode(Part::Signature, signature)?) };
        Ok(Self { header, claims, signed, signature })
    }

    /// Whether the platform has taken the signature away.
    #[must_use]
    pub fn is_stripped(&self) -> bool {
        self.signature.is_none()
    }
}

impl Header {
    fn read(members: &Members) -> Result<Self, TokenError> {
        if members.has("crit") {
            return Err(TokenError::Critical);
        }
        // A token of another type, such as an access token, is no ID token, whoever signed it (RFC 8725, section 3.11).
        if members.text("typ")?.is_some_and(|of| !of.eq_ignore_ascii_case("JWT")) {
            return Err(members.form("typ", "JWT"));
        }
        Ok(Self { algorithm: members.required(members.text("alg")?, "alg")?, key_id: members.text("kid")? })
    }
}

fn decode(part: Part, text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Base64(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"{"alg":"RS256","kid":"k","typ":"JWT"}"#;
    const CLAIMS: &str =
        r#"{"iss":"i","aud":"a","exp":2,"iat":1,"email":"e@x","email_verified":true,"sub":"1","azp":{"a":[]}}"#;

    fn compact(header: &str, claims: &str, signature: &str) -> String {
        format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
    }

    fn error(header: &str, claims: &str) -> TokenError {
        Token::parse(&compact(header, claims, "")).unwrap_err()
    }

    #[test]
    fn a_token_is_taken_apart() {
        let text = compact(HEADER, CLAIMS, "AQID");
        let token = Token::parse(&text).unwrap();
        assert_eq!((token.header.algorithm.as_str(), token.header.key_id.as_deref()), ("RS256", Some("k")));
        assert_eq!((token.claims.issuer.as_str(), token.claims.audience.as_str()), ("i", "a"));
        assert_eq!((token.claims.expires, token.claims.issued, token.claims.not_before), (2, 1, None));
        assert_eq!((token.claims.email.as_deref(), token.claims.email_verified), (Some("e@x"), true));
        assert_eq!(token.signature.as_deref(), Some(&[1, 2, 3][..]));
        assert_eq!(format!("{}.AQID", token.signed), text);
        assert!(Token::parse(&compact(HEADER, CLAIMS, REMOVED)).unwrap().is_stripped());
    }

    #[test]
    fn what_has_not_three_parts_of_base64url_is_none() {
        let good = compact(HEADER, CLAIMS, "AQID");
        for text in ["", ".", "a", "a.b", &format!("{good}.x"), &format!("{good}.")] {
            assert_eq!(Token::parse(text), Err(TokenError::Parts), "{text}");
        }
        assert_eq!(Token::parse(&format!("={good}")), Err(TokenError::Base64(Part::Header)));
        assert_eq!(Token::parse(&good.replacen('.', "=.", 1)), Err(TokenError::Base64(Part::Header)));
        assert_eq!(Token::parse(&good.replacen('.', ".+", 1)), Err(TokenError::Base64(Part::Claims)));
        assert_eq!(Token::parse(&format!("{good}==")), Err(TokenError::Base64(Part::Signature)));
        // Bits behind the last byte would let one token be written in several ways.
        assert_eq!(Token::parse(&compact(HEADER, CLAIMS, "AR")), Err(TokenError::Base64(Part::Signature)));
        let long = compact(HEADER, CLAIMS, &"A".repeat(MAX_TOKEN));
        assert_eq!(Token::parse(&long), Err(TokenError::TooLong));
    }

    #[test]
    fn parts_are_objects_that_name_each_member_once() {
        for text in ["", "[]", "1", "null", "{", "{}x", "\u{feff}{}", r#"{"alg":"RS256",}"#, &"[".repeat(500)] {
            assert_eq!(error(text, CLAIMS), TokenError::Json(Part::Header), "{text}");
            assert_eq!(error(HEADER, text), TokenError::Json(Part::Claims), "{text}");
        }
        assert_eq!(error(r#"{"alg":"none","alg":"RS256"}"#, CLAIMS), TokenError::Repeated(Part::Header));
        // The same name, written in another way.
        assert_eq!(error(r#"{"alg":"none","al\u0067":"RS256"}"#, CLAIMS), TokenError::Repeated(Part::Header));
        let twice = CLAIMS.replacen('{', r#"{"email":"other@x","#, 1);
        assert_eq!(error(HEADER, &twice), TokenError::Repeated(Part::Claims));
        let twice = CLAIMS.replacen('{', r#"{"other":1,"other":2,"#, 1);
        assert_eq!(error(HEADER, &twice), TokenError::Repeated(Part::Claims));
    }

    #[test]
    fn members_are_there_and_have_their_form() {
        assert_eq!(error("{}", CLAIMS), TokenError::Missing(Part::Header, "alg"));
        for member in ["iss", "aud", "exp", "iat"] {
            let without = CLAIMS.replacen(&format!("\"{member}\""), "\"x\"", 1);
            assert_eq!(error(HEADER, &without), TokenError::Missing(Part::Claims, member));
        }
        for (from, to, member) in [
            (r#""aud":"a""#, r#""aud":["a"]"#, "aud"),
            (r#""aud":"a""#, r#""aud":null"#, "aud"),
            (r#""iss":"i""#, r#""iss":1"#, "iss"),
            (r#""exp":2"#, r#""exp":"2""#, "exp"),
            (r#""exp":2"#, r#""exp":-2"#, "exp"),
            (r#""exp":2"#, r#""exp":1e9"#, "exp"),
            (r#""iat":1"#, r#""nbf":1.5,"iat":1"#, "nbf"),
            (r#":true"#, r#":"true""#, "email_verified"),
        ] {
            let claims = CLAIMS.replacen(from, to, 1);
            assert_ne!(claims, CLAIMS);
            assert!(
                matches!(error(HEADER, &claims), TokenError::Form { member: found, .. } if found == member),
                "{to}"
            );
        }
        assert!(matches!(error(r#"{"alg":256}"#, CLAIMS), TokenError::Form { member: "alg", .. }));
        assert!(matches!(error(r#"{"alg":"RS256","typ":"at+jwt"}"#, CLAIMS), TokenError::Form { member: "typ", .. }));
        assert_eq!(error(r#"{"alg":"RS256","crit":["exp"]}"#, CLAIMS), TokenError::Critical);
    }
}
