//! The host's side of `wit/last`: the handler export of the version before, and how its values are those of the present
//! one. It lacks `time-limit-ms`.
#![allow(missing_docs, unreachable_pub, reason = "generated from wit/last, which documents each item")]
#![allow(clippy::indexing_slicing, clippy::allow_attributes_without_reason, reason = "generated")]

use exports::tidemill::handler::handler::Failure;
use tidemill::handler::events;

use super::present;

wasmtime::component::bindgen!({
    path: "../wit/last",
    inline: "
        package tidemill:host;
        world embedder {
            export tidemill:handler/handler@0.1.0;
        }
    ",
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: false },
});

/// An event in this version's terms; `attributes` are its [`attributes`].
pub(super) fn event<'a>(
    event: present::events::Event<'a>,
    attributes: &'a [events::Attribute<'a>],
) -> events::Event<'a> {
    let present::events::Event { id, event_type, time, content_type, data, attributes: _, delivery } = event;
    let present::events::Delivery { message_id, subscription, attempt, publish_time, ordering_key, time_limit_ms: _ } =
        delivery;
    let delivery = events::Delivery {
        message_id,
        subscription,
        attempt,
        publish_time: publish_time.map(events::Timestamp::from),
        ordering_key,
    };
    let time = time.into();
    events::Event { id, event_type, time, content_type, data, attributes, delivery }
}

/// Attributes in this version's terms.
pub(super) fn attributes<'a>(attributes: &[present::events::Attribute<'a>]) -> Vec<events::Attribute<'a>> {
    let attribute = |&present::events::Attribute { name, value }: &_| events::Attribute { name, value };
    attributes.iter().map(attribute).collect()
}

impl From<present::events::Timestamp> for events::Timestamp {
    fn from(time: present::events::Timestamp) -> Self {
        let present::events::Timestamp { seconds, nanoseconds } = time;
        Self { seconds, nanoseconds }
    }
}

impl From<Failure> for present::Failure {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Retry(events::Retry { reason, delay_ms }) => {
                Self::Retry(present::events::Retry { reason, delay_ms })
            }
            Failure::Reject(events::Rejection { reason }) => Self::Reject(present::events::Rejection { reason }),
        }
    }
}
