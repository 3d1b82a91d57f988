//! A zoo of hostile handlers on one running host, beside a well-behaved one under load: each ends as its limit says, no
//! event of the neighbour's fails, and nothing of any is left for the event after.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod animals;
#[path = "../common/mod.rs"]
mod common;
mod component;
mod neighbour;

use std::sync::Arc;
use std::time::Duration;

use animals::Animal;
use common::{Answer, SCRIPT, TestHost, log, wasm};
use hyper::StatusCode;
use neighbour::Neighbour;
use serde_json::json;
use tidemill_host::config::InFlight;
use tidemill_test_artifacts::{SCRIPTED, USER_NAME_CHANGED};
use tokio::task::JoinSet;

/// Events at once, and so slots.
const SLOTS: usize = 16;

async fn host(animals: &[Animal]) -> Arc<TestHost> {
    let manifests: Vec<_> = animals.iter().map(Animal::manifest).collect();
    let (scripted, witness, neighbour) = (wasm(SCRIPTED), component::witness(), wasm(USER_NAME_CHANGED));
    let mut handlers: Vec<(&str, &str, &[u8])> = vec![
        ("scripted", SCRIPT, &scripted),
        ("witness", "events = [\"witness\"]", &witness),
        ("neighbour", "events = [\"user.name.changed\"]", &neighbour),
    ];
    for (animal, manifest) in animals.iter().zip(&manifests) {
        handlers.push((animal.name, manifest.as_str(), animal.wasm.as_slice()));
    }
    let in_flight = InFlight { events: SLOTS, per_handler: SLOTS, body_bytes: 64 << 20 };
    let host = TestHost::start_with(&handlers, |config| config.in_flight = in_flight).await;
    for animal in animals {
        assert!(
            host.live(animal.name).is_some(),
            "{} is not loaded: {:?}",
            animal.name,
            log::lines(|line| line["severity"] != "INFO")
        );
    }
    Arc::new(host)
}

async fn provoke(host: &TestHost, animal: &Animal) -> Answer {
    host.deliver(animal.name, &animal.data).await
}

/// A good event in every slot at once, and then what looks for leftovers.
async fn assert_clean(host: &Arc<TestHost>) {
    let mut all = JoinSet::new();
    for _ in 0..SLOTS {
        let host = Arc::clone(host);
        all.spawn(async move { host.script(json!([{ "sleep_ms": 200 }])).await });
    }
    for answer in all.join_all().await {
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }
    for _ in 0..SLOTS {
        let answer = host.deliver("witness", "{}").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    }
}

fn assert_ended(animal: &Animal, answer: &Answer) {
    let code = answer.headers["tidemill-code"].to_str().unwrap();
    assert_eq!((answer.status, code), animal.ends, "{}: {answer:?}", animal.name);
    let end = log::of_message(&answer.message_id).into_iter().find(|line| line["outcome"].is_string()).unwrap();
    assert_eq!((&end["code"], &end["handler"]), (&json!(code), &json!(animal.name)), "{end}");
}

/// One after the other, and then all at once, as many as there are places for beside the neighbour's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ends_as_its_limit_says_and_no_neighbour_notices() {
    let animals = Arc::new(animals::all());
    let host = host(&animals).await;
    let neighbour = Neighbour::begin(&host);
    for animal in animals.iter() {
        assert_ended(animal, &provoke(&host, animal).await);
    }
    assert!(!neighbour.end().await.is_empty());
    assert_clean(&host).await;
    let mut all = JoinSet::new();
    for number in 0..3 * animals.len() {
        let (host, animals) = (Arc::clone(&host), Arc::clone(&animals));
        all.spawn(async move {
            let animal = &animals[number % animals.len()];
            let answer = provoke(&host, animal).await;
            // More than there is room for are told so at once.
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                assert_ended(animal, &answer);
            }
        });
    }
    all.join_all().await;
    assert_clean(&host).await;
}

/// By hand, on a quiet machine: `cargo test --release --test zoo -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and asserts nothing of it"]
async fn how_long_the_neighbour_takes_alone_and_beside_each() {
    let animals = animals::all();
    let host = host(&animals).await;
    let quiet = |time| tokio::time::sleep(Duration::from_secs(time));
    let neighbour = Neighbour::begin(&host);
    quiet(1).await;
    neighbour.end().await;
    println!("{:<28} {:>8} {:>9} {:>9}", "beside", "events", "p50 µs", "p99 µs");
    let neighbour = Neighbour::begin(&host);
    quiet(3).await;
    neighbour::report("none", neighbour.end().await);
    for animal in &animals {
        let neighbour = Neighbour::begin(&host);
        let until = std::time::Instant::now() + Duration::from_secs(1);
        while std::time::Instant::now() < until {
            assert_ended(animal, &provoke(&host, animal).await);
        }
        neighbour::report(animal.name, neighbour.end().await);
    }
}
