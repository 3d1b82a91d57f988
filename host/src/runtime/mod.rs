//! The one room that names wasmtime: components, their limits and imports, and a fresh instance for each event.
//!
//! It knows handlers as bytes and a [`Grant`]; it doesn't know where either came from, nor who asked over what network.

mod bindings;
mod component;
mod engine;
mod http;
mod invoke;
mod limits;
mod output;
mod state;

pub use component::{Component, LoadError};
pub use engine::{Allocation, Runtime, RuntimeConfig, RuntimeError};
pub use invoke::{Ending, Fault, Invocation};
pub use output::{Captured, Line, LogLines, OutputSink, Stream};
pub use state::Grant;
