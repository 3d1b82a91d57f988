//! Whose connections are whose.

use serde_json::json;
use tidemill_test_artifacts::SCRIPTED;

use crate::common::{TestHost, version, wasm};
use crate::support::{Reply, Server, get, manifest, printed};

#[tokio::test(flavor = "multi_thread")]
async fn a_handlers_events_share_a_connection_and_two_handlers_do_not() {
    let server = Server::start(|_| Reply::ok("hello")).await;
    let one = manifest(&[server.url()]);
    let other = one.replace("\"script\"", "\"other\"");
    let wasm = wasm(SCRIPTED);
    let host = TestHost::start(&[("one", &one, &wasm), ("other", &other, &wasm)]).await;
    for _ in 0..10 {
        assert_eq!(printed(&host.script(json!([get(server.url())])).await), ["200 hello"]);
    }
    assert_eq!((server.connections(), server.heads().len()), (1, 10));
    for _ in 0..10 {
        let answer = host.deliver("other", json!([get(server.url())]).to_string()).await;
        assert_eq!(printed(&answer), ["200 hello"]);
    }
    assert_eq!((server.connections(), server.heads().len()), (2, 20));
}

/// What a version may reach is its own matter, and so are its connections.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_begins_with_connections_of_its_own() {
    let server = Server::start(|_| Reply::ok("hello")).await;
    let (manifest, wasm) = (manifest(&[server.url()]), wasm(SCRIPTED));
    let host = TestHost::start(&[("scripted", &manifest, &wasm)]).await;
    host.script(json!([get(server.url())])).await;
    let before = host.live("scripted").unwrap().digest;
    host.install("scripted", &manifest, &version(&wasm, 1));
    host.until("the new version", |registry| {
        registry.snapshot().handlers().any(|handler| handler.name == "scripted" && handler.digest != before)
    })
    .await;
    host.script(json!([get(server.url())])).await;
    assert_eq!((server.connections(), server.heads().len()), (2, 2));
}

/// A server ends a connection that was kept: the next request gets a new one, and is sent once.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_gone_is_replaced() {
    let server = Server::start(|_| Reply::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello".to_vec())).await;
    let host = TestHost::start(&[("scripted", &manifest(&[server.url()]), &wasm(SCRIPTED))]).await;
    for count in 1..=5 {
        assert_eq!(printed(&host.script(json!([get(server.url())])).await), ["200 hello"]);
        server.parted(count).await;
    }
    assert_eq!((server.connections(), server.heads().len()), (5, 5));
}
