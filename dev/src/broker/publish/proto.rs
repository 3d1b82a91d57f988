//! The few messages of `google/pubsub/v1/pubsub.proto` that publishing takes. Fields that aren't named here are passed over.

use std::collections::BTreeMap;

use tidemill_events::Message;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PublishRequest {
    #[prost(string, tag = "1")]
    pub(super) topic: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) messages: Vec<PubsubMessage>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PubsubMessage {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) data: Vec<u8>,
    #[prost(btree_map = "string, string", tag = "2")]
    pub(super) attributes: BTreeMap<String, String>,
    #[prost(string, tag = "5")]
    pub(super) ordering_key: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PublishResponse {
    #[prost(string, repeated, tag = "1")]
    pub(super) message_ids: Vec<String>,
}

/// A topic, of whose fields only the name means something here.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Topic {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetTopicRequest {
    #[prost(string, tag = "1")]
    pub(super) topic: String,
}

impl From<PubsubMessage> for Message {
    fn from(message: PubsubMessage) -> Self {
        let PubsubMessage { data, attributes, ordering_key } = message;
        let ordering_key = Some(ordering_key).filter(|key| !key.is_empty());
        Self { data, attributes, ordering_key }
    }
}
