//! For tests only: Google's Pub/Sub emulator, started, asked and stopped.
//!
//! ```no_run
//! # use tidemill_test_emulator::{Emulator, Subscription};
//! # async fn test() {
//! let Some(emulator) = Emulator::shared().await else { return };
//! let topic = emulator.create_topic("orders").await;
//! let subscription = emulator
//!     .create_subscription("orders-push", &Subscription {
//!         push_endpoint: Some("http://127.0.0.1:8080/events".into()),
//!         ..Subscription::of(&topic)
//!     })
//!     .await;
//! # }
//! ```
//!
//! Whatever goes wrong here fails the test, so the functions panic instead of giving errors.
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test helper: whatever goes wrong fails the test that called it"
)]

mod admin;
mod messages;
mod process;
mod rest;

use std::io::Write;

use tokio::sync::OnceCell;
use uuid::Uuid;

pub use admin::{DeadLetter, Subscription};

use process::Process;

/// A running emulator, with a project that nobody else uses.
#[derive(Debug)]
pub struct Emulator {
    host: String,
    project: String,
    /// Stops the emulator when dropped. None where somebody else started it.
    _process: Option<Process>,
}

impl Emulator {
    /// The one emulator of this test binary: the one that `PUBSUB_EMULATOR_HOST` names, or else one started by the
    /// first caller and stopped when the process ends, however it ends.
    ///
    /// `None` where there is none to be had: the test should then return, as this has printed `SKIPPED emulator: …` with
    /// the test's name, past the harness that swallows what passing tests print.
    ///
    /// # Panics
    /// Where there is none to be had and `CI` is `true`: there these tests must run.
    pub async fn shared() -> Option<&'static Self> {
        static SHARED: OnceCell<Result<Emulator, String>> = OnceCell::const_new();
        match SHARED.get_or_init(Self::obtain).await {
            Ok(emulator) => Some(emulator),
            Err(reason) => {
                assert!(variable("CI").as_deref() != Some("true"), "no Pub/Sub emulator in CI: {reason}");
                let thread = std::thread::current();
                // Not eprintln, which the test harness captures.
                _ = writeln!(std::io::stderr(), "SKIPPED emulator: {}: {reason}", thread.name().unwrap_or("a test"));
                None
            }
        }
    }

    async fn obtain() -> Result<Self, String> {
        // Ids that sort by time share their beginning; the end is random.
        let id = Uuid::now_v7().simple().to_string();
        let project = format!("test-{}", id.get(20..).unwrap_or(&id));
        if let Some(host) = variable("PUBSUB_EMULATOR_HOST") {
            rest::wait_until_up(&host, || Ok(())).await?;
            return Ok(Self { host, project, _process: None });
        }
        let process = Process::start().await?;
        Ok(Self { host: process.host().to_owned(), project, _process: Some(process) })
    }

    /// Where the emulator listens, `HOST:PORT`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "how a test finds its emulator is the environment's to say")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
