//! What hosts say of themselves, and who waits for it. The test plays the hosts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use tidemill_host::store::{Action, Release, ReleaseNumber, Report};

use super::shop::{Shop, shown};
use crate::tidemill::{stderr, stdout};

/// The report of a host that serves this release, made now.
pub(super) fn report(host: &str, release: &Release) -> Report {
    Report {
        host: host.to_owned(),
        release: Some(release.number),
        wanted: Some(release.number),
        problem: None,
        handlers: release.handlers.iter().map(|(name, served)| (name.clone(), served.artifact)).collect(),
        dropped: BTreeMap::new(),
        engine: None,
        at: SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(),
        // Longer than any test takes.
        every: 600,
    }
}

/// A store with two releases.
fn two_releases() -> Shop {
    let shop = Shop::new();
    for version in 1..=2 {
        let one = shop.handler("one", "a", version);
        shop.json(&["deploy", &one, "--by", "ada"]);
    }
    shop
}

fn put(shop: &Shop, report: &Report) {
    shop.wait(shop.store.put_report(report)).unwrap();
}

#[test]
fn status_shows_what_each_host_really_serves() {
    let shop = Shop::new();
    let nothing = shop.run(&["status"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(stderr(&nothing).contains("nothing was ever made live"), "{}", stderr(&nothing));

    let shop = two_releases();
    assert_eq!(shop.json(&["status"])["hosts"], serde_json::json!([]));
    let (old, live) = (shop.release(1), shop.live());
    put(&shop, &report("a", &live));
    // Its clock is wrong, which is not what counts.
    put(&shop, &Report { at: 0, ..report("a", &live) });
    put(&shop, &report("b", &old));
    shop.forget("b");
    let status = shop.run(&["status"]);
    assert_eq!(status.status.code(), Some(0), "{}", stdout(&status));
    for says in ["release 2 is live in ", "a: serves release 2", "b: gone: last reported"] {
        assert!(stdout(&status).contains(says), "{says}: {}", stdout(&status));
    }

    let problem = Some("the store was \x1baway".to_owned());
    put(&shop, &Report { problem, wanted: Some(ReleaseNumber(2)), ..report("c", &old) });
    put(&shop, &report("d", &old));
    put(&shop, &Report { wanted: Some(ReleaseNumber(2)), ..report("e", &old) });
    put(&shop, &Report { release: None, wanted: Some(ReleaseNumber(2)), ..report("f", &old) });
    put(&shop, &Report { handlers: report("g", &old).handlers, ..report("g", &live) });
    let status = shop.run(&["status"]);
    assert_eq!(status.status.code(), Some(1));
    for says in [
        "a: serves release 2",
        "c: lags: serves release 1: the store was \\u{1b}away",
        "d: lags: serves release 1: it has not seen release 2 yet",
        "e: lags: serves release 1: it is loading release 2",
        "f: lags: serves no release: it is loading release 2",
        &format!("g: lags: serves {} as one in release 2", &old.handlers["one"].artifact.hex()[..12]),
    ] {
        assert!(stdout(&status).contains(says), "{says}: {}", stdout(&status));
    }
    let status = shop.run(&["status", "--output", "json"]);
    assert_eq!(status.status.code(), Some(1));
    let states: Vec<_> = shown(&status)["hosts"].as_array().unwrap().iter().map(|host| host["state"].clone()).collect();
    assert_eq!(states, ["serves", "gone", "lags", "lags", "lags", "lags", "lags"]);
}

#[test]
fn who_waits_is_told_each_step_until_every_host_serves_it() {
    let shop = two_releases();
    for host in ["a", "b"] {
        put(&shop, &report(host, &shop.live()));
    }
    put(&shop, &report("gone", &shop.release(1)));
    shop.forget("gone");
    let mut waiting = Waiting::start(&shop, &["rollback", "--wait=10m"]);
    waiting.line("0 of 2 hosts serve release 3 (1 gone, not waited for)");
    put(&shop, &report("b", &shop.live()));
    waiting.line("1 of 2 hosts serve release 3 (1 gone, not waited for)");
    put(&shop, &report("a", &shop.live()));
    waiting.line("2 of 2 hosts serve release 3 (1 gone, not waited for)");
    assert_eq!(waiting.end(), (Some(0), String::new()));
}

#[test]
fn who_waits_in_vain_is_told_for_whom_and_why() {
    let shop = two_releases();
    put(&shop, &report("a", &shop.live()));
    let problem = Some("handler.wasm: it is of another world".to_owned());
    put(&shop, &Report { problem, ..report("b", &shop.live()) });
    let output = shop.run(&["rollback", "--wait=1ms", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let says = "b serves release 2: handler.wasm: it is of another world";
    assert!(stderr(&output).contains(says) && stderr(&output).contains("a serves release 2: "), "{}", stderr(&output));
    // It is live all the same, and is said to be.
    let printed = shown(&output);
    assert_eq!((&printed["release"], &printed["hosts"][1]["state"]), (&3.into(), &"lags".into()));
    // Where nothing changes, it is what is live that is waited for.
    let again = shop.run(&["rollback", "1", "--wait=1ms"]);
    assert_eq!(again.status.code(), Some(1), "{}", stdout(&again));
    assert!(stdout(&again).starts_with("nothing changes") && stderr(&again).contains(says), "{}", stderr(&again));
}

#[test]
fn who_waits_for_what_was_replaced_is_told_by_whom() {
    let shop = two_releases();
    put(&shop, &report("a", &shop.live()));
    let mut waiting = Waiting::start(&shop, &["rollback", "--wait=10m"]);
    waiting.line("0 of 1 hosts serve release 3");
    let other = Release { action: Action::Deploy, by: "eve".into(), why: "better".into(), ..shop.release(2) };
    shop.wait(shop.store.make_live(Some(&shop.look()), other)).unwrap();
    let (code, said) = waiting.end();
    assert_eq!(code, Some(1));
    assert!(said.contains("release 4 has taken its place (deploy, by eve: better)"), "{said}");
}

#[test]
fn without_hosts_there_is_nothing_to_wait_for() {
    let shop = two_releases();
    let output = shop.run(&["rollback", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("no host reports to this store"), "{}", stderr(&output));
}

/// A command that waits, and what it says meanwhile.
struct Waiting {
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
}

impl Waiting {
    fn start(shop: &Shop, arguments: &[&str]) -> Self {
        let mut child = shop.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, said }
    }

    /// The next line that it says, which must be this.
    fn line(&mut self, line: &str) {
        let said = self.said.recv_timeout(Duration::from_secs(60));
        assert_eq!(said.as_deref(), Ok(line));
    }

    /// Its exit code, and what else it said.
    fn end(mut self) -> (Option<i32>, String) {
        let said = self.said.iter().collect::<Vec<_>>().join("\n");
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
