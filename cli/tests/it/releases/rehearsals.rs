//! Rehearsals: recorded events run through what is to serve beside what serves, and nothing leaves the machine.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidemill_events::{Delivery, Envelope, Message};
use tidemill_test_artifacts as artifacts;
use tidemill_test_emulator::{Emulator, Subscription};

use super::puller::Puller;
use super::shop::{Shop, shown};
use crate::tidemill::{stderr, stdout};

/// Recorded deliveries, in a folder.
struct Tapes(TempDir);

impl Tapes {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.0.path().display().to_string()
    }

    /// Records an event as a dead letter, with the field that says why it is one.
    fn record(&self, name: &str, event_type: &str, data: &Value) {
        let attributes = BTreeMap::from([("event-type".to_owned(), event_type.to_owned())]);
        let message = Message { data: data.to_string().into_bytes(), attributes, ordering_key: None };
        let delivery = Delivery { message_id: name.to_owned(), subscription: "s".into(), ..Delivery::default() };
        let mut letter: Value = serde_json::from_slice(&Envelope { message, delivery }.encode()).unwrap();
        letter["deadLetter"] = json!({ "code": "reject", "reason": "no" });
        self.write(&format!("{name}.json"), &letter.to_string());
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A server's socket that notes whether anybody came.
struct Door(TcpListener);

impl Door {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Whoever connected stands in the socket's queue until somebody accepts.
    fn nobody_came(&self) -> bool {
        self.0.accept().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// The manifest of a handler that may send requests there, with these values.
fn manifest(origin: &str, values: &[(&str, &str)]) -> String {
    let values: String = values.iter().map(|(key, value)| format!("{key} = {value:?}\n")).collect();
    format!("events = [\"a\"]\n[permissions]\nhttp = [{origin:?}]\n[config]\n{values}")
}

/// A shop in which this is live as release 1.
fn shop(manifest: &str, wasm: &str) -> (Shop, String) {
    let shop = Shop::new();
    let path = shop.place("one", manifest, wasm);
    assert_eq!(shop.json(&["deploy", &path])["release"], 1);
    (shop, path)
}

fn rehearse(shop: &Shop, path: &str, tapes: &Tapes, more: &[&str]) -> Output {
    shop.run(&[&["deploy", path, "--rehearse", &tapes.path()], more].concat())
}

fn rehearsal(output: &Output) -> Value {
    shown(output)["rehearsal"].clone()
}

#[test]
fn what_ends_the_same_is_released_and_no_request_leaves() {
    let (door, tapes) = (Door::new(), Tapes::new());
    let (url, body) = (format!("{}/mails?x=1", door.origin()), "{config:greeting}");
    tapes.record("1", "a", &json!([{ "get": { "url": url } }, { "post": { "url": url, "body": "hello" } }]));
    tapes.record("2", "a", &json!({ "reject": { "reason": "no" } }));
    tapes.record("3", "b", &json!("done"));
    let (shop, path) = shop(&manifest(&door.origin(), &[("greeting", "hi")]), artifacts::SCRIPTED);
    shop.place("one", &manifest(&door.origin(), &[("greeting", "hello")]), artifacts::SCRIPTED);
    let output = rehearse(&shop, &path, &tapes, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = rehearsal(&output);
    assert_eq!((&told["events"], &told["same"], &told["passed_over"]), (&json!(2), &json!(2), &json!(1)), "{told}");
    assert_eq!((&told["stubbed_requests"], &told["objection"]), (&json!(2), &Value::Null));
    assert_eq!(told["runs"][1]["now"]["outcome"], "reject");
    assert_eq!(shown(&output)["release"], 2);

    // What is sent is another thing then, which is shown and no reason.
    tapes.record("4", "a", &json!({ "post": { "url": url, "body": body } }));
    shop.place("one", &manifest(&door.origin(), &[("greeting", "good day")]), artifacts::SCRIPTED);
    let recorded = json!([
        { "request": { "method": "GET", "url": url }, "response": { "status": 200, "body": "got" } },
        {
            "request": { "method": "POST", "url": url, "body": "good day" },
            "response": { "status": 207, "headers": { "x-a": "b" }, "body": "from the tape" },
        },
    ]);
    let answers = TempDir::new().unwrap();
    let file = answers.path().join("answers.json");
    std::fs::write(&file, recorded.to_string()).unwrap();
    let arguments = ["--rehearse-http", file.to_str().unwrap(), "--rehearse-stub", "202", "--output", "json"];
    let told = rehearsal(&rehearse(&shop, &path, &tapes, &arguments));
    assert_eq!((&told["same"], &told["different"], &told["stubbed_requests"]), (&json!(2), &json!(1), &json!(1)));
    let run = &told["runs"][2];
    assert_eq!((&run["event"], &run["verdict"]), (&json!("4.json"), &json!("different")));
    assert_eq!(run["differences"], json!([format!("request 1: the body of POST {url}")]));
    let (now, then) = (&run["now"], &run["then"]);
    assert_eq!((&now["log"][0]["text"], &then["log"][0]["text"]), (&json!("202 "), &json!("207 from the tape")));
    assert_eq!(then["requests"][0]["answered_by"], "recording");
    assert_eq!(then["requests"][0]["body"]["bytes"], 8);
    assert_eq!(shop.live().number.0, 3);
    assert!(door.nobody_came());
}

#[test]
fn what_ends_worse_refuses_the_release_unless_forced() {
    let values = |end| manifest("http://127.0.0.1:1", &[("end", end)]);
    let (shop, path) = shop(&values("done"), artifacts::SCRIPTED);
    let tapes = Tapes::new();
    tapes.record("1", "a", &json!(["{config:end}"]));
    tapes.record("2", "a", &json!(["done"]));
    shop.place("one", &values("trap"), artifacts::SCRIPTED);
    let before = shop.files();
    for more in [&[][..], &["--dry-run"]] {
        let refused = rehearse(&shop, &path, &tapes, more);
        assert_eq!(refused.status.code(), Some(1));
        assert!(stderr(&refused).contains("1 of 2 rehearsed events end worse than now"), "{}", stderr(&refused));
        let lines: Vec<_> = stdout(&refused).lines().collect();
        assert!(lines[0].ends_with(": 1 same, 0 different, 0 better, 1 worse"), "{lines:?}");
        assert!(lines[1].starts_with("  event   type  handler  now   then          "), "{lines:?}");
        assert!(lines[2].starts_with("  1.json  a     one      done  fault (trap)  worse  it trapped: "), "{lines:?}");
        assert!(stdout(&refused).contains("would make live in "), "{lines:?}");
        assert_eq!(shop.files(), before, "something was written");
    }
    let told = rehearse(&shop, &path, &tapes, &["--output", "json"]);
    assert_eq!((told.status.code(), &shown(&told)["release"]), (Some(1), &Value::Null));
    assert_eq!(rehearsal(&told)["worse"], 1);
    assert_eq!(shop.files(), before);

    let forced = rehearse(&shop, &path, &tapes, &["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert!(stdout(&forced).contains("end worse than now; goes on all the same (--force)"), "{}", stdout(&forced));
    assert_eq!(shop.live().number.0, 2);
    // And back is better.
    shop.place("one", &values("done"), artifacts::SCRIPTED);
    let told = rehearsal(&rehearse(&shop, &path, &tapes, &["--output", "json"]));
    assert_eq!((&told["better"], &told["same"]), (&json!(1), &json!(1)), "{told}");
    assert_eq!(shop.live().number.0, 3);
}

#[test]
fn publications_and_what_is_kept_are_withheld_and_shown() {
    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    let tapes = Tapes::new();
    tapes.record("1", "a", &json!({ "publish": [{ "type": "b", "data": 7, "times": 2 }] }));
    shop.place("one", "events = [\"a\"]\n[permissions]\npublish = [\"b\"]\n", artifacts::PUBLISH);
    let told = rehearsal(&rehearse(&shop, &path, &tapes, &["--output", "json", "--dry-run"]));
    let run = &told["runs"][0];
    assert_eq!((&run["verdict"], &run["differences"]), (&json!("different"), &json!(["publications: 0 → 2"])));
    assert_eq!(run["then"]["published"][1]["event_type"], "b");
    assert_eq!(run["then"]["published"][1]["data"]["bytes"], 1);

    // Each event has a store of its own, in which nothing is.
    let tapes = Tapes::new();
    let steps = json!([{ "increment": ["n", 1] }]);
    tapes.record("1", "a", &steps);
    tapes.record("2", "a", &steps);
    shop.place("one", "events = [\"a\"]\n[permissions]\nkey-value = [\"default\"]\n", artifacts::KEY_VALUE);
    let told = rehearsal(&rehearse(&shop, &path, &tapes, &["--output", "json"]));
    for run in told["runs"].as_array().unwrap() {
        assert_eq!(run["differences"], json!(["what it keeps in default under n"]));
        assert_eq!(run["then"]["log"][0]["text"], "1");
        assert_eq!(run["then"]["kept"][0]["key"], "n");
    }
    assert_eq!(told["events"], 2);
}

#[test]
fn a_new_handler_has_nothing_beside_it_and_may_answer_what_it_likes_but_not_break() {
    let shop = Shop::new();
    let path = shop.place("one", "events = [\"a\"]\n[permissions]\nhttp = [\"http://a.b\"]\n", artifacts::SCRIPTED);
    let tapes = Tapes::new();
    tapes.record("1", "a", &json!({ "reject": { "reason": "\u{1b}[2J" } }));
    tapes.record("2", "a", &json!("done"));
    let fine = rehearse(&shop, &path, &tapes, &["--dry-run"]);
    assert_eq!(fine.status.code(), Some(0), "{}", stderr(&fine));
    assert!(stdout(&fine).contains("nothing  reject  different  \\u{1b}[2J"), "{}", stdout(&fine));
    tapes.record("3", "a", &json!("trap"));
    let broken = rehearse(&shop, &path, &tapes, &[]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(stdout(&broken).contains("nothing  fault (trap)  worse"), "{}", stdout(&broken));
    assert!(shop.files().is_empty());
}

#[test]
fn an_event_type_that_nobody_would_serve_and_an_origin_that_is_not_listed_are_worse() {
    let door = Door::new();
    let list = |events: &str, origin: &str| format!("events = {events}\n[permissions]\nhttp = [{origin:?}]\n");
    let (shop, path) = shop(&list("[\"a\", \"b\"]", &door.origin()), artifacts::SCRIPTED);
    let tapes = Tapes::new();
    tapes.record("1", "a", &json!({ "get": { "url": door.origin() } }));
    tapes.record("2", "b", &json!("done"));
    shop.place("one", &list("[\"a\"]", "http://127.0.0.1:1"), artifacts::SCRIPTED);
    let refused = rehearse(&shop, &path, &tapes, &["--output", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    let told = rehearsal(&refused);
    assert_eq!(told["worse"], 2, "{told}");
    assert_eq!(told["runs"][0]["then"]["refused"]["http"], 1);
    assert_eq!(told["runs"][1]["then"]["outcome"], "unserved");
    assert!(door.nobody_came());
}

#[test]
fn a_gate_that_tried_nothing_lets_nobody_through() {
    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    let same = rehearse(&shop, &path, &Tapes::new(), &[]);
    assert_eq!(same.status.code(), Some(0), "{}", stderr(&same));
    assert!(stdout(&same).starts_with("nothing to rehearse"), "{}", stdout(&same));

    shop.handler("one", "a", 2);
    shop.handler("two", "c", 1);
    let tapes = Tapes::new();
    tapes.write("bad.json", "{\"message\": 7}");
    tapes.write("notes.txt", "no event");
    tapes.record("other", "b", &json!("done"));
    let refused = rehearse(&shop, &shop.handlers(), &tapes, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("nothing was rehearsed: "), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("and 1 could not be read"), "{}", stderr(&refused));
    assert!(stdout(&refused).contains("no event: bad.json: "), "{}", stdout(&refused));

    // A bad file is no reason where there are others. A handler without an event is one.
    for name in ["good-1", "good-2", "good-3"] {
        tapes.record(name, "a", &json!("done"));
    }
    let (all, arguments) = (shop.handlers(), ["--rehearse-max", "2"]);
    let refused = rehearse(&shop, &all, &tapes, &arguments);
    assert_eq!(refused.status.code(), Some(1));
    let says =
        "not rehearsed: two, for which there was no event; nothing was released (deploy the others alone, or --force";
    assert!(stderr(&refused).contains(says), "{}", stderr(&refused));
    for says in ["rehearsed 2 events of ", "no event: bad.json: ", "stopped there", "not rehearsed: two,"] {
        assert!(stdout(&refused).contains(says), "{says}: {}", stdout(&refused));
    }
    assert_eq!(shop.live().number.0, 1);
    let alone = rehearse(&shop, &path, &tapes, &["--dry-run"]);
    assert_eq!(alone.status.code(), Some(0), "{}", stderr(&alone));
    let forced = rehearse(&shop, &all, &tapes, &["--force"]);
    assert_eq!(forced.status.code(), Some(0), "{}", stderr(&forced));
    assert!(stdout(&forced).contains("no event; goes on all the same (--force)"), "{}", stdout(&forced));

    // What serves already needs none.
    shop.handler("one", "a", 3);
    let fine = rehearse(&shop, &all, &tapes, &["--dry-run"]);
    assert_eq!(fine.status.code(), Some(0), "{}", stderr(&fine));
}

#[test]
fn what_only_the_operator_has_is_given_or_stood_in_for() {
    let declared = |version: u32| {
        format!("# {version}\n{}secret = {{ secret = true }}\nplain = {{}}\n", manifest("http://a.b", &[]))
    };
    let (shop, path) = shop(&declared(1), artifacts::SCRIPTED);
    shop.place("one", &declared(2), artifacts::SCRIPTED);
    let tapes = Tapes::new();
    tapes.record("1", "a", &json!([{ "get": { "url": "http://a.b/{config:secret}" } }, { "reject": { "reason": "{config:secret} {config:plain}" } }]));
    let mut command = shop.command(&["deploy", &path, "--rehearse", &tapes.path(), "--dry-run", "--output", "json"]);
    let output = command.env("TIDEMILL_HANDLER_ONE__SECRET", "hunter2hunter2").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(rehearsal(&output)["same"], 1);

    // Beside nothing all of it is shown, and what is secret is not.
    shop.json(&["remove", "one"]);
    let output = command.output().unwrap();
    assert!(!stdout(&output).contains("hunter2"), "{}", stdout(&output));
    let then = &rehearsal(&output)["runs"][0]["then"];
    assert_eq!(then["requests"][0]["url"], "http://a.b/[secret secret]");
    assert_eq!(then["reason"], "[secret secret] http://127.0.0.1");
}

#[test]
fn misuse_of_a_rehearsal_ends_with_2() {
    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    shop.handler("one", "a", 2);
    let tapes = Tapes::new();
    let bad = tapes.write("bad.json", "[7]");
    let bad: &str = Path::to_str(&bad).unwrap();
    for (arguments, says) in [
        (vec!["--rehearse", "/nowhere"], "/nowhere: it can't be read"),
        (vec!["--rehearse", &tapes.path(), "--rehearse-http", bad], "bad.json: it holds no recordings"),
        (vec!["--rehearse", &tapes.path(), "--rehearse-stub", "99"], "is no final status"),
        (vec!["--rehearse", &tapes.path(), "--rehearse-max", "0"], "--rehearse-max"),
        (vec!["--force"], "--rehearse"),
    ] {
        let output = shop.run(&[&["deploy", &path], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(says), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(shop.live().number.0, 1);
}

#[test]
fn what_is_published_and_under_which_keys_shows_no_secret() {
    const SECRET: &str = "hunter2hunter2";
    let declared = "[config]\ntoken = { secret = true }\n";
    let (shop, tapes) = (Shop::new(), Tapes::new());
    let publish = format!("events = [\"a\"]\n[permissions]\npublish = [\"b\"]\n{declared}");
    let keep = format!("events = [\"c\"]\n[permissions]\nkey-value = [\"default\"]\n{declared}");
    shop.place("one", "events = [\"a\"]\n", artifacts::EMPTY);
    shop.place("two", "events = [\"c\"]\n", artifacts::EMPTY);
    shop.json(&["deploy", &shop.handlers()]);
    shop.place("one", &publish, artifacts::PUBLISH);
    shop.place("two", &keep, artifacts::KEY_VALUE);
    let event = json!({ "type": "b", "key": format!("k-{SECRET}"), "attributes": { "x": SECRET } });
    tapes.record("1", "a", &json!({ "publish": [event] }));
    tapes.record("2", "c", &json!([{ "increment": [format!("n-{SECRET}"), 1] }]));
    let arguments = ["deploy", &shop.handlers(), "--rehearse", &tapes.path(), "--dry-run", "--output", "json"];
    let mut command = shop.command(&arguments);
    let values = ["TIDEMILL_HANDLER_ONE__TOKEN", "TIDEMILL_HANDLER_TWO__TOKEN"].map(|name| (name, SECRET));
    let output = command.envs(values).output().unwrap();
    let told = rehearsal(&output);
    assert_eq!(told["runs"][0]["then"]["published"][0]["ordering_key"], "k-[secret token]", "{told}");
    assert_eq!(told["runs"][0]["then"]["published"][0]["attributes"]["x"], "[secret token]", "{told}");
    assert_eq!(told["runs"][1]["then"]["kept"][0]["key"], "n-[secret token]", "{told}");
    assert!(!stdout(&output).contains(SECRET), "{told}");
}

/// Not even by force: nobody knows what lies there.
#[test]
fn a_subscription_that_nobody_answers_for_is_not_taken_for_an_empty_one() {
    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    shop.handler("one", "a", 2);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let before = shop.files();
    let mut command = shop.command(&["deploy", &path, "--rehearse", "projects/shop/subscriptions/dead", "--force"]);
    let output = command.env("PUBSUB_EMULATOR_HOST", closed.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("projects/shop/subscriptions/dead can't be pulled from: "), "{}", stderr(&output));
    assert_eq!(shop.files(), before);
}

/// On Google's emulator: the messages that were rehearsed are all on the subscription afterwards.
#[test]
fn a_subscription_keeps_its_messages() {
    const EACH: usize = 30;
    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    shop.place("one", &manifest("http://a.b", &[]), artifacts::SCRIPTED);
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let Some(emulator) = executor.block_on(Emulator::shared()) else { return };
    let subscription = executor.block_on(async {
        let topic = emulator.create_topic("rehearsed").await;
        let subscription = emulator.create_subscription("rehearsed-pull", &Subscription::of(&topic)).await;
        for number in 0..2 * EACH {
            let event_type = if number % 2 == 0 { "a" } else { "b" };
            let attributes = BTreeMap::from([("event-type".to_owned(), event_type.to_owned())]);
            // The JSON text `"trap"`.
            emulator.publish_raw(&topic, "InRyYXAi", &attributes).await;
        }
        subscription
    });
    let before = shop.files();
    let mut command = shop.command(&["deploy", &path, "--rehearse", &subscription, "--output", "json"]);
    let output = command.env("PUBSUB_EMULATOR_HOST", emulator.host()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = rehearsal(&output);
    assert_eq!((&told["worse"], &told["passed_over"]), (&json!(EACH), &json!(EACH)), "{told}");
    assert_eq!(shop.files(), before);
    let left = executor.block_on(emulator.pull(&subscription, 2 * EACH));
    assert_eq!(left.len(), 2 * EACH);
}

/// Messages that a rehearsal pulls from a server of ours, which gives all of them in each answer, whatever was asked for:
/// one that no push would bring, one of the type `a`, and others of the type `b`.
#[test]
fn a_subscription_that_gives_the_same_again_and_what_cannot_be_read_is_rehearsed_once_and_given_back() {
    const ALL: usize = 600;
    let message = |number: usize| {
        let event_type = if number == 1 { "a" } else { "b" };
        json!({ "messageId": number.to_string(), "data": "MQ==", "attributes": { "event-type": event_type } })
    };
    let mut messages: Vec<_> = (0..ALL).map(message).collect();
    messages[0]["data"] = json!("no base64");

    let (shop, path) = shop("events = [\"a\"]\n", artifacts::EMPTY);
    shop.handler("one", "a", 2);
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let puller = executor.block_on(Puller::start(messages));
    let name = "projects/shop/subscriptions/dead";
    let mut command = shop.command(&["deploy", &path, "--rehearse", name, "--dry-run", "--output", "json"]);
    let output = command.env("PUBSUB_EMULATOR_HOST", puller.address.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = rehearsal(&output);
    assert_eq!((&told["events"], &told["passed_over"]), (&json!(1), &json!(ALL - 2)), "{told}");
    assert_eq!(told["unusable"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["unusable"][0]["event"], "0");

    // Each lease that was given was held, and then ended, also those after an error.
    let log = puller.log.lock().unwrap();
    let given: BTreeSet<_> =
        (0..log.pulls).flat_map(|pull| (0..ALL).map(move |lease| format!("{pull}-{lease}"))).collect();
    assert!(log.pulls > 1);
    assert_eq!(log.leases(600), given);
    assert_eq!(log.leases(0), given);
    assert!(stderr(&output).contains("modifyAckDeadline: 503 Service Unavailable: no"), "{}", stderr(&output));
}
