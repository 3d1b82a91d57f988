//! What figures depend on: the machine, and the versions of what was measured.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};
use tidemill_events::format_rfc3339;

/// What is known of them. What can't be found out is null.
pub(crate) fn describe(now: SystemTime, programs: &Path, peers: &Path) -> Value {
    let field = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.trim_start_matches([':', ' ', '\t']).trim().to_owned())
    };
    let package = |folder: &str, name: &str| {
        let manifest = fs::read(peers.join(folder).join("node_modules").join(name).join("package.json")).ok()?;
        serde_json::from_slice::<Value>(&manifest).ok()?.get("version").cloned()
    };
    json!({
        "date": format_rfc3339(now),
        "machine": {
            "processor": field("/proc/cpuinfo", "model name"),
            "processors": std::thread::available_parallelism().ok(),
            "memory": field("/proc/meminfo", "MemTotal"),
            "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        },
        "versions": {
            "host": version(&programs.join("tidemill-host")),
            "rustc": version("rustc".as_ref()),
            "node": version("node".as_ref()),
            "functions-framework": package("functions-framework", "@google-cloud/functions-framework"),
            "workerd": package("workerd", "workerd"),
            "wasmtime": version(&peers.join("wasmtime/bin/wasmtime")),
        },
    })
}

fn version(program: &Path) -> Option<String> {
    let told = Command::new(program).arg("--version").output().ok().filter(|told| told.status.success())?;
    Some(String::from_utf8(told.stdout).ok()?.trim().to_owned())
}
