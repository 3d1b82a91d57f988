//! Structured mode: the body is a JSON object, and each context attribute a member of it.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::field::{FieldError, MAX_ATTRIBUTES, Place};
use super::super::form::media_type;
use super::super::json::{self, JsonError, Text};
use super::context::{Context, Mode};
use super::{CloudEvent, CloudEventError};

pub(super) fn read(body: &[u8]) -> Result<CloudEvent<'_>, CloudEventError> {
    let text = std::str::from_utf8(body).map_err(|_| FieldError::NotUtf8(Place::Body))?;
    let mut members = json::members(text, MAX_ATTRIBUTES)?;
    let (data, base64) = (members.remove("data"), members.remove("data_base64").filter(|value| *value != "null"));
    let mut context = Context::new(Mode::Structured);
    for (name, value) in members {
        if let Some(value) = scalar(&name, value)? {
            context.insert(name, value)?;
        }
    }
    let content_type = context.take("datacontenttype");
    Ok(match (data, base64) {
        (Some(_), Some(_)) => return Err(CloudEventError::TwoData),
        (None, None) => CloudEvent { context, content_type, data: Cow::Borrowed(&[]) },
        (None, Some(value)) => {
            let text: Text<'_> = serde_json::from_str(value).map_err(JsonError::from)?;
            CloudEvent { context, content_type, data: STANDARD.decode(text.0.as_bytes())?.into() }
        }
        (Some(value), None) => {
            // JSON format 1.0.2, section 3.1.2: without a media type it is JSON.
            let content_type = content_type.unwrap_or_else(|| "application/json".to_owned());
            let data = if is_json(&content_type) { Cow::Borrowed(value.as_bytes()) } else { plain(value)? };
            CloudEvent { context, content_type: Some(content_type), data }
        }
    })
}

/// The context attributes of the specification itself, all of them texts. Extensions may be numbers and booleans.
const TEXTS: [&str; 8] = ["specversion", "id", "source", "type", "subject", "time", "datacontenttype", "dataschema"];

/// A context attribute's value in its canonical form, which is JSON's own but for texts. `null` is none.
fn scalar(name: &str, value: &str) -> Result<Option<String>, CloudEventError> {
    match value.as_bytes().first() {
        Some(b'"') => Ok(Some(serde_json::from_str(value).map_err(JsonError::from)?)),
        Some(b'n') => Ok(None),
        Some(b'[' | b'{') => Err(CloudEventError::NoScalar(Place::member(name))),
        _ if TEXTS.contains(&name) => Err(CloudEventError::NoText(Place::member(name))),
        _ => Ok(Some(value.to_owned())),
    }
}

/// Data that are no JSON: a text, whose characters are the data.
fn plain(value: &str) -> Result<Cow<'_, [u8]>, CloudEventError> {
    if !value.starts_with('"') {
        return Err(CloudEventError::DataNoText);
    }
    let Text(text) = serde_json::from_str(value).map_err(JsonError::from)?;
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// Whether a media type is `*/json` or `*/*+json`.
fn is_json(content_type: &str) -> bool {
    let subtype = media_type(content_type).split_once('/').map_or("", |(_, subtype)| subtype);
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    suffix.eq_ignore_ascii_case("json")
}
