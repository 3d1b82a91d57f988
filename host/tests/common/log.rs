//! The log of a test binary, kept in memory in the form that operators get.

use std::io;
use std::sync::{Mutex, Once};

use serde_json::Value;
use tidemill_host::telemetry::JsonLines;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Keep;

impl io::Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LINES.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Begins to keep what is logged.
pub fn capture() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let lines = JsonLines::new(None, || Keep).with_filter(LevelFilter::INFO);
        tracing_subscriber::registry().with(lines).init();
    });
}

/// The lines that this is true of, in their order.
pub fn lines(of: impl Fn(&Value) -> bool) -> Vec<Value> {
    let bytes = LINES.lock().unwrap().clone();
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).unwrap()).filter(of).collect()
}

/// The lines about one message.
pub fn of_message(message_id: &str) -> Vec<Value> {
    lines(|line| line["message_id"] == message_id)
}
