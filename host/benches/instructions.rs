//! The steps of an event's way, each taken so many times in a row, for `cargo xtask test --only instructions`: that runs this
//! under callgrind, which counts instructions, and holds the counts against the bounds in `bench/instructions.toml`.
//!
//! What lies between two calls of [`mark`] is one step's: callgrind writes what it has counted at each, and begins anew. After
//! each step, its name and how often it was taken are printed.
//!
//! Counts are for comparing them with themselves. Callgrind makes the process believe in one processor, a Haswell without SHA
//! instructions, whatever the machine has: so hashes are computed in software. What the kernel does isn't counted, such as to
//! map and clear memory. Instances have slots of a pool, and the same pool everywhere ([`Allocation::Pool`]), since the best one
//! is not on every kernel.
//!
//! By itself (`cargo bench`), this takes the steps and counts nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a benchmark fails by panicking"
)]

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tidemill_events::{
    Delivery, Envelope, Event, Key, KeyRing, Message, Received, Scheme, Schemes, Sender, Signer, Verified, Verifier,
};
use tidemill_host::bound::Bound;
use tidemill_host::config::{Grants, HandlerValues, InFlight, Quota, Terms, Unavailable, UnknownEventType};
use tidemill_host::dedup::MemoryStore;
use tidemill_host::dispatch::{Arrival, Dispatcher, GivingUp, Once};
use tidemill_host::metrics::Metrics;
use tidemill_host::outcome::Outcome;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::publishing::Publishing;
use tidemill_host::registry::{FolderWatch, Loader, Registry};
use tidemill_host::runtime::{Allocation, Ending, Line, OutputSink, Runtime, RuntimeConfig, Surroundings, ThisMachine};
use tidemill_host::trust::{CodeCache, Trust};
use tidemill_test_artifacts::{BENCH, BENCH_MANIFEST, EMPTY};

/// How often a step is taken before it is counted: what is made at the first use is made then.
const WARM_UP: usize = 50;
/// How often a step is counted.
const TIMES: usize = 1000;
/// The same of a step that takes a large body.
const TIMES_LARGE: usize = 20;

/// The data of small events: a user, in 100 bytes.
const USER: &[u8] =
    br#"{"id":"u-000000000001","email":"ada.000000000001@example.com","name":"Ada Lovelace, Countess"}      "#;
/// Bytes of data of a large event.
const LARGE: usize = 1 << 20;

/// Where all events come from. Its senders may leave the signature away, where a token vouches for them.
const SUBSCRIPTION: &str = "projects/tidemill-bench/subscriptions/events";

/// Handlers that are live: the two below, and as many as make a hundred of the fixture `bench`.
const HANDLERS: usize = 100;
/// The event type of the handler that does nothing.
const EMPTY_TYPE: &str = "test.empty";
/// The event type of a handler that does what the others do, in an instance that is used again.
const REUSING_TYPE: &str = "test.reusing";

/// Bounds that nothing here comes near. Each instance takes 8 GiB of address space, of which valgrind leaves a process some 60.
const IN_FLIGHT: InFlight = InFlight { events: 4, per_handler: 4, body_bytes: usize::MAX };
const MAX_MEMORY: usize = 16 << 20;

/// Has callgrind write what it has counted, and begin anew.
#[inline(never)]
fn mark() {
    // So that it is a function with something in it, and not one with another of the same code.
    black_box("mark");
}

/// Takes a step so many times, and says so. Each time it is given a number that is its own.
async fn counted(name: &str, times: usize, mut step: impl AsyncFnMut(usize)) {
    for number in 0..WARM_UP.min(times) {
        step(times + number).await;
    }
    mark();
    for number in 0..times {
        step(number).await;
    }
    mark();
    println!("{name} {times}");
}

/// Takes lines and drops them, as a log that nobody reads.
struct Nowhere;

impl OutputSink for Nowhere {
    fn line(&self, _: Line) {}
}

fn main() {
    // What is made there natively, compiled code, needs not be made again under callgrind, where it takes fifty times as long.
    // Cargo's own argument is no folder.
    let folder = std::env::args().nth(1).filter(|argument| !argument.starts_with("--")).map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder = folder.unwrap_or_else(|| temporary.path().to_owned());
    let registry = registry(&folder);
    // The steps are all on this one thread, of which the counts are.
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    executor.block_on(async {
        decode_and_verify().await;
        route(&registry).await;
        invoke(&registry).await;
        dispatch(registry).await;
    });
}

