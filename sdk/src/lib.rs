//! The guest side of Tidemill: makes one typed function a handler.
//!
//! ```
//! use serde::Deserialize;
//! use tidemill_sdk::{Event, Failure, handler};
//!
//! #[derive(Deserialize)]
//! struct Registered {
//!     email: String,
//! }
//!
//! #[handler]
//! fn welcome(event: Event<Registered>) -> Result<(), Failure> {
//!     if !event.data.email.contains('@') {
//!         return Err(Failure::reject("the address has no `@`"));
//!     }
//!     println!("welcome, {}", event.data.email);
//!     Ok(())
//! }
//! # fn main() {}
//! ```
//!
//! A handler is a crate of type `cdylib` with one such function, built for the target `wasm32-wasip2`, and a
//! `handler.toml` beside its `Cargo.toml`. What it writes to standard output and standard error becomes the event's log.
//!
//! - [`Event`] is what it is given, its data as the type that the function names: JSON, or [`Bytes`] as they came.
//! - [`Failure`] is what it answers when it can't finish: deliver the event again, or never.
//! - [`config`] is what its manifest and its operator set.
//! - [`log`] writes log lines with a level and a context.
#![cfg_attr(feature = "http", doc = "- [`http`] sends requests, to the origins that its manifest lists.")]
#![cfg_attr(not(feature = "http"), doc = "- `http`, behind the feature of that name, sends requests.")]
#![cfg_attr(
    feature = "key-value",
    doc = "- [`key_value`] keeps values between events, in the stores that its manifest lists."
)]
#![cfg_attr(
    not(feature = "key-value"),
    doc = "- `key_value`, behind the feature `key-value`, keeps values between events."
)]
#![cfg_attr(feature = "publish", doc = "- [`publish`] emits further events, of the types that its manifest lists.")]
#![cfg_attr(not(feature = "publish"), doc = "- `publish`, behind the feature of that name, emits further events.")]
//!
//! The same event may be delivered more than once, each time to a fresh instance. So do what can be done twice, or pass
//! [`Event::id`] on as the idempotency key: it is the same in each delivery.

#[doc(hidden)]
pub mod bindings;
#[cfg(not(feature = "http"))]
mod block_on;
pub mod config;
mod data;
mod event;
mod failure;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "key-value")]
pub mod key_value;
pub mod log;
#[cfg(feature = "publish")]
pub mod publish;
mod run;
mod text;

pub use data::{Bytes, FromData};
pub use event::{Delivery, Event};
pub use failure::Failure;
pub use tidemill_sdk_macros::handler;

/// What the attribute `handler` writes code against. No part of the SDK's promises.
#[doc(hidden)]
pub mod __private {

    pub use crate::bindings::exports::tidemill::handler::handler::Guest;
    pub use crate::bindings::tidemill::handler::events::{Event, Failure};
    pub use crate::run::{handle, handle_async};
}
