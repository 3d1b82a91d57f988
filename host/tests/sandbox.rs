//! What a handler may have, in pairs: obeyed, and broken by a hostile guest. Each breach is a fault of its own, and the
//! next event never notices.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, UNIX_EPOCH};

use common::{TestHost, log, wasm};
use hyper::StatusCode;
use serde_json::{Value, json};
use tidemill_events::Received;
use tidemill_host::outgoing::{Outgoing, OutgoingConfig, SystemResolver};
use tidemill_host::runtime::{Captured, Ending, Fault, Grant, Runtime, RuntimeConfig, Surroundings, ThisMachine};
use tidemill_test_artifacts::{COUNT, SCRIPTED};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const TIGHT: &str = r#"
events = ["script"]
[limits]
deadline = "1s"
memory = "8MiB"
[permissions]
http = ["http://127.0.0.1:9"]
[config]
greeting = "hello"
"#;

async fn host() -> TestHost {
    TestHost::start(&[("scripted", TIGHT, &wasm(SCRIPTED))]).await
}

async fn assert_well(host: &TestHost, after: &str) {
    let answer = host.script(json!(["done"])).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "after {after}: {answer:?}");
}

fn assert_fault_logged(message_id: &str, code: &str) {
    let end = log::of_message(message_id).into_iter().filter(|line| line["outcome"].is_string()).collect::<Vec<_>>();
    assert_eq!(end.len(), 1, "{end:?}");
    let found = (&end[0]["outcome"], &end[0]["code"], &end[0]["severity"]);
    assert_eq!(found, (&json!("fault"), &json!(code), &json!("ERROR")), "{end:?}");
}

