//! What one event costs, in a fresh instance and in one that is used again: `cargo bench --package tidemill-host`.
//!
//! Each figure is the time of one invocation, from the verified event to its outcome, over many runs on one thread.
//! Ratios between the rows hold on any machine; the times themselves are this machine's.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tidemill_events::{Delivery, Envelope, Event, Key, KeyRing, Received, Scheme, Sender, Signer, Verifier};
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::publishing::Cause;
use tidemill_host::runtime::{
    Component, Ending, Grant, Line, OutputSink, Reuse, Runtime, RuntimeConfig, Surroundings, ThisMachine,
};
use tidemill_test_artifacts::{EMPTY, PUBLISH, USER_NAME_CHANGED};

const RUNS: usize = 20_000;
const WARM_UP: usize = 2_000;
const DATA: &[u8] = br#"{"Name":"a name that makes the body eighty bytes long, as in the engine's figures"}"#;
const NOTHING: &[u8] = br#"{"publish":[{"type":"mail.sent","data":{"to":"ada@example.com"},"times":0}]}"#;
const TEN: &[u8] = br#"{"publish":[{"type":"mail.sent","data":{"to":"ada@example.com"},"times":10}]}"#;

/// Takes lines and drops them, as a log that nobody reads.
struct Nowhere;

impl OutputSink for Nowhere {
    fn line(&self, _: Line) {}
}

fn main() {
    let runtime =
        Runtime::new(&RuntimeConfig { max_instances: 256, max_memory: 256 << 20, outgoing: outgoing() }).unwrap();
    println!("allocation: {:?}; {RUNS} runs, one thread", runtime.allocation());
    println!("{:<44} {:>9} {:>9} {:>9}", "", "p50 µs", "p99 µs", "mean µs");
    let grant = Grant::default();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, path) in
        [("fresh instance, empty handler", EMPTY), ("fresh instance, JSON and one log line", USER_NAME_CHANGED)]
    {
        let component = runtime.load(&std::fs::read(path).unwrap(), &grant).unwrap();
        report(name, &executor.block_on(invoke(&component, &grant, DATA)));
    }
    let reuse = Some(Reuse { events: u32::MAX, max_age: Duration::MAX });
    let grant = Grant { reuse, ..Grant::default() };
    for (name, path) in
        [("used instance, empty handler", EMPTY), ("used instance, JSON and one log line", USER_NAME_CHANGED)]
    {
        let component = runtime.load(&std::fs::read(path).unwrap(), &grant).unwrap();
        report(name, &executor.block_on(invoke(&component, &grant, DATA)));
    }
    let grant = Grant { publish: vec!["mail.sent".to_owned()], ..Grant::default() };
    let component = runtime.load(&std::fs::read(PUBLISH).unwrap(), &grant).unwrap();
    for (name, data) in [("fresh instance, nothing published", NOTHING), ("the same, ten events published", TEN)] {
        report(name, &executor.block_on(invoke(&component, &grant, data)));
    }
    report("decode and verify, without an engine", &decode_and_verify());
}

fn outgoing() -> Outgoing {
    Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap()
}

async fn invoke(component: &Component, grant: &Grant, data: &[u8]) -> Vec<Duration> {
    let surroundings = Surroundings { sink: Arc::new(Nowhere), machine: Arc::new(ThisMachine::new(|| UNIX_EPOCH)) };
    let received = Received::unverified(Event { data: data.to_vec(), ..event() }, delivery());
    let mut times = Vec::with_capacity(RUNS);
    for run in 0..WARM_UP + RUNS {
        let start = Instant::now();
        let cause = (!grant.publish.is_empty()).then(|| Cause::of(&received, "bench", None, 1000));
        let ran = component.invoke(&received, cause, grant, Duration::from_secs(5), &surroundings).await;
        let elapsed = start.elapsed();
        assert_eq!(ran.ending, Ending::Done);
        if run >= WARM_UP {
            times.push(elapsed);
        }
    }
    times
}

fn decode_and_verify() -> Vec<Duration> {
    let key: Key = "k1=s3cret".parse().unwrap();
    let message = Signer::new(key.clone()).sign(&event()).into_message();
    let body = Envelope { message, delivery: delivery() }.encode();
    let (keys, verifier) = (KeyRing::from(key), Verifier::new(vec![Scheme::V2]));
    (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            let envelope = Envelope::decode(&body).unwrap();
            std::hint::black_box(verifier.verify(&keys, envelope, Sender::Stranger, UNIX_EPOCH).unwrap());
            start.elapsed()
        })
        .collect()
}

fn event() -> Event {
    Event {
        id: "01a20bb7-3cbe-75f5-bc2e-8660cf6e3f6e".into(),
        event_type: "user.name.changed".into(),
        time: UNIX_EPOCH,
        content_type: Some("application/json".into()),
        ordering_key: None,
        attributes: Default::default(),
        data: DATA.to_vec(),
    }
}

fn delivery() -> Delivery {
    let subscription = "projects/p/subscriptions/s".into();
    let publish_time = Some(UNIX_EPOCH);
    Delivery { message_id: "1".into(), subscription, attempt: Some(1), publish_time, ..Delivery::default() }
}

fn report(name: &str, times: &[Duration]) {
    let mut times: Vec<_> = times.iter().map(Duration::as_secs_f64).collect();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize] * 1e6;
    let mean = times.iter().sum::<f64>() / times.len() as f64 * 1e6;
    println!("{name:<44} {:>9.1} {:>9.1} {mean:>9.1}", at(0.5), at(0.99));
}
