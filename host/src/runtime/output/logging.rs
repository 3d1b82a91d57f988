//! `wasi:logging`: every handler may import it, since it is only another way to its log.

use super::Level;
use crate::runtime::interface::logging;
use crate::runtime::state::GuestState;

impl logging::Host for GuestState {
    fn log(&mut self, level: logging::Level, context: String, message: String) {
        let level = match level {
            logging::Level::Trace => Level::Trace,
            logging::Level::Debug => Level::Debug,
            logging::Level::Info => Level::Info,
            logging::Level::Warn => Level::Warn,
            logging::Level::Error => Level::Error,
            logging::Level::Critical => Level::Critical,
        };
        self.meter.host_call();
        self.journal().log(level, context, message);
    }
}
