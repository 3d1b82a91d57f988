//! Unary gRPC, as much of it as a publisher speaks: one message in, one message out, the status in the trailers.
//! Source: "gRPC over HTTP2" in the documentation of gRPC.

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, Response};

use super::proto::{GetTopicRequest, PublishRequest, PublishResponse, Topic};
use super::{MAX_BODY, PublishError, rules};
use crate::broker::Broker;
use crate::server::Body;

const SERVICE: &str = "/google.pubsub.v1.Publisher/";
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// A flag and a length of four bytes stand before each message.
const PREFIX: usize = 5;

/// A call that failed: a code and a sentence.
struct Status {
    code: Code,
    message: String,
}

/// Of the codes of gRPC those that are given here.
#[derive(Clone, Copy)]
enum Code {
    InvalidArgument = 3,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
}

/// Answers a call.
pub(super) async fn answer(broker: &Broker, request: Request<Incoming>) -> Response<Body> {
    let mut response = match call(broker, request).await {
        Ok(message) => Response::new(reply(message)),
        Err(status) => refuse(&status),
    };
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

async fn call(broker: &Broker, request: Request<Incoming>) -> Result<Vec<u8>, Status> {
    let path = request.uri().path().to_owned();
    match path.strip_prefix(SERVICE) {
        Some("Publish") => publish(broker, receive(request).await?).await,
        Some("CreateTopic") => {
            let Topic { name } = receive(request).await?;
            topic(name)
        }
        Some("GetTopic") => {
            let GetTopicRequest { topic: name } = receive(request).await?;
            topic(name)
        }
        _ => Err(Status::new(
            Code::Unimplemented,
            format!("{path}: this stand-in for Pub/Sub has Publish, GetTopic and CreateTopic of {SERVICE} alone"),
        )),
    }
}

async fn publish(broker: &Broker, request: PublishRequest) -> Result<Vec<u8>, Status> {
    let messages = request.messages.into_iter().map(Into::into).collect();
    let ids = broker.publish(&request.topic, messages).await?;
    send(&PublishResponse { message_ids: ids.iter().map(ToString::to_string).collect() })
}

/// Topics exist when they are published to: whoever asks for one, or makes one, has it.
fn topic(name: String) -> Result<Vec<u8>, Status> {
    rules::check_topic(&name).map_err(PublishError::from)?;
    send(&Topic { name })
}

/// Reads the one message of a call.
async fn receive<M: prost::Message + Default>(request: Request<Incoming>) -> Result<M, Status> {
    let body = Limited::new(request.into_body(), MAX_BODY)
        .collect()
        .await
        .map_err(|error| Status::new(Code::ResourceExhausted, format!("the request can't be read: {error}")))?
        .to_bytes();
    let malformed = |what: &str| Status::new(Code::Internal, format!("the request is no gRPC message: {what}"));
    let Some((&[flag, a, b, c, d], message)) = body.split_first_chunk::<PREFIX>() else {
        return Err(malformed("it is shorter than the five bytes before a message"));
    };
    if flag != 0 {
        return Err(Status::new(Code::Unimplemented, "compressed messages are not understood: switch compression off"));
    }
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return Err(malformed("it has another length than it says"));
    }
    M::decode(message).map_err(|error| malformed(&error.to_string()))
}

/// Writes the one message of an answer.
fn send(message: &impl prost::Message) -> Result<Vec<u8>, Status> {
    let too_long = |_| Status::new(Code::Internal, "the answer is too long for a gRPC message");
    let length = u32::try_from(message.encoded_len()).map_err(too_long)?;
    let mut frame = Vec::with_capacity(PREFIX + message.encoded_len());
    frame.push(0);
    frame.extend(length.to_be_bytes());
    message.encode_raw(&mut frame);
    Ok(frame)
}

fn reply(message: Vec<u8>) -> Body {
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    Full::new(Bytes::from(message)).with_trailers(std::future::ready(Some(Ok(trailers)))).boxed()
}

/// An answer without a message has its status in the headers.
fn refuse(status: &Status) -> Response<Body> {
    let mut response = Response::new(Empty::new().boxed());
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(status.code as u16));
    if let Ok(message) = HeaderValue::from_str(&percent_encode(&status.message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    response
}

/// A status message as a header carries it: what is not printable ASCII, and the percent sign, as %XX.
fn percent_encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'%' => encoded.push_str("%25"),
            b' '..=b'~' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

impl Status {
    fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<PublishError> for Status {
    fn from(error: PublishError) -> Self {
        let code = match &error {
            PublishError::Invalid(_) => Code::InvalidArgument,
            PublishError::Store(_) => Code::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_message_is_ascii_and_can_be_read_back() {
        assert_eq!(percent_encode("100% of \"Käse\"\n"), "100%25 of \"K%C3%A4se\"%0A");
    }
}
