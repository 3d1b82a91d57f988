//! Running other programs to their end, and where things are.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What `cargo run` sets for this process and a cargo below it must not see: build scripts such as ring's ask for them,
/// so with these the same crates would be built again each time that a plain `cargo build` takes turns with a command.
const OWN_VARIABLES: [&str; 17] = [
    "CARGO",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_AUTHORS",
    "CARGO_PKG_DESCRIPTION",
    "CARGO_PKG_HOMEPAGE",
    "CARGO_PKG_LICENSE",
    "CARGO_PKG_LICENSE_FILE",
    "CARGO_PKG_NAME",
    "CARGO_PKG_README",
    "CARGO_PKG_REPOSITORY",
    "CARGO_PKG_RUST_VERSION",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// The workspace of the guests.
pub(crate) fn guests() -> PathBuf {
    root().join("guest-handlers")
}

/// The program that makes random guests, a workspace of its own.
pub(crate) fn random_guests() -> PathBuf {
    root().join("test-artifacts/random-guests")
}

/// The workspace of the fuzz targets.
pub(crate) fn fuzz_targets() -> PathBuf {
    root().join("fuzz")
}

/// The component that the bench has `wasmtime serve` run, a workspace of its own.
pub(crate) fn wasmtime_peer() -> PathBuf {
    root().join("bench/peers/wasmtime-serve")
}

/// An environment variable that is set to something.
pub(crate) fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the commands' one reader of the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A program, with the environment that a shell in `folder` would give it.
pub(crate) fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).stdin(Stdio::null());
    for variable in OWN_VARIABLES {
        command.env_remove(variable);
    }
    command
}

/// Cargo, in `folder`.
pub(crate) fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = program("cargo", folder);
    command.args(arguments);
    command
}

/// Runs a command to its end. Its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` could not be started", line(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a command to its end and gives what it wrote to standard output, without the white space around it.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let ended = command.output().with_context(|| format!("`{}` could not be started", line(command)))?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr);
        bail!("`{}` failed: {}: {}", line(command), ended.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
}

/// Whether a command can be started and succeeds. Its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A command as a person would type it, more or less.
fn line(command: &Command) -> String {
    let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    words.iter().map(|word: &&OsStr| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The program that cargo calls so, among its messages, as `--message-format json` has it write them. What is no binary of a
/// package's, such as a benchmark, lies in a file with more in its name.
pub(crate) fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    messages.find_map(|message| {
        let is_named = message.get("target")?.get("name")? == name;
        is_named.then(|| message.get("executable")?.as_str().map(PathBuf::from))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_where_cargo_says_that_it_is() {
        let messages = "{\"reason\":\"compiler-artifact\",\"target\":{\"name\":\"user-api\"},\"executable\":null}\n\
                        not json\n\
                        {\"target\":{\"name\":\"event\"},\"executable\":\"/elsewhere/deps/event-0123\"}\n\
                        {\"target\":{\"name\":\"user-api\"},\"executable\":\"/elsewhere/debug/user-api\"}\n";
        assert_eq!(executable(messages, "user-api"), Some(PathBuf::from("/elsewhere/debug/user-api")));
        assert_eq!(executable(messages, "event"), Some(PathBuf::from("/elsewhere/deps/event-0123")));
        assert_eq!(executable(messages, "tidemill"), None);
    }
}
