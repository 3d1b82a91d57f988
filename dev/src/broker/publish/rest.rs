//! Pub/Sub's REST interface, as much of it as a publisher uses.
//! Source: `projects.topics` in the REST reference of Pub/Sub, "ProtoJSON" in that of Protocol Buffers.

use std::collections::BTreeMap;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Value, json};
use tidemill_events::Message;

use super::{MAX_BODY, PublishError, rules};
use crate::broker::Broker;
use crate::server::Body;

/// JSON may leave the padding of base64 away.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(serde::Deserialize)]
struct PublishBody {
    #[serde(default)]
    messages: Vec<RestMessage>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct RestMessage {
    data: Option<String>,
    attributes: Option<BTreeMap<String, String>>,
    #[serde(alias = "ordering_key")]
    ordering_key: Option<String>,
}

/// A request that failed, in Google's terms.
struct Refusal {
    status: StatusCode,
    name: &'static str,
    message: String,
}

/// Answers a request.
pub(super) async fn answer(broker: &Broker, request: Request<Incoming>) -> Response<Body> {
    let (status, body) = match call(broker, request).await {
        Ok(body) => (StatusCode::OK, body),
        Err(Refusal { status, name, message }) => {
            (status, json!({ "error": { "code": status.as_u16(), "message": message, "status": name } }))
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=UTF-8"));
    response
}

async fn call(broker: &Broker, request: Request<Incoming>) -> Result<Value, Refusal> {
    let path = request.uri().path().to_owned();
    let resource = path.strip_prefix("/v1/").unwrap_or_default();
    match (request.method(), resource.rsplit_once(':')) {
        (&Method::POST, Some((topic, "publish"))) => publish(broker, topic, request).await,
        // Topics exist when they are published to: whoever asks for one, or makes one, has it.
        (&Method::GET | &Method::PUT, None) if resource.contains("/topics/") => {
            rules::check_topic(resource).map_err(PublishError::from)?;
            Ok(json!({ "name": resource }))
        }
        (method, _) => Err(Refusal {
            status: StatusCode::NOT_FOUND,
            name: "NOT_FOUND",
            message: format!(
                "{method} {path}: this stand-in for Pub/Sub has POST /v1/projects/PROJECT/topics/NAME:publish, \
                 and GET and PUT of a topic"
            ),
        }),
    }
}

async fn publish(broker: &Broker, topic: &str, request: Request<Incoming>) -> Result<Value, Refusal> {
    let body = Limited::new(request.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(|error| Refusal::argument(format!("the request can't be read: {error}")))?
        .to_bytes();
    let body: PublishBody = serde_json::from_slice(&body)
        .map_err(|error| Refusal::argument(format!("the request is no JSON such as {{\"messages\":[…]}}: {error}")))?;
    let messages = body.messages.into_iter().enumerate().map(message).collect::<Result<_, _>>()?;
    let ids = broker.publish(topic, messages).await?;
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    Ok(json!({ "messageIds": ids }))
}

fn message((index, message): (usize, RestMessage)) -> Result<Message, Refusal> {
    // JSON may have either alphabet of base64, whose difference is two characters.
    let data = message.data.unwrap_or_default().replace('-', "+").replace('_', "/");
    let data = BASE64
        .decode(data)
        .map_err(|error| Refusal::argument(format!("the field `messages[{index}].data` is no base64: {error}")))?;
    Ok(Message {
        data,
        attributes: message.attributes.unwrap_or_default(),
        ordering_key: message.ordering_key.filter(|key| !key.is_empty()),
    })
}

impl Refusal {
    fn argument(message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name: "INVALID_ARGUMENT", message }
    }
}

impl From<PublishError> for Refusal {
    fn from(error: PublishError) -> Self {
        let message = error.to_string();
        match error {
            PublishError::Invalid(_) => Self::argument(message),
            PublishError::Store(_) => Self { status: StatusCode::SERVICE_UNAVAILABLE, name: "UNAVAILABLE", message },
        }
    }
}
