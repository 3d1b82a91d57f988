//! JSON as envelopes need it: objects that are objects, members that stand once, errors of bounded length.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::field::quoted;

/// What of serde's words is kept, in characters: its "invalid type: string" with 64 of the string.
const SHOWN: usize = 86;

/// What is wrong with JSON, and where. Of a stranger's text at most 64 characters are repeated.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct JsonError {
    text: String,
    is_data: bool,
}

impl JsonError {
    fn new(text: String) -> Self {
        Self { text, is_data: true }
    }

    /// Whether it was JSON, but said something else than it should.
    pub(super) fn is_data(&self) -> bool {
        self.is_data
    }
}

impl From<serde_json::Error> for JsonError {
    fn from(error: serde_json::Error) -> Self {
        let whole = error.to_string();
        let place = format!(" at line {} column {}", error.line(), error.column());
        let (what, place) = match whole.strip_suffix(&place) {
            Some(what) => (what, place.as_str()),
            None => (whole.as_str(), ""),
        };
        // serde repeats a text where it wanted something else, however long it is.
        let text = match what.char_indices().nth(SHOWN) {
            None => whole,
            Some((at, _)) => format!("{}…{place}", what.get(..at).unwrap_or_default()),
        };
        Self { text, is_data: error.is_data() }
    }
}

/// A text, borrowed where it has no escapes: data of megabytes should not be copied to be decoded.
#[derive(serde::Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A JSON object. A derived reader takes an array of the fields in their order as well, which no sender writes.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Object<T>, M::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Object)
    }
}

/// The members of a JSON object, `most` at most, each with its value's text as it stands. No name stands twice.
///
/// Names and values are read by `serde_json`, once; only what stands between them is looked at here. So a value of
/// megabytes is neither copied nor changed before it is known how to read it.
pub(super) fn members(text: &str, most: usize) -> Result<BTreeMap<String, &str>, JsonError> {
    // Where it is no JSON, the reader of the whole knows the line.
    walk(text, most).map_err(|error| serde_json::from_str::<Object<IgnoredAny>>(text).err().map_or(error, Into::into))
}

fn walk(text: &str, most: usize) -> Result<BTreeMap<String, &str>, JsonError> {
    let mut members = BTreeMap::new();
    let mut rest = after(text, '{')?;
    if let Ok(end) = after(rest, '}') {
        return nothing_more(end).map(|()| members);
    }
    loop {
        let (name, _, more) = next::<String>(rest)?;
        let (IgnoredAny, value, more) = next(after(more, ':')?)?;
        if members.len() == most {
            return Err(JsonError::new(format!("the object has more than {most} members")));
        }
        match members.entry(name) {
            Entry::Vacant(entry) => _ = entry.insert(value),
            Entry::Occupied(entry) => {
                return Err(JsonError::new(format!("the member {:?} stands twice", quoted(entry.key()))));
            }
        }
        if let Ok(end) = after(more, '}') {
            return nothing_more(end).map(|()| members);
        }
        rest = after(more, ',')?;
    }
}

/// The value that `text` begins with: read, as it stands, and what comes after it.
fn next<'a, T: Deserialize<'a>>(text: &'a str) -> Result<(T, &'a str, &'a str), JsonError> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = values.next().ok_or_else(|| JsonError::new("the object is cut off".to_owned()))??;
    let (whole, rest) = text.split_at_checked(values.byte_offset()).unwrap_or((text, ""));
    Ok((value, whole.trim_matches(is_space), rest))
}

fn after(text: &str, mark: char) -> Result<&str, JsonError> {
    let found = text.trim_start_matches(is_space).strip_prefix(mark);
    found.ok_or_else(|| JsonError::new(format!("`{mark}` is missing")))
}

fn nothing_more(text: &str) -> Result<(), JsonError> {
    let more = text.trim_start_matches(is_space);
    if more.is_empty() { Ok(()) } else { Err(JsonError::new("trailing characters".to_owned())) }
}

/// White space between JSON's tokens (RFC 8259, section 2), which is less than Unicode's.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_text() {
        let found =
            members("\n{ \"a\" : 1.10 ,\"b\\u0063\":{\"x\": [ 1 ]} , \"d\":\"}\\\"\",\"e\":null}\t", 9).unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(found, [("a", "1.10"), ("bc", "{\"x\": [ 1 ]}"), ("d", "\"}\\\"\""), ("e", "null")]);
        assert_eq!(members(" {\r} ", 0).unwrap().len(), 0);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[]",
            "{}}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1"#,
            r#"{"a":1,}"#,
            r#"{"a":1 "b":2}"#,
            "{a:1}",
            "{1:1}",
            r#"{"a":01}"#,
            r#"{"a":tru}"#,
            r#"{"a":1}x"#,
            "{,}",
            "\u{a0}{}",
            "{\"a\":\"\n\"}",
            r#"{"a":[}"#,
            "{\"a\"\u{2003}:1}",
            r#"{"a":"\u0"}"#,
        ] {
            assert!(members(text, 9).is_err(), "{text:?}");
            assert!(serde_json::from_str::<IgnoredAny>(text).is_err() || text == "[]", "{text:?}");
        }
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"b":2,"\u0061":2}"#] {
            assert!(members(text, 9).unwrap_err().to_string().contains("the member \"a\" stands twice"));
        }
        assert!(members("{\"a\":1,\"b\":2}", 1).unwrap_err().to_string().contains("more than 1 members"));
    }

    #[test]
    fn an_error_repeats_little() {
        let text = format!("{:?}", "x".repeat(100_000));
        let error = JsonError::from(serde_json::from_str::<u32>(&text).unwrap_err()).to_string();
        assert!(error.matches('x').count() <= 64 && error.ends_with("… at line 1 column 100002"), "{error}");
    }
}
