use super::super::field::{FieldError, Place, quoted};
use super::super::form::starts_with;
use super::super::{JsonError, WrappedError};

/// Why a request that claims to be a CloudEvent is none that can be read here.
#[derive(Debug, thiserror::Error)]
pub enum CloudEventError {
    /// The content type says that there are several events.
    #[error("a batch of CloudEvents is not taken: send each event in a request of its own")]
    Batch,
    /// The content type names another event format.
    #[error("the content type {0:?} is no CloudEvent that is read here: application/cloudevents+json is")]
    Format(String),
    /// A context attribute that every CloudEvent has is absent.
    #[error("{0} is missing or empty: a CloudEvent has specversion, id, source and type")]
    Missing(Place),
    /// The event is of another version.
    #[error("the CloudEvent is of version {0:?}, and 1.0 is read")]
    Version(String),
    /// A context attribute has a name that none may have.
    #[error("{0} is no name of a context attribute, which has a to z and 0 to 9 alone")]
    Name(Place),
    /// A context attribute has a character that none may have.
    #[error("{0} has a control character")]
    Control(Place),
    /// A context attribute is an array or an object.
    #[error("{0} is neither text nor number nor boolean")]
    NoScalar(Place),
    /// A context attribute of the specification's own is a number or a boolean, where each of them is a text.
    #[error("{0} is no text")]
    NoText(Place),
    /// Binary mode has the data's media type in `content-type`.
    #[error("the header \"ce-datacontenttype\" may not be there: `content-type` says what the data are")]
    TwoContentTypes,
    /// The data stand there in both of their spellings.
    #[error("the members \"data\" and \"data_base64\" are both there")]
    TwoData,
    /// The data should be a text.
    #[error("the member \"data\" is no text, though \"datacontenttype\" names no kind of JSON")]
    DataNoText,
    /// The data are no base64.
    #[error("the member \"data_base64\" is no base64: {0}")]
    Base64(#[from] base64::DecodeError),
    /// The body is no JSON object, or a member stands twice.
    #[error("the body is no CloudEvent: {0}")]
    Json(#[from] JsonError),
    /// The event says that its data are a wrapped envelope, and they are none.
    #[error("in the CloudEvent's data: {0}")]
    Message(#[source] WrappedError),
    /// Another thing is wrong with a header or member.
    #[error(transparent)]
    Field(#[from] FieldError),
}

impl CloudEventError {
    /// What is wrong with a content type that begins as that of a CloudEvent.
    pub(in super::super) fn format(media_type: &str) -> Self {
        if starts_with(media_type, "application/cloudevents-batch") {
            Self::Batch
        } else {
            Self::Format(quoted(media_type))
        }
    }
}
