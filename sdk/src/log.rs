//! Log lines with a level and a context, where standard output (at info) and standard error (at warning) say too little.

use crate::bindings::wasi::logging::logging;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The flow of control, and values in it.
    Trace,
    /// For whoever looks for a mistake.
    Debug,
    /// For whoever watches.
    Info,
    /// What may lead to an error.
    Warn,
    /// What went wrong.
    Error,
    /// What ends everything.
    Critical,
}

/// Writes one line of the event's log. The context, such as a module's name, groups lines; it may be empty.
///
/// The host keeps 8 KiB of a message and 256 bytes of a context, and an event has a bound over all that it writes
/// (`[limits] log` in its `handler.toml`).
pub fn write(level: Level, context: &str, message: &str) {
    let level = match level {
        Level::Trace => logging::Level::Trace,
        Level::Debug => logging::Level::Debug,
        Level::Info => logging::Level::Info,
        Level::Warn => logging::Level::Warn,
        Level::Error => logging::Level::Error,
        Level::Critical => logging::Level::Critical,
    };
    logging::log(level, context, message);
}
