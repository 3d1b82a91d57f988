//! Outgoing HTTP as guests have it (`wasi:http`): what a request is held to before it leaves and while it is answered.
//!
//! The host follows no redirect, keeps no cookie and asks no proxy: what a guest sends after a redirect is a request of
//! its own, and judged as one.

mod body;
mod error;
mod exchange;
mod guest;
mod hooks;
mod reach;
mod refusal;
mod stand_in;

pub(super) use guest::add_to_linker;
pub(super) use hooks::{HEADERS, Hooks};
pub(super) use reach::Reach;
pub use stand_in::StandIn;
