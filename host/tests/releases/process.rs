//! The host as a process, which can be killed.

use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;

use crate::common::{Answer, KEY, client, send, signed};

/// The program.
const HOST: &str = env!("CARGO_BIN_EXE_tidemill-host");

/// A host that ends with the test, if not before.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Process {
    /// Starts one that follows this store.
    pub(crate) fn start(store: &Path, flags: &[&str]) -> Self {
        Self::start_by(&mut Command::new(HOST), store, flags, Stdio::null())
    }

    /// The same where a shell's `ulimit` takes this away, with its log in this file.
    pub(crate) fn start_within(ulimit: &str, log: &Path, store: &Path, flags: &[&str]) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &format!("ulimit {ulimit} && exec \"$0\" \"$@\""), HOST]);
        Self::start_by(&mut shell, store, flags, File::create(log).unwrap().into())
    }

    fn start_by(command: &mut Command, store: &Path, flags: &[&str], log: Stdio) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = command
            .args(["--address", "127.0.0.1", "--port", &free.port().to_string(), "--store"])
            .arg(store)
            .args(["--store-poll", "50ms", "--auth", "none", "--signing-key", KEY, "--max-event-age", "100000h"])
            .args(flags)
            .env_clear()
            .stdout(log)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address: free, client: client(false) }
    }

    /// Waits until it says that it is ready, and tells how long that took from now on.
    pub(crate) async fn ready(&mut self) -> Duration {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(60) {
            let asked = send(&self.client, self.address, Method::GET, "/readyz", vec![]).await;
            if asked.is_ok_and(|answer| answer.status == StatusCode::OK) {
                return start.elapsed();
            }
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("it was not ready within a minute");
    }

    pub(crate) async fn deliver(&self, event_type: &str) -> Answer {
        self.deliver_data(event_type, "{}").await
    }

    pub(crate) async fn deliver_data(&self, event_type: &str, data: &str) -> Answer {
        let body = signed(event_type, data.as_bytes()).encode();
        send(&self.client, self.address, Method::POST, "/events", body).await.unwrap()
    }

    /// The answer to the first event that it takes, which is sent again until it listens.
    pub(crate) async fn first(&mut self, event_type: &str) -> Answer {
        let start = Instant::now();
        let body = signed(event_type, b"{}").encode();
        while start.elapsed() < Duration::from_secs(60) {
            let sent = send(&self.client, self.address, Method::POST, "/events", body.clone()).await;
            if let Ok(answer) = sent {
                return answer;
            }
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        panic!("it took no event within a minute");
    }

    /// What the system says of it under this name in `/proc/PID/status` or `limits`: the rest of the line.
    pub(crate) fn told(&self, file: &str, name: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
    }

    /// Ends it as a machine that fails does: at once.
    pub(crate) fn kill(mut self) {
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
