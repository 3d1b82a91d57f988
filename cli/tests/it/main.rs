//! The command `tidemill` as people run it: its own process, real sockets, real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "a test looks at the environment that it hands on")]

mod chain;
mod commands;
mod crash;
mod dev;
mod emulator;
mod handlers;
mod provider;
mod publishers;
#[path = "../../../host/tests/common/registry.rs"]
mod registry;
mod releases;
mod tidemill;
