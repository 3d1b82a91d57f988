use std::fs;

use tempfile::TempDir;

use super::*;
use crate::config::{Grants, HandlerValues, Quota, Terms};
use crate::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use crate::registry::{Artifact, folder, install};
use crate::runtime::{Runtime, RuntimeConfig};
use crate::trust::Trust;

/// A follower whose looks come when the test says so.
struct Looks {
    dir: TempDir,
    follower: Follower,
    registry: Arc<Registry>,
}

impl Looks {
    fn new() -> Self {
        Self::granting(Grants::all())
    }

    fn granting(grants: Grants) -> Self {
        let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
        let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 64 << 20, outgoing }).unwrap();
        let quota = Quota { deadline: std::time::Duration::from_secs(10), memory: 64 << 20 };
        let registry = Arc::new(Registry::default());
        let terms = Terms { values: HandlerValues::default(), quota, grants };
        let loader = Loader { runtime, terms, trust: Trust::default(), code_cache: None };
        let follower = Follower::new(Arc::clone(&registry), loader);
        Self { dir: tempfile::tempdir().unwrap(), follower, registry }
    }

    fn install(&self, name: &str, manifest: &str) {
        let wasm = fs::read(tidemill_test_artifacts::EMPTY).unwrap();
        install(self.dir.path(), name, &Artifact { manifest: manifest.into(), wasm }).unwrap();
    }

    fn look(&mut self) {
        self.follower.apply(folder::scan(self.dir.path()).unwrap(), false);
    }

    fn look_twice(&mut self) {
        self.look();
        self.look();
    }

    /// Who serves an event type.
    fn server(&self, event_type: &str) -> Option<String> {
        self.registry.route(event_type).map(|handler| handler.name.clone())
    }
}

#[test]
fn a_change_counts_once_two_looks_have_seen_it() {
    let mut looks = Looks::new();
    looks.install("one", "events = [\"a\"]");
    looks.look();
    assert_eq!(looks.server("a"), None);
    looks.look();
    assert_eq!(looks.server("a").as_deref(), Some("one"));
    fs::remove_dir_all(looks.dir.path().join("one")).unwrap();
    looks.look();
    assert_eq!(looks.server("a").as_deref(), Some("one"));
    looks.look();
    assert_eq!(looks.server("a"), None);
}

/// Its event type is served all the while, by the one name or the other.
#[test]
fn a_renamed_folder_is_never_missed() {
    let mut looks = Looks::new();
    looks.install("old", "events = [\"a\"]");
    looks.look_twice();
    let hidden = looks.dir.path().join(".moving");
    fs::rename(looks.dir.path().join("old"), &hidden).unwrap();
    looks.look();
    fs::rename(&hidden, looks.dir.path().join("new")).unwrap();
    looks.look();
    assert_eq!(looks.server("a").as_deref(), Some("old"));
    looks.look();
    assert_eq!(looks.server("a").as_deref(), Some("new"));
    assert_eq!(looks.registry.snapshot().handlers().count(), 1);
}

/// A folder that is written to without end is no reason to serve for ever what was removed.
#[test]
fn a_removal_does_not_wait_for_ever() {
    let mut looks = Looks::new();
    looks.install("old", "events = [\"a\"]");
    looks.look_twice();
    fs::remove_dir_all(looks.dir.path().join("old")).unwrap();
    let slow = looks.dir.path().join("slow");
    fs::create_dir(&slow).unwrap();
    for bytes in 1..=4 {
        fs::write(slow.join("handler.wasm"), vec![0; bytes]).unwrap();
        looks.look();
    }
    assert_eq!(looks.server("a"), None);
}

#[test]
fn who_serves_keeps_what_a_newcomer_wants_too_and_leaves_it_when_it_goes() {
    let mut looks = Looks::new();
    looks.install("second", "events = [\"same\"]");
    looks.look_twice();
    looks.install("first", "events = [\"same\", \"own\"]");
    looks.look_twice();
    assert_eq!(looks.server("same").as_deref(), Some("second"));
    assert_eq!(looks.server("own").as_deref(), Some("first"));
    assert_eq!(looks.follower.conflicts.len(), 1);
    looks.install("second", "events = [\"same\", \"more\"]");
    looks.look_twice();
    assert_eq!(looks.server("more").as_deref(), Some("second"));
    assert_eq!(looks.server("same").as_deref(), Some("second"), "a new version has what the one before had");
    fs::remove_dir_all(looks.dir.path().join("second")).unwrap();
    looks.look_twice();
    assert_eq!(looks.server("same").as_deref(), Some("first"));
    assert!(looks.follower.conflicts.is_empty());
}

#[test]
fn the_same_bytes_under_another_stamp_are_no_new_version() {
    let mut looks = Looks::new();
    looks.install("one", "events = [\"a\"]");
    looks.look_twice();
    let before = looks.registry.route("a").unwrap();
    looks.install("one", "events = [\"a\"]");
    looks.look_twice();
    assert!(Arc::ptr_eq(&before, &looks.registry.route("a").unwrap()));
}

#[test]
fn what_cannot_be_looked_at_serves_on() {
    let mut looks = Looks::new();
    looks.install("one", "events = [\"a\"]");
    looks.look_twice();
    for _ in 0..5 {
        let error = io::Error::from(io::ErrorKind::TimedOut);
        looks.follower.apply(BTreeMap::from([(looks.dir.path().join("one"), Err(error))]), false);
    }
    assert_eq!(looks.server("a").as_deref(), Some("one"));
}

/// Else a newcomer's folder would only have to be found first after a restart.
#[test]
fn what_several_want_at_the_start_is_whose_it_is_by_a_rule_or_nobodys() {
    let same = "events = [\"same\"]";
    let start = |rules: &[&str]| {
        let mut looks = Looks::granting(Grants::new(rules.iter().map(|rule| rule.parse().unwrap()).collect()));
        looks.install("a-new", same);
        looks.install("victim", same);
        looks.follower.apply(folder::scan(looks.dir.path()).unwrap(), true);
        looks
    };
    let looks = start(&["* events=*"]);
    assert_eq!((looks.server("same"), looks.follower.conflicts.len()), (None, 1));
    let told = looks.follower.conflicts[0].to_string();
    assert!(told.contains("a-new, victim all want the event type \"same\""), "{told}");
    let mut looks = start(&["victim events=same"]);
    assert_eq!(looks.server("same").as_deref(), Some("victim"));
    assert_eq!(looks.follower.conflicts.len(), 1);
    // Who has it keeps it, also against one that has a rule by then: nothing is taken from what serves.
    fs::remove_dir_all(looks.dir.path().join("victim")).unwrap();
    looks.look_twice();
    assert_eq!(looks.server("same").as_deref(), Some("a-new"));
    assert_eq!(start(&["victim events=same", "a-new events=same"]).server("same"), None);
}
