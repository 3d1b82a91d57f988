//! Every slot of a pool taken at once, and filled; and how large the process is then.

use std::sync::Arc;
use std::time::Duration;

use tidemill_events::Received;
use tidemill_host::runtime::{Grant, Limits, Line, OutputSink, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::{common, component};

/// Counts the lines of guests.
struct Counted(Semaphore);

impl OutputSink for Counted {
    fn line(&self, _: Line) {
        self.0.add_permits(1);
    }
}

/// Has so many slots filled, all at once, with as much as each may keep.
///
/// Where the runtime has no more of them, each has had its hoarder afterwards; where one is missing, this panics. It
/// compiles a component, and so is called off an executor's threads.
pub(crate) fn fill_all_slots(runtime: &Runtime, executor: &tokio::runtime::Runtime, slots: u32) {
    let grant = Grant { limits: Limits { table_entries: 80_000, ..Limits::default() }, ..Grant::default() };
    let hoarder = runtime.load(&component::hoarder(), &grant).unwrap();
    let full = Arc::new(Counted(Semaphore::new(0)));
    executor.block_on(async {
        let mut hoarders = JoinSet::new();
        for _ in 0..slots {
            let (hoarder, grant, full) = (hoarder.clone(), grant.clone(), Arc::clone(&full));
            hoarders.spawn(async move {
                let received = Received::unverified(common::event("zoo", b"{}"), common::delivery());
                hoarder.invoke(&received, None, &grant, Duration::from_secs(600), &common::surroundings(full)).await
            });
        }
        tokio::select! {
            all = full.0.acquire_many(slots) => drop(all.unwrap()),
            ended = hoarders.join_next() => panic!("a slot is missing: {ended:?}"),
        }
        hoarders.shutdown().await;
    });
}

/// Resident memory, in KiB. Source: proc_pid_status(5).
pub(crate) fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
