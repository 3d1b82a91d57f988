//! Many events at once, each of which has an instance to itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;
use tidemill_test_artifacts::SCRIPTED;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::common::{TestHost, log, wasm};
use crate::{counted, idle, reusing, told};

const SENDERS: u32 = 16;
const EVENTS: u32 = 24;
/// Less than there are events, so that instances are used up as well.
const REUSE: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_lost_and_no_instance_handles_two_at_once() {
    let host = Arc::new(TestHost::start(&[("many", &reusing("many", REUSE, ""), &wasm(SCRIPTED))]).await);
    let (start, mut senders) = (Arc::new(Barrier::new(SENDERS as usize)), JoinSet::new());
    for _ in 0..SENDERS {
        let (host, start) = (Arc::clone(&host), Arc::clone(&start));
        senders.spawn(async move {
            start.wait().await;
            for _ in 0..EVENTS {
                let answer = host.deliver("many", json!(["instance", { "alone_ms": 1 }]).to_string()).await;
                assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
            }
        });
    }
    senders.join_all().await;
    let mut of_instance: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for line in log::lines(|line| line["handler"] == "many" && line["stream"] == "stdout") {
        let (instance, number) = told(line["message"].as_str().unwrap()).unwrap();
        of_instance.entry(instance).or_default().push(number);
    }
    for numbers in of_instance.values_mut() {
        numbers.sort_unstable();
        assert!((1..=REUSE).zip(&*numbers).all(|(due, number)| due == *number), "{numbers:?}");
        assert!(numbers.len() <= REUSE as usize, "{numbers:?}");
    }
    let (made, reused) = counted(&host, "many");
    assert_eq!((made + reused, made as usize), (SENDERS * EVENTS, of_instance.len()));
    assert!((1..=SENDERS as usize).contains(&idle(&host, "many")));
}
