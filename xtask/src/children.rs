//! Programs that run beside this one, and never longer.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a program may take to stop after SIGTERM. Each of ours promises less.
const GRACE: Duration = Duration::from_secs(12);
/// How many lines of a log are shown when its program failed.
const LAST_LINES: usize = 15;

/// A program that was started. It is stopped when this is dropped, together with what it started itself.
#[derive(Debug)]
pub(crate) struct Running {
    name: &'static str,
    child: Child,
    log: Option<PathBuf>,
}

impl Running {
    /// Starts a program, whose standard error goes to the file `log`, or where ours goes.
    ///
    /// It gets a process group of its own: a Ctrl-C in the terminal reaches this process alone, which then stops the
    /// others in order.
    pub(crate) fn start(name: &'static str, command: &mut Command, log: Option<PathBuf>) -> Result<Self> {
        if let Some(log) = &log {
            command.stderr(File::create(log).with_context(|| format!("{} can't be written", log.display()))?);
        }
        let child = command.process_group(0).spawn().with_context(|| format!("{name} can't be started"))?;
        Ok(Self { name, child, log })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, where that is a pipe and was not taken yet.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// How it ended, where it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("{} can't be looked at", self.name))
    }

    /// Fails where it has ended, with the last lines of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => bail!("{} has ended: {status}{}", self.name, self.last_lines()),
        }
    }

    /// The end of its log, and where all of it is.
    pub(crate) fn last_lines(&self) -> String {
        let Some(log) = &self.log else { return "; see above".to_owned() };
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n  | ");
        format!("; the end of {}:\n  | {last}", log.display())
    }

    /// Sends SIGTERM, and gives how it ended: by itself within the grace time, or by SIGKILL.
    pub(crate) fn stop(mut self) -> Result<ExitStatus> {
        self.terminate()
    }

    fn terminate(&mut self) -> Result<ExitStatus> {
        if let Some(status) = self.ended()? {
            return Ok(status);
        }
        // The process has not been waited for, so the number is still its own, and its group's.
        let group = format!("-{}", self.pid());
        _ = Command::new("sh").args(["-c", r#"kill -TERM "$1""#, "kill", &group]).status();
        let start = Instant::now();
        while start.elapsed() < GRACE {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            sleep(Duration::from_millis(20));
        }
        eprintln!("{} did not stop within {} s and is killed", self.name, GRACE.as_secs());
        _ = Command::new("sh").args(["-c", r#"kill -KILL "$1""#, "kill", &group]).status();
        self.child.wait().with_context(|| format!("{} can't be waited for", self.name))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.terminate() {
            eprintln!("{} was not stopped: {error:#}", self.name);
        }
    }
}
