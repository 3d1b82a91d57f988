//! What a loaded handler costs in memory, and how soon a host that has it handles its first event.
//!
//! By hand, on a quiet machine: `cargo test --release --workspace --test releases -- --ignored --nocapture memory`.

use std::time::{Duration, Instant};

use tidemill_host::artifact::Artifact;
use tidemill_host::trust::SecretKey;
use tidemill_test_artifacts::{EMPTY, USER_NAME_CHANGED};

use crate::common::{version, wasm};
use crate::process::Process;
use crate::signed::key;
use crate::stand::Stand;
use crate::start::{compile, deploy};

/// Starts that are timed.
const STARTS: usize = 15;

/// Components of their own, each for an event type of its own.
fn many(path: &str, count: u32) -> Vec<(String, Artifact)> {
    let wasm = wasm(path);
    let one = |number| {
        let manifest = format!("events = [\"type-{number}\"]\n").into_bytes();
        (format!("handler-{number}"), Artifact { manifest, wasm: version(&wasm, number) })
    };
    (0..count).map(one).collect()
}

/// A store of so many handlers, compiled ahead of time.
async fn store(path: &str, count: u32, key: &SecretKey) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stand = Stand::at(folder.path().to_str().unwrap(), vec![]);
    let many = many(path, count);
    compile(&stand, &many, key).await;
    deploy(&stand, &many).await;
    folder
}

/// What of its memory is resident: all, what is its own, and what is of files or shared.
fn resident(host: &Process) -> String {
    ["VmRSS:", "RssAnon:", "RssFile:", "RssShmem:"]
        .map(|name| format!("{name} {}", host.told("status", name)))
        .join(", ")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine"]
async fn memory_of_many_handlers_that_were_compiled() {
    let key = key();
    let trusted = format!("a={}", key.public());
    let flags = ["--trusted-key", &trusted, "--grant", "* all"];
    for (what, path) in [("empty", EMPTY), ("parses JSON", USER_NAME_CHANGED)] {
        for count in [1, 100, 1000] {
            let folder = store(path, count, &key).await;
            let mut host = Process::start(folder.path(), &flags);
            let ready = host.ready().await;
            println!("{what}, {count} handlers: ready after {ready:?}: {}", resident(&host));
            for number in 0..count {
                // One that wants other data is run all the same.
                let answer = host.deliver(&format!("type-{number}")).await;
                assert!(answer.headers.contains_key("tidemill-handler"), "{answer:?}");
            }
            println!("{what}, {count} handlers: after an event of each: {}", resident(&host));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement, for a quiet machine"]
async fn memory_is_there_and_the_first_event_acknowledged_soon() {
    let key = key();
    let trusted = format!("a={}", key.public());
    let flags = ["--trusted-key", &trusted, "--grant", "* all"];
    for count in [1, 10, 100, 1000] {
        let folder = store(EMPTY, count, &key).await;
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let start = Instant::now();
            let mut host = Process::start(folder.path(), &flags);
            let answer = host.first("type-0").await;
            assert!(answer.status.is_success(), "{answer:?}");
            times.push(start.elapsed());
        }
        times.sort();
        let [shortest, middle, longest]: [Duration; 3] = [times[0], times[STARTS / 2], times[STARTS - 1]];
        println!("{count} handlers: from start to the first 204 {shortest:?}, {middle:?}, {longest:?}");
    }
}
