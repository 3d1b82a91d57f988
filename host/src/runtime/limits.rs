use wasmtime::ResourceLimiter;

/// Table entries that one instance may have, over all its tables.
const MAX_TABLE_ENTRIES: usize = 100_000;

/// Counts the memory of one instance over all its linear memories, and refuses what goes past the cap.
///
/// The engine asks for each memory by itself, so a cap on each would let a guest have it twice with two memories.
#[derive(Debug)]
pub(super) struct Limits {
    cap: usize,
    used: usize,
    peak: usize,
    table_entries: usize,
    refused: bool,
}

impl Limits {
    /// Limits for a fresh instance that may have `cap` bytes.
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, used: 0, peak: 0, table_entries: 0, refused: false }
    }

    /// The most bytes that the instance had at once.
    pub(super) fn peak(&self) -> usize {
        self.peak
    }

    /// Whether the instance asked for more than it may have.
    pub(super) fn refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        if used > self.cap {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        self.peak = self.peak.max(used);
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let entries = self.table_entries.saturating_add(desired.saturating_sub(current));
        if entries > MAX_TABLE_ENTRIES {
            self.refused = true;
            return Ok(false);
        }
        self.table_entries = entries;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_memories_share_one_cap() {
        let mut limits = Limits::new(100);
        assert!(limits.memory_growing(0, 60, None).unwrap());
        assert!(!limits.memory_growing(0, 60, None).unwrap());
        assert!(limits.refused());
        assert!(limits.memory_growing(0, 40, None).unwrap());
        assert_eq!(limits.peak(), 100);
    }

    #[test]
    fn several_tables_share_one_cap() {
        let mut limits = Limits::new(0);
        assert!(limits.table_growing(0, MAX_TABLE_ENTRIES - 1, None).unwrap());
        assert!(!limits.table_growing(0, 2, None).unwrap());
        assert!(limits.refused());
    }
}
