use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::{Part, TokenError};

/// The members of a part's JSON object, each of another name.
pub(super) struct Members {
    part: Part,
    values: BTreeMap<String, Value>,
}

impl Members {
    pub(super) fn read(part: Part, json: &[u8]) -> Result<Self, TokenError> {
        let Object { values, repeated } = serde_json::from_slice(json).map_err(|_| TokenError::Json(part))?;
        if repeated { Err(TokenError::Repeated(part)) } else { Ok(Self { part, values }) }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<String>, TokenError> {
        self.value(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    /// A NumericDate (RFC 7519, section 2). Google writes whole seconds, and so nothing else is read.
    pub(super) fn seconds(&self, name: &'static str) -> Result<Option<u64>, TokenError> {
        self.value(name, "a whole number of seconds", Value::as_u64)
    }

    pub(super) fn truth(&self, name: &'static str) -> Result<Option<bool>, TokenError> {
        self.value(name, "true or false", Value::as_bool)
    }

    pub(super) fn required<T>(&self, value: Option<T>, name: &'static str) -> Result<T, TokenError> {
        value.ok_or(TokenError::Missing(self.part, name))
    }

    pub(super) fn form(&self, member: &'static str, expected: &'static str) -> TokenError {
        TokenError::Form { part: self.part, member, expected }
    }

    fn value<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, TokenError> {
        let Some(value) = self.values.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| self.form(name, expected))
    }
}

/// A JSON object, and whether it has a name twice, which serde_json alone would pass over.
struct Object {
    values: BTreeMap<String, Value>,
    repeated: bool,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object = Object { values: BTreeMap::new(), repeated: false };
                while let Some((name, value)) = map.next_entry()? {
                    object.repeated |= object.values.insert(name, value).is_some();
                }
                Ok(object)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}
