use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::super::field::{FieldError, MAX_ATTRIBUTES, MAX_NAME, Place, within};
use super::CloudEventError;

/// Bytes of a context attribute's value. A subject may hold the name of an object of Cloud Storage, which alone may have
/// as many bytes as an attribute of Pub/Sub's.
const MAX_VALUE: usize = 2048;

/// The context attributes of an event, by their names in the specification.
pub(super) struct Context {
    attributes: BTreeMap<String, String>,
    mode: Mode,
}

/// Where the attributes stand, for errors.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Binary,
    Structured,
}

impl Context {
    pub(super) fn new(mode: Mode) -> Self {
        Self { attributes: BTreeMap::new(), mode }
    }

    pub(super) fn place(&self, name: &str) -> Place {
        match self.mode {
            Mode::Binary => Place::header(&format!("ce-{name}")),
            Mode::Structured => Place::member(name),
        }
    }

    /// Puts in an attribute, whose name and value have to be as the specification wants them.
    pub(super) fn insert(&mut self, name: String, value: String) -> Result<(), CloudEventError> {
        within(&name, MAX_NAME, || self.place(&name))?;
        if name.is_empty() || !name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Err(CloudEventError::Name(self.place(&name)));
        }
        within(&value, MAX_VALUE, || self.place(&name))?;
        if value.chars().any(char::is_control) {
            return Err(CloudEventError::Control(self.place(&name)));
        }
        let place = self.place(&name);
        match self.attributes.entry(name) {
            Entry::Vacant(entry) => _ = entry.insert(value),
            Entry::Occupied(_) => return Err(FieldError::Repeated(place).into()),
        }
        if self.attributes.len() > MAX_ATTRIBUTES {
            return Err(FieldError::TooMany(MAX_ATTRIBUTES).into());
        }
        Ok(())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.attributes.remove(name)
    }

    /// An attribute that every event has.
    pub(super) fn required(&self, name: &str) -> Result<&str, CloudEventError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| CloudEventError::Missing(self.place(name)))
    }

    /// All of them as attributes of a message.
    pub(super) fn into_attributes(self) -> BTreeMap<String, String> {
        self.attributes.into_iter().map(|(name, value)| (format!("ce-{name}"), value)).collect()
    }
}
