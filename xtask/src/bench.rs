//! `bench`: what an event costs, beside peers. Builds and installs all that it takes, under `target/bench`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::setup::{self, GUEST_TARGET};
use crate::tools::{cargo, executable, output, program, root, run, succeeds, wasmtime_peer};

/// The page that the tables are written into.
const PAGE: &str = "docs/performance.md";

/// The version of `wasmtime serve`: the engine's own.
const WASMTIME: &str = "wasmtime-cli@48.0.8";

/// Peers that npm brings.
const OF_NPM: [&str; 2] = ["functions-framework", "workerd"];

/// Runs the bench with these arguments, which are its own but for `--no-peers`: with that, peers that aren't installed yet
/// are not installed now, and are skipped.
pub(crate) fn main(arguments: &[&str]) -> Result<()> {
    setup::guest_target()?;
    setup::c_compiler()?;
    let bench = build()?;
    let folder = root().join("target/bench");
    let peers = folder.join("peers");
    let (own, others): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| **argument == "--no-peers");
    if own.is_empty() {
        install(&peers)?;
    }
    let page = if others.contains(&"--quick") { page_to_spoil(&folder)? } else { root().join(PAGE) };
    let mut command = program(&bench.to_string_lossy(), &root());
    run(command.args(&others).arg("--page").arg(page).arg("--peers").arg(&peers))
}

/// Builds everything as it is released, and gives the program that measures; all others lie beside it.
fn build() -> Result<PathBuf> {
    println!("Building in release, with link-time optimisation: up to a quarter of an hour the first time");
    // The whole workspace, as everywhere: with another selection, cargo would build dependencies again.
    let arguments = ["build", "--locked", "--release", "--workspace", "--message-format", "json-render-diagnostics"];
    let messages = cargo(&root(), &arguments).stderr(std::process::Stdio::inherit()).output()?;
    if !messages.status.success() {
        bail!("cargo build failed, see above: {}", messages.status);
    }
    executable(&String::from_utf8_lossy(&messages.stdout), "tidemill-bench").context("cargo built no `tidemill-bench`")
}

/// A copy of the page: figures of a quick run are none to keep.
fn page_to_spoil(folder: &Path) -> Result<PathBuf> {
    let page = folder.join("quick/performance.md");
    fs::create_dir_all(folder.join("quick"))?;
    fs::copy(root().join(PAGE), &page).with_context(|| format!("{PAGE} can't be copied"))?;
    Ok(page)
}

/// Installs the peers that are not yet. Who can't be is named, and the bench skips it.
fn install(peers: &Path) -> Result<()> {
    fs::create_dir_all(peers).with_context(|| format!("{} can't be made", peers.display()))?;
    for name in OF_NPM {
        if let Err(error) = of_npm(name, &peers.join(name)) {
            println!("SKIPPED {name}: {error:#}");
        }
    }
    if let Err(error) = wasmtime(peers) {
        println!("SKIPPED wasmtime serve: {error:#}");
    }
    Ok(())
}

/// Puts a peer's files into a folder, and installs what they ask for by their lock file.
fn of_npm(name: &str, folder: &Path) -> Result<()> {
    if !succeeds(program("npm", &root()).arg("--version")) {
        bail!("there is no npm: on Debian and Ubuntu, apt-get install npm");
    }
    let sources = root().join("bench/peers").join(name);
    let lock = fs::read(sources.join("package-lock.json"))?;
    let is_installed = fs::read(folder.join("package-lock.json")).is_ok_and(|installed| installed == lock);
    fs::create_dir_all(folder)?;
    for file in fs::read_dir(sources)? {
        let file = file?;
        if file.file_name() != "package-lock.json" {
            fs::copy(file.path(), folder.join(file.file_name()))?;
        }
    }
    if is_installed {
        return Ok(());
    }
    println!("Installing {name} with npm");
    fs::write(folder.join("package-lock.json"), &lock)?;
    let installed = run(program("npm", folder).arg("ci"));
    if installed.is_err() {
        // So that the next time doesn't take it for installed.
        fs::remove_file(folder.join("package-lock.json"))?;
    }
    installed
}

/// Builds the component for `wasmtime serve`, and installs that.
fn wasmtime(peers: &Path) -> Result<()> {
    let built = root().join("target/bench/guests");
    run(cargo(&wasmtime_peer(), &["build", "--locked", "--release", "--target", GUEST_TARGET, "--target-dir"])
        .arg(&built))?;
    let component = built.join(GUEST_TARGET).join("release/bench_wasmtime_serve.wasm");
    fs::copy(&component, peers.join("wasmtime-serve.wasm"))
        .with_context(|| format!("{} can't be copied", component.display()))?;
    let folder = peers.join("wasmtime");
    let told = output(program(&folder.join("bin/wasmtime").to_string_lossy(), &root()).arg("--version"));
    if told.is_ok_and(|told| WASMTIME.split('@').nth(1).is_some_and(|version| told.contains(version))) {
        return Ok(());
    }
    println!("Installing {WASMTIME}: a quarter of an hour on two cores");
    run(cargo(&root(), &["install", "--locked", WASMTIME, "--root"]).arg(&folder))
}
