//! Log lines: one JSON object each in Cloud Logging's form, or text for people.

#[cfg(test)]
mod buffer;
mod fields;
mod json;
mod lines;
mod text;
mod trace;

use std::io::{self, IsTerminal};
use std::sync::{Arc, OnceLock};

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

pub use json::JsonLines;
pub use trace::TraceContext;

use self::lines::{Lines, Writer};
use self::text::TextLines;
use crate::config::{LogConfig, LogFormat};

/// The lines of the process, where they are gathered.
static LINES: OnceLock<Arc<Lines>> = OnceLock::new();

/// Writes the last lines when it is dropped: what begins to log holds it until it ends.
#[derive(Debug)]
#[must_use = "what was logged last is written when this is dropped"]
pub struct LastLines(());

impl Drop for LastLines {
    fn drop(&mut self) {
        flush();
    }
}

/// Makes the process log as configured, to standard output for JSON and to standard error for text.
///
/// Only the first call of a process has an effect. Lines of JSON are gathered for a moment; see [`flush`].
///
/// # Errors
/// Where the thread that writes them can't be started.
pub fn init(config: &LogConfig) -> io::Result<LastLines> {
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let layer = if json {
        let lines = Lines::start(std::io::stdout())?;
        let layer = JsonLines::new(config.project.clone(), Writer(Arc::clone(&lines)));
        // A second call's lines are written by nobody, as it has no effect.
        _ = LINES.set(lines);
        layer.boxed()
    } else {
        fmt::layer()
            .with_writer(TextLines::new(std::io::stderr))
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .compact()
            .boxed()
    };
    // A second call finds the first one's subscriber in place, which is what it wanted.
    _ = tracing_subscriber::registry().with(layer).with(config.level.clone()).try_init();
    Ok(LastLines(()))
}

/// Writes the lines that have gathered. Who answers the last request in flight calls it: the processor may stop then.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}
