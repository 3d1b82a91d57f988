//! When an instance is used no more.

use std::sync::Arc;

use serde_json::json;
use tidemill_test_artifacts::SCRIPTED;

use crate::common::{TestHost, version, wasm};
use crate::{counted, event, idle, reusing};

const LIMITS: &str =
    "[limits]\nmemory = \"8MiB\"\nhost-calls = 5000\nresources = 100\ndeadline = \"30s\"\ncpu = \"2s\"\n";

async fn host() -> TestHost {
    TestHost::start(&[("scripted", &reusing("script", 1000, LIMITS), &wasm(SCRIPTED))]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_any_kind_ends_it() {
    let host = host().await;
    let faults = [
        ("trap", json!(["trap"])),
        ("trap", json!([{ "panic": "no" }])),
        ("trap", json!([{ "exit": 0 }])),
        ("cpu", json!(["loop"])),
        ("memory", json!(["memory"])),
        ("host-calls", json!(["host_calls"])),
        ("resources", json!([{ "keep_timers": 200 }])),
    ];
    for (code, steps) in faults {
        assert_eq!(event(&host, "script", json!([])).await, 1, "before {steps}");
        assert_eq!(event(&host, "script", json!([])).await, 2, "before {steps}");
        assert_eq!(host.script(steps.clone()).await.code(), code, "{steps}");
        assert_eq!(idle(&host, "scripted"), 0, "{steps}");
    }
    let late = reusing("late", 1000, "[limits]\ndeadline = \"200ms\"\n");
    host.install("late", &late, &wasm(SCRIPTED));
    host.until("the handler `late`", |registry| registry.route("late").is_some()).await;
    assert_eq!(event(&host, "late", json!([])).await, 1);
    assert_eq!(host.deliver("late", json!([{ "sleep_ms": 60_000 }]).to_string()).await.code(), "deadline");
    assert_eq!(event(&host, "late", json!([])).await, 1);
}

/// What it answers is its own business.
#[tokio::test(flavor = "multi_thread")]
async fn a_retry_or_a_rejection_does_not_end_it() {
    let host = host().await;
    assert_eq!(event(&host, "script", json!([])).await, 1);
    for (code, steps) in
        [("retry", json!([{ "retry": { "reason": "later" } }])), ("reject", json!([{ "reject": { "reason": "no" } }]))]
    {
        assert_eq!(host.script(steps).await.code(), code);
    }
    assert_eq!(event(&host, "script", json!([])).await, 2);
    assert_eq!(counted(&host, "scripted"), (1, 3));
}

/// A memory that is full stays so: the next event would break the same limit sooner.
#[tokio::test(flavor = "multi_thread")]
async fn its_memory_has_one_cap_over_all_its_events() {
    let host = host().await;
    let keep = || json!([{ "keep_mib": 3 }]);
    assert_eq!(event(&host, "script", keep()).await, 1);
    assert_eq!(event(&host, "script", keep()).await, 2);
    assert_eq!(host.script(keep()).await.code(), "memory");
    assert_eq!(event(&host, "script", keep()).await, 1);
    assert_eq!(counted(&host, "scripted"), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_handles_so_many_events_and_no_more() {
    let host = TestHost::start(&[("scripted", &reusing("script", 3, ""), &wasm(SCRIPTED))]).await;
    for number in [1, 2, 3, 1, 2, 3, 1] {
        assert_eq!(event(&host, "script", json!([])).await, number);
    }
    assert_eq!(counted(&host, "scripted"), (3, 4));
}

/// Nobody has to come for it. The other handler's is as old, and may be.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_too_old_is_freed_without_an_event() {
    let brief = reusing("brief", 1000, "").replace("1h", "300ms");
    let handlers = [("brief", &*brief, &*wasm(SCRIPTED)), ("long", &*reusing("long", 1000, ""), &*wasm(SCRIPTED))];
    let host = TestHost::start(&handlers).await;
    assert_eq!((event(&host, "long", json!([])).await, event(&host, "brief", json!([])).await), (1, 1));
    host.until("the instance is freed", |_| idle(&host, "brief") == 0).await;
    assert_eq!((event(&host, "long", json!([])).await, event(&host, "brief", json!([])).await), (2, 1));
    host.until("the instance is freed", |_| idle(&host, "brief") == 0).await;
    // And none that is too old when its event ends is kept.
    assert_eq!(event(&host, "brief", json!([{ "sleep_ms": 400 }])).await, 1);
    assert_eq!(idle(&host, "brief"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_ends_those_of_the_version_before() {
    let host = host().await;
    assert_eq!((event(&host, "script", json!([])).await, event(&host, "script", json!([])).await), (1, 2));
    let before = Arc::downgrade(&host.live("scripted").unwrap());
    let digest = before.upgrade().unwrap().digest;
    host.install("scripted", &reusing("script", 1000, LIMITS), &version(&wasm(SCRIPTED), 1));
    host.until("the new version", |registry| registry.route("script").unwrap().digest != digest).await;
    assert_eq!(event(&host, "script", json!([])).await, 1);
    host.until("the old version is gone, and its instance", |_| before.strong_count() == 0).await;
}
