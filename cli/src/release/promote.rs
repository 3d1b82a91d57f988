//! `tidemill promote`: canaries become what serves.

use std::collections::BTreeSet;
use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use tidemill_host::artifact::Digest;
use tidemill_host::store::{Action, Served};

use super::Desk;
use super::change::short;
use super::edit::{self, Edit};
use super::hosts::is_gone;
use crate::failure::Failure;
use crate::output::printable;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("promote")
        .about("Makes canaries what serves all events")
        .arg(
            Arg::new("handlers")
                .value_name("HANDLER")
                .action(ArgAction::Append)
                .help("Whose canary; may be given more than once [default: all that there are]"),
        )
        .args(edit::flags())
        .after_help("Example: tidemill promote email-on-register --store gs://bucket/tidemill --wait")
}

/// Runs the command: exit code 1 where there is no canary.
pub(crate) async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let current = desk.something_live().await?;
    let mut handlers = current.release.handlers.clone();
    let live = current.release.number;
    let named: BTreeSet<&String> = flags.get_many("handlers").into_iter().flatten().collect();
    for name in &named {
        let served =
            handlers.get(*name).ok_or_else(|| anyhow!("release {live}, which is live, has no handler {name}"))?;
        if served.canary.is_none() {
            return Err(anyhow!("{name}: it has no canary in release {live}, which is live").into());
        }
    }
    let mut promoted = Vec::new();
    for (name, served) in &mut handlers {
        let canary = served.canary.filter(|_| named.is_empty() || named.contains(name));
        if let Some(canary) = canary {
            *served = Served { artifact: canary.artifact, canary: None };
            promoted.push((name.clone(), canary.artifact));
        }
    }
    if promoted.is_empty() {
        let advice = "`tidemill deploy --canary 5%` makes one";
        return Err(anyhow!("no handler has a canary in release {live}, which is live: {advice}").into());
    }
    dropped_by_nobody(desk, &promoted).await?;
    let edit = Edit { action: Action::Promote, handlers, artifacts: Vec::new() };
    edit::carry_out(desk, flags, Some(current), edit).await
}

/// Refuses canaries that a host has found to be worse than what serves, and dropped.
async fn dropped_by_nobody(desk: &Desk, promoted: &[(String, Digest)]) -> anyhow::Result<()> {
    for report in desk.store.reports().await?.iter().filter(|report| !is_gone(report, (desk.now)())) {
        if let Some((handler, canary)) = promoted.iter().find(|(name, digest)| report.dropped.get(name) == Some(digest))
        {
            bail!(
                "{handler}: the host {} has dropped the canary {}, since it did worse than what serves; where that doesn't \
                 matter, deploy it without --canary",
                printable(&report.host),
                short(*canary)
            );
        }
    }
    Ok(())
}
