//! The commands of releases: what a store's hosts serve, changed and shown.
//!
//! Whoever changes something looks at what is live, thinks of what shall be live instead, and makes it live in its place:
//! [`edit`] does the last. Where somebody else was faster nothing is changed, and nothing is tried again by itself: what
//! the other has decided is not known here.

mod artifacts;
mod change;
pub(crate) mod deploy;
mod edit;
mod hosts;
pub(crate) mod promote;
mod rehearsal;
pub(crate) mod releases;
pub(crate) mod remove;
pub(crate) mod rollback;
mod routes;
mod share;
pub(crate) mod sign;
pub(crate) mod status;
mod stock;
pub(crate) mod verify;
mod wait;

use std::path::Path;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Arg, ArgMatches};
use tidemill_host::config::{HandlerValues, Sources};
use tidemill_host::store::{Action, Live, Look, Release, Store, StoreError, StoreUrl};

use crate::failure::Failure;

/// What a command works with.
#[derive(Clone)]
pub(crate) struct Desk {
    /// What people call the store.
    url: StoreUrl,
    store: Store,
    /// The store's folder is not there yet, and an empty store stands in for it.
    unmade: bool,
    /// Who does it, where nobody says.
    user: String,
    as_json: bool,
    /// Those of the environment.
    variables: Vec<(String, String)>,
    /// The operator's values for handlers, as far as they are known here.
    values: HandlerValues,
    /// Where Pub/Sub is an emulator.
    emulator: Option<String>,
    now: fn() -> SystemTime,
}

/// What is live.
struct Current {
    live: Live,
    release: Release,
}

/// Runs one of the commands on the store that the flags, the variables or the file name.
pub(crate) fn main(
    flags: &ArgMatches,
    variables: Vec<(String, String)>,
    run: impl AsyncFnOnce(&Desk, &ArgMatches) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    on_store(flags, variables, false, run)
}

/// The same, where a folder that isn't there is an empty store, which is made when something is written ([`Desk::made`]).
pub(crate) fn main_making(
    flags: &ArgMatches,
    variables: Vec<(String, String)>,
    run: impl AsyncFnOnce(&Desk, &ArgMatches) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    on_store(flags, variables, true, run)
}

fn on_store(
    flags: &ArgMatches,
    variables: Vec<(String, String)>,
    makes: bool,
    run: impl AsyncFnOnce(&Desk, &ArgMatches) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let user = user(&variables);
    let emulator = variables.iter().find(|(name, value)| name == "PUBSUB_EMULATOR_HOST" && !value.is_empty());
    let emulator = emulator.map(|(_, host)| host.clone());
    let sources = Sources::gather(flags, variables.clone(), Path::new("."));
    let values = sources.handler_values.clone();
    let (url, access) = sources.store().map_err(Failure::misused)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(anyhow::Error::from)?;
    runtime.block_on(async {
        let (store, unmade) = match Store::open(&url, &access.0) {
            Err(StoreError::NoFolder { .. }) if makes => (Store::in_memory(), true),
            opened => (opened?, false),
        };
        let as_json = crate::wants_json(flags);
        let desk = Desk { url, store, unmade, user, as_json, variables, values, emulator, now };
        run(&desk, flags).await
    })
}

#[expect(clippy::disallowed_methods, reason = "a release is made, and a report looked at, now")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// Who runs the command, as far as the environment says.
fn user(variables: &[(String, String)]) -> String {
    let variable = |name: &str| variables.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, v)| v);
    match (variable("USER").or_else(|| variable("LOGNAME")), variable("HOSTNAME").or_else(|| variable("HOST"))) {
        (Some(user), Some(host)) => format!("{user}@{host}"),
        (Some(user), None) => user.clone(),
        (None, Some(host)) => format!("unknown@{host}"),
        (None, None) => "unknown".to_owned(),
    }
}

impl Desk {
    /// The same, with a store that can be written to: its folder is made where there is none.
    fn made(&self) -> Result<Self, StoreError> {
        if !self.unmade {
            return Ok(self.clone());
        }
        self.url.make()?;
        Ok(Self { store: Store::open(&self.url, &self.variables)?, unmade: false, ..self.clone() })
    }

    /// What is live now; `None` where nothing ever was.
    async fn current(&self) -> Result<Option<Current>, StoreError> {
        match self.store.look(None).await? {
            Look::Live(live) => Ok(Some(Current { release: self.store.release(live.release).await?, live })),
            Look::Empty | Look::Same => Ok(None),
        }
    }

    /// What is live now, where the command is of no use without.
    async fn something_live(&self) -> Result<Current, Failure> {
        let current = self.current().await?;
        current.ok_or_else(|| {
            let store = &self.store;
            let advice = "`tidemill deploy` makes a first release; or is it another store that is meant?";
            Failure::Failed(anyhow::anyhow!("nothing was ever made live in the store {store}: {advice}"))
        })
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// An action in words.
fn in_words(action: &Action) -> String {
    match action {
        Action::Deploy => "deploy".to_owned(),
        Action::Promote => "promote".to_owned(),
        Action::Rollback { to } => format!("rollback to {to}"),
        Action::DropCanary { handler } => format!("drop canary of {handler}"),
        Action::Remove { handler } => format!("remove {handler}"),
    }
}

/// The flags that say which store, and how to print.
fn store_flags() -> [Arg; 3] {
    [
        Arg::new("store")
            .long("store")
            .value_name("DIR|URL")
            .help("Store of releases: a folder, gs://BUCKET/PREFIX, s3://BUCKET/PREFIX or oci://HOST/REPOSITORY [TIDEMILL_STORE]"),
        Arg::new("config")
            .long("config")
            .value_name("FILE")
            .help("Configuration file, for its `store`; ./tidemill.toml is read where there is one [TIDEMILL_CONFIG]"),
        crate::output_flag(),
    ]
}
