//! Components that nobody would write, made by wasm-smith: whatever they are, the host loads or refuses them, and what it
//! has loaded it runs to an end. It never panics or hangs, and every slot serves afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../zoo/component.rs"]
#[expect(dead_code, reason = "the zoo itself has the others")]
mod component;
#[path = "../zoo/hoard.rs"]
mod hoard;
mod wrapped;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use hoard::{fill_all_slots, resident};
use tidemill_events::Received;
use tidemill_host::outcome::Outcome;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{Captured, Component, Grant, Limits, LoadError, Runtime, RuntimeConfig};
use tidemill_test_artifacts::RANDOM_GUESTS;

/// Slots for instances. The pool has one more than it is asked for.
const SLOTS: u32 = 3;
/// Seeds beyond all that a longer run gets to.
const FIRST: u64 = 1 << 32;
/// How long a random handler may take: some compute forever.
const BRIEF: Duration = Duration::from_millis(50);
/// What no single load and run takes, however slow the machine. The trial of a start function takes five seconds.
const HANGS: Duration = Duration::from_secs(120);

/// So many of a kind, from the seed `first` on.
fn made(kind: &str, first: u64, count: usize, shape: &[u8]) -> Vec<Vec<u8>> {
    let mut maker = Command::new(RANDOM_GUESTS);
    maker.args([kind, &first.to_string(), &count.to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut maker = maker.spawn().unwrap();
    maker.stdin.take().unwrap().write_all(shape).unwrap();
    let output = maker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    let (mut rest, mut made) = (output.stdout.as_slice(), Vec::new());
    while let Some((length, bytes)) = rest.split_first_chunk() {
        let (wasm, after) = bytes.split_at(u32::from_le_bytes(*length) as usize);
        made.push(wasm.to_vec());
        rest = after;
    }
    assert_eq!(made.len(), count);
    made
}

/// The same bytes but for one in their latter half, where what is random is. Which one, the number says.
fn damaged(wasm: &[u8], number: u64) -> Vec<u8> {
    let mut damaged = wasm.to_vec();
    let random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let half = damaged.len() / 2;
    damaged[half + (random >> 32) as usize % half] ^= (random >> 8) as u8 | 1;
    damaged
}

/// What became of them, counted.
#[derive(Debug, Default)]
struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    fn count(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    fn of(&self, what: &str) -> usize {
        self.0.get(what).copied().unwrap_or_default()
    }

    fn all(&self) -> usize {
        self.0.values().sum()
    }
}

fn refusal(error: &LoadError) -> &'static str {
    match error {
        LoadError::Compile(_) => "not compiled",
        LoadError::Native(_) => "no code",
        LoadError::CoreModule => "a core module",
        LoadError::NotAHandler { .. } => "no handler",
        LoadError::Newer { .. } | LoadError::Older { .. } => "another interface",
        LoadError::Interface(_) => "not instantiated",
        LoadError::Memory { .. } => "too much memory",
        LoadError::TableEntries { .. } => "too many table entries",
        LoadError::Start(_) => "endless start",
        LoadError::Import { .. } => "wrong imports",
    }
}

/// A host's runtime, and an executor for what runs.
struct Bench {
    runtime: Runtime,
    executor: tokio::runtime::Runtime,
    grant: Grant,
}

impl Bench {
    fn new() -> Self {
        let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
        let config = RuntimeConfig { max_instances: SLOTS - 1, max_memory: 64 << 20, outgoing };
        let limits = Limits { memory: 16 << 20, host_calls: 10_000, ..Limits::default() };
        Self {
            runtime: Runtime::new(&config).unwrap(),
            executor: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            grant: Grant { limits, ..Grant::default() },
        }
    }

    fn run(&self, component: &Component, deadline: Duration) -> &'static str {
        let received = Received::unverified(common::event("random", b"{\"Name\":\"Ada\"}"), common::delivery());
        let surroundings = common::surroundings(Arc::new(Captured::default()));
        let run = component.invoke(&received, None, &self.grant, deadline, &surroundings);
        Outcome::Ran(self.executor.block_on(run).ending).answer().code
    }

    /// Loads it, and runs it where it can be loaded.
    fn try_out(&self, wasm: &[u8], loads: &mut Tally, ends: &mut Tally) {
        match self.runtime.load(wasm, &self.grant) {
            Ok(component) => {
                loads.count("loaded");
                ends.count(self.run(&component, BRIEF));
            }
            Err(error) => loads.count(refusal(&error)),
        }
    }

    /// Each slot is there, and holds nothing.
    fn assert_all_slots_serve(&self) {
        fill_all_slots(&self.runtime, &self.executor, SLOTS);
        let witness = self.runtime.load(&component::witness(), &self.grant).unwrap();
        for _ in 0..SLOTS {
            assert_eq!(self.run(&witness, HANGS), "done");
        }
    }
}

