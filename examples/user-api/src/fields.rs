use serde_json::{Map, Value};

/// The fields of a request's JSON object, each taken by name, so that a complaint can name it.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

/// What is wrong with a request's body.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FieldError {
    #[error("the body is no JSON: {0}")]
    NoJson(String),
    #[error("the body is {0}, and has to be a JSON object")]
    NoObject(&'static str),
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    #[error("the field `{field}` is {found}, and has to be a text")]
    NoText { field: &'static str, found: &'static str },
    #[error("the field `{field}` has {found} characters, and may have 1 to {max}")]
    Length { field: &'static str, found: usize, max: usize },
    #[error("the field `{0}` is no email address such as ada@example.com")]
    Email(&'static str),
}

impl FieldError {
    /// The field that is wrong, where it is not the whole body.
    pub(crate) fn field(&self) -> Option<&'static str> {
        match self {
            Self::NoJson(_) | Self::NoObject(_) => None,
            Self::Missing(field) | Self::Email(field) | Self::NoText { field, .. } | Self::Length { field, .. } => {
                Some(field)
            }
        }
    }
}

impl Fields {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, FieldError> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(other) => Err(FieldError::NoObject(kind(&other))),
            Err(error) => Err(FieldError::NoJson(error.to_string())),
        }
    }

    /// A text of 1 to `max` characters, without the white space around it.
    pub(crate) fn text(&mut self, field: &'static str, max: usize) -> Result<String, FieldError> {
        self.optional_text(field, max)?.ok_or(FieldError::Missing(field))
    }

    /// As [`text`](Self::text), where null and no field at all stand for none.
    pub(crate) fn optional_text(&mut self, field: &'static str, max: usize) -> Result<Option<String>, FieldError> {
        let text = match self.0.remove(field) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text,
            Some(other) => return Err(FieldError::NoText { field, found: kind(&other) }),
        };
        let text = text.trim();
        match text.chars().count() {
            found if (1..=max).contains(&found) => Ok(Some(text.to_owned())),
            found => Err(FieldError::Length { field, found, max }),
        }
    }

    /// An email address, as far as its form tells: whether it exists only a mail can say.
    pub(crate) fn email(&mut self, field: &'static str) -> Result<String, FieldError> {
        let text = self.text(field, 254)?;
        let parts = text.split_once('@').filter(|(name, host)| {
            !name.is_empty() && !host.is_empty() && !host.contains('@') && !text.contains(char::is_whitespace)
        });
        if parts.is_none() || text.contains(char::is_control) {
            return Err(FieldError::Email(field));
        }
        Ok(text)
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: &str) -> Result<String, FieldError> {
        Fields::parse(body.as_bytes())?.text("name", 5)
    }

    #[test]
    fn each_wrong_form_has_its_complaint() {
        assert!(matches!(text("{"), Err(FieldError::NoJson(_))));
        assert_eq!(text("[]"), Err(FieldError::NoObject("a list")));
        assert_eq!(text("{}"), Err(FieldError::Missing("name")));
        assert_eq!(text(r#"{"name":null}"#), Err(FieldError::Missing("name")));
        assert_eq!(text(r#"{"name":7}"#), Err(FieldError::NoText { field: "name", found: "a number" }));
        assert_eq!(text(r#"{"name":"  "}"#), Err(FieldError::Length { field: "name", found: 0, max: 5 }));
        assert_eq!(text(r#"{"name":"ÄÖÜäöü"}"#), Err(FieldError::Length { field: "name", found: 6, max: 5 }));
        assert_eq!(text(r#"{"name":" ÄÖÜäö ","more":1}"#), Ok("ÄÖÜäö".into()));
    }

    #[test]
    fn an_email_address_has_something_on_both_sides_of_one_at() {
        let email = |text: &str| {
            Fields::parse(serde_json::json!({ "email": text }).to_string().as_bytes()).unwrap().email("email")
        };
        assert_eq!(email("ada@example.com"), Ok("ada@example.com".into()));
        for wrong in ["ada", "@example.com", "ada@", "a@b@c", "a b@c", "a\u{0}@c"] {
            assert_eq!(email(wrong), Err(FieldError::Email("email")), "{wrong:?}");
        }
    }
}
