//! `tidemill status`: what is live, and what each host really serves.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use serde_json::json;
use tidemill_host::store::Release;

use super::Desk;
use super::change::{as_json, served};
use super::hosts::{Standing, State};
use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("status")
        .about("Shows what is live in a store, and what each of its hosts really serves")
        .args(super::store_flags())
        .after_help(
            "Exit code 1 where a host doesn't serve what is live. One that has missed three reports counts as gone.\n\n\
             Example: tidemill status --store gs://bucket/tidemill",
        )
}

/// Runs the command: exit code 0 where every host that is not gone serves what is live.
pub(crate) async fn run(desk: &Desk, _: &ArgMatches) -> Result<ExitCode, Failure> {
    // First the reports, so that no host is ahead of what is live.
    let (reports, now) = (desk.store.reports().await?, (desk.now)());
    let release = desk.something_live().await?.release;
    let Release { number, action, at, by, why, handlers, .. } = &release;
    let hosts: Vec<_> = reports.into_iter().map(|report| Standing::of(report, &release, now)).collect();
    if desk.as_json {
        let handlers: BTreeMap<_, _> = handlers.iter().map(|(name, served)| (name, as_json(served))).collect();
        say(json!({
            "store": desk.store.to_string(),
            "live": number,
            "action": action,
            "at": at,
            "by": by,
            "why": why,
            "handlers": handlers,
            "hosts": hosts.iter().map(Standing::as_json).collect::<Vec<_>>(),
        }));
    } else {
        let action = printable(&super::in_words(action));
        say(format_args!(
            "release {number} is live in {}: {action}, {}, by {}",
            desk.store,
            printable(at),
            printable(by)
        ));
        if !why.is_empty() {
            say(format_args!("  why: {}", printable(why)));
        }
        for (name, what) in handlers {
            say(format_args!("  {}: {}", printable(name), served(what)));
        }
        if hosts.is_empty() {
            say("no host reports to this store");
        }
        hosts.iter().flat_map(Standing::in_words).for_each(say);
    }
    let lags = hosts.iter().any(|host| matches!(host.state, State::Lags(_)));
    Ok(if lags { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
