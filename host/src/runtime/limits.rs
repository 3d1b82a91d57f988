use std::time::Duration;

/// Table entries that a handler may ask for. Each table of each slot has room for so many.
pub const MAX_TABLE_ENTRIES: usize = 100_000;

/// What one event may use of the host, apart from its deadline. Each is counted for the one instance that it runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories and tables together. An entry of a table counts as eight.
    pub memory: usize,
    /// Time on a processor, with what the host does for the guest meanwhile; waiting doesn't count. It is looked at
    /// each time that the guest gives up its thread, so at least every 2 ms. `None`: the deadline alone bounds it.
    pub cpu: Option<Duration>,
    /// Entries of all tables together.
    pub table_entries: usize,
    /// Resources held at once: streams, requests, timers, and what the guest makes itself.
    pub resources: usize,
    /// Calls of the host's functions.
    pub host_calls: u64,
    /// Bytes that one call may hand to the host, or one return to it. Checked before they are copied.
    pub data: usize,
    /// Bytes of log, all ways to write it together. What is more is dropped and counted; it is no fault.
    pub log: usize,
}

impl Default for Limits {
    /// Far more than a handler needs that sends a mail, far less than what harms a neighbour.
    fn default() -> Self {
        Self {
            memory: 64 << 20,
            cpu: None,
            table_entries: 20_000,
            resources: 1_000,
            host_calls: 1_000_000,
            // The longest value that a key-value store takes, with its key and to spare.
            data: 2 << 20,
            log: 64 << 10,
        }
    }
}
