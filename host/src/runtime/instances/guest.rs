use std::sync::Arc;
use std::time::Instant;

use wasmtime::Store;

use super::Reuse;
use crate::publishing::{Cause, Publication};
use crate::runtime::interface::Exports;
use crate::runtime::state::GuestState;
use crate::runtime::{Grant, Surroundings};

/// An instance with the store that it lives in, or a store in which there is none yet.
pub(in crate::runtime) struct Guest {
    pub(in crate::runtime) store: Store<GuestState>,
    /// What it exports, once it is there.
    pub(in crate::runtime) exports: Option<Exports>,
    /// Events that it has handled, without the one that it is handling.
    handled: u32,
    born: Instant,
}

impl Guest {
    /// A guest that is to be made in this store, for an event.
    pub(in crate::runtime) fn new(store: Store<GuestState>, born: Instant) -> Self {
        Self { store, exports: None, handled: 0, born }
    }

    /// How many events it had handled before the present one.
    pub(in crate::runtime) fn handled(&self) -> u32 {
        self.handled
    }

    /// What the host keeps for it.
    pub(in crate::runtime) fn state(&self) -> &GuestState {
        self.store.data()
    }

    /// What it has published for the event. It is gone from here then.
    pub(in crate::runtime) fn take_publications(&mut self) -> Vec<Publication> {
        self.store.data_mut().take_publications()
    }

    /// Readies a guest that was used before for another event.
    pub(in crate::runtime) fn begin(&mut self, grant: &Grant, cause: Option<Cause>, surroundings: &Surroundings) {
        self.store.data_mut().begin(grant, cause, Arc::clone(&surroundings.sink));
        // The epoch has moved on meanwhile. What a call may hand over needs no such care: the engine counts it by the call.
        self.store.set_epoch_deadline(1);
    }

    /// Ends the event that it has answered, and gives it back if it may handle another.
    pub(super) fn end(mut self, reuse: Reuse) -> Option<Self> {
        self.handled = self.handled.saturating_add(1);
        let goes_on = self.handled < reuse.events && !self.is_aged(reuse) && self.state().is_settled();
        goes_on.then(|| {
            self.store.data_mut().end();
            self
        })
    }

    /// Whether it is too old for another event.
    pub(super) fn is_aged(&self, reuse: Reuse) -> bool {
        self.born.elapsed() >= reuse.max_age
    }
}
