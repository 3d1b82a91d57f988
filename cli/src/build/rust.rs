//! Handlers in Rust: cargo builds them, for the target whose output is a component already.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, bail};
use serde_json::Value;
use tokio::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// Builds the crate in `folder` and gives its component. Cargo's own messages go to standard error. It is killed where
/// the future is dropped.
pub(super) async fn build(folder: &Path) -> anyhow::Result<Vec<u8>> {
    if !folder.join("Cargo.toml").is_file() {
        bail!(
            "{}: there is no Cargo.toml, and this version builds handlers in Rust only; a component that was built \
             otherwise needs no building: put it beside its handler.toml as handler.wasm",
            folder.display()
        );
    }
    let output = Command::new("cargo")
        .args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"])
        .current_dir(folder)
        // This command may itself run under cargo, whose settings for the host are none for a guest.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cargo could not be started: install Rust with rustup")?;
    if !output.status.success() {
        bail!(
            "{}: cargo build failed, see above. Where it says that the target may not be installed: rustup target add {TARGET}",
            folder.display()
        );
    }
    let manifest = folder.join("Cargo.toml");
    let path = component(&output.stdout, &manifest).with_context(|| {
        format!("{}: cargo built no component: the crate's [lib] needs crate-type = [\"cdylib\"]", folder.display())
    })?;
    std::fs::read(&path).with_context(|| format!("{} can't be read", path.display()))
}

/// The component among cargo's messages: the `.wasm` of the crate whose manifest this is.
fn component(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let own = messages.filter(|message| {
        message.get("reason").and_then(Value::as_str) == Some("compiler-artifact")
            && message.get("manifest_path").and_then(Value::as_str).is_some_and(|path| Path::new(path) == manifest)
    });
    let files = own.filter_map(|message| message.get("filenames")?.as_array().cloned()).flatten();
    files.filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| file.extension().is_some_and(|e| e == "wasm"))
}
