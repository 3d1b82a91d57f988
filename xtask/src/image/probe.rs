//! One run of the image: as its own user, with its own entry point, to the answer on SIGTERM.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::buildah::Buildah;
use crate::children::Running;
use crate::http;
use crate::interrupt::Interrupt;
use crate::setup::{self, GUEST_TARGET};
use crate::tools::{cargo, guests, output, program, root, run as run_command};

const PATIENCE: Duration = Duration::from_secs(60);

/// The handler that the container is given.
const HANDLER: &str = "user-name-changed";
/// `{"Name":"Probe"}`, in base64, and its HMAC-SHA256 with the key `probe`. Both are fixed, so no cryptography is needed.
const DATA: &str = "eyJOYW1lIjoiUHJvYmUifQ==";
const SIGNATURE: &str = "244ca7500979cbf04e14ae2faa5ed85915875424248c34bff28cd64d036f03fa";

/// Runs the image with `PORT` set and one handler. Sees that it is ready, refuses what is signed wrongly, handles what is
/// signed, is not root, and ends with 0 after SIGTERM.
pub(super) fn run(buildah: &Buildah, interrupt: &Interrupt, image: &str, folder: &Path) -> Result<()> {
    setup::guest_target()?;
    let container = buildah.container(image)?;
    let probed = probe(buildah, interrupt, &container, folder);
    buildah.remove(&container);
    probed
}

fn probe(buildah: &Buildah, interrupt: &Interrupt, container: &str, folder: &Path) -> Result<()> {
    give_handler(buildah, container, folder)?;
    let entrypoint = buildah.entrypoint(container)?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr())?.port();
    // The container has this machine's network: there are no namespaces.
    let mut command = buildah.command(&["run", "--isolation", "chroot", "--env", &format!("PORT={port}")]);
    let settings = [
        "TIDEMILL_AUTH=none",
        "TIDEMILL_ACCEPT=v2,v1",
        "TIDEMILL_SIGNING_KEYS=probe=probe",
        "TIDEMILL_LOG_FORMAT=text",
    ];
    for setting in settings {
        command.args(["--env", setting]);
    }
    command.arg(container).arg("--").args(&entrypoint).stdout(Stdio::null());
    let start = Instant::now();
    let mut running = Running::start("the container", &mut command, Some(folder.join("container.log")))?;
    interrupt.wait_for("the container being ready", PATIENCE, || {
        running.check()?;
        Ok(http::get(port, "/readyz").ok().filter(|answer| answer.status == 200))
    })?;
    println!("GET /readyz: 200, {:.1} s after the start", start.elapsed().as_secs_f64());

    deliver(port, "an event with another's signature", &SIGNATURE.replace('0', "1"), 403)?;
    deliver(port, "a signed event", SIGNATURE, 204)?;

    // Buildah runs the program through two processes of its own, and passes no signal on.
    let pid = innermost(running.pid());
    let user = effective_user(pid)?;
    if user == "0" {
        bail!("the container's program runs as root");
    }
    run_command(program("sh", &root()).args(["-c", r#"kill -TERM "$1""#, "kill", &pid.to_string()]))?;
    let start = Instant::now();
    let status = interrupt.wait_for("the end of the container", PATIENCE, || running.ended())?;
    if !status.success() {
        bail!("after SIGTERM the container ended with {status}{}", running.last_lines());
    }
    println!("SIGTERM to its process (user {user}): {status}, after {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Delivers an event, and sees that the answer is as expected.
fn deliver(port: u16, what: &str, signature: &str, expected: u16) -> Result<()> {
    let attributes = json!({ "event-type": "user.name.changed", "signature": signature });
    let message = json!({ "data": DATA, "messageId": "1", "attributes": attributes });
    let answer = http::post(port, "/events", &json!({ "message": message, "subscription": "probe" }))?;
    if answer.status != expected {
        bail!("{what} was answered with {} in place of {expected}: {}", answer.status, answer.body);
    }
    println!("POST /events, {what}: {} {}", answer.status, answer.body);
    Ok(())
}

/// Builds a handler and puts it where the container looks for handlers.
fn give_handler(buildah: &Buildah, container: &str, folder: &Path) -> Result<()> {
    let project = guests().join(HANDLER);
    let arguments = ["build", "--quiet", "--locked", "--release", "--target", GUEST_TARGET];
    run_command(cargo(&project, &arguments).env_remove("CARGO_TARGET_DIR"))?;
    let component = format!("target/guests/{GUEST_TARGET}/release/{}.wasm", HANDLER.replace('-', "_"));
    let artifact = folder.join("handlers").join(HANDLER);
    fs::create_dir_all(&artifact).with_context(|| format!("{} can't be made", artifact.display()))?;
    for (from, to) in [(root().join(component), "handler.wasm"), (project.join("handler.toml"), "handler.toml")] {
        fs::copy(&from, artifact.join(to)).with_context(|| format!("{} can't be copied", from.display()))?;
    }
    let handlers = folder.join("handlers");
    output(buildah.command(&["copy", container]).arg(handlers).arg("/handlers")).map(drop)
}

/// The last in a line of processes, each the only child of the one before.
fn innermost(pid: u32) -> u32 {
    let children = |thread: &Path| fs::read_to_string(thread.join("children")).unwrap_or_default();
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children: String = threads.map(|thread| children(&thread.path())).collect();
    match children.split_whitespace().next().and_then(|child| child.parse().ok()) {
        Some(child) => innermost(child),
        None => pid,
    }
}

/// The number of the user that a process acts as.
fn effective_user(pid: u32) -> Result<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the container's process is gone")?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    users.and_then(|users| users.split_whitespace().nth(1)).map(str::to_owned).context("the process has no user")
}