async fn decode_and_verify() {
    let (publisher, keys, verifier) = (Publisher::new(), KeyRing::from(key()), verifier());
    let small = publisher.body("test.bench.1", 1, USER.to_vec());
    counted("decode", TIMES, async |_| {
        black_box(Envelope::from_request([], black_box(&small)).unwrap());
    })
    .await;
    let receive = |body, sender| {
        let received = verifier.receive(&keys, [].into_iter(), body, sender, UNIX_EPOCH, String::new);
        black_box(received.unwrap());
    };
    counted("receive", TIMES, async |_| receive(Cow::Borrowed(black_box(&small)), Sender::Stranger)).await;
    // Hashing takes nearly all that there is to receive of a large event, and would hide a copy of it: hence one without.
    let large = publisher.body("test.bench.1", 1, large());
    let unsigned = Publisher::unsigned(1, self::large());
    for (name, body, sender) in
        [("receive-1MiB", large, Sender::Stranger), ("receive-1MiB-unsigned", unsigned, Sender::Vouched)]
    {
        let mut bodies = vec![body; 2 * TIMES_LARGE];
        counted(name, TIMES_LARGE, async |_| receive(Cow::Owned(bodies.pop().unwrap()), sender)).await;
    }
}

async fn route(registry: &Registry) {
    let types: Vec<_> = (0..HANDLERS - 2).map(event_type).collect();
    counted("route", TIMES, async |number| {
        let (picked, handlers) = registry.pick(&types[number % types.len()], "01a20ce4-05c0-7c3f-9d5e-000000000001");
        assert_eq!(black_box(picked.unwrap()).handler.events.len(), 1);
        assert_eq!(handlers, HANDLERS);
    })
    .await;
}

/// One invocation, from the verified event to its outcome, of a handler that does nothing, and of one that parses a user.
async fn invoke(registry: &Registry) {
    let surroundings = surroundings();
    let fresh = event_type(0);
    for (name, times, event_type, data) in [
        ("invoke-empty", TIMES, EMPTY_TYPE, USER.to_vec()),
        ("invoke-empty-1MiB", TIMES_LARGE, EMPTY_TYPE, large()),
        ("invoke", TIMES, &fresh, USER.to_vec()),
        ("invoke-reusing", TIMES, REUSING_TYPE, USER.to_vec()),
    ] {
        let handler = registry.route(event_type).unwrap();
        let received = Received::unverified(event(event_type, 1, data), Publisher::delivery(1));
        counted(name, times, async |_| {
            let ran = handler.component.invoke(&received, None, &handler.grant, handler.deadline, &surroundings).await;
            assert_eq!(ran.ending, Ending::Done);
        })
        .await;
    }
}

/// From the verified event to what its delivery is answered: a route, a place, its turn, the run, its end noted.
async fn dispatch(registry: Arc<Registry>) {
    let dispatcher = Dispatcher::new(
        registry,
        IN_FLIGHT,
        Once {
            store: Some(Arc::new(MemoryStore::new(100_000, Duration::from_secs(3600)))),
            unavailable: Unavailable::Nack,
        },
        GivingUp { letters: None, max_attempts: None, unknown_event_type: UnknownEventType::Nack },
        Publishing { publisher: None, max_chain: 8, max_descendants: 1000, clock: || UNIX_EPOCH },
        surroundings(),
        Metrics::default(),
    );
    let entries = Bound::new(IN_FLIGHT.events);
    let (publisher, keys, verifier) = (Publisher::new(), KeyRing::from(key()), verifier());
    let received = |number: usize| -> Option<Verified<Received>> {
        let body = publisher.body(&event_type(number % (HANDLERS - 2)), number, USER.to_vec());
        let body = Cow::Owned(body);
        Some(verifier.receive(&keys, [].into_iter(), body, Sender::Stranger, UNIX_EPOCH, String::new).unwrap())
    };
    let mut received: Vec<_> = (0..TIMES + WARM_UP).map(received).collect();
    counted("dispatch", TIMES, async |number| {
        let arrival = Arrival { received: received[number].take().unwrap(), sender: Sender::Stranger, trace: None };
        let dispatched = dispatcher.dispatch(arrival, entries.take(1).unwrap()).await;
        assert!(matches!(dispatched.outcome, Outcome::Ran(Ending::Done)), "{:?}", dispatched.outcome);
    })
    .await;
}

