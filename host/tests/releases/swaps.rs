//! Releases while events flow at two hosts: none fails, none is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::{Method, StatusCode};
use tidemill_test_artifacts::EMPTY;

use crate::common::{TestHost, client, send, signed, wasm};
use crate::servers::Bucket;
use crate::stand::{Stand, numbered};

const ONE: &str = "events = [\"load\"]\n";
const SENDERS: usize = 2;

/// Sends one event after the other. An error of the connection would be a lost event: it panics.
async fn sender(host: Arc<TestHost>, stop: Arc<AtomicBool>) -> usize {
    let client = client(false);
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let body = signed("load", b"{}").encode();
        let answer = send(&client, host.address, Method::POST, "/events", body).await.unwrap();
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        sent += 1;
    }
    sent
}

async fn swap(releases: usize) {
    let Some(bucket) = Bucket::s3().await else { return };
    let stand = Stand::at("s3://bucket", bucket.variables());
    let empty = wasm(EMPTY);
    let first = stand.deploy(&[("load", &numbered(ONE, &empty, 0))]).await;
    let hosts = [Arc::new(stand.host().await), Arc::new(stand.host().await)];
    stand.until_served(2, first).await;
    let stop = Arc::new(AtomicBool::new(false));
    let senders = hosts.iter().flat_map(|host| std::iter::repeat_n(host, SENDERS));
    let senders: Vec<_> = senders.map(|host| tokio::spawn(sender(Arc::clone(host), Arc::clone(&stop)))).collect();
    let mut times = Vec::new();
    for number in 1..=releases {
        let artifact = numbered(ONE, &empty, number);
        let start = Instant::now();
        stand.deploy(&[("load", &artifact)]).await;
        let digest = artifact.digest();
        for host in &hosts {
            host.until("live", |_| host.live("load").is_some_and(|handler| handler.digest == digest)).await;
        }
        times.push(start.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = 0;
    for sender in senders {
        sent += sender.await.unwrap();
    }
    times.sort();
    let at = |share: f64| -> Duration { times[((times.len() - 1) as f64 * share) as usize] };
    println!(
        "{releases} releases, {sent} events, 0 failed; from deploy to live at both: p50 {:?}, p90 {:?}, p99 {:?}, longest {:?}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    assert!(sent > releases, "there was no load: {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn releases_under_load_fail_and_lose_nothing() {
    swap(25).await;
}

/// By hand: `cargo test --workspace --test releases -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "it takes minutes"]
async fn a_thousand_releases_under_load_fail_and_lose_nothing() {
    swap(1000).await;
}
