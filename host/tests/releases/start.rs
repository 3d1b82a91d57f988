//! How long a host takes to start with many handlers, and what compiling them costs the events that it serves meanwhile.
//!
//! By hand, on a quiet machine: `cargo test --release --workspace --test releases -- --ignored --nocapture start`.

use std::time::{Duration, Instant};

use tidemill_host::artifact::Artifact;
use tidemill_host::trust::{Envelope, SecretKey, Statement};
use tidemill_test_artifacts::{EMPTY, USER_NAME_CHANGED};

use crate::ahead::loader;
use crate::common::{version, wasm};
use crate::process::Process;
use crate::signed::key;
use crate::stand::{Stand, numbered};

const HANDLERS: u32 = 100;
const STARTS: usize = 11;

/// Components of their own, each for an event type of its own. They parse JSON and print a line.
fn many() -> Vec<(String, Artifact)> {
    let wasm = wasm(USER_NAME_CHANGED);
    let one = |number| {
        let manifest = format!("events = [\"type-{number}\"]\n").into_bytes();
        (format!("handler-{number}"), Artifact { manifest, wasm: version(&wasm, number) })
    };
    (0..HANDLERS).map(one).collect()
}

pub(crate) async fn deploy(stand: &Stand, handlers: &[(String, Artifact)]) {
    let handlers: Vec<_> = handlers.iter().map(|(name, artifact)| (name.as_str(), artifact)).collect();
    stand.deploy(&handlers).await;
}

/// Signs what the hosts' engine makes of each, and puts both beside it. They are all of one program: their code is equal,
/// and each host loads it as many times as there are handlers.
pub(crate) async fn compile(stand: &Stand, handlers: &[(String, Artifact)], key: &SecretKey) {
    let loader = loader();
    let engine = loader.runtime.id();
    let Some((name, artifact)) = handlers.first() else { return };
    let made = tokio::task::block_in_place(|| artifact.load(&loader.runtime, name, &loader.terms)).unwrap();
    let code = made.component.native_code().unwrap();
    for (name, artifact) in handlers {
        let statement = Statement::of(name, artifact).with_code(engine.clone(), &code);
        stand.store.put_artifact(artifact).await.unwrap();
        stand.store.put_code(artifact.digest(), engine, code.clone()).await.unwrap();
        stand.store.put_signature(artifact.digest(), &Envelope::sign(&statement, key).unwrap()).await.unwrap();
    }
}

/// From the start of the process to its first answer that it is ready: the shortest, the middle and the longest.
async fn starts(stand: &std::path::Path, flags: &[&str], count: usize) -> [Duration; 3] {
    let mut times = Vec::new();
    for _ in 0..count {
        let mut host = Process::start(stand, flags);
        times.push(host.ready().await);
    }
    times.sort();
    [times[0], times[times.len() / 2], times[times.len() - 1]]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine"]
async fn a_hundred_handlers_that_were_compiled_start_as_fast_as_none() {
    let (key, many) = (key(), many());
    let trusted = format!("a={}", key.public());
    let flags = ["--trusted-key", &trusted, "--grant", "* all"];
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [none, ahead, compiled] = &folders;
    let stand = |folder: &tempfile::TempDir| Stand::at(folder.path().to_str().unwrap(), vec![]);
    deploy(&stand(none), &[]).await;
    compile(&stand(ahead), &many, &key).await;
    deploy(&stand(ahead), &many).await;
    deploy(&stand(compiled), &many).await;
    let allow = [&flags[..], &["--unsigned-artifacts", "allow"]].concat();
    for (what, folder, flags, count) in [
        ("no handler", none, &flags[..], STARTS),
        ("100 handlers, compiled ahead of time", ahead, &flags, STARTS),
        ("100 handlers, compiled at the start", compiled, &allow, 3),
    ] {
        println!("{what}: from start to ready {:?}", starts(folder.path(), flags, count).await);
    }
}

/// Time of each event, sent one after the other at a steady rate, until `done` says so.
async fn latencies(host: &Process, done: impl Fn() -> bool) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut pace = tokio::time::interval(Duration::from_millis(2));
    while !done() {
        pace.tick().await;
        let start = Instant::now();
        assert!(host.deliver("load").await.status.is_success());
        times.push(start.elapsed());
    }
    times.sort();
    times
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine"]
async fn compiling_a_hundred_handlers_leaves_the_events_their_pace() {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let load = ("load".to_owned(), numbered("events = [\"load\"]\n", &wasm(EMPTY), 0));
    deploy(&stand, std::slice::from_ref(&load)).await;
    let mut host = Process::start(folder.path(), &["--grant", "* all"]);
    host.ready().await;
    let begin = Instant::now();
    let quiet = latencies(&host, || begin.elapsed() > Duration::from_secs(10)).await;
    let all: Vec<_> = [vec![load], many()].concat();
    deploy(&stand, &all).await;
    let live = stand.live().await.unwrap().release;
    let (store, served) = (stand.store.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
    let watching = tokio::spawn({
        let served = std::sync::Arc::clone(&served);
        async move {
            while !store.reports().await.unwrap().iter().any(|report| report.release == Some(live)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            served.store(true, std::sync::atomic::Ordering::Relaxed);
        }
    });
    let begin = Instant::now();
    let busy = latencies(&host, || served.load(std::sync::atomic::Ordering::Relaxed)).await;
    watching.await.unwrap();
    let at = |times: &[Duration], share: f64| times[((times.len() - 1) as f64 * share) as usize];
    for (what, times) in [("quiet", &quiet), ("compiling", &busy)] {
        println!("{what}: {} events, p50 {:?}, p99 {:?}", times.len(), at(times, 0.5), at(times, 0.99));
    }
    let ratio = at(&busy, 0.99).as_secs_f64() / at(&quiet, 0.99).as_secs_f64();
    println!("100 handlers live after {:?}; p99 {ratio:.2} times the quiet one", begin.elapsed());
}
