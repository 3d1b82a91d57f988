//! `kill -9`: a broker in a process of its own, which is killed in the middle of its work and started again.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::Method;
use serde_json::json;
use tidemill_dev::broker::{Broker, BrokerConfig};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::support::client::try_request;
use crate::support::{Receiver, Reply, SUBSCRIPTION, TOPIC, eventually};

/// What the child writes in front of its address, to tell it from what the test harness writes.
const SERVING: &str = "serving on ";
const MESSAGES: usize = 1000;

/// A broker in a process of its own. Its push URL comes on standard input, its folder is where it runs.
struct Process {
    child: Child,
    publish_url: String,
}

impl Process {
    fn start(folder: &Path, push_url: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--ignored", "--nocapture"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{push_url}").unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.unwrap().split_once(SERVING)?.1.to_owned())).unwrap();
        // Read on, so that the child never writes into a closed pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, publish_url: format!("http://{address}/v1/{TOPIC}:publish") }
    }

    /// Sends SIGKILL.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Publishes a message, and says whether the broker took it.
async fn publish(url: &str, text: &str) -> bool {
    let body = json!({ "messages": [{ "data": STANDARD.encode(text) }] }).to_string();
    try_request(Method::POST, url, body).await.is_some_and(|answer| answer.status == 200)
}

/// The other side of [`Process`]. By itself it finds no push URL, and ends.
#[test]
#[ignore = "runs in the child process of the test below"]
fn child() {
    let mut push_url = String::new();
    std::io::stdin().read_line(&mut push_url).unwrap();
    if push_url.is_empty() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let config = BrokerConfig::new("data".into(), push_url.trim().into(), SUBSCRIPTION.into());
        let broker = Broker::open(config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{SERVING}{}", listener.local_addr().unwrap());
        broker.serve(listener, std::future::pending()).await;
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_published_before_a_kill_is_delivered_after_it() {
    let folder = tempfile::tempdir().unwrap();
    // From the 300th push on nothing is answered, so that the kill finds messages under way and messages waiting.
    let answering = Arc::new(AtomicBool::new(false));
    let receiver = Receiver::start({
        let (answering, count) = (answering.clone(), AtomicUsize::new(0));
        move |_| match count.fetch_add(1, Ordering::SeqCst) {
            300.. if !answering.load(Ordering::SeqCst) => Reply::Never,
            _ => Reply::Status(204),
        }
    })
    .await;

    let mut process = Process::start(folder.path(), &receiver.url());
    // Publishing goes on when the process dies, so that the kill finds messages half taken as well.
    let (enough, kill_now) = oneshot::channel();
    let publisher = tokio::spawn(publish_all(process.publish_url.clone(), enough));
    kill_now.await.unwrap();
    receiver.has(301).await;
    process.kill();
    let mut accepted = publisher.await.unwrap();
    let seen = texts(&receiver);
    assert!(seen.len() < accepted.len(), "the kill has to find messages that were never pushed");
    assert!(accepted.len() < MESSAGES, "the kill has to find a publisher at work");

    answering.store(true, Ordering::SeqCst);
    let process = Process::start(folder.path(), &receiver.url());
    for n in 0..MESSAGES {
        if accepted.insert(n.to_string()) {
            assert!(publish(&process.publish_url, &n.to_string()).await);
        }
    }
    eventually("every message to be seen", async || texts(&receiver) == accepted).await;
}

/// Publishes as many as the broker takes, and says when they are enough for it to be killed.
async fn publish_all(url: String, enough: oneshot::Sender<()>) -> HashSet<String> {
    let (mut accepted, mut enough) = (HashSet::new(), Some(enough));
    for n in 0..MESSAGES {
        if publish(&url, &n.to_string()).await {
            accepted.insert(n.to_string());
        }
        if accepted.len() == MESSAGES / 2
            && let Some(enough) = enough.take()
        {
            _ = enough.send(());
        }
    }
    accepted
}

fn texts(receiver: &Receiver) -> HashSet<String> {
    receiver.texts().into_iter().collect()
}

#[tokio::test]
async fn what_was_under_way_is_delivered_again_and_counts_no_attempt() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Receiver::start(|_| Reply::Never).await;
    let mut process = Process::start(folder.path(), &silent.url());
    assert!(publish(&process.publish_url, "x").await);
    silent.has(1).await;
    process.kill();
    let receiver = Receiver::start(|_| Reply::Status(204)).await;
    let _process = Process::start(folder.path(), &receiver.url());
    let pushes = receiver.has(1).await;
    assert_eq!((pushes[0].text(), pushes[0].attempt()), ("x", 1));
    assert_eq!(pushes[0].envelope.delivery, silent.pushes()[0].envelope.delivery);
}
