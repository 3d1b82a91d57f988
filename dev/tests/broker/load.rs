//! Many messages at once, from many publishers.

use std::collections::HashMap;

use hyper::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::support::client::request;
use crate::support::{Receiver, Reply, Running, TOPIC};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_messages_arrive_each_at_least_once() {
    // One of ten is refused at first.
    let refuse = |text: &str| text.ends_with('7');
    let receiver =
        Receiver::start(move |push| Reply::Status(if refuse(push.text()) && push.attempt() == 1 { 500 } else { 204 }))
            .await;
    let broker = Running::start(&receiver).await;
    let url = format!("http://{}/v1/{TOPIC}:publish", broker.address);
    let mut publishers = JoinSet::new();
    for publisher in 0..10 {
        let url = url.clone();
        publishers.spawn(async move {
            for n in 0..100 {
                let attributes = json!({ "n": format!("{publisher}/{n}") });
                let body =
                    json!({ "messages": [{ "attributes": attributes, "data": base64(&format!("{publisher}/{n}")) }] });
                assert_eq!(request(Method::POST, &url, body.to_string()).await.status, 200);
            }
        });
    }
    while let Some(publisher) = publishers.join_next().await {
        publisher.unwrap();
    }
    broker.is_empty().await;
    let mut seen: HashMap<String, usize> = HashMap::new();
    for push in receiver.pushes() {
        *seen.entry(push.text().to_owned()).or_default() += 1;
    }
    assert_eq!(seen.len(), 1000);
    for (text, times) in seen {
        assert!(times >= if refuse(&text) { 2 } else { 1 }, "{text} came {times} times");
    }
}

fn base64(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
