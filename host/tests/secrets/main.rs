//! Values for handlers: where they come from, how they change while the host serves, and that no secret among them is ever
//! shown.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod given;
mod hidden;
mod rotation;

use std::path::Path;
use std::time::Duration;

use tidemill_host::config::{Config, HandlerValues, Problems, Sources, with_flags};

/// The values that these sources give, as the host's command reads them.
fn values(flags: &[&str], variables: &[(&str, &str)], file: &str) -> Result<HandlerValues, Problems> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tidemill.toml"), file).unwrap();
    let command = with_flags(clap::Command::new("test").no_binary_name(true));
    let least = ["--handlers", "h", "--auth", "none", "--signing-key", "k1=a"];
    let flags = command.get_matches_from([&least[..], flags].concat());
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::read(Sources::gather(&flags, variables, folder.path())).map(|config| config.handler_values)
}

/// Values that all lie in files, by variable; the files are read again all the time.
fn in_files(files: &[(&str, &Path)]) -> HandlerValues {
    let files: Vec<_> = files.iter().map(|(name, path)| (*name, path.to_str().unwrap())).collect();
    values(&[], &files, "").unwrap().reloading(Duration::from_millis(20))
}

/// As a mounted secret changes: the new content takes the file's place at once.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}
