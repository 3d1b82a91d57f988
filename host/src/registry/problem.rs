use std::fmt;

use toml::Spanned;

use super::ManifestError;

/// What is wrong with one field of a manifest, or can't be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The line, from 1. `None` where the manifest doesn't have the field.
    pub line: Option<usize>,
    /// The field, with dots.
    pub field: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl fmt::Display for FieldProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("handler.toml, ")?;
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "field `{}`: {}", self.field, self.problem)
    }
}

/// All that is wrong with a manifest, so that who mends it learns of it at once.
pub(super) struct Problems<'a> {
    text: &'a str,
    found: Vec<FieldProblem>,
}

impl<'a> Problems<'a> {
    /// None yet of the manifest with this text.
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, found: Vec::new() }
    }

    /// Notes what is wrong with a field that isn't there.
    pub(super) fn note(&mut self, field: impl Into<String>, problem: impl fmt::Display) {
        self.found.push(FieldProblem { line: None, field: field.into(), problem: problem.to_string() });
    }

    /// Notes what is wrong with what stands here.
    pub(super) fn note_at<T>(&mut self, at: &Spanned<T>, field: impl Into<String>, problem: impl fmt::Display) {
        let before = self.text.get(..at.span().start).unwrap_or_default();
        let line = Some(before.matches('\n').count() + 1);
        self.found.push(FieldProblem { line, field: field.into(), problem: problem.to_string() });
    }

    /// # Errors
    /// Where anything was noted.
    pub(super) fn none(self) -> Result<(), ManifestError> {
        if self.found.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// What was noted, as an error.
    pub(super) fn into_error(self) -> ManifestError {
        ManifestError::Fields(self.found)
    }
}
