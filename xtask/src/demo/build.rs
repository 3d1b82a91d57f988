//! Building the programs, and the handlers beside them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::workshop::Workshop;
use crate::children::Running;
use crate::interrupt::Interrupt;
use crate::setup::GUEST_TARGET;
use crate::tools::{cargo, executable, program, root};

/// Longer than any machine should take.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The programs of the demo.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) tidemill: PathBuf,
    pub(super) user_api: PathBuf,
}

/// Builds the programs with cargo's progress on standard error, and the handlers meanwhile.
///
/// The handlers have a target folder and so a lock of their own. They are built as `tidemill dev` will do it, which then
/// finds them done.
pub(super) fn all(interrupt: &Interrupt, workshop: &Workshop, folder: &Path) -> Result<Programs> {
    let messages = folder.join("cargo.json");
    let out = File::create(&messages).with_context(|| format!("{} can't be written", messages.display()))?;
    // One run for both programs: two would unite features in two ways, and build dependencies twice.
    let mut command = cargo(&root(), &["build", "--locked", "--message-format", "json-render-diagnostics"]);
    command.args(["--package", "tidemill-cli", "--package", "user-api"]).stdout(out);
    let mut programs = Running::start("cargo build", &mut command, None)?;
    let mut handlers = Handlers { left: workshop.projects()?, current: None, log: folder.join("handlers.log") };
    interrupt.wait_for("the build", PATIENCE, || {
        let handlers_built = handlers.advance()?;
        match programs.ended()? {
            Some(status) if !status.success() => bail!("cargo build failed, see above: {status}"),
            Some(_) if handlers_built => Ok(Some(())),
            _ => Ok(None),
        }
    })?;
    let messages = fs::read_to_string(&messages).with_context(|| format!("{} can't be read", messages.display()))?;
    let built = |name| executable(&messages, name).with_context(|| format!("cargo built no program `{name}`"));
    Ok(Programs { tidemill: built("tidemill")?, user_api: built("user-api")? })
}

/// The handlers that are still to build, one after the other.
struct Handlers {
    left: Vec<PathBuf>,
    current: Option<Running>,
    log: PathBuf,
}

impl Handlers {
    /// Goes on with building. Gives whether all is done.
    fn advance(&mut self) -> Result<bool> {
        if let Some(mut current) = self.current.take() {
            match current.ended()? {
                None => {
                    self.current = Some(current);
                    return Ok(false);
                }
                Some(status) if status.success() => {}
                Some(status) => bail!("a handler could not be built: {status}{}", current.last_lines()),
            }
        }
        let Some(project) = self.left.pop() else { return Ok(true) };
        // With less priority, since the programs take longer and everything waits for them.
        let mut command = program("nice", &project);
        command.args(["cargo", "build", "--release", "--target", GUEST_TARGET]).stdout(Stdio::null());
        command.env_remove("CARGO_TARGET_DIR");
        self.current = Some(Running::start("building a handler", &mut command, Some(self.log.clone()))?);
        Ok(false)
    }
}
