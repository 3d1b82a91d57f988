//! What guests publish, as they ask for it (`tidemill:handler/publisher`). It stays with the instance until the event's run is over.

mod bindings;
mod guest;

pub(super) use guest::{Publisher, add_to_linker};
