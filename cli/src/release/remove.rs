//! `tidemill remove`: a handler serves no more.

use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Arg, ArgMatches, Command};
use tidemill_host::store::Action;

use super::Desk;
use super::edit::{self, Edit};
use crate::failure::Failure;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("remove")
        .about("Makes a release live in which a handler serves no more; its artifacts stay in the store")
        .arg(Arg::new("handler").value_name("HANDLER").required(true).help("Which"))
        .args(edit::flags())
        .after_help(
            "Example: tidemill remove email-on-register --store gs://bucket/tidemill --why 'mails go elsewhere'",
        )
}

/// Runs the command.
pub(crate) async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let current = desk.something_live().await?;
    let handler = flags.get_one::<String>("handler").cloned().unwrap_or_default();
    let mut handlers = current.release.handlers.clone();
    if handlers.remove(&handler).is_none() {
        let there: Vec<_> = handlers.into_keys().collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        let number = current.release.number;
        return Err(
            anyhow!("release {number}, which is live, has no handler {handler:?}; those that it has: {there}").into()
        );
    }
    let edit = Edit { action: Action::Remove { handler }, handlers, artifacts: Vec::new() };
    edit::carry_out(desk, flags, Some(current), edit).await
}
