//! The names of the message attributes that have a meaning of their own.

/// What happened, such as `user.registered`. Every event has one.
pub const EVENT_TYPE: &str = "event-type";
/// The event's own id, given by its publisher: a publisher's retry has a new message id, but the same event id.
pub const EVENT_ID: &str = "event-id";
/// When the event happened, by the publisher's clock, as RFC 3339.
pub const EVENT_TIME: &str = "event-time";
/// The ordering key once more: not every broker hands on the one that it delivers by (the emulator doesn't, for one).
pub const ORDERING_KEY: &str = "ordering-key";
/// The media type of the data.
pub const CONTENT_TYPE: &str = "content-type";
/// The version 1 signature: hex HMAC-SHA256 over the decoded data.
pub const SIGNATURE: &str = "signature";
/// The version 2 signature, over the data and the fields above; see [`crate::signature::v2`].
pub const SIGNATURE_V2: &str = "signature-v2";
/// The id of the event whose handler published this one. Unsigned, as the three below.
pub const CAUSE: &str = "tidemill-cause";
/// How many handlers, one after the other, have led to this event, in decimal digits: 1 where the event that caused it came
/// from outside. What has no such attribute came from outside itself.
pub const DEPTH: &str = "tidemill-depth";
/// How many further events this one may lead to, all that come of it together, in decimal digits. Who publishes several
/// parts what it has among them.
pub const DESCENDANTS: &str = "tidemill-descendants";
/// The trace that the event belongs to, as `traceparent` of W3C Trace Context. Pub/Sub's clients set it where they trace.
pub const TRACEPARENT: &str = "googclient_traceparent";

/// The attributes that become fields of an event, or that vouch for it; handlers don't see them among the others.
pub const RESERVED: [&str; 7] = [EVENT_TYPE, EVENT_ID, EVENT_TIME, ORDERING_KEY, CONTENT_TYPE, SIGNATURE, SIGNATURE_V2];
