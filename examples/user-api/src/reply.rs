use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use crate::DatabaseError;
use crate::fields::FieldError;

/// What a request that can't be fulfilled is answered with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Field(#[from] FieldError),
    #[error("there is a user with this email address already")]
    EmailTaken,
    #[error("there is no user {0:?}")]
    NoUser(String),
    #[error("there is no post {0:?}")]
    NoPost(String),
    #[error("there is nothing at this path")]
    NoPath,
    #[error("this path takes POST")]
    Method,
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    #[error("the body could not be read")]
    Unreadable,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("something went wrong here; try again")]
    Internal(#[from] DatabaseError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Field(_) | Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::EmailTaken => StatusCode::CONFLICT,
            Self::NoUser(_) | Self::NoPost(_) | Self::NoPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer: `{"error": …}`, with `"field"` where one field of the body is wrong.
    pub(crate) fn into_response(self) -> Response<Full<Bytes>> {
        let mut body = json!({ "error": self.to_string() });
        if let (Self::Field(error), Some(body)) = (&self, body.as_object_mut())
            && let Some(field) = error.field()
        {
            body.insert("field".into(), field.into());
        }
        if let Self::Internal(error) = &self {
            // The log has the cause. The caller could do nothing with it, and has no business with it.
            tracing::error!(%error, "a request failed");
        }
        let mut response = json_response(self.status(), &body);
        if matches!(self, Self::Method) {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

/// An answer with a JSON body.
pub(crate) fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
