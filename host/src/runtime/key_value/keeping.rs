use std::sync::Arc;

use super::refusal::Refusal;
use crate::key_value::{Key, KeyValue, Space, StoreName};
use crate::runtime::output::{Capability, Remarks};

/// How often one event may ask its stores.
pub(super) const MAX_OPERATIONS: usize = 1000;
/// Handles of compare-and-swap that one event may have at once: each holds a value of up to 1 MiB.
pub(super) const MAX_SWAPS: usize = 8;
/// Bytes of a refusal that are logged.
const SHOWN: usize = 1 << 10;

/// What one handler may keep, and where. All of its instances share it.
pub(in crate::runtime) struct Kept {
    store: Arc<dyn KeyValue>,
    spaces: Vec<Space>,
}

impl Kept {
    /// These spaces of a store.
    pub(in crate::runtime) fn new(store: Arc<dyn KeyValue>, spaces: Vec<Space>) -> Self {
        Self { store, spaces }
    }
}

/// What one event has asked of its handler's stores.
pub(in crate::runtime) struct Keeping {
    /// What it may keep; nothing while it is only tried out, or where it was granted nothing.
    kept: Option<Arc<Kept>>,
    operations: usize,
    /// Handles of compare-and-swap that the instance has, whichever event it got them for: each holds a value.
    swaps: usize,
    remarks: Remarks,
    told: bool,
}

/// A store that a guest has opened.
#[expect(unreachable_pub, reason = "generated code names it again, for all")]
pub struct Bucket {
    pub(super) space: Space,
}

/// A value as a guest saw it, to be replaced if it is still the same.
#[expect(unreachable_pub, reason = "generated code names it again, for all")]
pub struct Swap {
    pub(super) space: Space,
    pub(super) key: Key,
    pub(super) seen: Option<Vec<u8>>,
}

impl Keeping {
    pub(in crate::runtime) fn new(kept: Option<Arc<Kept>>, remarks: Remarks) -> Self {
        Self { kept, operations: 0, swaps: 0, remarks, told: false }
    }

    /// Begins another event of the same instance.
    pub(in crate::runtime) fn begin(&mut self, remarks: Remarks) {
        (self.operations, self.told, self.remarks) = (0, false, remarks);
    }

    /// Counts one question, and gives what to ask.
    pub(super) fn ask(&mut self) -> Result<Arc<dyn KeyValue>, Refusal> {
        self.count().map(|kept| Arc::clone(&kept.store))
    }

    /// The space of a store by its name, which counts as a question: each store that is open takes memory of the host's.
    pub(super) fn space(&mut self, name: &str) -> Result<Space, Refusal> {
        let kept = self.count()?;
        let listed = kept.spaces.iter().find(|space| space.store() == name);
        listed.cloned().ok_or_else(|| name.parse::<StoreName>().map_or(Refusal::NoName, Refusal::NotListed))
    }

    fn count(&mut self) -> Result<&Kept, Refusal> {
        let kept = self.kept.as_ref().ok_or(Refusal::Loading)?;
        self.operations = self.operations.saturating_add(1);
        if self.operations > MAX_OPERATIONS { Err(Refusal::TooMany) } else { Ok(kept) }
    }

    /// Takes the place of one more handle of compare-and-swap.
    pub(super) fn begin_swap(&mut self) -> Result<(), Refusal> {
        if self.swaps == MAX_SWAPS {
            return Err(Refusal::TooManySwaps);
        }
        self.swaps = self.swaps.saturating_add(1);
        Ok(())
    }

    /// Gives it back.
    pub(super) fn end_swap(&mut self) {
        self.swaps = self.swaps.saturating_sub(1);
    }

    /// Counts a refusal, and logs the first of an event. What follows is as a rule the same again.
    pub(super) fn tell(&mut self, refusal: &Refusal) {
        if refusal.is_one() {
            self.remarks.count(Capability::KeyValue);
        }
        if refusal.is_the_operators() && !std::mem::replace(&mut self.told, true) && self.remarks.may_say() {
            // It may name a store, and a guest can ask for one by a secret.
            let refusal = self.remarks.show(&refusal.to_string(), SHOWN);
            tracing::warn!(
                "refused to keep or look up a value: {refusal}; what else this event is refused is not logged"
            );
        }
    }
}
