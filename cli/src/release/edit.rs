use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use clap::{Arg, ArgAction, ArgMatches};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use tidemill_events::format_rfc3339;
use tidemill_host::artifact::Digest;
use tidemill_host::config::parse_duration;
use tidemill_host::store::{Action, Release, ReleaseNumber, Served};

use super::change::{Change, changes};
use super::hosts::Standing;
use super::rehearsal::Rehearsed;
use super::stock::Stock;
use super::{Current, Desk, wait};
use crate::failure::Failure;
use crate::output::{progress, say};

/// Artifacts that are put at once.
const AT_ONCE: usize = 4;

/// What shall be live in the place of what is.
pub(super) struct Edit {
    /// What is done.
    pub(super) action: Action,
    /// What serves afterwards.
    pub(super) handlers: BTreeMap<String, Served>,
    /// What may not be in the store yet, or not with its signature.
    pub(super) artifacts: Vec<Stock>,
}

/// The flags of every command that changes what is live.
pub(super) fn flags() -> Vec<Arg> {
    let mut flags = vec![
        Arg::new("why").long("why").value_name("TEXT").help("Why, for `tidemill releases`"),
        Arg::new("by").long("by").value_name("NAME").help("Who does it [default: USER@HOSTNAME of the environment]"),
        Arg::new("dry-run")
            .long("dry-run")
            .action(ArgAction::SetTrue)
            .help("Show what would change, and write nothing"),
        Arg::new("wait")
            .long("wait")
            .value_name("TIME")
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("60s")
            .value_parser(parse_duration)
            .conflicts_with("dry-run")
            .help("Wait until every host serves it, at most that long (60s where no time is given)"),
    ];
    flags.extend(super::store_flags());
    flags
}

/// Makes it live in the place of `current`, unless it changes nothing, or is only asked about; then waits for the hosts,
/// where that is asked for.
pub(super) async fn carry_out(
    desk: &Desk,
    flags: &ArgMatches,
    current: Option<Current>,
    edit: Edit,
) -> Result<ExitCode, Failure> {
    carry_out_rehearsed(desk, flags, current, edit, None).await
}

/// The same, unless what came of its rehearsal speaks against it.
pub(super) async fn carry_out_rehearsed(
    desk: &Desk,
    flags: &ArgMatches,
    current: Option<Current>,
    edit: Edit,
    rehearsed: Option<Rehearsed>,
) -> Result<ExitCode, Failure> {
    let refusal = rehearsed.as_ref().and_then(Rehearsed::refusal);
    let before = current.as_ref().map(|current| current.release.handlers.clone()).unwrap_or_default();
    let (action, wanted) = (edit.action.clone(), edit.handlers.clone());
    let changes = changes(&before, &wanted);
    let writes = !flags.get_flag("dry-run") && refusal.is_none();
    let desk = if writes { &desk.made()? } else { desk };
    let live = if !writes {
        None
    } else {
        put(desk, current.as_ref(), &edit.artifacts, changes.is_empty()).await?;
        if changes.is_empty() { None } else { Some(write(desk, flags, current.as_ref(), edit).await?) }
    };
    let previous = current.as_ref().map(|current| current.release.number);
    let told = Told { desk, action, previous, changes, rehearsed };
    if !desk.as_json {
        told.in_words(live.as_ref());
    }
    // What changes nothing is live already, and may be on its way to the hosts still.
    let awaited = live.clone().or_else(|| current.map(|current| current.release).filter(|it| it.handlers == wanted));
    let waited = match (flags.get_one::<Duration>("wait"), &awaited) {
        (Some(limit), Some(release)) => wait::for_hosts(desk, release, *limit).await.map(Some),
        _ => Ok(None),
    };
    if desk.as_json {
        let hosts = waited.as_ref().ok().and_then(Option::as_ref).map(|waited| &*waited.hosts);
        say(told.as_json(live.as_ref(), hosts));
    }
    match refusal.or(waited?.and_then(|waited| waited.problem)) {
        Some(problem) => Err(anyhow!(problem).into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Puts what is not in the store yet. What serves already may get a signature that it didn't have.
async fn put(desk: &Desk, current: Option<&Current>, artifacts: &[Stock], unchanged: bool) -> Result<(), Failure> {
    let there: BTreeSet<Digest> =
        current.into_iter().flat_map(|current| current.release.artifacts()).map(|(_, digest)| digest).collect();
    let new = artifacts.iter().map(|stock| (stock, there.contains(&stock.digest())));
    let new = new.filter(|(stock, there)| !there || stock.is_signed());
    let put = stream::iter(new).map(|(stock, there)| async move { stock.put(&desk.store, there).await });
    let signed: Vec<usize> = put.buffer_unordered(AT_ONCE).try_collect().await?;
    let signed: usize = signed.iter().sum();
    if unchanged && signed > 0 {
        progress(format_args!("{signed} signatures are new in the store"));
    }
    Ok(())
}

/// Makes the release live, whose artifacts are in the store.
async fn write(desk: &Desk, flags: &ArgMatches, current: Option<&Current>, edit: Edit) -> Result<Release, Failure> {
    let text = |name: &str| flags.get_one::<String>(name).cloned();
    let release = Release {
        // These two are given when it is made live.
        number: ReleaseNumber(0),
        previous: None,
        action: edit.action,
        at: format_rfc3339(whole_seconds((desk.now)())),
        by: text("by").unwrap_or_else(|| desk.user.clone()),
        why: text("why").unwrap_or_default(),
        handlers: edit.handlers,
    };
    Ok(desk.store.make_live(current.map(|current| &current.live), release).await?)
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs())
}

/// What is said of an edit.
struct Told<'a> {
    desk: &'a Desk,
    action: Action,
    previous: Option<ReleaseNumber>,
    changes: Vec<Change<'a>>,
    rehearsed: Option<Rehearsed>,
}

impl Told<'_> {
    fn in_words(&self, live: Option<&Release>) {
        if let Some(rehearsed) = &self.rehearsed {
            rehearsed.in_words();
        }
        let (store, action) = (&self.desk.url, super::in_words(&self.action));
        let after = self.previous.map(|number| format!(", after release {number}")).unwrap_or_default();
        match (live, self.previous) {
            (Some(release), _) => say(format_args!("release {} is live in {store}{after}: {action}", release.number)),
            (None, Some(number)) if self.changes.is_empty() => {
                say(format_args!("nothing changes: release {number}, which is live in {store}, serves this already"));
            }
            (None, _) => say(format_args!("would make live in {store}{after}: {action}")),
        }
        self.changes.iter().for_each(|change| say(format_args!("  {}", change.in_words())));
    }

    fn as_json(&self, live: Option<&Release>, hosts: Option<&[Standing]>) -> Value {
        let mut told = json!({
            "store": self.desk.url.to_string(),
            "action": self.action,
            // Null where nothing was made live.
            "release": live.map(|release| release.number),
            "previous": self.previous,
            "changes": self.changes.iter().map(Change::as_json).collect::<Vec<_>>(),
            "hosts": hosts.map(|hosts| hosts.iter().map(Standing::as_json).collect::<Vec<_>>()),
        });
        if let (Some(rehearsed), Some(fields)) = (&self.rehearsed, told.as_object_mut()) {
            fields.insert("rehearsal".into(), rehearsed.as_json());
        }
        told
    }
}
