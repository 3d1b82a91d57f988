//! Who is measured: servers that do the same work, each in its own way.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::event::KEY;
use crate::load::Success;

/// One of them.
pub(crate) struct Contender {
    /// What it is called in tables.
    pub(crate) name: String,
    /// How it says that an event was handled.
    pub(crate) success: Success,
    command: Box<dyn Fn(u16) -> Command>,
}

/// Where a host has its handlers from.
pub(crate) enum Handlers {
    /// A folder: it compiles them at the start.
    Folder(PathBuf),
    /// A store with code that was compiled ahead of time, and the key that vouches for it, as a host takes it.
    Store(PathBuf, String),
}

impl Contender {
    /// One that is started by what `command` makes of a port, and answers 204 where an event was handled.
    pub(crate) fn new(name: &str, command: impl Fn(u16) -> Command + 'static) -> Self {
        Self { name: name.to_owned(), success: Success::Status, command: Box::new(command) }
    }

    /// The command that has it listen on a port.
    pub(crate) fn command(&self, port: u16) -> Command {
        (self.command)(port)
    }

    /// The bare server that all others are compared with.
    pub(crate) fn native(programs: &Path) -> Self {
        let program = programs.join("tidemill-bench-native");
        Self::new("native", move |port| {
            let mut command = Command::new(&program);
            command.args([port.to_string(), key()]);
            command
        })
    }

    /// The host, with its defaults and such settings as make the difference.
    pub(crate) fn host(name: &str, programs: &Path, handlers: Handlers, settings: &[&str]) -> Self {
        let program = programs.join("tidemill-host");
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let command = move |port: u16| {
            let mut command = Command::new(&program);
            command
                .args(["--address", "127.0.0.1", "--port", &port.to_string(), "--auth", "none"])
                .args(["--log-format", "json", "--signing-key", &key()])
                .args(&settings);
            match &handlers {
                Handlers::Folder(folder) => command.arg("--handlers").arg(folder),
                Handlers::Store(store, key) => {
                    command.arg("--store").arg(store).args(["--trusted-key", &format!("bench={key}")])
                }
            };
            command
        };
        Self { success: Success::Code, ..Self::new(name, command) }
    }
}

/// The signing key as all contenders take it.
pub(crate) fn key() -> String {
    let (id, secret) = KEY;
    format!("{id}={secret}")
}
