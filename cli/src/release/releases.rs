//! `tidemill releases`: which there are.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::{Value, json};
use tidemill_host::store::{Look, Release, ReleaseNumber, StoreError};

use super::Desk;
use super::change::{Change, changes};
use crate::failure::Failure;
use crate::output::{printable, say};

/// The subcommand and its flags.
pub(crate) fn command() -> Command {
    Command::new("releases")
        .about("Lists a store's releases, the newest first: what was done, when, by whom, why, and what it changed")
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("N")
                .value_parser(value_parser!(u32).range(1..))
                .default_value("20")
                .help("How many at most"),
        )
        .args(super::store_flags())
        .after_help(
            "A release is never live whose writer was overtaken by another.\n\n\
             Example: tidemill releases --store gs://bucket/tidemill --limit 5",
        )
}

/// Runs the command.
pub(crate) async fn run(desk: &Desk, flags: &ArgMatches) -> Result<ExitCode, Failure> {
    let limit = flags.get_one::<u32>("limit").map_or(20, |limit| usize::try_from(*limit).unwrap_or(usize::MAX));
    // First the list, then what is live, so that nothing is listed that was made live in between.
    let listed = desk.store.releases(limit).await?;
    let live = match desk.store.look(None).await? {
        Look::Live(live) => Some(live.release),
        Look::Empty | Look::Same => None,
    };
    let readable = listed.iter().filter_map(|(number, release)| Some((*number, release.as_ref().ok()?.clone())));
    let mut known: BTreeMap<_, _> = readable.collect();
    let chain = chain(desk, live, listed.last().map(|(oldest, _)| *oldest), &mut known).await?;
    let mut shown = Vec::new();
    for (number, release) in &listed {
        let release = match release {
            Ok(release) => release,
            Err(error) if desk.as_json => {
                shown.push(json!({ "release": number, "state": "unreadable", "problem": error.to_string() }));
                continue;
            }
            Err(error) => {
                say(format_args!("{number}  [unreadable]  {}", printable(&error.to_string())));
                continue;
            }
        };
        let state = match release.number {
            number if Some(number) == live => "live",
            number if chain.contains(&number) => "past",
            _ => "never-live",
        };
        let before = match release.previous {
            Some(number) => find(desk, number, &mut known).await?.map(|release| release.handlers),
            None => Some(BTreeMap::new()),
        };
        let changes = before.as_ref().map(|before| changes(before, &release.handlers));
        if desk.as_json {
            shown.push(as_json(release, state, changes.as_deref()));
        } else {
            show(release, state, changes.as_deref());
        }
    }
    if desk.as_json {
        say(json!({ "store": desk.store.to_string(), "live": live, "releases": shown }));
    } else if listed.is_empty() {
        say(format_args!("the store {} has no releases; `tidemill deploy` makes the first", desk.store));
    }
    Ok(ExitCode::SUCCESS)
}

/// The releases that are or were live, down to `oldest`: what is live, what it followed, and so on.
async fn chain(
    desk: &Desk,
    live: Option<ReleaseNumber>,
    oldest: Option<ReleaseNumber>,
    known: &mut BTreeMap<ReleaseNumber, Release>,
) -> Result<BTreeSet<ReleaseNumber>, StoreError> {
    let mut chain = BTreeSet::new();
    let mut next = live;
    // A release follows one with a smaller number; whatever is written there otherwise, this ends.
    while let Some(number) = next.filter(|number| Some(*number) >= oldest && chain.insert(*number)) {
        next = find(desk, number, known).await?.and_then(|release| release.previous);
    }
    Ok(chain)
}

/// A release, unless the store doesn't have it any more.
async fn find(
    desk: &Desk,
    number: ReleaseNumber,
    known: &mut BTreeMap<ReleaseNumber, Release>,
) -> Result<Option<Release>, StoreError> {
    if let Some(release) = known.get(&number) {
        return Ok(Some(release.clone()));
    }
    match desk.store.release(number).await {
        Ok(release) => Ok(Some(known.entry(number).or_insert(release).clone())),
        Err(StoreError::NoRelease { .. } | StoreError::Spoilt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn show(release: &Release, state: &str, changes: Option<&[Change<'_>]>) {
    let mark = match state {
        "live" => "  [live]",
        "past" => "",
        _ => "  [never live]",
    };
    let Release { number, action, at, by, why, previous, .. } = release;
    let (action, at, by) = (printable(&super::in_words(action)), printable(at), printable(by));
    say(format_args!("{number}{mark}  {action}  {at}  {by}"));
    if !why.is_empty() {
        say(format_args!("    why: {}", printable(why)));
    }
    match (changes, previous) {
        (Some(changes), _) => changes.iter().for_each(|change| say(format_args!("    {}", change.in_words()))),
        (None, Some(previous)) => {
            say(format_args!("    it followed release {previous}, which the store doesn't have, or not as it was"))
        }
        (None, None) => {}
    }
}

fn as_json(release: &Release, state: &str, changes: Option<&[Change<'_>]>) -> Value {
    let Release { number, previous, action, at, by, why, handlers } = release;
    let handlers: BTreeMap<_, _> =
        handlers.iter().map(|(name, served)| (name, super::change::as_json(served))).collect();
    json!({
        "release": number,
        "previous": previous,
        "state": state,
        "action": action,
        "at": at,
        "by": by,
        "why": why,
        "changes": changes.map(|changes| changes.iter().map(Change::as_json).collect::<Vec<_>>()),
        "handlers": handlers,
    })
}
