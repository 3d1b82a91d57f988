//! Clocks and random numbers are the host's to give: the same again has a guest do the same again.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::wasm;
use tidemill_events::Received;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{
    Captured, Component, Ending, Grant, Machine, OutputSink, Runtime, RuntimeConfig, Surroundings, ThisMachine,
};
use tidemill_test_artifacts::SCRIPTED;

/// A machine whose clocks move by one with each look, and whose random numbers count.
struct Clockwork {
    looks: AtomicU64,
    seed: u8,
}

impl Clockwork {
    fn next(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::Relaxed)
    }
}

impl Machine for Clockwork {
    fn wall_clock(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + self.next())
    }

    fn monotonic_clock(&self) -> Duration {
        Duration::from_secs(3600) + Duration::from_nanos(self.next())
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(self.seed);
    }
}

fn scripted() -> (Runtime, Component, Grant) {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 2, max_memory: 64 << 20, outgoing }).unwrap();
    let grant = Grant { http: vec!["http://127.0.0.1:9".parse().unwrap()], ..Grant::default() };
    let component = runtime.load(&wasm(SCRIPTED), &grant).unwrap();
    (runtime, component, grant)
}

async fn seen(component: &Component, grant: &Grant, machine: Arc<dyn Machine>) -> Vec<String> {
    let captured = Arc::new(Captured::default());
    let surroundings = Surroundings { sink: Arc::clone(&captured) as Arc<dyn OutputSink>, machine };
    let received = Received::unverified(common::event("script", br#"["machine", "machine"]"#), common::delivery());
    let ran = component.invoke(&received, None, grant, Duration::from_secs(10), &surroundings).await;
    assert_eq!(ran.ending, Ending::Done);
    captured.take().into_iter().map(|line| line.text).collect()
}

#[test]
fn the_same_machine_has_a_guest_see_the_same_again() {
    let (_runtime, component, grant) = scripted();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = |seed| {
        let machine = Arc::new(Clockwork { looks: AtomicU64::new(0), seed });
        executor.block_on(seen(&component, &grant, machine))
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first, run(8));
    // What it sees is the machine's: the year 2027, and a look at each clock between two looks at the other.
    assert!(first.iter().all(|line| line.starts_with("18000000") && line.contains(" 2 ")), "{first:?}");
}

#[test]
fn this_machine_is_another_each_time() {
    let (_runtime, component, grant) = scripted();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let run = || executor.block_on(seen(&component, &grant, Arc::new(ThisMachine::new(|| UNIX_EPOCH))));
    let (first, second) = (run(), run());
    assert!(first.iter().chain(&second).all(|line| line.starts_with("0 ")), "{first:?} {second:?}");
    assert_ne!(first, second);
}
