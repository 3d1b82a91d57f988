use std::time::{Duration, Instant};

use tidemill_host::store::{Look, Release};

use super::Desk;
use super::hosts::{Standing, State};
use crate::failure::Failure;
use crate::output::{printable, progress};

/// How often the hosts' reports are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// How the wait ended.
pub(super) struct Waited {
    /// The hosts at the last look.
    pub(super) hosts: Vec<Standing>,
    /// Why not all that count serve the release. `None`: they do.
    pub(super) problem: Option<String>,
}

/// Waits until every host that is not gone serves the release, which is live, and tells each change of it. Where no host
/// reports there is nothing to wait for: whoever starts takes what is live.
pub(super) async fn for_hosts(desk: &Desk, release: &Release, limit: Duration) -> Result<Waited, Failure> {
    let (start, number) = (Instant::now(), release.number);
    let mut told = String::new();
    loop {
        let (reports, now) = (desk.store.reports().await?, (desk.now)());
        let hosts: Vec<_> = reports.into_iter().map(|report| Standing::of(report, release, now)).collect();
        if let Some(by) = replaced(desk, release).await? {
            return Ok(Waited { hosts, problem: Some(by) });
        }
        let far = how_far(&hosts, release);
        if far != told {
            progress(&far);
            told = far;
        }
        let lagging: Vec<_> = hosts.iter().filter_map(lagging).collect();
        if lagging.is_empty() {
            return Ok(Waited { hosts, problem: None });
        }
        if start.elapsed() >= limit {
            let problem = format!(
                "release {number} is live, but not every host serves it after {limit:?}: {}; they go on trying, and \
                 `tidemill status` shows how far they are",
                lagging.join("; ")
            );
            return Ok(Waited { hosts, problem: Some(problem) });
        }
        tokio::time::sleep(INTERVAL.min(limit.saturating_sub(start.elapsed()))).await;
    }
}

/// Says what has taken the release's place, where something has.
async fn replaced(desk: &Desk, release: &Release) -> Result<Option<String>, Failure> {
    match desk.store.look(None).await? {
        Look::Live(live) if live.release != release.number => {
            let next = desk.store.release(live.release).await?;
            let (action, by, why) = (super::in_words(&next.action), printable(&next.by), printable(&next.why));
            let why = if why.is_empty() { why } else { format!(": {why}") };
            let (old, new) = (release.number, next.number);
            Ok(Some(format!(
                "release {old} is live no more: release {new} has taken its place ({action}, by {by}{why})"
            )))
        }
        _ => Ok(None),
    }
}

fn lagging(host: &Standing) -> Option<String> {
    match &host.state {
        State::Lags(lag) => Some(format!("{} {lag}", printable(&host.report.host))),
        State::Serves | State::Gone => None,
    }
}

/// How many hosts serve it, and what is wrong with those that don't.
fn how_far(hosts: &[Standing], release: &Release) -> String {
    let counted = hosts.iter().filter(|host| host.counts()).count();
    let gone = match hosts.len() - counted {
        0 => String::new(),
        gone => format!(" ({gone} gone, not waited for)"),
    };
    if counted == 0 {
        return format!("no host reports to this store, so there is none to wait for{gone}");
    }
    let serving = hosts.iter().filter(|host| host.state == State::Serves).count();
    let failing = hosts.iter().filter(|host| host.report.problem.is_some()).filter_map(lagging);
    let failing: String = failing.map(|failing| format!("; {failing}")).collect();
    format!("{serving} of {counted} hosts serve release {}{gone}{failing}", release.number)
}
