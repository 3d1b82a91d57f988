//! Hosts as processes that may have little: of address space, of open files.

use std::path::Path;

use serde_json::json;
use tidemill_host::runtime::{Allocation, Runtime};
use tidemill_test_artifacts::{COUNT, EMPTY, SCRIPTED};

use crate::ahead::{ONE, Shelf, compiled_by, loader_with};
use crate::common::{SCRIPT, wasm};
use crate::process::Process;
use crate::stand::{Stand, numbered};

/// Two GiB of address space, in KiB: half of what one memory takes where there is enough.
const TWO_GIB: &str = "-v 2097152";
/// Events at once, here.
const AT_ONCE: usize = 32;

/// A host that has so little, its log, and what it serves: scripts, which may have 8 MiB.
async fn limited(ulimit: &str, folder: &Path) -> Process {
    let stand = Stand::at(folder.to_str().unwrap(), vec![]);
    let script = format!("{SCRIPT}[limits]\nmemory = \"8MiB\"\n");
    let (script, count) = (numbered(&script, &wasm(SCRIPTED), 0), numbered("events = [\"count\"]", &wasm(COUNT), 0));
    stand.deploy(&[("script", &script), ("count", &count)]).await;
    // Of these, one handler gets half.
    let flags = ["--grant", "* all", "--max-in-flight", &(2 * AT_ONCE).to_string()];
    let mut host = Process::start_within(ulimit, &folder.join("log"), folder, &flags);
    host.ready().await;
    host
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_with_little_address_space_says_so_and_serves_within_the_same_limits() {
    let folder = tempfile::tempdir().unwrap();
    let host = limited(TWO_GIB, folder.path()).await;
    assert!(log(folder.path()).contains("not enough address space for an instance pool"), "{}", log(folder.path()));
    let script = async |script: serde_json::Value| {
        let answer = host.deliver_data("script", &script.to_string()).await;
        let code = if answer.body.is_empty() { "done".to_owned() } else { answer.code() };
        (answer.status.as_u16(), code)
    };
    for _ in 0..3 {
        assert_eq!(script(json!([{ "memory_mib": 4 }])).await, (204, "done".to_owned()));
        assert_eq!(script(json!(["memory"])).await, (507, "memory".to_owned()));
        assert_eq!(script(json!([{ "memory_mib": 9 }])).await, (507, "memory".to_owned()));
        assert_eq!(script(json!(["overflow"])).await, (500, "trap".to_owned()));
    }
    // As many at once as the handler gets.
    let full = json!([{ "memory_mib": 4 }, { "sleep_ms": 100 }]);
    let all = futures_util::future::join_all((0..AT_ONCE).map(|_| script(full.clone()))).await;
    assert!(all.iter().all(|(status, _)| *status == 204), "{all:?}");
    // Each in an instance of its own.
    for _ in 0..3 {
        assert_eq!(host.deliver("count").await.status.as_u16(), 204);
    }
    assert!(log(folder.path()).contains("events seen by this instance: 1\""));
    assert!(!log(folder.path()).contains("events seen by this instance: 2"));
}

/// Else they run out with some hundred handlers, each of which holds one.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_opens_as_many_files_as_it_is_allowed_to() {
    let folder = tempfile::tempdir().unwrap();
    let host = limited("-S -n 64", folder.path()).await;
    let limits = host.told("limits", "Max open files");
    let [soft, hard, _] = limits.split_whitespace().collect::<Vec<_>>().try_into().unwrap();
    assert!(soft == hard && soft != "64", "{limits}");
}

/// Guests' code is the same wherever there is address space enough, and another where it has to look at bounds itself.
#[tokio::test(flavor = "multi_thread")]
async fn code_is_loaded_by_the_engines_that_it_fits_and_by_no_others() {
    let made = |allocation| {
        let loader = loader_with(|config| Runtime::with_allocation(config, allocation));
        compiled_by(loader, &numbered(ONE, &wasm(EMPTY), 1))
    };
    let (roomy, little) = (made(Allocation::OnDemand), made(Allocation::OnDemandInLittleSpace));
    assert_eq!(roomy.0, made(Allocation::Pool).0);
    assert_ne!(roomy.0, little.0);
    for ((engine, code), pooled) in [(roomy, true), (little, false)] {
        let shelf = Shelf::with(&engine, &code).await;
        std::fs::remove_file(shelf.file("handler.wasm")).unwrap();
        assert_eq!(shelf.is_served().await, pooled, "by a host that has all that it wants");
        let trusted = format!("a={}", shelf.key.public());
        let flags = ["--grant", "* all", "--trusted-key", &trusted];
        let log = shelf.folder.path().join("log");
        let mut host = Process::start_within(TWO_GIB, &log, shelf.folder.path(), &flags);
        host.ready().await;
        let served = host.deliver("one").await.status.is_success();
        assert_eq!(served, !pooled, "by a host with little address space: {}", std::fs::read_to_string(log).unwrap());
    }
}
