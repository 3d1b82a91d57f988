//! Instances that handle several events: only where that is asked for and granted, and nothing of one event is another's
//! but what the guest itself keeps.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;

mod asked;
mod events;
mod fresh;
mod left;
mod many;
mod pool;
#[path = "../publishing/receiver.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod receiver;
#[path = "../outgoing/support.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod support;

use hyper::StatusCode;
use serde_json::{Value, json};

use common::{Answer, TestHost, log};

/// A manifest of the fixture `scripted` that asks for instances which handle so many events.
fn reusing(event_type: &str, reuse: u32, rest: &str) -> String {
    format!(
        "events = [\"{event_type}\"]\n[instances]\nreuse = {reuse}\nmax-age = \"1h\"\n\
         [permissions]\nhttp = [\"http://127.0.0.1:9\"]\n{rest}"
    )
}

/// Which event of which instance a line says that its own is, from 1, if it says so.
fn told(line: &str) -> Option<(String, u32)> {
    let (instance, event) = line.strip_prefix("instance ")?.split_once(" event ")?;
    Some((instance.to_owned(), event.parse().unwrap()))
}

/// The same of a delivery that went well.
fn seen(answer: &Answer) -> (String, u32) {
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let lines = printed(answer);
    lines.iter().find_map(|line| told(line)).unwrap_or_else(|| panic!("{lines:?}"))
}

/// What a delivery's handler wrote.
fn printed(answer: &Answer) -> Vec<String> {
    let lines = log::of_message(&answer.message_id).into_iter().filter(|line| !line["stream"].is_null());
    lines.map(|line| line["message"].as_str().unwrap().to_owned()).collect()
}

/// Delivers a script, and says which event of its instance it was in the end.
async fn event(host: &TestHost, event_type: &str, steps: Value) -> u32 {
    let steps = [steps.as_array().unwrap().clone(), vec![json!("instance")]].concat();
    seen(&host.deliver(event_type, Value::from(steps).to_string()).await).1
}

/// How many instances were made for a handler's events, and how many events ran in one that had handled others.
fn counted(host: &TestHost, handler: &str) -> (u32, u32) {
    let text = host.metrics.text();
    let of = |name: &str| {
        let start = format!("tidemill_{name}_total{{handler=\"{handler}\"}} ");
        text.lines().find_map(|line| line.strip_prefix(&start)).map_or(0, |count| count.parse().unwrap())
    };
    (of("instances"), of("reused"))
}

/// How many of a handler's instances wait for an event.
fn idle(host: &TestHost, handler: &str) -> usize {
    host.live(handler).unwrap().component.idle_instances()
}
