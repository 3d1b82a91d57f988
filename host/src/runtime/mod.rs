//! The one room that names wasmtime: components, their limits and imports, and an instance for each event, which is a fresh
//! one unless the handler may use it again.
//!
//! It knows handlers as bytes and a [`Grant`]; it doesn't know where either came from, nor who asked over what network.

mod allocation;
mod component;
mod configuration;
mod cpu;
mod engine;
mod fault;
mod http;
mod instances;
mod interface;
mod invoke;
mod key_value;
mod limits;
mod linkers;
mod meter;
mod native;
mod output;
mod publishing;
mod state;
mod surroundings;

pub use allocation::Allocation;
pub(crate) use component::Code;
pub use component::{Component, LoadError};
pub use configuration::{ConfigValue, Configuration};
pub use engine::{Runtime, RuntimeConfig, RuntimeError};
pub use fault::Fault;
pub use http::StandIn;
pub use instances::Reuse;
pub use interface::Interface;
pub use invoke::{Ending, Invocation};
pub use limits::{Limits, MAX_TABLE_ENTRIES};
pub use output::{Captured, Level, Line, LogLines, OutputSink, Refusals, Stream};
pub use state::Grant;
pub use surroundings::{Machine, Surroundings, ThisMachine};
