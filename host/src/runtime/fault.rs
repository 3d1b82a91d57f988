use std::time::Duration;

use wasmtime::component::ResourceTableError;
use wasmtime::{Error, Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use super::Limits;
use super::meter::{Meter, Refused, TooManyHostCalls};

/// What the engine says where a limit of its own is broken for which it has no public type. The tests of the sandbox break
/// each, so a version of the engine that says it otherwise is noticed.
const DATA_USED_UP: &str = "fuel allocated for hostcalls has been exhausted";
const HANDLES_USED_UP: &str = "store handle limit exceeded";

/// Why a handler didn't return.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It trapped, or ended its program.
    #[error("it trapped: {0}")]
    Trap(String),
    /// It was not done in time.
    #[error("it was not done within its deadline of {0:?}")]
    Deadline(Duration),
    /// It computed for longer than it may.
    #[error("it computed for longer than the {0:?} that it may ([limits] cpu)")]
    Cpu(Duration),
    /// It asked for more memory than it may have, and couldn't go on without.
    #[error("it needed more than its {0} bytes of memory ([limits] memory)")]
    Memory(usize),
    /// It asked for more entries of tables than it may have, and couldn't go on without.
    #[error("it needed more than its {0} entries of tables ([limits] table-entries)")]
    TableEntries(usize),
    /// Its calls went deeper than the stack that each guest has.
    #[error("it used up its stack of {0} bytes: it calls itself without an end, or far too deep")]
    Stack(usize),
    /// It held more resources than it may.
    #[error("it held more than its {0} resources at once ([limits] resources)")]
    Resources(usize),
    /// It called the host more often than it may.
    #[error("it called the host more often than {0} times ([limits] host-calls)")]
    HostCalls(u64),
    /// It handed the host more in one call, or with its answer, than it may.
    #[error("it handed the host more than {0} bytes at once ([limits] data)")]
    Data(usize),
}

impl Fault {
    /// What an error of the engine's means for an instance with these limits and this meter.
    pub(super) fn of(error: &Error, limits: &Limits, meter: &Meter) -> Self {
        // What says for certain what it was goes before what only makes it likely.
        if error.is::<TooManyHostCalls>() {
            return Self::HostCalls(limits.host_calls);
        }
        if let Some(Trap::StackOverflow) = error.downcast_ref() {
            return Self::Stack(super::engine::STACK);
        }
        let root = error.root_cause().to_string();
        if matches!(error.downcast_ref(), Some(ResourceTableError::Full)) || root.contains(HANDLES_USED_UP) {
            return Self::Resources(limits.resources);
        }
        if root.contains(DATA_USED_UP) {
            return Self::Data(limits.data);
        }
        match meter.refused() {
            Some(Refused::Memory) => Self::Memory(limits.memory),
            Some(Refused::TableEntries) => Self::TableEntries(limits.table_entries),
            None => Self::Trap(describe_trap(error)),
        }
    }
}

/// The trap in words: what happened, then the innermost functions of the guest.
fn describe_trap(error: &Error) -> String {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return format!("the guest ended its program with status {}", exit.0);
    }
    let mut text = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error.root_cause()),
    };
    if let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() {
        let frames: Vec<_> = backtrace.frames().iter().filter_map(|frame| frame.func_name()).take(6).collect();
        if !frames.is_empty() {
            text.push_str(", in ");
            text.push_str(&frames.join(" < "));
        }
    }
    text
}
