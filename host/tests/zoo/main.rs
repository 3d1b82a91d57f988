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
mod page;
mod reach;
mod reasons;
mod scene;
#[path = "../outgoing/support.rs"]
#[expect(dead_code, reason = "the tests of outgoing HTTP have the others")]
mod support;
mod usage;

use std::sync::Arc;
use std::time::{Duration, Instant};

use animals::Animal;
use common::{Answer, TestHost, log, wasm};
use hyper::StatusCode;
use neighbour::Neighbour;
use scene::Scene;
use serde_json::json;
use tidemill_test_artifacts::USER_NAME_CHANGED;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

async fn provoke(host: &TestHost, animal: &Animal) -> Answer {
    let answer = host.deliver(animal.name, &animal.data).await;
    let code = answer.headers["tidemill-code"].to_str().unwrap();
    assert_eq!((answer.status, code), animal.ends(), "{}: {answer:?}", animal.name);
    answer
}

/// The log says of each event how it ended, and what its animal is told, and nothing that it must not say.
fn assert_told(events: &[(&Animal, Answer)]) {
    let log = log::lines(|line| line["message_id"].is_string());
    for (animal, answer) in events {
        let lines: Vec<_> = log.iter().filter(|line| line["message_id"] == answer.message_id.as_str()).collect();
        let end = lines.iter().find(|line| line["outcome"].is_string()).unwrap();
        assert_eq!((&end["code"], &end["handler"]), (&json!(animal.code), &json!(animal.name)), "{end}");
        let says = |words: &&str| lines.iter().any(|line| line["message"].as_str().unwrap().contains(words));
        let untold = animal.told.iter().find(|words| !says(words));
        assert_eq!(untold, None, "the log doesn't say so of {}: {lines:?}", animal.name);
        let told = animal.untold.iter().find(|words| says(words));
        assert_eq!(told, None, "the log says so of {}: {lines:?}", animal.name);
    }
}

/// One after the other, and then all at once, in every slot that the neighbour leaves them. Were they in its slots too, it
/// would be told to come again: there are more handlers here than could have places kept for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ends_as_its_limit_says_and_no_neighbour_notices() {
    let scene = Scene::set().await;
    let neighbour = Neighbour::begin(&scene.host);
    let mut events = Vec::new();
    for animal in scene.animals.iter() {
        events.push((animal, provoke(&scene.host, animal).await));
    }
    assert!(!neighbour.end().await.is_empty());
    assert_told(&events);
    scene.assert_clean().await;
    let neighbour = Neighbour::begin(&scene.host);
    let places = Arc::new(Semaphore::new(scene::SLOTS - neighbour::SENDERS));
    let mut all = JoinSet::new();
    for number in 0..2 * scene.animals.len() {
        let (host, animals, places) = (Arc::clone(&scene.host), Arc::clone(&scene.animals), Arc::clone(&places));
        all.spawn(async move {
            let _place = places.acquire().await;
            provoke(&host, &animals[number % animals.len()]).await
        });
    }
    all.join_all().await;
    assert!(!neighbour.end().await.is_empty());
    scene.assert_clean().await;
}

/// It never comes to be: its version is refused, what it would replace serves on, and so does everybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_start_never_ends_is_refused_when_it_is_loaded() {
    let (tame, endless, well_behaved) = (component::tame(), component::endless_start(), wasm(USER_NAME_CHANGED));
    let manifest = "events = [\"starts\"]";
    let neighbours = "events = [\"user.name.changed\"]";
    let host = TestHost::start(&[("starts", manifest, &tame), ("neighbour", neighbours, &well_behaved)]).await;
    let digest = host.live("starts").unwrap().digest;
    let host = Arc::new(host);
    let neighbour = Neighbour::begin(&host);
    host.install("starts", manifest, &endless);
    let refused = || log::lines(|line| line["handler"] == "starts" && line["severity"] == "ERROR");
    host.until("it is refused", |_| !refused().is_empty()).await;
    assert!(!neighbour.end().await.is_empty());
    assert!(refused()[0]["message"].as_str().unwrap().contains("its start function does too much"), "{:?}", refused());
    assert_eq!(host.live("starts").unwrap().digest, digest);
    assert_eq!(host.deliver("starts", "{}").await.status, StatusCode::NO_CONTENT);
}

/// By hand, on a quiet machine: `cargo test --release --workspace --test zoo -- --ignored --nocapture`.
///
/// The neighbour is measured alone before each animal, since a machine isn't as quick at one time as at another. The first
/// of them is no animal but another that behaves: what it costs is what any further load does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and asserts nothing of it"]
async fn how_long_the_neighbour_takes_alone_and_beside_each() {
    let Scene { host, animals } = Scene::set().await;
    neighbour::heading();
    measure(&host, "another like it", |host| async move { _ = neighbour::send_one(&host).await }).await;
    for number in 0..animals.len() {
        let provoked = Arc::clone(&animals);
        let provoke = move |host: Arc<TestHost>| {
            let animals = Arc::clone(&provoked);
            async move { _ = provoke(&host, &animals[number]).await }
        };
        measure(&host, animals[number].name, provoke).await;
    }
}

/// The neighbour for a second alone, and for another beside this, over and over.
async fn measure<F>(host: &Arc<TestHost>, name: &str, beside: impl Fn(Arc<TestHost>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send,
{
    const EACH: Duration = Duration::from_secs(1);
    let neighbour = Neighbour::begin(host);
    tokio::time::sleep(EACH).await;
    let alone = neighbour.end().await;
    let neighbour = Neighbour::begin(host);
    let same = Arc::clone(host);
    // On the threads that serve, since a further one would take turns with them.
    let besides = tokio::spawn(async move {
        let until = Instant::now() + EACH;
        while Instant::now() < until {
            beside(Arc::clone(&same)).await;
        }
    });
    besides.await.unwrap();
    neighbour::report(name, alone, neighbour.end().await);
}
