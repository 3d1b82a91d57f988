//! A server that goes, sleeps or refuses, and comes back.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tidemill_host::key_value::{KeyValue, KeyValueError, RedisStore};

use super::common::line::Line;
use super::common::redis::Redis;
use super::{PLENTY, key, space, text, value};

fn is_unavailable<T>(answer: &Result<T, KeyValueError>) -> bool {
    matches!(answer, Err(KeyValueError::Unavailable { .. }))
}

#[tokio::test]
async fn a_server_that_was_away_serves_the_first_question_after_it() {
    let Some(mut server) = Redis::start().await else { return };
    server.stop();
    let (store, at) = (RedisStore::new(&server.url(), PLENTY).unwrap(), space("h", "default"));
    for _ in 0..3 {
        assert!(is_unavailable(&store.get(&at, &key("k")).await));
        assert!(is_unavailable(&store.set(&at, &key("k"), value("v")).await));
        assert!(is_unavailable(&store.increment(&at, &key("n"), 1).await));
    }
    server.resume().await;
    assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_is_silent_is_not_waited_for() {
    let Some(server) = Redis::start().await else { return };
    let (store, at) = (RedisStore::new(&server.url(), PLENTY).unwrap(), space("h", "default"));
    store.set(&at, &key("k"), value("v")).await.unwrap();
    server.freeze();
    // Far above the limit, far below for ever.
    let answer = tokio::time::timeout(Duration::from_secs(60), store.get(&at, &key("k"))).await;
    assert!(is_unavailable(&answer.expect("an answer")));
    server.thaw();
    assert_eq!(text(&store, &at, "k").await.as_deref(), Some("v"));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_costs_nothing_and_counts_nothing_twice() {
    let Some(server) = Redis::start().await else { return };
    let (store, at) = (RedisStore::new(&server.url(), PLENTY).unwrap(), space("h", "default"));
    let mut admin = server.connection().await;
    for count in 1..=5 {
        assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap(), count);
        redis::cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").exec_async(&mut admin).await.unwrap();
    }
}

/// The hard case: the server has made the change, and the connection breaks before the answer is here.
#[tokio::test]
async fn a_change_whose_answer_is_lost_is_made_once() {
    let Some(server) = Redis::start().await else { return };
    let line = Line::to(server.port()).await;
    let url = format!("redis://127.0.0.1:{}", line.port).parse().unwrap();
    let (store, at) = (RedisStore::new(&url, PLENTY).unwrap(), space("h", "default"));
    // So that the script is there, and the next change is one question with one answer.
    assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap(), 1);
    line.cut_next_answer.store(true, Ordering::SeqCst);
    assert_eq!(store.increment(&at, &key("n"), 1).await.unwrap(), 2);
    assert_eq!(line.cuts.load(Ordering::SeqCst), 1, "an answer was lost");
    assert_eq!(text(&store, &at, "n").await.as_deref(), Some("2"));
    line.cut_next_answer.store(true, Ordering::SeqCst);
    assert!(store.swap(&at, &key("n"), Some(b"2".to_vec()), value("3")).await.unwrap());
    assert_eq!(line.cuts.load(Ordering::SeqCst), 2, "an answer was lost");
}

#[tokio::test]
async fn two_hosts_share_what_is_kept_and_its_quota() {
    let Some(server) = Redis::start().await else { return };
    let [one, two] = [(); 2].map(|()| RedisStore::new(&server.url(), 200).unwrap());
    let at = space("h", "default");
    one.set(&at, &key("k"), value("v")).await.unwrap();
    assert_eq!(text(&two, &at, "k").await.as_deref(), Some("v"));
    assert!(matches!(two.set(&at, &key("l"), value("v")).await, Err(KeyValueError::Full { .. })));
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_shown() {
    let Some(server) = Redis::start_with(Some("hunter2")).await else { return };
    let url = format!("redis://:hunter3@127.0.0.1:{}", server.port()).parse().unwrap();
    let error = RedisStore::new(&url, PLENTY).unwrap().get(&space("h", "default"), &key("k")).await.unwrap_err();
    assert!(
        matches!(error, KeyValueError::Refused { .. }) && !format!("{error} {error:?}").contains("hunter"),
        "{error:?}"
    );
}
