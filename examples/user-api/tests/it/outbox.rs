//! No event is lost between commit and publish, and none is made up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::Connection;
use serde_json::json;
use tidemill_events::Event;
use tokio::task::JoinSet;

use crate::support::{App, Broker, Recorder, data, eventually, ids};

/// How many rows a table of the stopped API has.
fn rows(folder: &Path, table: &str) -> u32 {
    let connection = Connection::open(folder.join("test.db")).unwrap();
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn what_an_outage_left_goes_out_with_the_next_start_as_the_same_events_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let down = Recorder::new(Broker::Down);
    let app = App::start(folder.path(), down.clone()).await;
    let ada = app.api.register("ada@example.com", "Ada").await;
    app.api.change_name(&ada, "Countess").await;
    app.api.change_name(&ada, "Lady Lovelace").await;
    app.api.register("bob@example.com", "Bob").await;
    app.stop().await;
    assert!(down.published().is_empty());
    assert_eq!(rows(folder.path(), "outbox"), 4);

    let up = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), up.clone()).await;
    let published = up.published_in_time(4).await;
    app.stop().await;

    let of_ada: Vec<&Event> = published.iter().filter(|e| e.ordering_key.as_ref() == Some(&ada)).collect();
    assert_eq!(
        of_ada.iter().map(|e| e.event_type.as_str()).collect::<Vec<_>>(),
        ["user.registered", "user.name.changed", "user.name.changed"]
    );
    assert_eq!(of_ada[2].data, br#"{"Name":"Lady Lovelace"}"#);
    // The same events to the last field: what was tried in vain for the first of them is what went out now.
    let first_try = down.attempted();
    assert!(first_try.iter().all(|attempt| published.contains(attempt)), "{first_try:?}\n{published:?}");
    assert_eq!(published.len(), 4);
    assert_eq!(rows(folder.path(), "outbox"), 0);
}

#[tokio::test]
async fn what_a_crash_left_goes_out_with_the_next_start_as_the_same_event() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Recorder::new(Broker::Silent);
    let app = App::start(folder.path(), silent.clone()).await;
    let api = app.api.clone();
    let request = tokio::spawn(async move { api.post("/register", json!({ "email": "a@b", "name": "Ada" })).await });
    // Committed, and the publish under way: now it dies.
    eventually(|| silent.attempted().len() == 1).await;
    app.kill().await;
    request.abort();

    let up = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), up.clone()).await;
    assert_eq!(up.published_in_time(1).await, silent.attempted());
    app.stop().await;
    assert_eq!(up.attempted().len(), 1);
    assert_eq!((rows(folder.path(), "users"), rows(folder.path(), "outbox")), (1, 0));
}

#[tokio::test]
async fn what_an_outage_left_goes_out_with_the_next_request_before_that_ones_own_event() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Down);
    let app = App::start(folder.path(), recorder.clone()).await;
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(app.api.register(&format!("{n}@example.com"), "Ada").await);
    }
    assert!(recorder.published().is_empty());

    recorder.turn(Broker::Up);
    expected.push(app.api.register("last@example.com", "Ada").await);

    let published = recorder.published();
    let users: Vec<String> = published.iter().map(|event| data(event)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(users, expected);
    app.stop().await;
    assert_eq!(rows(folder.path(), "outbox"), 0);
}

#[tokio::test]
async fn what_an_outage_left_goes_out_without_any_request_too() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Down);
    let app = App::start(folder.path(), recorder.clone()).await;
    app.api.register("ada@example.com", "Ada").await;

    recorder.turn(Broker::Up);

    assert_eq!(recorder.published_in_time(1).await.len(), 1);
    app.stop().await;
}

#[tokio::test]
async fn a_silent_broker_does_not_keep_requests_from_their_answers() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Silent);
    let app = App::start(folder.path(), recorder.clone()).await;

    let ada = app.api.register("ada@example.com", "Ada").await;
    app.api.change_name(&ada, "Countess").await;

    // One publish is under way, and is not begun a second time.
    assert_eq!(recorder.attempted().len(), 1);
    app.kill().await;
    assert_eq!(rows(folder.path(), "outbox"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_requests_at_once_each_has_one_event() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;

    let mut requests = JoinSet::new();
    for n in 0..100 {
        let api = app.api.clone();
        requests.spawn(async move { api.register(&format!("{n}@example.com"), "Ada").await });
    }
    let users: BTreeSet<String> = requests.join_all().await.into_iter().collect();
    // Each answer came after its event was tried, so nothing has to be waited for.
    let published = recorder.published();
    app.stop().await;

    let told: Vec<String> = published.iter().map(|event| data(event)["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told.len(), 100);
    assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), users);
    assert_eq!(ids(&published).into_iter().collect::<BTreeSet<_>>().len(), 100);
    assert_eq!(recorder.attempted().len(), 100, "no event was published twice");
    assert_eq!((rows(folder.path(), "users"), rows(folder.path(), "outbox")), (100, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_register_one_address_at_once_one_succeeds_and_has_one_event() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;

    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let api = app.api.clone();
        requests
            .spawn(async move { api.post("/register", json!({ "email": "ada@example.com", "name": "Ada" })).await.0 });
    }
    let mut statuses = requests.join_all().await;
    statuses.sort_unstable();
    app.stop().await;

    assert_eq!(statuses[0], 201);
    assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    assert_eq!(recorder.attempted().len(), 1);
    assert_eq!((rows(folder.path(), "users"), rows(folder.path(), "outbox")), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_broker_that_fails_now_and_then_every_event_goes_out_once_and_each_users_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Shaky);
    let app = App::start(folder.path(), recorder.clone()).await;

    let mut requests = JoinSet::new();
    for n in 0..20 {
        let api = app.api.clone();
        requests.spawn(async move {
            let id = api.register(&format!("{n}@example.com"), "0").await;
            for name in 1..=5 {
                api.change_name(&id, &name.to_string()).await;
            }
        });
    }
    requests.join_all().await;
    recorder.turn(Broker::Up);
    let published = recorder.published_in_time(120).await;
    app.stop().await;

    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in &published {
        let data = data(event);
        let name = data.get("Name").or(data.get("name")).unwrap().as_str().unwrap().to_owned();
        names.entry(event.ordering_key.clone().unwrap()).or_default().push(name);
    }
    assert_eq!(names.len(), 20);
    assert!(names.values().all(|names| names.concat() == "012345"), "{names:?}");
    assert_eq!(published.len(), 120);
    assert_eq!(rows(folder.path(), "outbox"), 0);
}
