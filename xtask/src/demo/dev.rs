//! `tidemill dev`, started and watched.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdout, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::ports::Ports;
use super::workshop::Workshop;
use crate::children::Running;
use crate::http;
use crate::interrupt::Interrupt;
use crate::tools::{program, root};

/// How long the start may take. The handlers are built already, unless they had changed meanwhile.
const START: Duration = Duration::from_secs(180);

/// A running `tidemill dev`.
#[derive(Debug)]
pub(super) struct Dev {
    running: Running,
    lines: Lines,
    shown: usize,
    sink: u16,
    /// Where its stand-in for Pub/Sub listens.
    pub(super) broker: String,
    /// The topic to publish to.
    pub(super) topic: String,
}

/// The JSON lines that it has written so far.
#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<Value>>>);

impl Lines {
    fn get(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what comes until the pipe is closed, and writes it to `log`.
    fn read(&self, pipe: ChildStdout, mut log: File) {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            // The demo goes on without its log.
            _ = writeln!(log, "{line}");
            self.get().extend(serde_json::from_str::<Value>(&line));
        }
    }
}

impl Dev {
    /// Starts it over the workshop's handlers, with no events from before, and waits until it is ready.
    pub(super) fn start(
        interrupt: &Interrupt,
        tidemill: &Path,
        workshop: &Workshop,
        ports: &Ports,
        folder: &Path,
    ) -> Result<Self> {
        let data = folder.join("data");
        if data.exists() {
            fs::remove_dir_all(&data).with_context(|| format!("{} can't be removed", data.display()))?;
        }
        let sink = format!("http://127.0.0.1:{}", ports.sink);
        let mut command = program(&tidemill.to_string_lossy(), &root());
        command.arg("dev").arg(workshop.handlers()).arg("--data").arg(&data);
        command.args(["--output", "json", "--log-format", "json"]);
        for (flag, port) in [("--port", ports.host), ("--broker-port", ports.broker), ("--sink-port", ports.sink)] {
            command.args([flag, &port.to_string()]);
        }
        for value in [format!("email-on-register.mail-url={sink}/mail"), format!("push-on-like.push-url={sink}/push")] {
            command.args(["--handler-config", &value]);
        }
        // Secrets, even ones that open nothing, don't belong on a command line.
        for variable in ["TIDEMILL_HANDLER_EMAIL_ON_REGISTER__MAIL_KEY", "TIDEMILL_HANDLER_PUSH_ON_LIKE__PUSH_KEY"] {
            command.env(variable, "no-key-for-a-sink");
        }
        let log = folder.join("tidemill.log");
        let mut running = Running::start("tidemill dev", command.stdout(Stdio::piped()), Some(log.clone()))?;
        let lines = Lines::default();
        if let Some(pipe) = running.stdout() {
            let log = File::options().append(true).open(&log).context("the log can't be written")?;
            let lines = lines.clone();
            std::thread::spawn(move || lines.read(pipe, log));
        }
        let ready = interrupt.wait_for("tidemill dev being ready", START, || {
            running.check()?;
            Ok(lines.get().iter().find(|line| line.get("ready").is_some()).cloned())
        })?;
        let handlers = ready.get("handlers").and_then(Value::as_u64).unwrap_or_default();
        if handlers as usize != workshop.projects()?.len() {
            bail!("tidemill dev serves {handlers} handlers, fewer than it was given{}", running.last_lines());
        }
        let text = |field| ready.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { running, lines, shown: 0, sink: ports.sink, broker: text("broker"), topic: text("topic") })
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

    /// The first of its log lines that `wanted` is true of.
    pub(super) fn log_line(&self, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
        self.lines.get().iter().find(|line| wanted(line)).cloned()
    }

    /// What the handlers have sent so far.
    pub(super) fn sent(&self) -> Result<Vec<Value>> {
        let answer = http::get(self.sink, "/messages")?;
        match answer.json() {
            Value::Array(messages) if answer.status == 200 => Ok(messages),
            _ => bail!("the sink answered {}: {}", answer.status, answer.body),
        }
    }

    /// Its log lines since the last call, for people.
    pub(super) fn new_lines(&mut self) -> Vec<String> {
        let lines = self.lines.get();
        let new = lines.get(self.shown..).unwrap_or_default();
        let told = new.iter().filter_map(|line| {
            let text = |field| line.get(field).and_then(Value::as_str);
            let handler = text("handler").map(|handler| format!(" [{handler}]")).unwrap_or_default();
            Some(format!("{}{handler} {}", text("severity")?, text("message")?))
        });
        let told = told.collect();
        self.shown = lines.len();
        told
    }
}
