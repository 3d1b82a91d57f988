//! Outgoing HTTP that a stranger's handler can be trusted with, over real sockets: what is refused in every form that it
//! has, what a hostile server can do, TLS, and whose connections are whose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod authority;
mod mail;
mod pool;
mod refused;
mod servers;
mod support;
mod tls;
