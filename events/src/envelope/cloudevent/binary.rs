//! Binary mode: the body is the data, and each context attribute a header `ce-NAME`.

use std::borrow::Cow;
use std::str::Bytes;

use super::super::field::{FieldError, MAX_TEXT, Place, within};
use super::super::form::starts_with;
use super::super::headers::{self, Headers};
use super::context::{Context, Mode};
use super::{CloudEvent, CloudEventError};
use crate::attribute;

const PREFIX: &str = "ce-";

pub(super) fn read<'a>(headers: &Headers<'_>, body: &'a [u8]) -> Result<CloudEvent<'a>, CloudEventError> {
    let mut context = Context::new(Mode::Binary);
    for (header, value) in headers.iter().filter(|(name, _)| starts_with(name, PREFIX)) {
        let name = header.chars().skip(PREFIX.len()).map(|c| c.to_ascii_lowercase()).collect();
        context.insert(name, decode(header, headers::text(header, value)?)?)?;
    }
    if context.get("datacontenttype").is_some() {
        return Err(CloudEventError::TwoContentTypes);
    }
    let content_type = headers.only(attribute::CONTENT_TYPE)?.map(str::to_owned);
    within(content_type.as_deref().unwrap_or_default(), MAX_TEXT, || Place::header(attribute::CONTENT_TYPE))?;
    Ok(CloudEvent { context, content_type, data: Cow::Borrowed(body) })
}

/// A context attribute's value of its header's (HTTP binding 1.0.2, section 3.1.3.2): a quoted string is unquoted, as
/// older senders write one, and then each `%XX` is a byte of UTF-8. A percent sign with anything else after it stands
/// for itself, since older senders don't encode it.
fn decode(header: &str, value: &str) -> Result<String, FieldError> {
    let value = unquote(value);
    let mut bytes = value.bytes();
    let mut decoded = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        match escape(bytes.clone()).filter(|_| byte == b'%') {
            Some((escaped, rest)) => {
                decoded.push(escaped);
                bytes = rest;
            }
            None => decoded.push(byte),
        }
    }
    String::from_utf8(decoded).map_err(|_| FieldError::NotUtf8(Place::header(header)))
}

/// The byte that two hexadecimal digits stand for, and what comes after them.
fn escape(mut bytes: Bytes<'_>) -> Option<(u8, Bytes<'_>)> {
    let mut digit = || char::from(bytes.next()?).to_digit(16);
    let (high, low) = (digit()?, digit()?);
    Some((u8::try_from(high * 16 + low).ok()?, bytes))
}

/// Takes a quoted string (RFC 9110, section 5.6.4) out of its quotes; what is none stays as it is.
fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return Cow::Borrowed(value);
    };
    let mut unquoted = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => return Cow::Borrowed(value),
            '\\' => match chars.next() {
                Some(escaped) => unquoted.push(escaped),
                // The last quote was an escaped one, so the string has no end.
                None => return Cow::Borrowed(value),
            },
            _ => unquoted.push(c),
        }
    }
    Cow::Owned(unquoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_unquoted_and_then_decoded_once() {
        for (value, read) in [
            ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
            ("%e2%82%ac", "€"),
            ("a%2525", "a%25"),
            ("%41", "A"),
            ("100%", "100%"),
            ("100%.txt %2 %g0", "100%.txt %2 %g0"),
            ("\"a b\"", "a b"),
            (r#""a \"b\" \\ %20""#, r#"a "b" \  "#),
            ("\"", "\""),
            ("\"\"", ""),
            (r#""a\""#, r#""a\""#),
            (r#""a" and "b""#, r#""a" and "b""#),
            ("€", "€"),
            ("", ""),
        ] {
            assert_eq!(decode("ce-subject", value).unwrap(), read, "{value}");
        }
    }

    #[test]
    fn bytes_that_are_no_utf8_are_refused() {
        for value in ["%C0%A0", "%ff", "%E2%82", "%ED%A0%80"] {
            assert_eq!(decode("ce-subject", value).unwrap_err().to_string(), "the header \"ce-subject\" is no UTF-8");
        }
    }
}
