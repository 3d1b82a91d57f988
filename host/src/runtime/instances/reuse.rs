use std::time::Duration;

/// How long an instance goes on to handle events of its handler, one after the other, instead of one alone.
///
/// What is of one event is each event's own; what the guest itself keeps in its memory is there for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reuse {
    /// The most events that one instance handles.
    pub events: u32,
    /// The longest that an instance is kept, from its making. An event that it is handling then is handled to its end.
    pub max_age: Duration,
}
