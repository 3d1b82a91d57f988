//! Several instances, one server.

use std::sync::Arc;

use tidemill_host::dedup::{Claim, DedupKey, DedupStore, RedisStore, Settlement};

use super::common::redis::Redis;
use super::{LONG, SHORT, granted, granted_at_last};

fn open(server: &Redis) -> Arc<RedisStore> {
    Arc::new(RedisStore::new(&server.url(), LONG).unwrap())
}

#[tokio::test]
async fn leases_and_marks_are_shared() {
    let Some(server) = Redis::start().await else { return };
    let (one, other, key) = (open(&server), open(&server), DedupKey::event("a"));
    let lease = granted(&*one, &key, LONG).await;
    assert!(matches!(other.claim(&key, LONG).await.unwrap(), Claim::Running { .. }));
    one.settle(&lease, Settlement::Open).await.unwrap();
    let lease = granted(&*other, &key, LONG).await;
    assert_eq!(lease.attempt(), 2);
    other.settle(&lease, Settlement::Done).await.unwrap();
    assert!(matches!(one.claim(&key, LONG).await.unwrap(), Claim::Done));
}

#[tokio::test]
async fn what_one_leaves_behind_another_takes_over() {
    let Some(server) = Redis::start().await else { return };
    let (one, other, key) = (open(&server), open(&server), DedupKey::event("a"));
    drop(granted(&*one, &key, SHORT).await);
    drop(one);
    assert_eq!(granted_at_last(&*other, &key, LONG).await.attempt(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_events_is_granted_to_one_of_many_instances() {
    const EVENTS: usize = 50;
    let Some(server) = Redis::start().await else { return };
    let stores: Vec<_> = (0..4).map(|_| open(&server)).collect();
    let claims = (0..EVENTS).flat_map(|event| stores.iter().map(move |store| (event, Arc::clone(store)))).map(
        |(event, store)| {
            tokio::spawn(async move {
                let key = DedupKey::message(&["s", &event.to_string()]);
                match store.claim(&key, LONG).await.unwrap() {
                    Claim::Granted(lease) => {
                        store.settle(&lease, Settlement::Done).await.unwrap();
                        1
                    }
                    Claim::Running { .. } | Claim::Done => 0,
                }
            })
        },
    );
    let mut granted = 0;
    for claim in claims.collect::<Vec<_>>() {
        granted += claim.await.unwrap();
    }
    assert_eq!(granted, EVENTS);
}

#[tokio::test]
async fn nothing_stays_in_the_server_for_ever() {
    let Some(server) = Redis::start().await else { return };
    let store = open(&server);
    let [running, open, done] = ["running", "open", "done"].map(DedupKey::event);
    _ = granted(&*store, &running, LONG).await;
    for (key, end) in [(open, Settlement::Open), (done, Settlement::Done)] {
        let lease = granted(&*store, &key, LONG).await;
        store.settle(&lease, end).await.unwrap();
    }
    let mut connection = server.connection().await;
    let mut lives = Vec::new();
    for key in [running, open, done] {
        let name = format!("tidemill:dedup:{key}");
        lives.push(redis::cmd("PTTL").arg(name).query_async::<i64>(&mut connection).await.unwrap());
    }
    let long = i64::try_from(LONG.as_millis()).unwrap();
    // A lease that runs is remembered from its end on.
    assert!(lives[0] > long && lives[0] <= 2 * long, "{lives:?}");
    assert!(lives[1..].iter().all(|life| (1..=long).contains(life)), "{lives:?}");
    assert_eq!(redis::cmd("DBSIZE").query_async::<usize>(&mut connection).await.unwrap(), 3);
}
