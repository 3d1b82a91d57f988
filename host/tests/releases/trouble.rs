//! What goes wrong with a store, or with what is in it: each ends in the old release or in the new one, whole.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tidemill_host::artifact::Artifact;
use tidemill_host::registry::{Registry, ReleaseWatch, Releases};
use tidemill_test_artifacts::{EMPTY, WRONG_WORLD};

use crate::ahead::loader;
use crate::common::{TestHost, wasm};
use crate::servers::Bucket;
use crate::stand::{Stand, numbered, served_by};

const ONE: &str = "events = [\"one\"]\n";
const TWO: &str = "events = [\"two\"]\n";

fn one(number: usize) -> Artifact {
    numbered(ONE, &wasm(EMPTY), number)
}

async fn serves(host: &TestHost, artifact: &Artifact) {
    assert_eq!(served_by(&host.deliver("one", "{}").await), artifact.digest());
}

/// The host says why it serves another release than what is live, and serves `artifact`.
async fn lags(stand: &Stand, host: &TestHost, says: &str, artifact: &Artifact) {
    let problem = |problem: &Option<String>| problem.as_ref().is_some_and(|problem| problem.contains(says));
    stand.until(says, |reports| reports.iter().any(|report| problem(&report.problem))).await;
    serves(host, artifact).await;
    assert_eq!(host.deliver("two", "{}").await.code(), "unknown-event-type", "a part of it is served");
}

