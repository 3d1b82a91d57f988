use std::fmt::{self, Write};

use tracing::field::{Field, Visit};

/// The bytes that a span of a delivery has, as it turns out: one allocation for all of its fields.
const TYPICAL_BYTES: usize = 512;
const TYPICAL_FIELDS: usize = 16;

/// The fields of a span or a line, each rendered as JSON when it is recorded, one behind the other: a span's are written
/// with each of its lines, and rendered once.
#[derive(Debug, Default)]
pub(super) struct Fields {
    json: String,
    /// Each field's name, and where its value ends.
    ends: Vec<(&'static str, usize)>,
}

impl Fields {
    /// None yet, with room for those of a delivery.
    pub(super) fn for_a_span() -> Self {
        Self { json: String::with_capacity(TYPICAL_BYTES), ends: Vec::with_capacity(TYPICAL_FIELDS) }
    }

    /// Forgets all of them, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.json.clear();
        self.ends.clear();
    }

    /// Each field's name and its value in JSON, the last one first. One that was recorded twice is there twice.
    pub(super) fn last_first(&self) -> impl Iterator<Item = (&'static str, &str)> {
        (0..self.ends.len()).rev().filter_map(|at| {
            let (name, end) = *self.ends.get(at)?;
            let begin = at.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |(_, end)| *end);
            Some((name, self.json.get(begin..end)?))
        })
    }

    fn set(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // A String takes whatever is written to it.
        _ = self.json.write_fmt(value);
        self.ends.push((field.name(), self.json.len()));
    }
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// A text that is written as what a JSON string has between its quotes.
struct Escaping<'a>(&'a mut String);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Nearly all texts have nothing to escape. All of it is looked at, which goes by many bytes at once.
        if !text.bytes().fold(false, |found, byte| found | needs_escape(byte)) {
            self.0.push_str(text);
            return Ok(());
        }
        let mut begin = 0;
        for (at, byte) in text.bytes().enumerate() {
            let escape = match byte {
                b'"' => "\\\"",
                b'\\' => "\\\\",
                b'\n' => "\\n",
                b'\r' => "\\r",
                b'\t' => "\\t",
                _ if needs_escape(byte) => "",
                _ => continue,
            };
            // An ASCII character begins and ends at a character's bounds.
            self.0.push_str(text.get(begin..at).unwrap_or_default());
            begin = at + 1;
            if escape.is_empty() { write!(self.0, "\\u{byte:04x}")? } else { self.0.push_str(escape) }
        }
        self.0.push_str(text.get(begin..).unwrap_or_default());
        Ok(())
    }
}

/// Writes a text as a JSON string (RFC 8259, section 7), without making a copy of it first.
pub(super) fn quote(json: &mut String, text: fmt::Arguments<'_>) {
    json.push('"');
    // A String takes whatever is written to it; what fails is somebody's own `Display`, and its text ends there.
    _ = Escaping(json).write_fmt(text);
    json.push('"');
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.json.push('"');
        // A String takes whatever is written to it.
        _ = Escaping(&mut self.json).write_str(value);
        self.json.push('"');
        self.ends.push((field.name(), self.json.len()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, format_args!("{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, format_args!("{value}"));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, format_args!("{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no word for what is no finite number.
        if value.is_finite() { self.set(field, format_args!("{value}")) } else { self.set(field, format_args!("null")) }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        quote(&mut self.json, format_args!("{value:?}"));
        self.ends.push((field.name(), self.json.len()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_quoted_reads_as_it_was(text in any::<String>()) {
            let mut json = String::new();
            quote(&mut json, format_args!("{text}"));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }

    #[test]
    fn control_characters_are_escaped() {
        let text: String = (0u8..0x22).map(char::from).collect::<String>() + "\\\u{7f}é\u{2028}";
        let mut json = String::new();
        quote(&mut json, format_args!("{text}"));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        assert!(!json.chars().any(|letter| (letter as u32) < 0x20), "{json:?}");
    }
}