/// A hundred handlers, loaded from `folder`, into which they are put before.
fn registry(folder: &Path) -> Arc<Registry> {
    let handlers = folder.join("handlers");
    // What is there from a run before may be others.
    _ = fs::remove_dir_all(&handlers);
    let put = |name: &str, component: &str, manifest: &str| {
        let folder = handlers.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::copy(component, folder.join("handler.wasm")).unwrap();
        fs::write(folder.join("handler.toml"), manifest).unwrap();
    };
    put("empty", EMPTY, &format!("events = [\"{EMPTY_TYPE}\"]\n"));
    let manifest = fs::read_to_string(BENCH_MANIFEST).unwrap();
    let serving = |event_type: &str| manifest.replace("test.bench", event_type);
    let reuse = "[instances]\nreuse = 1000000\nmax-age = \"1h\"\n";
    put("reusing", BENCH, &format!("{}{reuse}", serving(REUSING_TYPE)));
    (0..HANDLERS - 2).for_each(|number| put(&format!("bench-{number}"), BENCH, &serving(&event_type(number))));

    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let config = RuntimeConfig { max_instances: IN_FLIGHT.events as u32, max_memory: MAX_MEMORY, outgoing };
    let quota = Quota { deadline: Duration::from_secs(60), memory: MAX_MEMORY };
    let loader = Loader {
        runtime: Runtime::with_allocation(&config, Allocation::Pool).unwrap(),
        terms: Terms { values: HandlerValues::default(), quota, grants: Grants::all() },
        trust: Trust::default(),
        code_cache: Some(CodeCache::open(&folder.join("code")).unwrap()),
    };
    let registry = Arc::new(Registry::default());
    // It follows the folder no longer than this.
    drop(FolderWatch::start(handlers, loader, Arc::clone(&registry), Duration::MAX).unwrap());
    assert_eq!(registry.snapshot().handlers().len(), HANDLERS, "not all handlers could be loaded");
    registry
}

fn surroundings() -> Surroundings {
    Surroundings { sink: Arc::new(Nowhere), machine: Arc::new(ThisMachine::new(|| UNIX_EPOCH)) }
}

fn event_type(number: usize) -> String {
    format!("test.bench.{number}")
}

fn key() -> Key {
    "k1=2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b".parse().unwrap()
}

fn verifier() -> Verifier {
    let exemption = format!("{SUBSCRIPTION} -> test.bench.1");
    Verifier::new(vec![Scheme::V2]).exemptions(vec![exemption.parse().unwrap()])
}

/// The data of a large event.
fn large() -> Vec<u8> {
    USER.iter().copied().cycle().take(LARGE).collect()
}

fn event(event_type: &str, number: usize, data: Vec<u8>) -> Event {
    Event {
        id: format!("01a20ce4-05c0-7c3f-9d5e-{number:012x}"),
        event_type: event_type.to_owned(),
        time: UNIX_EPOCH,
        content_type: Some("application/json".to_owned()),
        ordering_key: None,
        attributes: [].into(),
        data,
    }
}

/// Signs events, and makes push requests' bodies of them.
struct Publisher(Signer);

impl Publisher {
    fn new() -> Self {
        Self(Signer::new(key()).schemes(Schemes::Only(Scheme::V2)))
    }

    fn body(&self, event_type: &str, number: usize, data: Vec<u8>) -> Vec<u8> {
        let message = self.0.sign(&event(event_type, number, data)).into_message();
        Envelope { message, delivery: Self::delivery(number) }.encode()
    }

    /// The body of a source's that can't sign.
    fn unsigned(number: usize, data: Vec<u8>) -> Vec<u8> {
        let message = Message { data, ..Message::default() };
        Envelope { message, delivery: Self::delivery(number) }.encode()
    }

    fn delivery(number: usize) -> Delivery {
        Delivery {
            message_id: (16_000_000_000_000_000 + number).to_string(),
            subscription: SUBSCRIPTION.to_owned(),
            publish_time: Some(UNIX_EPOCH),
            ..Delivery::default()
        }
    }
}
