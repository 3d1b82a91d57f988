//! The host: takes deliveries, verifies them, and runs the handler of each event in a fresh sandbox.
//!
//! The rooms, in the order in which an event passes them: [`server`], [`ingress`], [`auth`], the crate
//! `tidemill-events`, [`dispatch`], [`registry`], [`runtime`], [`outcome`]. [`app`] builds and wires them. None looks
//! back up; `tests/rooms.rs` holds that.

pub mod app;
pub mod artifact;
pub mod auth;
pub mod bound;
mod by_name;
pub mod config;
pub mod dead_letter;
pub mod dedup;
pub mod dispatch;
pub mod ingress;
pub mod key_value;
pub mod keys;
pub mod metrics;
pub mod outcome;
pub mod outgoing;
mod panicked;
pub mod publishing;
mod redis_link;
pub mod registry;
pub mod runtime;
pub mod scrape;
pub mod serve;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod trust;
