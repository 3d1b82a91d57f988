//! A push request's body, read in one pass, borrowed from where it can be.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The body of a push request: what of it a signature covers.
#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    #[serde(borrow)]
    message: Message<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Cow<'a, str>,
    #[serde(borrow)]
    attributes: Attributes<'a>,
}

/// The attributes that a signature covers, and the signature.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Attributes<'a> {
    #[serde(borrow)]
    pub(crate) event_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event_id: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) event_time: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) ordering_key: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(crate) content_type: Cow<'a, str>,
    #[serde(borrow)]
    pub(crate) signature_v2: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    /// The attributes and the decoded data; `None` where the body is no push envelope of a signed event.
    pub(crate) fn decode(body: &'a [u8]) -> Option<(Attributes<'a>, Vec<u8>)> {
        let Self { message } = serde_json::from_slice(body).ok()?;
        let data = STANDARD.decode(message.data.as_bytes()).ok()?;
        Some((message.attributes, data))
    }
}
