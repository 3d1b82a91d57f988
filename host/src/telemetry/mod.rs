//! Log lines: one JSON object each in Cloud Logging's form, or text for people.

#[cfg(test)]
mod buffer;
mod json;
mod text;
mod trace;

use std::io::IsTerminal;

use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

pub use json::JsonLines;
pub use trace::TraceContext;

use self::text::TextLines;

use crate::config::{LogConfig, LogFormat};

/// Makes the process log as configured, to standard output for JSON and to standard error for text.
///
/// Only the first call of a process has an effect.
pub fn init(config: &LogConfig) {
    let json = match config.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let layer = if json {
        JsonLines::new(config.project.clone(), std::io::stdout).boxed()
    } else {
        fmt::layer()
            .with_writer(TextLines::new(std::io::stderr))
            .with_ansi(std::io::stderr().is_terminal())
            .with_target(false)
            .compact()
            .boxed()
    };
    // A second call finds the first one's subscriber in place, which is what it wanted.
    _ = tracing_subscriber::registry().with(layer.with_filter(config.level.clone())).try_init();
}
