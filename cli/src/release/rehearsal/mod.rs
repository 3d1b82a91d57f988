//! The rehearsal of a deployment: recorded events are run through what is to serve and beside it through what serves now,
//! in fresh instances, on the same machine, with nothing leaving; what ends worse refuses the release.

mod answers;
mod cast;
mod compare;
mod machine;
mod prompter;
mod report;
mod seen;
mod source;
mod subscription;
mod table;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{Arg, ArgAction, ArgMatches};
use hyper::StatusCode;
use tidemill_events::Received;

pub(super) use report::Rehearsed;

use super::artifacts::Candidate;
use super::routes::Routes;
use super::{Current, Desk};
use crate::failure::Failure;
use crate::output::progress;
use answers::Answers;
use cast::Cast;
use compare::{Verdict, compare};
use report::Tried;
use source::{Record, Records, Source};

/// After how many events it is told how far it is.
const STEP: usize = 100;

/// The flags of a rehearsal.
pub(super) fn flags() -> [Arg; 5] {
    [
        Arg::new("rehearse")
            .long("rehearse")
            .value_name("FOLDER|SUBSCRIPTION")
            .help("Run recorded or dead-lettered events through it before, without effects, beside what serves now; a worse outcome refuses the release"),
        Arg::new("rehearse-max")
            .long("rehearse-max")
            .value_name("N")
            .default_value("1000")
            .value_parser(clap::value_parser!(u32).range(1..))
            .help("Rehearse with at most so many events"),
        Arg::new("rehearse-http")
            .long("rehearse-http")
            .value_name("FILE|DIR")
            .requires("rehearse")
            .help("Recorded answers to the handlers' requests, as JSON"),
        Arg::new("rehearse-stub")
            .long("rehearse-stub")
            .value_name("STATUS")
            .default_value("200")
            .value_parser(status)
            .help("Status of the empty answer to requests that have no recorded one"),
        Arg::new("force")
            .long("force")
            .action(ArgAction::SetTrue)
            .requires("rehearse")
            .help("Release it whatever came of the rehearsal"),
    ]
}

fn status(text: &str) -> Result<StatusCode, String> {
    let status = text.parse().ok().filter(|status: &StatusCode| (200..=599).contains(&status.as_u16()));
    status.ok_or_else(|| format!("{text:?} is no final status: give a number from 200 to 599"))
}

/// Rehearses, where the flags ask for it. `after` are the routes of the release that is to be.
pub(super) async fn rehearse(
    desk: &Desk,
    flags: &ArgMatches,
    current: Option<&Current>,
    candidates: &[Candidate],
    after: &Routes,
) -> Result<Option<Rehearsed>, Failure> {
    let Some(source) = flags.get_one::<String>("rehearse").map(|text| Source::of(text)) else { return Ok(None) };
    let misused = |error: anyhow::Error| Failure::misused(format!("{error:#}"));
    let most = flags.get_one::<u32>("rehearse-max").map_or(1000, |most| *most as usize);
    let stub = flags.get_one::<StatusCode>("rehearse-stub").copied().unwrap_or(StatusCode::OK);
    let recorded = flags.get_one::<String>("rehearse-http").map(PathBuf::from);
    let answers = Arc::new(Answers::read(recorded.as_deref(), stub).map_err(misused)?);
    let cast = Cast::assemble(&desk.store, current, candidates, after, &desk.values, answers).await?;
    let mut rehearsed = Rehearsed {
        source: source.to_string(),
        new: cast.handlers().next().is_some(),
        force: flags.get_flag("force"),
        tried: Vec::new(),
        passed_over: 0,
        unusable: Vec::new(),
        more: false,
        untried: Vec::new(),
        stubbed: 0,
    };
    if rehearsed.new {
        let records = match &source {
            Source::Folder(_) => source.records(most, None).await.map_err(misused)?,
            Source::Subscription(_) => source.records(most, desk.emulator.as_deref()).await?,
        };
        let arrival = (desk.now)();
        tokio::task::block_in_place(|| play_all(&cast, records, most, arrival, &mut rehearsed))?;
    }
    let tried: BTreeSet<&str> = rehearsed.tried.iter().map(|tried| tried.handler.as_str()).collect();
    let untried: BTreeSet<_> = cast.handlers().filter(|handler| !tried.contains(handler)).collect();
    rehearsed.untried = untried.into_iter().map(str::to_owned).collect();
    Ok(Some(rehearsed))
}

/// Runs what is recorded, up to so many events, in its order, and notes what came of each.
fn play_all(
    cast: &Cast,
    records: Records,
    most: usize,
    arrival: SystemTime,
    rehearsed: &mut Rehearsed,
) -> anyhow::Result<()> {
    // Of one thread, so that what a guest has done at once is done in the same order each time.
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for Record { name, envelope } in records {
        if rehearsed.tried.len() == most {
            rehearsed.more = true;
            break;
        }
        let received = envelope.and_then(|envelope| {
            let received = envelope.into_unverified(arrival);
            received.ok_or_else(|| "the message has no attribute `event-type`".to_owned())
        });
        match received {
            Ok(received) => executor.block_on(play(cast, name, &received, rehearsed))?,
            Err(problem) => rehearsed.unusable.push((name, problem)),
        }
    }
    Ok(())
}

/// Runs one event, where it is of a type that somebody's candidate serves, and notes what came of it.
async fn play(cast: &Cast, name: String, received: &Received, rehearsed: &mut Rehearsed) -> anyhow::Result<()> {
    let event_type = &received.event.event_type;
    let Some(role) = cast.role(event_type) else {
        rehearsed.passed_over += 1;
        return Ok(());
    };
    let (now, then) = cast.play(role, received).await?;
    let (verdict, differences) = compare(now.as_ref(), &then);
    rehearsed.stubbed += then.sent.iter().filter(|sent| !sent.recorded).count();
    rehearsed.tried.push(Tried {
        name,
        event_type: event_type.clone(),
        handler: role.handler.clone(),
        verdict,
        differences,
        now: now.as_ref().map(|now| now.standing),
        then: then.standing,
        seen: (verdict != Verdict::Same).then_some((now, then)),
    });
    if rehearsed.tried.len().is_multiple_of(STEP) {
        progress(format_args!("rehearsed {} events", rehearsed.tried.len()));
    }
    Ok(())
}