fn printed(message_id: &str) -> Vec<(String, String)> {
    let text = |line: &Value, field: &str| line[field].as_str().unwrap().to_owned();
    let lines = log::of_message(message_id).into_iter().filter(|line| line["stream"].is_string());
    lines.map(|line| (text(&line, "stream"), text(&line, "message"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_a_fault_and_says_where() {
    let host = host().await;
    for script in [json!(["trap"]), json!([{ "panic": "boom" }]), json!([{ "exit": 3 }]), json!(["overflow"])] {
        let answer = host.script(script.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INTERNAL_SERVER_ERROR, "trap"), "{script}");
        assert_fault_logged(&answer.message_id, "trap");
        assert_well(&host, &script.to_string()).await;
    }
    let answer = host.script(json!([{ "panic": "boom" }])).await;
    assert!(printed(&answer.message_id).iter().any(|(stream, line)| stream == "stderr" && line.contains("boom")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_computes_or_waits_past_its_deadline_is_ended() {
    let host = host().await;
    for script in [json!(["loop"]), json!([{ "sleep_ms": 60_000 }])] {
        let answer = host.script(script.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::GATEWAY_TIMEOUT, "deadline"), "{script}");
        assert_fault_logged(&answer.message_id, "deadline");
        assert_well(&host, &script.to_string()).await;
    }
}

/// More guests that compute forever than there are processors: the others still have their turns.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guests_that_compute_forever_starve_nobody() {
    let host = Arc::new(host().await);
    let loops: Vec<_> = (0..8)
        .map(|_| {
            let host = Arc::clone(&host);
            tokio::spawn(async move { host.script(json!(["loop"])).await.status })
        })
        .collect();
    for _ in 0..20 {
        assert_well(&host, "while eight loops run").await;
    }
    for status in loops {
        assert_eq!(status.await.unwrap(), StatusCode::GATEWAY_TIMEOUT);
    }
}

/// The scripted fixture, loaded by itself, and a run of it that computes until its deadline. The runtime is gone by then.
fn computing(deadline: Duration) -> impl Future<Output = Ending> + Send {
    let outgoing = Outgoing::new(&OutgoingConfig::default(), Arc::new(SystemResolver::default())).unwrap();
    let runtime = Runtime::new(&RuntimeConfig { max_instances: 1, max_memory: 64 << 20, outgoing }).unwrap();
    let grant = Grant { http: vec!["http://127.0.0.1:9".parse().unwrap()], ..Grant::default() };
    let component = runtime.load(&wasm(SCRIPTED), &grant).unwrap();
    async move {
        let received = Received::unverified(common::event("script", br#"["loop"]"#), common::delivery());
        let machine = Arc::new(ThisMachine::new(|| UNIX_EPOCH));
        let surroundings = Surroundings { sink: Arc::new(Captured::default()), machine };
        component.invoke(&received, None, &grant, deadline, &surroundings).await.ending
    }
}

/// Else a guest that computes forever would hold its thread forever, and nothing around it would ever be polled.
#[test]
fn guests_yield_even_where_the_runtime_that_loaded_them_is_gone() {
    let deadline = Duration::from_millis(50);
    let run = computing(deadline);
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || _ = ended.send(executor().block_on(run)));
    let ending = end.recv_timeout(Duration::from_secs(30)).expect("the guest never yields");
    assert_eq!(ending, Ending::Fault(Fault::Deadline(deadline)));
}

/// An executor looks at its sockets once in 61 tasks, or when it has none to run. A guest that only woke itself would
/// always be one to run.
#[test]
fn sockets_are_looked_at_whenever_a_guest_that_computes_yields() {
    const ANSWERS: usize = 20;
    let guest = computing(Duration::from_secs(60));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        std::io::copy(&mut &stream, &mut &stream)
    });
    let turns = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&turns);
    executor().block_on(async move {
        let mut guest = Box::pin(guest);
        tokio::spawn(std::future::poll_fn(move |context| {
            counted.fetch_add(1, Ordering::Relaxed);
            guest.as_mut().poll(context)
        }));
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        for _ in 0..ANSWERS {
            stream.write_u8(1).await.unwrap();
            stream.read_u8().await.unwrap();
        }
    });
    let turns = turns.load(Ordering::Relaxed);
    assert!((1..ANSWERS * 30).contains(&turns), "{turns} turns of the guest while {ANSWERS} answers came");
}

fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_has_a_cap_within_which_all_is_well() {
    let host = host().await;
    assert_eq!(host.script(json!([{ "memory_mib": 4 }])).await.status, StatusCode::NO_CONTENT);
    for script in [json!([{ "memory_mib": 9 }]), json!(["memory"])] {
        let answer = host.script(script.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (StatusCode::INSUFFICIENT_STORAGE, "memory"), "{script}");
        assert_fault_logged(&answer.message_id, "memory");
        assert_well(&host, &script.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn output_becomes_log_lines_up_to_a_bound() {
    let host = host().await;
    let answer = host.script(json!([{ "stdout": "one" }, { "stderr": "two" }])).await;
    let pair = |stream: &str, line: &str| (stream.to_owned(), line.to_owned());
    assert_eq!(printed(&answer.message_id), [pair("stdout", "one"), pair("stderr", "two")]);
    let flood = host.script(json!([{ "flood": 1_000_000 }])).await;
    assert_eq!(flood.status, StatusCode::NO_CONTENT);
    let lines = printed(&flood.message_id);
    assert!(lines.len() < 1000, "{} lines", lines.len());
    assert!(lines.last().unwrap().1.contains("further bytes of output dropped"), "{:?}", lines.last());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_logged_has_its_level_its_context_and_all_that_names_the_event() {
    let host = host().await;
    let log = |level: &str| json!({ "log": { "level": level, "context": "mail", "message": level } });
    let answer = host.script(json!(["debug", "info", "warn", "error", "critical"].map(log))).await;
    let lines: Vec<_> =
        log::of_message(&answer.message_id).into_iter().filter(|line| line["stream"] == "log").collect();
    let found: Vec<_> = lines.iter().map(|line| (line["severity"].as_str(), line["message"].as_str())).collect();
    let of = |severity, message| (Some(severity), Some(message));
    // What is below the host's own level is not written.
    assert_eq!(found, [of("INFO", "info"), of("WARNING", "warn"), of("ERROR", "error"), of("CRITICAL", "critical")]);
    let artifact = host.live("scripted").unwrap().digest.to_string();
    for line in &lines {
        assert_eq!((&line["context"], &line["handler"]), (&json!("mail"), &json!("scripted")));
        assert_eq!((&line["event_type"], &line["artifact"]), (&json!("script"), &json!(artifact)));
        assert!(line["event_id"].is_string(), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_has_an_instance_of_its_own() {
    let host = TestHost::start(&[("count", "events = [\"count\"]", &wasm(COUNT))]).await;
    for _ in 0..20 {
        let answer = host.deliver("count", "{}").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
        let lines = printed(&answer.message_id);
        assert!(lines.iter().any(|(_, line)| line.contains('1')), "{lines:?}");
        assert!(!lines.iter().any(|(_, line)| line.contains('2')), "an instance was used twice: {lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn configuration_is_what_the_manifest_lists() {
    let host = host().await;
    let answer = host.script(json!([{ "config": "greeting" }, { "config": "PATH" }])).await;
    let lines: Vec<_> = printed(&answer.message_id).into_iter().map(|(_, line)| line).collect();
    assert_eq!(lines, ["greeting=hello", "PATH is not set"]);
}

/// Answers every request with 200 and counts them.
async fn server() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, count) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(async move {
                _ = stream.read(&mut [0; 4096]).await;
                _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello").await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn outgoing_http_reaches_listed_origins_and_no_others() {
    let (listed, listed_count) = server().await;
    let (other, other_count) = server().await;
    let manifest = format!(
        "events = [\"script\"]\n[permissions]\nhttp = [\"config:server\"]\n[config]\nserver = \"http://{listed}/path\"\n"
    );
    let host = TestHost::start(&[("scripted", &manifest, &wasm(SCRIPTED))]).await;
    let allowed = host.script(json!([{ "get": { "url": format!("http://{listed}/x") } }])).await;
    assert_eq!(allowed.status, StatusCode::NO_CONTENT, "{allowed:?}");
    assert_eq!(printed(&allowed.message_id)[0].1, "200 hello");
    let denied = host.script(json!([{ "get": { "url": format!("http://{other}/x") } }])).await;
    assert_ne!(denied.status, StatusCode::NO_CONTENT);
    let told = log::of_message(&denied.message_id);
    assert!(told.iter().any(|line| line["origin"] == format!("http://{other}")), "{told:?}");
    assert_eq!((listed_count.load(Ordering::SeqCst), other_count.load(Ordering::SeqCst)), (1, 0));
}
