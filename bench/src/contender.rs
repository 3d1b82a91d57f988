//! Who is measured: servers that do the same work, each in its own way.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::event::KEY;
use crate::load::Success;

/// One of them.
pub(crate) struct Contender {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// How it says that an event was handled.
    pub(crate) success: Success,
    command: Box<dyn Fn(u16) -> Command>,
}

impl Contender {
    /// The command that has it listen on a port.
    pub(crate) fn command(&self, port: u16) -> Command {
        (self.command)(port)
    }

    /// The bare server that all others are compared with.
    pub(crate) fn native(programs: &Path) -> Self {
        let program = programs.join("tidemill-bench-native");
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command.args([port.to_string(), key()]);
            command
        };
        Self { name: "native", success: Success::Status, command: Box::new(command) }
    }

    /// The host with a folder of handlers, its defaults, and such settings as make the difference.
    pub(crate) fn host(
        name: &'static str,
        programs: &Path,
        handlers: PathBuf,
        settings: &'static [&'static str],
    ) -> Self {
        let program = programs.join("tidemill-host");
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command
                .args(["--address", "127.0.0.1", "--port", &port.to_string(), "--auth", "none"])
                .args(["--log-format", "json", "--signing-key", &key(), "--handlers"])
                .arg(&handlers)
                .args(settings);
            command
        };
        Self { name, success: Success::Code, command: Box::new(command) }
    }
}

fn key() -> String {
    let (id, secret) = KEY;
    format!("{id}={secret}")
}
