use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// How often something that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The exit code of a process that SIGINT ended, as shells count.
const INTERRUPTED: i32 = 130;

/// Ctrl-C and SIGTERM, as a flag that whatever waits looks at, so that all that was started is stopped on the way out.
#[derive(Debug, Clone)]
pub(crate) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// From now on, the first of these signals sets the flag. The second ends the process at once.
    pub(crate) fn listen() -> Result<Self> {
        let raised = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset, and only then sets it.
            flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&raised))
                .and_then(|_| flag::register(signal, Arc::clone(&raised)))
                .context("can't listen for Ctrl-C")?;
        }
        Ok(Self(raised))
    }

    /// Whether a signal has come.
    pub(crate) fn raised(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// Looks until there is something, and gives it. Fails where `within` is over, a look fails, or a signal comes.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        within: Duration,
        mut look: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let start = Instant::now();
        loop {
            if self.raised() {
                bail!("interrupted while waiting for {what}");
            }
            if let Some(found) = look().with_context(|| format!("while waiting for {what}"))? {
                return Ok(found);
            }
            if start.elapsed() > within {
                bail!("{what} did not happen within {} s", within.as_secs());
            }
            sleep(LOOK);
        }
    }
}
