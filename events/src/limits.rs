//! What a message of Pub/Sub's may hold. Source: "Quotas and limits" in the Pub/Sub documentation.

/// Bytes of data, attributes and ordering key together that a publisher may send.
pub const MESSAGE_BYTES: usize = 10_000_000;
/// Attributes of a message.
pub const ATTRIBUTES: usize = 100;
/// Bytes of an attribute's name.
pub const NAME_BYTES: usize = 256;
/// Bytes of an attribute's value.
pub const VALUE_BYTES: usize = 1024;
/// Bytes of an ordering key.
pub const ORDERING_KEY_BYTES: usize = 1024;
