//! Hosts that follow one store: what is live there is served at each, whole, or what was served before is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod ahead;
mod canary;
#[path = "../common/mod.rs"]
mod common;
mod followed;
mod killed;
mod limited;
mod memory;
mod process;
#[path = "../store/servers.rs"]
mod servers;
mod signed;
mod stand;
mod start;
mod swaps;
mod trouble;
