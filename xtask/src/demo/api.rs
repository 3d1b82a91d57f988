use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::dev::Dev;
use super::story::{Story, milliseconds};
use crate::children::Running;
use crate::http;
use crate::interrupt::Interrupt;
use crate::tools::{program, root};

/// The key that `tidemill dev` verifies with where it is given no other.
const SIGNING_KEY: &str = "dev=dev";

/// The example API, running.
#[derive(Debug)]
pub(super) struct Api {
    running: Running,
    port: u16,
}

impl Api {
    /// Starts it with an empty database, publishing to `dev`, and waits until it listens.
    pub(super) fn start(interrupt: &Interrupt, user_api: &Path, dev: &Dev, port: u16, folder: &Path) -> Result<Self> {
        let data = folder.join("user-api");
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("{} can't be removed", data.display()))?;
        }
        fs::create_dir_all(&data).with_context(|| format!("{} can't be made", data.display()))?;
        let mut command = program(&user_api.to_string_lossy(), &root());
        command
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("DATABASE", data.join("user-api.db"))
            .env("PUBSUB_EMULATOR_HOST", &dev.broker)
            .env("TOPIC", &dev.topic)
            .env("SIGNING_KEY", SIGNING_KEY)
            .env_remove("EVENTS_URL")
            .stdout(Stdio::null());
        let mut running = Running::start("user-api", &mut command, Some(folder.join("user-api.log")))?;
        interrupt.wait_for("user-api listening", Duration::from_secs(30), || {
            running.check()?;
            Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok())
        })?;
        Ok(Self { running, port })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Fails where it has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.running.check()
    }

    /// Stops it.
    pub(super) fn stop(self) -> Result<ExitStatus> {
        self.running.stop()
    }

    /// Sends a request, tells of it, and gives the answer's body. Fails where the answer is no success.
    pub(super) fn post(&self, story: &Story, path: &str, body: &Value) -> Result<Value> {
        let start = Instant::now();
        let answer = http::post(self.port, path, body)?;
        if !(200..300).contains(&answer.status) {
            bail!("user-api answered POST {path} with {}: {}{}", answer.status, answer.body, self.running.last_lines());
        }
        story.tell(&format!("POST {path} {body}"));
        story.tell(&format!("  answered after {}: {} {}", milliseconds(start.elapsed()), answer.status, answer.body));
        Ok(answer.json())
    }
}
