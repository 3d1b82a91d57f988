//! What a guest leaves open when it returns.

use hyper::StatusCode;
use serde_json::json;
use tidemill_test_artifacts::SCRIPTED;

use crate::common::{TestHost, wasm};
use crate::support::{Reply, Server};
use crate::{event, idle, reusing};

/// Else it would act for an event that is over, with what is another's.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_the_instance() {
    let server = Server::start(|_| Reply::Stall("")).await;
    let manifest = reusing("script", 1000, "").replace("127.0.0.1:9", &server.address.to_string());
    let host = TestHost::start(&[("scripted", &manifest, &wasm(SCRIPTED))]).await;
    assert_eq!((event(&host, "script", json!([])).await, event(&host, "script", json!([])).await), (1, 2));
    assert_eq!(host.script(json!([{ "abandon": server.address.to_string() }])).await.status, StatusCode::NO_CONTENT);
    assert_eq!(idle(&host, "scripted"), 0);
    assert_eq!(event(&host, "script", json!([])).await, 1);
}

/// It can do nothing, and takes up room until the instance has no more.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_lies_there_is_counted_with_what_the_next_event_makes() {
    let manifest = reusing("script", 1000, "[limits]\nresources = 100\n");
    let host = TestHost::start(&[("scripted", &manifest, &wasm(SCRIPTED))]).await;
    assert_eq!(event(&host, "script", json!([{ "keep_timers": 30 }])).await, 1);
    assert_eq!(event(&host, "script", json!([])).await, 2);
    assert_eq!(host.script(json!([{ "keep_timers": 30 }])).await.code(), "resources");
    assert_eq!(event(&host, "script", json!([{ "keep_timers": 30 }])).await, 1);
}
