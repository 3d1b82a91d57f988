//! A release becomes live at every host, all its routes at once, and so does the one before, again.

use tidemill_test_artifacts::EMPTY;

use crate::common::{TestHost, log, wasm};
use crate::servers::Bucket;
use crate::stand::{Stand, numbered, served_by};

const ONE: &str = "events = [\"one\"]\n";
const TWO: &str = "events = [\"two\"]\n";

async fn both_serve(hosts: &[TestHost], event_type: &str, number: usize, manifest: &str) {
    let artifact = numbered(manifest, &wasm(EMPTY), number);
    for host in hosts {
        assert_eq!(served_by(&host.deliver(event_type, "{}").await), artifact.digest());
    }
}

async fn follows(stand: Stand) {
    let empty = wasm(EMPTY);
    let first = stand.deploy(&[("one", &numbered(ONE, &empty, 1))]).await;
    let hosts = [stand.host().await, stand.host().await];
    both_serve(&hosts, "one", 1, ONE).await;
    stand.until_served(2, first).await;
    let loaded = log::lines(|line| line["message"] == "handler loaded" && line["handler"] == "one");
    assert!(loaded.len() >= 2 && loaded.iter().all(|line| line["interface"] == "0.2"), "{loaded:?}");

    let second = stand.deploy(&[("one", &numbered(ONE, &empty, 2)), ("two", &numbered(TWO, &empty, 1))]).await;
    stand.until_served(2, second).await;
    both_serve(&hosts, "one", 2, ONE).await;
    both_serve(&hosts, "two", 1, TWO).await;

    // Back: a new release with the handlers of the first.
    let handlers = stand.store.release(first).await.unwrap().handlers;
    let third = stand.make_live(handlers).await;
    stand.until_served(2, third).await;
    both_serve(&hosts, "one", 1, ONE).await;
    for host in &hosts {
        assert_eq!(host.deliver("two", "{}").await.code(), "unknown-event-type");
    }

    // Who ends takes its report along.
    let [mut gone, _stays] = hosts;
    gone.begin_shutdown();
    gone.drained().await;
    stand.until("one host", |reports| reports.len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_follow_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    follows(Stand::at(folder.path().to_str().unwrap(), vec![])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_follow_a_bucket() {
    let Some(bucket) = Bucket::s3().await else { return };
    follows(Stand::at("s3://bucket/shop", bucket.variables())).await;
}

/// A host may be there before its first release.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_waits_for_its_first_release() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let host = stand.host().await;
    assert_eq!(host.deliver("one", "{}").await.code(), "unknown-event-type");
    let reports = stand.until("it waits", |reports| reports.len() == 1).await;
    assert!(reports[0].problem.as_ref().unwrap().contains("nothing was ever made live"), "{reports:?}");
    let number = stand.deploy(&[("one", &numbered(ONE, &wasm(EMPTY), 1))]).await;
    stand.until_served(1, number).await;
    both_serve(&[host], "one", 1, ONE).await;
}
