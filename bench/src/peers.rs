//! Other runtimes, where they are installed. `cargo xtask bench` installs them, under `target/bench`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::contender::{Contender, key};

/// A peer, or why there is none.
pub(crate) struct Peer {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    /// What is measured, or the reason why nothing is.
    pub(crate) contender: Result<Contender>,
}

/// `wasmtime serve`, in the ways in which it is measured, and the settings that make them.
const WASMTIME_SERVE: [(&str, &[&str]); 3] = [
    // A component of WASI 0.2 gets a fresh instance for each request unless told otherwise, out of a pool.
    ("wasmtime serve", &[]),
    (
        "wasmtime serve, pool tuned",
        &["-Opooling-memory-keep-resident=2097152", "-Opooling-table-keep-resident=65536", "-Opooling-pagemap-scan=y"],
    ),
    ("wasmtime serve, instances reused 128 times", &["--max-instance-reuse-count", "128"]),
];

/// All of them.
pub(crate) fn all(installed: &Path) -> Vec<Peer> {
    let mut peers = vec![
        Peer { name: "functions-framework", contender: functions_framework(installed) },
        Peer { name: "workerd", contender: workerd(installed) },
    ];
    for (name, settings) in WASMTIME_SERVE {
        peers.push(Peer { name, contender: wasmtime_serve(installed, name, settings) });
    }
    peers
}

fn functions_framework(installed: &Path) -> Result<Contender> {
    let folder = installed.join("functions-framework");
    let program = folder.join("node_modules/@google-cloud/functions-framework/build/src/main.js");
    exists(&program)?;
    Ok(Contender::new("functions-framework", move |port| {
        let mut command = Command::new("node");
        command.arg(&program).args(["--target", "bench", "--port", &port.to_string(), "--source"]).arg(&folder);
        command.env("KEY", key()).env("NODE_ENV", "production");
        command
    }))
}

fn workerd(installed: &Path) -> Result<Contender> {
    let folder = installed.join("workerd");
    // The program itself: what npm links to is a script of Node's that starts it.
    let packages = folder.join("node_modules/@cloudflare");
    let mut packages = std::fs::read_dir(&packages).with_context(|| format!("{} is missing", packages.display()))?;
    let Some(package) = packages.next() else { bail!("npm has brought no workerd for this machine") };
    let program = package?.path().join("bin/workerd");
    exists(&program)?;
    Ok(Contender::new("workerd", move |port| {
        let mut command = Command::new(&program);
        command.arg("serve").arg(folder.join("config.capnp")).arg(format!("--socket-addr=http=127.0.0.1:{port}"));
        command.env("KEY", key());
        command
    }))
}

fn wasmtime_serve(installed: &Path, name: &str, settings: &'static [&str]) -> Result<Contender> {
    let program = installed.join("wasmtime/bin/wasmtime");
    let component = installed.join("wasmtime-serve.wasm");
    exists(&program)?;
    exists(&component)?;
    Ok(Contender::new(name, move |port| {
        let mut command = Command::new(&program);
        command.args(["serve", "--addr", &format!("127.0.0.1:{port}"), "-Scli", "--env", &format!("KEY={}", key())]);
        command.args(settings).arg(&component);
        command
    }))
}

fn exists(path: &Path) -> Result<()> {
    if path.exists() { Ok(()) } else { bail!("{} is missing", path.display()) }
}