fn folder() -> (tempfile::TempDir, Stand) {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    (folder, stand)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_can_not_be_served_whole_is_not_served_at_all() {
    let (_folder, stand) = folder();
    stand.deploy(&[("one", &one(1))]).await;
    let host = stand.host().await;
    let empty = wasm(EMPTY);
    let two = numbered(TWO, &empty, 1);
    for (bad, says) in [
        (Artifact { manifest: ONE.into(), wasm: wasm(WRONG_WORLD) }, "doesn't export"),
        (Artifact { manifest: ONE.into(), wasm: b"\0asm".to_vec() }, "not a WebAssembly component"),
        (Artifact { manifest: b"events = []\n".to_vec(), wasm: empty.clone() }, "field `events`"),
        (
            Artifact { manifest: format!("name = \"other\"\n{ONE}").into(), wasm: empty.clone() },
            "field `name`: it says \"other\"",
        ),
        (numbered(TWO, &empty, 2), "one, two all want the event type \"two\""),
    ] {
        stand.deploy(&[("one", &bad), ("two", &two)]).await;
        lags(&stand, &host, says, &one(1)).await;
    }
    let good = stand.deploy(&[("one", &one(2)), ("two", &two)]).await;
    stand.until_served(1, good).await;
    serves(&host, &one(2)).await;
    assert_eq!(served_by(&host.deliver("two", "{}").await), two.digest());
}

/// Each is mended in the end, and served then without a further release.
#[tokio::test(flavor = "multi_thread")]
async fn an_artifact_that_was_tampered_with_is_not_served_until_it_is_mended() {
    let (folder, stand) = folder();
    stand.deploy(&[("one", &one(1))]).await;
    let host = stand.host().await;
    let two = numbered(TWO, &wasm(EMPTY), 1);
    let place =
        |artifact: &Artifact, file: &str| folder.path().join("artifacts").join(artifact.digest().hex()).join(file);
    let mut serving = one(1);
    for (number, spoil) in [cut as fn(&Path), flip, remove].into_iter().enumerate() {
        let next = one(number + 2);
        for artifact in [&next, &two] {
            stand.store.put_artifact(artifact).await.unwrap();
        }
        let file = place(&next, "handler.wasm");
        spoil(&file);
        let served = |artifact: &Artifact| tidemill_host::store::Served { artifact: artifact.digest(), canary: None };
        let handlers = [("one".to_owned(), served(&next)), ("two".to_owned(), served(&two))];
        let live = stand.make_live(handlers.into()).await;
        lags(&stand, &host, &next.digest().hex(), &serving).await;
        fs::write(&file, &next.wasm).unwrap();
        stand.until_served(1, live).await;
        serves(&host, &next).await;
        let alone = stand.deploy(&[("one", &next)]).await;
        stand.until_served(1, alone).await;
        serving = next;
    }
}

fn cut(file: &Path) {
    let bytes = fs::read(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

fn flip(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

fn remove(file: &Path) {
    fs::remove_file(file).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pointer_that_was_written_by_hand_points_to_a_whole_release_or_to_none() {
    let (folder, stand) = folder();
    let first = stand.deploy(&[("one", &one(1))]).await;
    let second = stand.deploy(&[("one", &one(2))]).await;
    let host = stand.host().await;
    stand.until_served(1, second).await;
    let pointer = folder.path().join("live.json");
    for (text, says) in [("", "EOF"), ("{\"release\": \"2\"}", "invalid type"), ("{\"release\": 99}", "no release 99")]
    {
        fs::write(&pointer, text).unwrap();
        lags(&stand, &host, says, &one(2)).await;
    }
    fs::remove_file(&pointer).unwrap();
    lags(&stand, &host, "nothing was ever made live", &one(2)).await;
    fs::write(&pointer, "{\"release\": 1}").unwrap();
    stand.until_served(1, first).await;
    serves(&host, &one(1)).await;
}

/// Why a release isn't served is said again once the store is back, though nothing of the release has changed.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_away_leaves_the_reason_before_it_standing() {
    let (folder, stand) = folder();
    stand.deploy(&[("one", &one(1))]).await;
    let host = stand.host().await;
    let bad = Artifact { manifest: ONE.into(), wasm: wasm(WRONG_WORLD) };
    stand.deploy(&[("one", &bad)]).await;
    lags(&stand, &host, "doesn't export", &one(1)).await;
    let (pointer, hidden) = (folder.path().join("live.json"), folder.path().join("hidden.json"));
    fs::rename(&pointer, &hidden).unwrap();
    lags(&stand, &host, "nothing was ever made live", &one(1)).await;
    fs::rename(&hidden, &pointer).unwrap();
    lags(&stand, &host, "doesn't export", &one(1)).await;
}

/// One host's report that can't be read hides no other's.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_is_too_long_is_left_out() {
    let (folder, stand) = folder();
    let number = stand.deploy(&[("one", &one(1))]).await;
    let _host = stand.host().await;
    fs::write(folder.path().join("hosts/big.json"), vec![b' '; 2 << 20]).unwrap();
    stand.until_served(1, number).await;
}

/// The store goes away under a host, and is away when others start.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_a_host_goes_on_and_a_new_one_starts_from_what_was_kept() {
    let Some(bucket) = Bucket::s3().await else { return };
    let kept = tempfile::tempdir().unwrap();
    let stand = Stand::at("s3://bucket", bucket.variables());
    let number = stand.deploy(&[("one", &one(1))]).await;
    let cached = stand.cached(kept.path().to_owned());
    let host = cached.host().await;
    stand.until_served(1, number).await;
    serves(&host, &one(1)).await;
    drop(bucket);
    serves(&host, &one(1)).await;
    let again = cached.host().await;
    serves(&again, &one(1)).await;
    let bare = stand.host().await;
    assert_eq!(bare.deliver("one", "{}").await.code(), "unknown-event-type");
}

/// A host whose clock stands at the epoch takes every release up, and is seen to: by the store's clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_clock_is_behind_follows_as_any_other() {
    let (_folder, stand) = folder();
    let registry = Arc::new(Registry::default());
    let (store, host) = (stand.store.clone(), "behind".to_owned());
    let poll = Duration::from_millis(20);
    let releases = Releases { store, cache: None, loader: loader(), poll, host, clock: || UNIX_EPOCH };
    stand.deploy(&[("one", &one(1))]).await;
    let watch = ReleaseWatch::start(releases, Arc::clone(&registry)).await.unwrap();
    assert_eq!(registry.route("one").unwrap().digest, one(1).digest());
    let second = stand.deploy(&[("one", &one(2))]).await;
    stand.until_served(1, second).await;
    assert_eq!(registry.route("one").unwrap().digest, one(2).digest());
    let [report] = stand.store.reports().await.unwrap().try_into().unwrap();
    assert!(report.at > 1_700_000_000, "it counts as gone: {report:?}");
    watch.stop().await;
}
