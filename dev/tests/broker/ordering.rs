//! Messages with an ordering key: one at a time for each key, in order.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use crate::support::{Receiver, Reply, Running};

#[tokio::test]
async fn each_key_is_delivered_in_order_even_through_nacks() {
    // Each third message is refused once, so that later ones have every chance to overtake it.
    let receiver = Receiver::start(|push| {
        let n: usize = push.text().rsplit(' ').next().unwrap().parse().unwrap();
        Reply::Status(if n.is_multiple_of(3) && push.attempt() == 1 { 503 } else { 204 })
    })
    .await;
    let broker = Running::start_with(&receiver.url(), |config| config.min_backoff = Duration::from_millis(5)).await;
    for n in 0..30 {
        for key in ["a", "b", "c"] {
            broker.publish(&format!("{key} {n}"), Some(key)).await;
        }
    }
    broker.is_empty().await;
    let mut orders: HashMap<String, Vec<usize>> = HashMap::new();
    for text in receiver.texts() {
        let (key, n) = text.split_once(' ').unwrap();
        orders.entry(key.to_owned()).or_default().push(n.parse().unwrap());
    }
    let expected: Vec<usize> = (0..30_usize).flat_map(|n| vec![n; if n.is_multiple_of(3) { 2 } else { 1 }]).collect();
    assert_eq!(orders.len(), 3);
    for (key, order) in orders {
        assert_eq!(order, expected, "{key}");
    }
}

#[tokio::test]
async fn a_key_that_hangs_holds_up_its_own_messages_alone() {
    let hung = Mutex::new(HashSet::new());
    let receiver = Receiver::start(move |push| match push.envelope.message.ordering_key.as_deref() {
        Some("stuck") if hung.lock().unwrap().insert(push.text().to_owned()) => Reply::Never,
        _ => Reply::Status(204),
    })
    .await;
    let broker = Running::start_with(&receiver.url(), |config| config.ack_deadline = Duration::from_secs(600)).await;
    broker.publish("stuck 1", Some("stuck")).await;
    broker.publish("stuck 2", Some("stuck")).await;
    for n in 0..10 {
        broker.publish(&format!("free {n}"), Some("free")).await;
    }
    receiver.has(11).await;
    let texts = receiver.texts();
    assert!(texts.contains(&"stuck 1".to_owned()));
    assert!(!texts.contains(&"stuck 2".to_owned()), "{texts:?}");
}
