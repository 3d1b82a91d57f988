//! The program: its configuration, its signals, and its way to the real emulator.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process};
use tidemill_events::{Envelope, Event, Key, Scheme, Sender, Verifier};
use tidemill_test_emulator::{Emulator, Subscription};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpListener;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{Notify, mpsc};

use crate::support::{Remote, data};

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_user-api"));
    command
        .env_clear()
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("SIGNING_KEY", "k1=s3cret")
        .env("DATABASE", folder.join("test.db"))
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The program, listening.
struct Program {
    api: Remote,
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Program {
    async fn start(command: &mut Command) -> Self {
        let mut process = command.spawn().unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        loop {
            let line = log.next_line().await.unwrap().expect("the program ended before it listened");
            if let Some((_, address)) = line.split_once("listening address=") {
                return Self { api: Remote::new(address), process, log };
            }
        }
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.process.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    }

    async fn exit(mut self) -> ExitStatus {
        // Read on, or a full pipe would keep the program from ending.
        while self.log.next_line().await.unwrap().is_some() {}
        self.process.wait().await.unwrap()
    }
}

fn verified(envelope: Envelope) -> Event {
    let (key, arrival): (Key, _) = ("k1=s3cret".parse().unwrap(), envelope.delivery.publish_time.unwrap());
    let verifier = Verifier::new(vec![Scheme::V2]);
    verifier.verify(&key.into(), envelope, Sender::Stranger, arrival).unwrap().into_inner().event
}

#[tokio::test]
async fn on_sigterm_the_request_under_way_is_published_and_answered_and_the_exit_code_is_0() {
    // A host that acknowledges an event only when the test says so.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let go_on = Arc::new(Notify::new());
    let held = Arc::clone(&go_on);
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request: Request<Incoming>| {
            let (arrived, held) = (arrived.clone(), Arc::clone(&held));
            async move {
                arrived.send(request.into_body().collect().await?.to_bytes()).unwrap();
                held.notified().await;
                Ok::<_, hyper::Error>(Response::new(Empty::<Bytes>::new()))
            }
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
    });
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(command(folder.path()).env("EVENTS_URL", url)).await;

    let api = program.api.clone();
    let request = tokio::spawn(async move { api.register("ada@example.com", "Ada").await });
    let body = arrivals.recv().await.unwrap();
    program.terminate();
    go_on.notify_one();

    let user = request.await.unwrap();
    assert_eq!(program.exit().await.code(), Some(0));
    let event = verified(Envelope::decode(&body).unwrap());
    assert_eq!(data(&event)["id"], user);
    assert!(arrivals.recv().await.is_none(), "the event was published more than once");
}

#[tokio::test]
async fn a_wrong_configuration_is_told_in_full_and_the_exit_code_is_2() {
    let folder = tempfile::tempdir().unwrap();
    let output = command(folder.path())
        .env("PORT", "http")
        .env("TOPIC", "events")
        .env("PUBSUB_EMULATOR_HOST", "nowhere")
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let log = String::from_utf8(output.stderr).unwrap();
    for expected in ["PORT: ", "TOPIC: \"events\" is no topic", "\"nowhere\" in PUBSUB_EMULATOR_HOST"] {
        assert!(log.contains(expected), "{expected} is missing: {log}");
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_named_and_the_exit_code_is_1() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/test.db");
    let output =
        command(folder.path()).env("DATABASE", &path).env("EVENTS_URL", "http://127.0.0.1:9").output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains(&path.display().to_string()), "{log}");
}

#[tokio::test]
async fn emulator_what_is_committed_here_arrives_there_signed() {
    let Some(emulator) = Emulator::shared().await else { return };
    let topic = emulator.create_topic("user-api").await;
    let ordered = Subscription { ordering: true, ..Subscription::of(&topic) };
    let subscription = emulator.create_subscription("user-api-pull", &ordered).await;
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    let program = Program::start(command.env("TOPIC", &topic).env("PUBSUB_EMULATOR_HOST", emulator.host())).await;

    let user = program.api.register("ada@example.com", "Ada").await;
    program.api.change_name(&user, "Countess").await;

    let envelopes = emulator.pull(&subscription, 2).await;
    let events: Vec<_> = envelopes.into_iter().map(verified).collect();
    assert_eq!(events[0].event_type, "user.registered");
    assert_eq!(data(&events[0])["id"], user);
    assert_eq!(events[1].data, br#"{"Name":"Countess"}"#);
    assert_eq!(events[1].attributes["user-id"], user);
    program.terminate();
    assert_eq!(program.exit().await.code(), Some(0));
}
