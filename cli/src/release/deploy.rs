//! `tidemill deploy`: artifacts into the store, and a release in which they serve.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::anyhow;
use clap::{Arg, ArgMatches, Command};
use tidemill_host::config::handler_value_flags;
use tidemill_host::store::{Action, Canary, ComponentUrlError, Served};

use super::Desk;
use super::artifacts::{self, Candidate};
use super::edit::{self, Edit};
use super::rehearsal;
use super::routes::Routes;
use super::share::Share;
use super::stock::{Signing, Stock, compile_flag, key_flag, tell_of_other_engines};
use crate::build::checker;
use crate::failure::Failure;

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("deploy")
        .about("Puts handlers into a store and makes a release live in which they serve; all others stay as they are")
        .arg(
            Arg::new("path")
                .value_name("DIR|FILE|URL")
                .required(true)
                .help("A folder with handler.toml and handler.wasm, a folder of such folders, a component's file with its handler.toml beside it, or oci://HOST/REPOSITORY:TAG"),
        )
        .arg(
            Arg::new("manifest")
                .long("manifest")
                .value_name("FILE")
                .help("handler.toml of a component from a registry, where it was pushed without one"),
        )
        .arg(
            Arg::new("canary")
                .long("canary")
                .value_name("PERCENT")
                .value_parser(str::parse::<Share>)
                .help("Try them on a share of the events, such as 5%, beside what serves now"),
        )
        .arg(key_flag())
        .arg(compile_flag())
        .args(rehearsal::flags())
        .args(handler_value_flags().map(|flag| flag.requires("rehearse")))
        .args(edit::flags())
        .after_help(
            "Each artifact is judged as a host would before anything is written.\n\n\
             Example: tidemill deploy ./handlers --store gs://bucket/tidemill --canary 5% --why 'shorter mails' --wait",
        )
}

/// Runs the command.
pub(crate) async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let path = flags.get_one::<String>("path").map(String::as_str).unwrap_or_default();
    let manifest = flags.get_one::<String>("manifest").map(Path::new);
    let found = if path.starts_with("oci://") {
        let url = path.parse().map_err(|error: ComponentUrlError| Failure::misused(format!("{path}: {error}")))?;
        vec![artifacts::pull(&url, manifest, &desk.variables).await?]
    } else if manifest.is_some() {
        return Err(Failure::misused(
            "--manifest is for a component from a registry; elsewhere handler.toml lies beside it",
        ));
    } else {
        artifacts::find(Path::new(path)).map_err(|error| Failure::misused(format!("{error:#}")))?
    };
    let (signing, checker) = (Signing::of(flags, &desk.variables)?, checker()?);
    let candidates = tokio::task::block_in_place(|| artifacts::judge_all(found, &checker))?;
    let current = desk.current().await?;
    let mut handlers = current.as_ref().map(|current| current.release.handlers.clone()).unwrap_or_default();
    match flags.get_one::<Share>("canary") {
        None => handlers.extend(
            candidates
                .iter()
                .map(|candidate| (candidate.handler.name.clone(), Served { artifact: candidate.digest, canary: None })),
        ),
        Some(share) => try_out(&mut handlers, &candidates, *share)?,
    }
    let routes = Routes::of(&handlers, &candidates, &desk.store).await?;
    routes.apart()?;
    for candidate in &candidates {
        if let Some(Served { artifact, canary: Some(canary) }) = handlers.get(&candidate.handler.name) {
            routes.same(&candidate.handler.name, *artifact, canary.artifact)?;
        }
    }
    let rehearsed = rehearsal::rehearse(desk, flags, current.as_ref(), &candidates, &routes).await?;
    if signing.as_ref().is_some_and(|signing| signing.compiled) {
        tell_of_other_engines(desk, checker.id()).await?;
    }
    let stock = candidates.into_iter().map(|candidate| Stock::of(candidate, signing.as_ref(), checker.id()));
    let artifacts = stock.collect::<anyhow::Result<_>>()?;
    let edit = Edit { action: Action::Deploy, handlers, artifacts };
    edit::carry_out_rehearsed(desk, flags, current, edit, rehearsed).await
}

/// Puts the candidates beside what serves. One that is what serves stays as it is.
fn try_out(handlers: &mut BTreeMap<String, Served>, candidates: &[Candidate], share: Share) -> anyhow::Result<()> {
    for Candidate { handler, digest, path, .. } in candidates {
        let handler = &handler.name;
        let served = handlers.get_mut(handler).ok_or_else(|| {
            anyhow!(
                "{}: the handler {handler} doesn't serve yet, so there is nothing to try it beside: deploy it without \
                 --canary",
                path.display()
            )
        })?;
        if served.artifact != *digest {
            served.canary = Some(Canary { artifact: *digest, per_ten_thousand: share.0 });
        }
    }
    Ok(())
}
