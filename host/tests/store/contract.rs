//! What a store promises, whichever it is.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_host::artifact::Artifact;
use tidemill_host::store::{Action, Look, Release, ReleaseNumber, Report, Served, Store, StoreError};
use tokio::task::JoinSet;

pub(crate) fn artifact(text: &str) -> Artifact {
    Artifact { manifest: format!("events = [\"{text}\"]\n").into_bytes(), wasm: format!("\0asm {text}").into_bytes() }
}

/// A release in which this artifact serves as the handler `one`.
pub(crate) fn release(by: &str, artifact: &Artifact) -> Release {
    let served = Served { artifact: artifact.digest(), canary: None };
    Release {
        number: ReleaseNumber(0),
        previous: None,
        action: Action::Deploy,
        at: "2026-01-01T00:00:00Z".into(),
        by: by.into(),
        why: String::new(),
        handlers: BTreeMap::from([("one".to_owned(), served)]),
    }
}

/// All that is promised, of a store that is empty.
pub(crate) async fn keeps(store: &Store) {
    keeps_where_each_makes(4, store).await;
}

/// The same, with so many releases of each writer: for a store whose writers wait.
pub(crate) async fn keeps_where_each_makes(releases: usize, store: &Store) {
    an_artifact_comes_back_as_it_was(store).await;
    releases_follow_one_another(store).await;
    of_two_writers_who_saw_the_same_one_wins(store).await;
    many_writers_lose_no_release(releases, store).await;
    reports_are_of_each_host(store).await;
}

async fn an_artifact_comes_back_as_it_was(store: &Store) {
    let first = artifact("a");
    assert!(matches!(store.artifact(first.digest()).await, Err(StoreError::NoArtifact { .. })));
    assert!(store.put_artifact(&first).await.unwrap());
    assert!(!store.put_artifact(&first).await.unwrap(), "the same again is nothing new");
    assert_eq!(store.artifact(first.digest()).await.unwrap(), first);
    assert_eq!(store.manifest(first.digest()).await.unwrap(), first.manifest);
    assert!(matches!(store.manifest(artifact("b").digest()).await, Err(StoreError::NoArtifact { .. })));
}

async fn releases_follow_one_another(store: &Store) {
    assert!(matches!(store.look(None).await.unwrap(), Look::Empty));
    let first = store.make_live(None, release("ada", &artifact("a"))).await.unwrap();
    assert_eq!((first.number, first.previous), (ReleaseNumber(1), None));
    let Look::Live(live) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    assert_eq!(live.release, first.number);
    assert!(matches!(store.look(Some(&live)).await.unwrap(), Look::Same));
    let second = store.make_live(Some(&live), release("bob", &artifact("b"))).await.unwrap();
    assert_eq!((second.number, second.previous), (ReleaseNumber(2), Some(first.number)));
    let Look::Live(live) = store.look(Some(&live)).await.unwrap() else { panic!("what is new is not seen") };
    assert_eq!(store.release(live.release).await.unwrap(), second);
    let listed = store.releases(10).await.unwrap().into_iter();
    assert_eq!(listed.map(|(_, release)| release.unwrap()).collect::<Vec<_>>(), [second, first]);
    assert!(matches!(store.release(ReleaseNumber(99)).await, Err(StoreError::NoRelease { .. })));
}

async fn of_two_writers_who_saw_the_same_one_wins(store: &Store) {
    let Look::Live(seen) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    let won = store.make_live(Some(&seen), release("ada", &artifact("a"))).await.unwrap();
    let lost = store.make_live(Some(&seen), release("bob", &artifact("b"))).await.unwrap_err();
    assert!(matches!(lost, StoreError::Overtaken { live: Some(number), .. } if number == won.number), "{lost}");
    // Nor does one who saw an empty store.
    let lost = store.make_live(None, release("bob", &artifact("b"))).await.unwrap_err();
    assert!(matches!(lost, StoreError::Overtaken { .. }), "{lost}");
    let Look::Live(live) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    assert_eq!(live.release, won.number);
}

/// Each release that its writer was told is live is one of those that what is live now goes back to.
async fn many_writers_lose_no_release(each: usize, store: &Store) {
    const WRITERS: usize = 6;
    let mut writing = JoinSet::new();
    for writer in 0..WRITERS {
        let store = store.clone();
        writing.spawn(async move {
            let mut made = Vec::new();
            while made.len() < each {
                let Look::Live(seen) = store.look(None).await.unwrap() else { panic!("nothing is live") };
                match store.make_live(Some(&seen), release(&writer.to_string(), &artifact("a"))).await {
                    Ok(release) => made.push(release.number),
                    Err(StoreError::Overtaken { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            made
        });
    }
    let made: BTreeSet<_> = writing.join_all().await.into_iter().flatten().collect();
    assert_eq!(made.len(), WRITERS * each, "two were given one number");
    let Look::Live(live) = store.look(None).await.unwrap() else { panic!("nothing is live") };
    let mut chain = BTreeSet::new();
    let mut number = Some(live.release);
    while let Some(at) = number {
        chain.insert(at);
        number = store.release(at).await.unwrap().previous;
    }
    assert!(made.is_subset(&chain), "lost: {:?}", made.difference(&chain));
}

async fn reports_are_of_each_host(store: &Store) {
    let report = |host: &str, release| Report {
        host: host.to_owned(),
        release: Some(ReleaseNumber(release)),
        wanted: Some(ReleaseNumber(2)),
        problem: None,
        handlers: BTreeMap::from([("one".to_owned(), artifact("a").digest())]),
        dropped: BTreeMap::new(),
        engine: None,
        at: 1_800_000_000,
        every: 10,
    };
    assert_eq!(store.reports().await.unwrap(), []);
    for (host, release) in [("b", 1), ("a", 1), ("a", 2)] {
        store.put_report(&report(host, release)).await.unwrap();
    }
    // When they were made is the store's to say, where it does.
    let read = async || {
        let reports = store.reports().await.unwrap().into_iter();
        reports.map(|read| Report { at: report("", 1).at, ..read }).collect::<Vec<_>>()
    };
    assert_eq!(read().await, [report("a", 2), report("b", 1)]);
    store.remove_report("a").await.unwrap();
    store.remove_report("a").await.unwrap();
    assert_eq!(read().await, [report("b", 1)]);
}
