//! The hosts that a family is tried against, and how a row is tried.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tidemill_events::{KeyRing, Scheme};
use tidemill_host::config::{AuthMode, Config, DeadLetterTarget, IamConfig};
use tidemill_host::server::Drained;
use tidemill_test_artifacts::SCRIPTED;

use crate::Family;
use crate::common::issuer::{AUDIENCE, EMAIL};
use crate::common::{TestHost, log, wasm};
use crate::row::{Answer, Good, Mode, Row};
use crate::scene::{MARK, OTHER_TYPE, SECOND_KEY, Scene, TYPE, UNSIGNED_SOURCE};
use crate::wire::{Reply, Sent};

pub(crate) struct Stand {
    handler: &'static str,
    body_timeout: Duration,
    hosts: BTreeMap<Mode, Host>,
    /// The message ids of what had to be handled, in their order.
    handled: Vec<String>,
    /// What was answered otherwise than the table says.
    surprises: Vec<String>,
}

struct Host {
    host: TestHost,
    letters: TempDir,
}

impl Host {
    /// The codes of what is stored with the dead letters.
    fn stored(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.letters.path()).unwrap();
        let read = |file| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let letters = files.map(|file| -> Value { read(file.unwrap().path()) });
        letters.map(|letter| letter["deadLetter"]["code"].as_str().unwrap().to_owned()).collect()
    }

    fn clear(&self) {
        for file in std::fs::read_dir(self.letters.path()).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

impl Stand {
    pub(crate) fn new(family: &Family) -> Self {
        let Family { handler, body_timeout, .. } = *family;
        Self { handler, body_timeout, hosts: BTreeMap::new(), handled: vec![], surprises: vec![] }
    }

    pub(crate) async fn try_row(&mut self, scene: &Scene, row: Row) {
        let Row { what, host: mode, before, sent, answer } = row;
        let address = self.address(scene, mode).await;
        if let Some(good) = before {
            self.handle(mode, good, &what).await;
        }
        let replies = sent.exchange(address).await;
        self.judge(scene, &what, mode, answer, &replies).await;
    }

    /// Tries rows that wait for their ends, all at once. What one of them stored could be taken for another's.
    pub(crate) async fn try_together(&mut self, scene: &Scene, rows: Vec<Row>) {
        let mut exchanges = Vec::new();
        for Row { what, host: mode, sent, answer, .. } in rows {
            let address = self.address(scene, mode).await;
            exchanges.push((what, mode, answer, tokio::spawn(sent.exchange(address))));
        }
        for (what, mode, answer, exchange) in exchanges {
            self.judge(scene, &what, mode, answer, &exchange.await.unwrap()).await;
        }
    }

    /// Compares what came back with the table, and tries a good event.
    async fn judge(&mut self, scene: &Scene, what: &str, mode: Mode, answer: Answer, replies: &[Reply]) {
        let host = &self.hosts[&mode];
        let seen = seen(replies, &host.stored());
        if seen.as_deref() != Ok(answer.to_string().as_str()) {
            self.surprises.push(format!("{what}, on {mode}: {answer} expected, seen: {seen:?} in {replies:?}"));
        }
        host.clear();
        self.handle(mode, scene.good(mode), what).await;
    }

    /// Where the host of this mode is. It is started for the first row that asks for it.
    async fn address(&mut self, scene: &Scene, mode: Mode) -> SocketAddr {
        if !self.hosts.contains_key(&mode) {
            let host = self.start(scene, mode).await;
            self.hosts.insert(mode, host);
        }
        self.hosts[&mode].host.address
    }

    /// Sends what has to be handled.
    async fn handle(&mut self, mode: Mode, good: Good, beside: &str) {
        let Good { message_id, bytes } = good;
        let replies = Sent::Bytes(bytes).exchange(self.hosts[&mode].host.address).await;
        let statuses: Vec<_> = replies.iter().map(|reply| (reply.status, reply.ran)).collect();
        assert_eq!(statuses, [(204, true)], "beside {beside:?}, on {mode}, a good event was answered {replies:?}");
        self.handled.push(message_id);
    }

    /// Ends all hosts, so that whatever they may have begun is over, and looks at what ran.
    pub(crate) async fn end(mut self, scene: &Scene) {
        assert!(self.surprises.is_empty(), "{:#?}", self.surprises);
        for host in self.hosts.values_mut() {
            host.host.begin_shutdown();
            assert_eq!(host.host.drained().await, Drained::Fully);
            assert_eq!(host.stored(), Vec::<String>::new());
        }
        let of_handler = |line: &Value| line["handler"] == self.handler;
        let ids = |lines: Vec<Value>| -> Vec<String> {
            lines.iter().map(|line| line["message_id"].as_str().unwrap().to_owned()).collect()
        };
        let marks = ids(log::lines(|line| of_handler(line) && line["message"] == MARK));
        assert_eq!(marks, self.handled, "not what had to be handled, and nothing else, reached the handler");
        let ends = ids(log::lines(|line| of_handler(line) && !line["run_us"].is_null() && !line["outcome"].is_null()));
        assert_eq!(ends, self.handled);
        assert_eq!(scene.evil.fetches(), 0, "a token led the host to an address of its own");
    }

    async fn start(&self, scene: &Scene, mode: Mode) -> Host {
        let letters = tempfile::tempdir().unwrap();
        let manifest = format!(
            "name = {:?}\nevents = [{TYPE:?}, {OTHER_TYPE:?}, \"scrip\"]\n[permissions]\nhttp = [\"http://127.0.0.1:9\"]\n",
            self.handler
        );
        let change = |config: &mut Config| {
            config.auth = match mode {
                Mode::Oidc => AuthMode::Oidc(scene.issuer.config()),
                Mode::Iam => AuthMode::Iam(IamConfig { emails: vec![EMAIL.into()], audiences: vec![AUDIENCE.into()] }),
                Mode::NoAuth | Mode::V1 => AuthMode::None,
            };
            config.verify.accept = match mode {
                Mode::V1 => vec![Scheme::V2, Scheme::V1],
                Mode::Oidc | Mode::Iam | Mode::NoAuth => vec![Scheme::V2],
            };
            config.verify.max_event_age = Duration::from_secs(192 * 60 * 60);
            config.verify.unsigned_sources = vec![format!("{UNSIGNED_SOURCE} -> {OTHER_TYPE}").parse().unwrap()];
            config.keys.fixed.push(SECOND_KEY.parse().unwrap());
            config.keys.ring = KeyRing::new(config.keys.fixed.clone()).unwrap();
            config.dead_letter.target = Some(DeadLetterTarget::Folder(letters.path().to_owned()));
            config.body_timeout = self.body_timeout;
        };
        let host = TestHost::start_with(&[(self.handler, &manifest, &wasm(SCRIPTED))], change).await;
        Host { host, letters }
    }
}

/// What came back, in the words of the table.
fn seen(replies: &[Reply], stored: &[String]) -> Result<String, String> {
    let reply = match replies {
        [] if stored.is_empty() => return Ok(Answer::Closed.to_string()),
        [reply] if reply.ran => return Err("a handler ran".into()),
        [reply] => reply,
        _ => return Err("not one answer".into()),
    };
    match (reply.status, reply.code.as_deref(), stored) {
        (204, Some(code), [stored]) if code == stored => Ok(format!("stored as `{code}`, 204")),
        (status, Some(code), []) => Ok(format!("{status} `{code}`")),
        (status, None, []) => Ok(Answer::Http(status).to_string()),
        _ => Err("something else is stored than was said".into()),
    }
}
