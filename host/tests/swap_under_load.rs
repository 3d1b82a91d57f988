//! Fifty swaps while events flow: none fails, none is lost, and each is answered by a version that was live when it began.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use common::{TestHost, client, send, signed, version, wasm};
use hyper::{Method, StatusCode};
use tidemill_host::registry::Artifact;
use tidemill_test_artifacts::EMPTY;

const SWAPS: u32 = 50;
const SENDERS: usize = 8;
const MANIFEST: &str = "events = [\"load\"]\n";

/// One event's answer.
struct Answered {
    began: Instant,
    ended: Instant,
    status: StatusCode,
    handler: String,
}

/// When a version can first have been live, and when it was first seen to be.
struct Life {
    installed: Instant,
    seen: Instant,
}

#[tokio::test(flavor = "multi_thread")]
async fn swaps_under_load_fail_and_lose_nothing() {
    let empty = wasm(EMPTY);
    let versions: Vec<_> = (0..=SWAPS).map(|number| version(&empty, number)).collect();
    let names: Vec<_> =
        versions.iter().map(|wasm| Artifact { manifest: MANIFEST.into(), wasm: wasm.clone() }.digest()).collect();
    let host = Arc::new(TestHost::start(&[("load", MANIFEST, &versions[0])]).await);
    let begun = Instant::now();
    let mut lives = vec![Life { installed: begun, seen: begun }];

    let stop = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..SENDERS).map(|_| tokio::spawn(sender(Arc::clone(&host), Arc::clone(&stop)))).collect();
    for (wasm, digest) in versions.iter().zip(&names).skip(1) {
        let installed = Instant::now();
        host.install("load", MANIFEST, wasm);
        host.until("live", |_| host.live("load").unwrap().digest == *digest).await;
        lives.push(Life { installed, seen: Instant::now() });
    }
    stop.store(true, Ordering::Relaxed);
    let mut answers = Vec::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    let seconds = begun.elapsed().as_secs_f64();

    let index: HashMap<_, _> = names.iter().enumerate().map(|(i, digest)| (format!("load@{digest}"), i)).collect();
    let mut answered = vec![0_usize; names.len()];
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let version = index[&answer.handler];
        answered[version] += 1;
        assert!(answer.ended >= lives[version].installed, "version {version} answered before it was installed");
        if let Some(next) = lives.get(version + 1) {
            assert!(
                answer.began <= next.seen,
                "version {version} answered an event that began after the next was live"
            );
        }
    }
    let rate = answers.len() as f64 / seconds;
    println!("{} events in {seconds:.1} s ({rate:.0}/s) over {SWAPS} swaps, 0 failed, 0 lost", answers.len());
    let served = answered.iter().filter(|count| **count > 0).count();
    assert_eq!(served, names.len(), "each version answers some: {answered:?}");
}

/// Sends one event after the other until told to stop. An error of the connection would be a lost event: it panics.
async fn sender(host: Arc<TestHost>, stop: Arc<AtomicBool>) -> Vec<Answered> {
    let client = client(false);
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let body = signed("load", b"{}").encode();
        let began = Instant::now();
        let answer = send(&client, host.address, Method::POST, "/events", body).await.unwrap();
        let handler = answer.headers["tidemill-handler"].to_str().unwrap().to_owned();
        answers.push(Answered { began, ended: Instant::now(), status: answer.status, handler });
    }
    answers
}
