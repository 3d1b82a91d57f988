use wasmtime::{Engine, ResourceLimiter};

use super::Limits;

/// Bytes of a table's entry: a pointer.
const TABLE_ENTRY: usize = 8;

/// Counts what one instance uses, and refuses what goes past its limits. Memory and tables are the instance's, over all of
/// its events; the rest is counted for each.
///
/// The engine asks for each memory and each table by itself, so a cap on each would let a guest have it twice with two.
pub(super) struct Meter {
    limits: Limits,
    engine: Engine,
    memory: usize,
    peak: usize,
    table_entries: usize,
    host_calls: u64,
    refused: Option<Refused>,
}

/// What an instance asked for and didn't get. It may go on without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Memory, for linear memory or for tables.
    Memory,
    /// Entries of tables.
    TableEntries,
}

/// Ends a guest that has called the host too often.
#[derive(Debug, thiserror::Error)]
#[error("the guest called the host too often")]
pub(super) struct TooManyHostCalls;

impl Meter {
    /// A meter for a fresh instance.
    pub(super) fn new(limits: Limits, engine: Engine) -> Self {
        Self { limits, engine, memory: 0, peak: 0, table_entries: 0, host_calls: 0, refused: None }
    }

    /// Begins another event of the same instance, which has what it has.
    pub(super) fn begin(&mut self) {
        (self.peak, self.host_calls, self.refused) = (self.memory, 0, None);
    }

    /// What it may use.
    pub(super) fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether nothing was refused or overdrawn in this event, noticed by the guest or not.
    pub(super) fn is_unbroken(&self) -> bool {
        self.refused.is_none() && self.may_go_on().is_ok()
    }

    /// The most bytes that the instance had at once, in this event.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// What it asked for last, of what it could not have.
    pub(super) fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Notes a call of a host function. No call is refused here, since not every such function can fail: the guest is
    /// ended when it next looks at the epoch, which is in its next loop or call.
    pub(super) fn host_call(&mut self) {
        self.host_calls = self.host_calls.saturating_add(1);
        if self.host_calls == self.limits.host_calls.saturating_add(1) {
            self.engine.increment_epoch();
        }
    }

    /// What the guest is asked each time that the epoch has moved on.
    pub(super) fn may_go_on(&self) -> Result<(), TooManyHostCalls> {
        if self.host_calls > self.limits.host_calls { Err(TooManyHostCalls) } else { Ok(()) }
    }

    fn take_memory(&mut self, bytes: usize) -> bool {
        let memory = self.memory.saturating_add(bytes);
        if memory > self.limits.memory {
            self.refused = Some(Refused::Memory);
            return false;
        }
        self.memory = memory;
        self.peak = self.peak.max(memory);
        true
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // What is past the memory's own bound fails in any case, and must not be counted as taken.
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(fits && self.take_memory(desired.saturating_sub(current)))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        let added = desired.saturating_sub(current);
        let entries = self.table_entries.saturating_add(added);
        if entries > self.limits.table_entries {
            self.refused = Some(Refused::TableEntries);
            return Ok(false);
        }
        let fits = maximum.is_none_or(|maximum| desired <= maximum);
        if !fits || !self.take_memory(added.saturating_mul(TABLE_ENTRY)) {
            return Ok(false);
        }
        self.table_entries = entries;
        Ok(true)
    }

    fn instances(&self) -> usize {
        super::allocation::CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        super::allocation::TABLES as usize
    }

    fn memories(&self) -> usize {
        super::allocation::MEMORIES as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(limits: Limits) -> Meter {
        Meter::new(limits, Engine::default())
    }

    #[test]
    fn several_memories_share_one_cap() {
        let mut meter = meter(Limits { memory: 100, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert_eq!(meter.refused(), Some(Refused::Memory));
        assert!(meter.memory_growing(0, 40, None).unwrap());
        assert_eq!(meter.peak(), 100);
    }

    #[test]
    fn several_tables_share_one_cap_and_count_as_memory() {
        let mut meter = meter(Limits { memory: 800, table_entries: 90, ..Limits::default() });
        assert!(meter.table_growing(0, 80, None).unwrap());
        assert!(!meter.table_growing(0, 11, None).unwrap());
        assert_eq!(meter.refused(), Some(Refused::TableEntries));
        assert!(!meter.memory_growing(0, 161, None).unwrap());
        assert_eq!(meter.refused(), Some(Refused::Memory));
        assert!(meter.memory_growing(0, 160, None).unwrap());
    }

    /// Else a guest that asks in vain, again and again, would be told that its memory is used up.
    #[test]
    fn what_its_own_bound_forbids_is_neither_taken_nor_a_breach() {
        let mut meter = meter(Limits { memory: 100, ..Limits::default() });
        for _ in 0..10 {
            assert!(!meter.memory_growing(0, 60, Some(50)).unwrap());
            assert!(!meter.table_growing(0, 6, Some(5)).unwrap());
        }
        assert_eq!((meter.refused(), meter.peak()), (None, 0));
    }

    #[test]
    fn another_event_begins_with_the_memory_that_is_there_and_with_nothing_else() {
        let mut meter = meter(Limits { memory: 100, host_calls: 1, ..Limits::default() });
        assert!(meter.memory_growing(0, 60, None).unwrap() && !meter.memory_growing(0, 60, None).unwrap());
        meter.host_call();
        assert!(!meter.is_unbroken());
        meter.begin();
        assert_eq!((meter.refused(), meter.peak(), meter.is_unbroken()), (None, 60, true));
        meter.host_call();
        assert!(meter.is_unbroken() && !meter.memory_growing(60, 120, None).unwrap() && !meter.is_unbroken());
    }

    #[test]
    fn one_call_more_than_allowed_is_too_many() {
        let mut meter = meter(Limits { host_calls: 2, ..Limits::default() });
        meter.host_call();
        meter.host_call();
        assert!(meter.may_go_on().is_ok());
        meter.host_call();
        assert!(meter.may_go_on().is_err());
    }
}
