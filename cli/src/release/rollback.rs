//! `tidemill rollback`: what an earlier release served, again.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Arg, ArgMatches, Command};
use futures_util::{StreamExt, TryStreamExt, stream};
use tidemill_host::artifact::Digest;
use tidemill_host::store::{Action, Release, ReleaseNumber, Served, StoreError};

use super::edit::{self, Edit};
use super::{Current, Desk};
use crate::failure::Failure;

/// Artifacts that are looked at, so kept in memory, at once.
const AT_ONCE: usize = 4;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("rollback")
        .about("Makes a new release live that serves what an earlier one did")
        .arg(
            Arg::new("release")
                .value_name("N")
                .value_parser(str::parse::<ReleaseNumber>)
                .help("Which [default: the one that was live before]"),
        )
        .args(edit::flags())
        .after_help(
            "Canaries of that release don't come back: what was tried is not known to be good.\n\n\
             Example: tidemill rollback 41 --store gs://bucket/tidemill --why 'mails without a subject' --wait",
        )
}

/// Runs the command.
pub(crate) async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let current = desk.something_live().await?;
    let Release { number: live, previous, .. } = current.release;
    let to = flags.get_one::<ReleaseNumber>("release").copied().or(previous);
    let to = to.ok_or_else(|| anyhow!("nothing was live before release {live}, so there is nothing to go back to"))?;
    let there = desk.store.release(to).await?;
    let served = |served: Served| Served { canary: None, ..served };
    let handlers: BTreeMap<_, _> = if to == live {
        there.handlers
    } else {
        there.handlers.into_iter().map(|(name, was)| (name, served(was))).collect()
    };
    complete(desk, &current, &handlers).await.with_context(|| format!("release {to} can't be served any more"))?;
    let edit = Edit { action: Action::Rollback { to }, handlers, artifacts: Vec::new() };
    edit::carry_out(desk, flags, Some(current), edit).await
}

/// Looks whether the store has what hosts would need and don't serve now, as it was put there.
async fn complete(desk: &Desk, current: &Current, handlers: &BTreeMap<String, Served>) -> Result<(), StoreError> {
    let serving: BTreeSet<Digest> = current.release.artifacts().map(|(_, digest)| digest).collect();
    let needed: BTreeSet<Digest> = handlers.values().map(|served| served.artifact).collect();
    let looked = stream::iter(needed.difference(&serving).copied())
        .map(|digest| async move { desk.store.artifact(digest).await.map(drop) });
    looked.buffer_unordered(AT_ONCE).try_collect().await
}