/// What becomes of so many modules as handlers, of each of them damaged, and of so many components.
fn try_out(bench: &Bench, first: u64, count: usize, tallies: &mut Tallies, alive: &mpsc::Sender<u64>) {
    let Tallies { handlers, damaged: broken, components, ends } = tallies;
    let seeds = || first..;
    for (seed, module) in seeds().zip(made("module", first, count, &wrapped::shape())) {
        let handler = wrapped::handler(&module);
        bench.try_out(&handler, handlers, ends);
        bench.try_out(&damaged(&handler, seed), broken, ends);
        alive.send(seed).unwrap();
    }
    for (seed, component) in seeds().zip(made("component", first, count, &[])) {
        bench.try_out(&component, components, ends);
        alive.send(seed).unwrap();
    }
}

/// How the loads went, of each kind, and how the events ended of all that were loaded.
#[derive(Debug, Default)]
struct Tallies {
    handlers: Tally,
    damaged: Tally,
    components: Tally,
    ends: Tally,
}

/// Runs this on a thread of its own, and fails with the last seed where it falls silent.
fn watched<T: Send + 'static>(work: impl FnOnce(mpsc::Sender<u64>) -> T + Send + 'static) -> T {
    let (alive, signs) = mpsc::channel();
    let worker = std::thread::spawn(move || work(alive));
    let mut last = None;
    loop {
        match signs.recv_timeout(HANGS) {
            Ok(seed) => last = Some(seed),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs after the seed {last:?}"),
        }
    }
    worker.join().unwrap_or_else(|_| panic!("it panicked after the seed {last:?}"))
}

#[test]
fn whatever_comes_is_refused_or_runs_to_an_end() {
    const COUNT: usize = 150;
    let tallies = watched(|alive| {
        let (bench, mut tallies) = (Bench::new(), Tallies::default());
        try_out(&bench, FIRST, COUNT, &mut tallies, &alive);
        bench.assert_all_slots_serve();
        tallies
    });
    let Tallies { handlers, damaged, components, ends } = &tallies;
    assert_eq!([handlers, damaged, components].map(Tally::all), [COUNT; 3]);
    assert_eq!(handlers.of("loaded") + damaged.of("loaded"), ends.all(), "no random component is a handler");
    // Else nothing would have been tried.
    assert!(handlers.of("loaded") > COUNT / 2, "{tallies:#?}");
    assert!(["done", "trap", "deadline"].iter().all(|end| ends.of(end) > 0), "{tallies:#?}");
}

/// By hand: `cargo test --workspace --test random -- --ignored --nocapture`.
#[test]
#[ignore = "it takes ten minutes"]
fn so_does_whatever_comes_for_ten_minutes() {
    const ROUND: usize = 500;
    watched(|alive| {
        let (bench, mut tallies, start) = (Bench::new(), Tallies::default(), Instant::now());
        bench.assert_all_slots_serve();
        for first in (0..).step_by(ROUND) {
            try_out(&bench, first, ROUND, &mut tallies, &alive);
            bench.assert_all_slots_serve();
            println!("{} of each kind, {} KiB resident", first as usize + ROUND, resident());
            if start.elapsed() > Duration::from_secs(600) {
                break;
            }
        }
        println!("{tallies:#?}");
    });
}
