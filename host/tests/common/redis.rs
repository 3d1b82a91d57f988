//! A Redis server of a test's own, which keeps nothing and can be stopped, frozen and brought back.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tidemill_host::config::RedisUrl;

/// How often a server is looked for, and how long between: half a minute together.
const LOOKS: u32 = 3000;
const PAUSE: Duration = Duration::from_millis(10);

/// A server that runs. It ends with the test.
pub struct Redis {
    port: u16,
    password: Option<String>,
    process: Option<Child>,
    folder: TempDir,
}

impl Redis {
    /// Starts a server on a free port.
    ///
    /// `None` where there is no `redis-server`: the test should then return, as this has printed `SKIPPED redis: …` with
    /// the test's name, past the harness that swallows what passing tests print. In CI that is a failure.
    pub async fn start() -> Option<Self> {
        Self::start_with(None).await
    }

    /// The same, with a password that clients have to give.
    pub async fn start_with(password: Option<&str>) -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            #[allow(clippy::disallowed_methods, reason = "whether a test may be skipped is the environment's to say")]
            let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
            assert!(!ci, "no redis-server on PATH in CI: apt-get install redis-server");
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("a test");
            // Not eprintln, which the test harness captures.
            _ = writeln!(std::io::stderr(), "SKIPPED redis: {name}: there is no redis-server on PATH");
            return None;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let password = password.map(str::to_owned);
        let mut redis = Self { port, password, process: None, folder: tempfile::tempdir().unwrap() };
        redis.resume().await;
        Some(redis)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The server's URL, with the password that it asks for.
    pub fn url(&self) -> RedisUrl {
        let user = self.password.as_ref().map(|password| format!(":{password}@")).unwrap_or_default();
        format!("redis://{user}127.0.0.1:{}/0", self.port).parse().unwrap()
    }

    /// A connection past the store, to look at what it left and to disturb it.
    pub async fn connection(&self) -> MultiplexedConnection {
        self.try_connect().await.unwrap()
    }

    /// Ends the server as a crash would. It remembers nothing.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// Starts it again, on the same port, and waits until it answers.
    pub async fn resume(&mut self) {
        for look in 0..LOOKS {
            // Another process may hold the port for a moment, as the near end of a connection of its own.
            let ended = |process: &mut Child| process.try_wait().unwrap().is_some();
            if self.process.as_mut().is_none_or(ended) {
                assert!(look < LOOKS / 2, "redis-server ends as it starts: {:?}", self.log());
                self.process = Some(self.spawn());
            }
            if self.try_connect().await.is_ok() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("redis-server is not up within half a minute: {:?}", self.log());
    }

    /// Sets another password, which counts from the next start.
    pub fn set_password(&mut self, password: &str) {
        self.password = Some(password.to_owned());
    }

    /// Lets the server sleep: its connections stay, and nothing is answered.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(self.process.as_ref().unwrap()), signal).unwrap();
    }

    fn spawn(&self) -> Child {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(self.folder.path()).arg("--logfile").arg(self.folder.path().join("log"));
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    async fn try_connect(&self) -> redis::RedisResult<MultiplexedConnection> {
        let client = redis::Client::open(self.url().connection().clone())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        // Another test's server may have got the port first.
        let told: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
        let ours =
            self.process.as_ref().is_some_and(|process| told.contains(&format!("process_id:{}\r", process.id())));
        if ours { Ok(connection) } else { Err((redis::ErrorKind::Client, "it is another server").into()) }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // A frozen process dies of this as well.
            _ = process.kill();
            _ = process.wait();
        }
    }
}
