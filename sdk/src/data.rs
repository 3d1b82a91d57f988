use std::ops::Deref;

use serde::de::DeserializeOwned;

use crate::Failure;
use crate::text::bounded;

/// What the parser's word may have of a reason: it quotes what it found, which may be megabytes.
const MAX_PARSE_ERROR: usize = 400;

/// A type that an event's data can be read as.
///
/// Every type that serde can deserialize is one, read from JSON; [`Bytes`] is one too. Implement it for a type of your
/// own (without `Deserialize`) to read another format.
#[diagnostic::on_unimplemented(
    message = "an event's data can't be read as `{Self}`",
    label = "no type that data can be read as",
    note = "derive `serde::Deserialize` for it to read it from JSON, or take `Event`, which has the data as `Bytes`"
)]
pub trait FromData: Sized {
    /// Reads data of the given media type, which is absent where the publisher named none.
    ///
    /// # Errors
    /// Where the data is no such thing: a rejection, since it won't be when it comes again either.
    fn from_data(data: Vec<u8>, content_type: Option<&str>) -> Result<Self, Failure>;
}

impl<T: DeserializeOwned> FromData for T {
    fn from_data(data: Vec<u8>, content_type: Option<&str>) -> Result<Self, Failure> {
        serde_json::from_slice(&data).map_err(|error| not_json(&data, &error, content_type))
    }
}

fn not_json(data: &[u8], error: &serde_json::Error, content_type: Option<&str>) -> Failure {
    if data.is_empty() {
        return Failure::reject("the event has no data, where its handler takes JSON");
    }
    // The position stands at the end of the parser's word, where a cut would take it. Not every error has one.
    let position = match error.line() {
        0 => String::new(),
        line => format!(" at line {line} column {}", error.column()),
    };
    let error = error.to_string();
    let found = bounded(error.strip_suffix(&position).unwrap_or(&error), MAX_PARSE_ERROR);
    let content_type = bounded(content_type.unwrap_or("not given"), MAX_PARSE_ERROR);
    Failure::reject(format!(
        "the event's data is not the JSON that its handler takes: {found}{position} (its content type: {content_type})"
    ))
}

/// Data as it came, byte for byte.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Bytes(pub Vec<u8>);

impl FromData for Bytes {
    fn from_data(data: Vec<u8>, _: Option<&str>) -> Result<Self, Failure> {
        Ok(Self(data))
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Registered {
        #[allow(dead_code, reason = "only parsed")]
        email: String,
    }

    fn reason(data: &[u8]) -> String {
        match Registered::from_data(data.to_vec(), Some("application/json")).unwrap_err() {
            Failure::Reject { reason } => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(
            reason(b"{}"),
            "the event's data is not the JSON that its handler takes: missing field `email` at line 1 column 2 \
             (its content type: application/json)"
        );
    }

    #[test]
    fn a_value_of_another_type_is_named_with_its_position() {
        let reason = reason(b"{\n\"email\": 5}");
        assert!(reason.contains("invalid type: integer `5`, expected a string at line 2 column 10"), "{reason}");
    }

    #[test]
    fn no_data_is_said_to_be_none() {
        assert_eq!(reason(b""), "the event has no data, where its handler takes JSON");
    }

    #[test]
    fn a_reason_is_short_however_long_the_data_and_keeps_the_position() {
        let reason = reason(format!("\"{}\"", "x".repeat(1 << 20)).as_bytes());
        assert!(reason.len() < 700, "{}", reason.len());
        assert!(reason.contains(" at line 1 column "), "{reason}");
    }
}
