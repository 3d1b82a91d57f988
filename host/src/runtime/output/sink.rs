use std::sync::{Mutex, PoisonError};

/// Where a line of an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// The guest's standard output.
    Stdout,
    /// The guest's standard error.
    Stderr,
    /// A call of `wasi:logging`.
    Log,
    /// The host, which says what it dropped of the others.
    Host,
}

/// How much a line matters, as `wasi:logging` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "they say it themselves")]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

/// One line of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it came from.
    pub stream: Stream,
    /// How much it matters. Standard output is at `Info`, standard error at `Warn`.
    pub level: Level,
    /// What the guest says it belongs to. Only what it logs has that.
    pub context: Option<String>,
    /// The line, without its end. Bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// Takes a guest's lines as they come. Called within the span of the event.
pub trait OutputSink: Send + Sync {
    /// Takes one line.
    fn line(&self, line: Line);
}

impl Stream {
    /// Its word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Log => "log",
            Self::Host => "host",
        }
    }
}

/// Makes each line a log line of its level. `Critical` is an error to the log's own levels, and keeps its severity.
#[derive(Debug, Default)]
pub struct LogLines;

impl OutputSink for LogLines {
    fn line(&self, line: Line) {
        let Line { stream, level, context, text } = line;
        let (stream, context) = (stream.name(), context.as_deref());
        match level {
            Level::Trace => tracing::trace!(stream, context, "{text}"),
            Level::Debug => tracing::debug!(stream, context, "{text}"),
            Level::Info => tracing::info!(stream, context, "{text}"),
            Level::Warn => tracing::warn!(stream, context, "{text}"),
            Level::Error => tracing::error!(stream, context, "{text}"),
            // A field by the name of one of the line's own replaces it.
            Level::Critical => tracing::error!(stream, context, severity = "CRITICAL", "{text}"),
        }
    }
}

/// Keeps the lines, to be shown afterwards.
#[derive(Debug, Default)]
pub struct Captured(Mutex<Vec<Line>>);

impl Captured {
    /// The lines so far, in the order in which they came. They are gone from here then.
    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OutputSink for Captured {
    fn line(&self, line: Line) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
