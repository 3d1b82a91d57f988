//! Wherever instances get their memory, which a kernel or a limit decides, they are fresh, held to their limits, and gone
//! afterwards.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{surroundings, wasm};
use serde_json::{Value, json};
use tidemill_events::Received;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{
    Allocation, Captured, Component, Ending, Fault, Grant, Limits, Runtime, RuntimeConfig, RuntimeError,
};
use tidemill_test_artifacts::{COUNT, SCRIPTED};

fn config(max_instances: u32) -> RuntimeConfig {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    RuntimeConfig { max_instances, max_memory: 16 << 20, outgoing }
}

async fn run(component: &Component, grant: &Grant, data: &Value) -> (Ending, Vec<String>) {
    let received = Received::unverified(common::event("any", data.to_string().as_bytes()), common::delivery());
    let lines = Arc::new(Captured::default());
    let surroundings = surroundings(Arc::clone(&lines) as _);
    let ran = component.invoke(&received, None, grant, Duration::from_secs(60), &surroundings).await;
    (ran.ending, lines.take().into_iter().map(|line| line.text).collect())
}

async fn holds(runtime: &Runtime) {
    let limits = Limits { memory: 8 << 20, ..Limits::default() };
    let grant = Grant { limits, http: vec!["http://127.0.0.1:9".parse().unwrap()], ..Grant::default() };
    let load = |path| tokio::task::block_in_place(|| runtime.load(&wasm(path), &grant)).unwrap();
    let (scripted, count) = (load(SCRIPTED), load(COUNT));
    for _ in 0..3 {
        for (script, ending) in [
            (json!([{ "memory_mib": 4 }]), Ending::Done),
            (json!([{ "memory_mib": 9 }]), Ending::Fault(Fault::Memory(limits.memory))),
            (json!(["memory"]), Ending::Fault(Fault::Memory(limits.memory))),
        ] {
            let ended = run(&scripted, &grant, &script).await.0;
            assert_eq!(ended, ending, "{:?}: {script}", runtime.allocation());
        }
        let trapped = run(&scripted, &grant, &json!(["overflow"])).await.0;
        assert!(matches!(trapped, Ending::Fault(Fault::Trap(_))), "{:?}: {trapped:?}", runtime.allocation());
        let counted = run(&count, &grant, &json!({})).await;
        assert_eq!(counted, (Ending::Done, vec!["events seen by this instance: 1".to_owned()]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_allocation_gives_fresh_instances_within_their_limits() {
    // The first is the best that this machine has.
    let made: [Result<Runtime, RuntimeError>; 4] = [
        Runtime::new(&config(4)),
        Runtime::with_allocation(&config(4), Allocation::Pool),
        Runtime::with_allocation(&config(4), Allocation::OnDemand),
        Runtime::with_allocation(&config(4), Allocation::OnDemandInLittleSpace),
    ];
    for runtime in made {
        holds(&runtime.unwrap()).await;
    }
}

/// A million slots would take more address space than a process has.
#[tokio::test(flavor = "multi_thread")]
async fn where_no_pool_can_be_reserved_each_instance_is_mapped_by_itself() {
    let runtime = Runtime::new(&config(1_000_000)).unwrap();
    assert!(matches!(runtime.allocation(), Allocation::OnDemand | Allocation::OnDemandInLittleSpace));
    holds(&runtime).await;
}
