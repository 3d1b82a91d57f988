//! The instances of handlers: each lives in a store of its own, and handles one event after the other where it may handle
//! more than one.

mod guest;
mod idle;
mod reuse;

pub(super) use guest::Guest;
pub(super) use idle::{AllIdle, Idle};
pub use reuse::Reuse;
