use super::field::{FieldError, Place};

/// The headers of a request, in order, repeated ones repeated. Names are compared without regard to case.
pub(crate) struct Headers<'a>(Vec<(&'a str, &'a [u8])>);

impl<'a> Headers<'a> {
    pub(crate) fn new(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(headers.into_iter().collect())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.0.iter().copied()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// The value of a header that may stand once at most.
    pub(super) fn only(&self, name: &str) -> Result<Option<&'a str>, FieldError> {
        let mut named = self.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
        let Some((_, value)) = named.next() else { return Ok(None) };
        if named.next().is_some() {
            return Err(FieldError::Repeated(Place::header(name)));
        }
        text(name, value).map(Some)
    }
}

/// A header's value as text. HTTP itself allows any byte above 0x7f.
pub(super) fn text<'a>(name: &str, value: &'a [u8]) -> Result<&'a str, FieldError> {
    std::str::from_utf8(value).map_err(|_| FieldError::NotUtf8(Place::header(name)))
}
