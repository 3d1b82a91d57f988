//! What guests keep between events, as they have it (`wasi:keyvalue`): which stores are theirs, and how often they may ask.

mod bindings;
mod guest;
mod keeping;
mod refusal;

pub(super) use guest::{View, add_to_linker};
pub(super) use keeping::{Keeping, Kept};
