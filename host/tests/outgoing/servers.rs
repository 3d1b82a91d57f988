//! What a hostile server can do: nothing that its own handler's event doesn't end by, and nothing to the next event.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tidemill_host::config::Config;
use tidemill_host::outgoing::{Resolve, Resolving};
use tidemill_test_artifacts::SCRIPTED;

use crate::common::{TestHost, log, wasm};
use crate::support::{Names, Reply, Server, assert_well, get, manifest, printed, retried};

/// The longest body that the hosts here take, below what the guest itself would read.
const MAX_BODY: usize = 256 << 10;

/// A host that is impatient and takes little, whose handler may reach these servers.
async fn host(servers: &[Server]) -> TestHost {
    let change = |config: &mut Config| {
        config.outgoing.timeout = Duration::from_secs(1);
        config.outgoing.max_body = MAX_BODY;
    };
    let origins: Vec<_> = servers.iter().map(Server::url).collect();
    TestHost::start_with(&[("scripted", &manifest(&origins), &wasm(SCRIPTED))], change).await
}

async fn both(reply: Reply) -> (TestHost, Server) {
    let server = Server::start(move |_| reply.clone()).await;
    (host(std::slice::from_ref(&server)).await, server)
}

/// Each of these replies ends its event in a retry whose reason has these words, and the next event is well.
async fn assert_retried(replies: impl IntoIterator<Item = (Reply, &str)>) {
    let (mut servers, mut expected) = (Vec::new(), Vec::new());
    for (reply, words) in replies {
        servers.push(Server::start(move |_| reply.clone()).await);
        expected.push(words);
    }
    let host = host(&servers).await;
    for (server, words) in servers.iter().zip(expected) {
        let reason = retried(&host.script(json!([get(server.url())])).await);
        assert!(reason.contains(words), "{words}: {reason}");
        assert_well(&host, words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_cut() {
    let (host, server) = both(Reply::Bomb).await;
    let answer = host.script(json!([get(server.url())])).await;
    let reason = retried(&answer);
    assert!(reason.contains("body size exceeds limit"), "{reason}");
    // The rest stays in the buffers of the two sockets: what was never read is held by nobody.
    assert!(server.sent() < 32 << 20, "{} bytes were taken", server.sent());
    let told = log::of_message(&answer.message_id);
    assert!(told.iter().any(|line| line["message"].as_str().unwrap().starts_with("cut an answer off")), "{told:?}");
    let counted = host.metrics.text();
    assert!(counted.contains("tidemill_refused_total{handler=\"scripted\",capability=\"http\"} 1\n"), "{counted}");
    assert_well(&host, "a bomb").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_as_long_as_it_may_be_is_taken() {
    let (host, server) = both(Reply::ok(&"x".repeat(MAX_BODY))).await;
    let answer = host.script(json!([get(server.url())])).await;
    assert_eq!(answer.status.as_u16(), 204, "{answer:?}");
    assert!(printed(&answer).concat().starts_with("200 xxx"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_lasts_until_the_deadline() {
    let server = Server::start(|_| Reply::Drip).await;
    let manifest = manifest(&[server.url()]).replace("20s", "1s");
    let host = TestHost::start(&[("scripted", &manifest, &wasm(SCRIPTED))]).await;
    let answer = host.script(json!([get(server.url())])).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (504, "deadline"));
    assert_well(&host, "a drip").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_waited_for_no_longer_than_the_host_says() {
    assert_retried([
        (Reply::Stall(""), "nothing came for too long"),
        (Reply::Stall("HTTP/1.1 200 OK\r\nx-half: "), "nothing came for too long"),
        (Reply::Stall("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "connection read timeout"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_is_no_http_is_a_retry() {
    let raw = |bytes: &[u8]| Reply::Raw(bytes.to_vec());
    assert_retried([
        (Reply::Reset, "the connection broke off"),
        (raw(b""), "the connection broke off"),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-le"), "the connection broke off"),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"), "incomplete HTTP response"),
        (
            raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx"),
            "the answer's body is not whole",
        ),
        (raw(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"), "no HTTP"),
        (raw(b"SSH-2.0-OpenSSH_9\r\n"), "no HTTP"),
        (raw(b"HTTP/1.1 abc\r\n\r\n"), "no HTTP"),
        (raw(b"\x16\x03\x01\x00"), "no HTTP"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_headers_is_refused() {
    let one = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(10_000));
    let floods = [one, many].map(|flood| (Reply::Raw(flood.into_bytes()), "HttpResponseHeaderSectionSize"));
    assert_retried(floods).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_sent_has_its_bound_too() {
    let (host, server) = both(Reply::ok("taken")).await;
    let post = |length: usize| json!([{ "post": { "url": server.url(), "body": "x".repeat(length) } }]);
    let answer = host.script(post(MAX_BODY)).await;
    assert_eq!(printed(&answer), ["200 taken"]);
    let answer = host.script(post(MAX_BODY + 1)).await;
    assert!(retried(&answer).contains("HttpRequestBodySize"), "{answer:?}");
    assert_well(&host, "a long body").await;
}

/// Never answers.
struct Lost;

impl Resolve for Lost {
    fn resolve(&self, _: &str) -> Resolving {
        Box::pin(std::future::pending())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_or_no_name_is_found_it_is_said() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (nobody, unnamed) = (format!("http://{free}"), "http://unnamed.example".to_owned());
    let manifest = manifest(&[nobody.clone(), unnamed.clone()]);
    let handlers = [("scripted", &*manifest, &*wasm(SCRIPTED))];
    let host = TestHost::start_resolving(&handlers, |_| {}, Names::new(&[])).await;
    assert!(retried(&host.script(json!([get(nobody)])).await).contains("the connection was refused"));
    assert!(retried(&host.script(json!([get(&unnamed)])).await).contains("name was not found"));
    let impatient = |config: &mut Config| config.outgoing.connect_timeout = Duration::from_millis(200);
    let host = TestHost::start_resolving(&handlers, impatient, Arc::new(Lost)).await;
    assert!(retried(&host.script(json!([get(&unnamed)])).await).contains("name was not found"));
}
