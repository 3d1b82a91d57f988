//! Instances that wait hold slots of the pool, and no event goes without one because of them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_events::Received;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{
    Captured, Component, Ending, Grant, Invocation, Limits, Reuse, Runtime, RuntimeConfig, Surroundings,
};
use tidemill_test_artifacts::SCRIPTED;
use tokio::task::JoinSet;

use crate::common::{self, wasm};

/// Events at once. The pool has a slot more, for what is loaded meanwhile.
const AT_ONCE: u32 = 3;
const REUSE: Reuse = Reuse { events: 1000, max_age: Duration::from_secs(3600) };

#[derive(Clone)]
struct Stand {
    runtime: Runtime,
    surroundings: Surroundings,
    grant: Grant,
    fresh: Grant,
}

impl Stand {
    fn new() -> Self {
        let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
        let config = RuntimeConfig { max_instances: AT_ONCE, max_memory: 64 << 20, outgoing };
        let fresh = Grant { http: vec!["http://127.0.0.1:9".parse().unwrap()], ..Grant::default() };
        Self {
            runtime: Runtime::new(&config).unwrap(),
            surroundings: common::surroundings(Arc::new(Captured::default())),
            grant: Grant { reuse: Some(REUSE), ..fresh.clone() },
            fresh,
        }
    }

    fn load(&self, grant: &Grant) -> Component {
        tokio::task::block_in_place(|| self.runtime.load(&wasm(SCRIPTED), grant)).unwrap()
    }

    /// Further handlers of one component. Its code is shared, its instances aren't.
    fn handlers(&self, count: usize) -> Vec<Component> {
        let first = self.load(&self.grant);
        (0..count).map(|_| self.runtime.regrant(&first, &self.grant, &self.grant)).collect()
    }

    async fn run(&self, component: &Component, sleep_ms: u64) -> Invocation {
        let script = json!([{ "sleep_ms": sleep_ms }]).to_string();
        let received = Received::unverified(common::event("script", script.as_bytes()), common::delivery());
        let time = Duration::from_secs(60);
        let ran = component.invoke(&received, None, &self.grant, time, &self.surroundings).await;
        assert_eq!(ran.ending, Ending::Done);
        ran
    }

    /// Has an instance of each wait.
    async fn fill(&self, handlers: &[Component]) {
        for handler in handlers {
            assert_eq!(self.run(handler, 0).await.handled_before, 0);
        }
        assert_eq!(waiting(handlers), handlers.len());
    }
}

fn waiting(handlers: &[Component]) -> usize {
    handlers.iter().map(Component::idle_instances).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_that_has_waited_longest_makes_room_for_whoever_needs_it() {
    let stand = Stand::new();
    let waits = stand.handlers(AT_ONCE as usize);
    stand.fill(&waits).await;
    // It is the last to be used, and so the last to go.
    assert_eq!(stand.run(&waits[0], 0).await.handled_before, 1);
    let plain = stand.load(&stand.fresh);
    let run = || stand.run(&plain, 1000);
    // One finds the free slot, two find none.
    tokio::join!(run(), run(), run());
    assert_eq!([0, 1, 2].map(|number| waits[number].idle_instances()), [1, 0, 0]);
}

/// Many more handlers than slots, each with as many events as there can be at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_fails_however_many_handlers_keep_theirs() {
    let stand = Stand::new();
    let handlers = Arc::new(stand.handlers(8));
    let mut all = JoinSet::new();
    for sender in 0..AT_ONCE as usize {
        let (stand, handlers) = (stand.clone(), Arc::clone(&handlers));
        all.spawn(async move {
            for turn in 0..200 {
                stand.run(&handlers[(turn * (sender + 1) + sender) % handlers.len()], 0).await;
            }
        });
    }
    all.join_all().await;
    assert!((1..=AT_ONCE as usize).contains(&waiting(&handlers)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_is_loaded_while_all_slots_are_held() {
    let stand = Stand::new();
    let (waits, other) = (stand.handlers(AT_ONCE as usize), stand.handlers(1));
    stand.fill(&waits).await;
    // It has the last slot while the other is loaded, which a trial instance is made for.
    tokio::join!(stand.run(&other[0], 1000), async { stand.load(&stand.fresh) });
    assert_eq!([0, 1, 2].map(|number| waits[number].idle_instances()), [0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_instance_of_an_event_that_is_cut_off_is_gone() {
    let stand = Stand::new();
    let handlers = stand.handlers(1);
    stand.fill(&handlers).await;
    let cut = tokio::time::timeout(Duration::from_millis(100), stand.run(&handlers[0], 60_000)).await;
    assert!(cut.is_err());
    assert_eq!(waiting(&handlers), 0);
    assert_eq!(stand.run(&handlers[0], 0).await.handled_before, 0);
}

/// Its limits are in it, and so is what it sees of the machine.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_made_under_another_grant_or_on_another_machine_is_not_used() {
    let stand = Stand::new();
    let handlers = stand.handlers(1);
    let limits = Limits { memory: 8 << 20, ..stand.grant.limits };
    let narrow = Stand { grant: Grant { limits, ..stand.grant.clone() }, ..stand.clone() };
    let elsewhere = Stand { surroundings: common::surroundings(Arc::new(Captured::default())), ..stand.clone() };
    for stand in [&stand, &narrow, &elsewhere] {
        assert_eq!(stand.run(&handlers[0], 0).await.handled_before, 0);
        assert_eq!(stand.run(&handlers[0], 0).await.handled_before, 1);
    }
}

/// So that what comes of an event doesn't depend on what was tried before.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_without_effects_has_a_fresh_instance_for_each_event() {
    struct Nobody;
    impl tidemill_host::runtime::StandIn for Nobody {
        fn answer(&self, _: hyper::Request<bytes::Bytes>) -> hyper::Response<bytes::Bytes> {
            hyper::Response::default()
        }
    }
    let stand = Stand::new();
    let handler = stand.handlers(1).remove(0);
    let store = Arc::new(tidemill_host::key_value::MemoryStore::new(1 << 20));
    let withheld = stand.runtime.withheld(&handler, &stand.grant, Arc::new(Nobody), store);
    for _ in 0..2 {
        assert_eq!(stand.run(&withheld, 0).await.handled_before, 0);
    }
    assert_eq!(withheld.idle_instances(), 0);
}
