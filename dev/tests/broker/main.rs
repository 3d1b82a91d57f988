//! The broker over real sockets: publishers on one side, a receiver that answers as it is told on the other.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code outside of test functions, which clippy.toml doesn't reach"
)]

mod support;

mod crash;
mod dead_letter;
mod delivery;
mod grpc;
mod load;
mod ordering;
mod rest;
