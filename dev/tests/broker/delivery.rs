//! What acknowledges a message, what doesn't, and what happens then.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

use crate::support::{Receiver, Reply, Running, eventually};

const SHORT: Duration = Duration::from_millis(1);

#[tokio::test]
async fn each_acknowledging_status_ends_a_message() {
    let receiver = Receiver::start(|push| Reply::Status(push.text().parse().unwrap())).await;
    let broker = Running::start(&receiver).await;
    for status in ["200", "201", "202", "204"] {
        broker.publish(status, None).await;
    }
    broker.is_empty().await;
    assert_eq!(receiver.pushes().len(), 4);
}

#[tokio::test]
async fn processing_acknowledges_though_no_final_answer_follows() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let receiver = answer_once(listener, "HTTP/1.1 102 Processing\r\n\r\n");
    let broker = Running::start_with(&url, |_| {}).await;
    broker.publish("x", None).await;
    broker.is_empty().await;
    receiver.abort();
}

#[tokio::test]
async fn all_else_is_delivered_again_with_a_growing_attempt() {
    for refusal in [203, 206, 301, 400, 404, 409, 429, 500, 503].map(Reply::Status).into_iter().chain([Reply::HangUp]) {
        let receiver = Receiver::start(move |push| if push.attempt() < 3 { refusal } else { Reply::Status(204) }).await;
        let broker = Running::start_with(&receiver.url(), |config| config.min_backoff = SHORT).await;
        let id = broker.publish("x", None).await;
        broker.is_empty().await;
        let pushes = receiver.pushes();
        assert_eq!(pushes.iter().map(|push| push.attempt()).collect::<Vec<_>>(), [1, 2, 3], "{refusal:?}");
        assert!(pushes.iter().all(|push| push.envelope.delivery.message_id == id), "{refusal:?}");
    }
}

#[tokio::test]
async fn the_ack_deadline_is_a_nack() {
    let receiver = Receiver::start(|push| if push.attempt() == 1 { Reply::Never } else { Reply::Status(204) }).await;
    let broker = Running::start_with(&receiver.url(), |config| {
        config.ack_deadline = Duration::from_secs(1);
        config.min_backoff = SHORT;
    })
    .await;
    broker.publish("x", None).await;
    broker.is_empty().await;
    assert_eq!(receiver.pushes().iter().map(|push| push.attempt()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_receiver_that_is_not_there_yet_gets_its_message() {
    // A socket that is bound but doesn't listen refuses connections, and keeps its port from others.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/events", socket.local_addr().unwrap());
    let broker = Running::start_with(&url, |config| {
        config.min_backoff = SHORT;
        config.max_backoff = SHORT;
        config.max_attempts = u32::MAX;
    })
    .await;
    broker.publish("x", None).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(broker.broker.pending().await.unwrap(), 1);
    let receiver = answer_once(socket.listen(8).unwrap(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    broker.is_empty().await;
    receiver.abort();
}

/// Answers the first push with these bytes, and says nothing more on its connection.
fn answer_once(listener: TcpListener, answer: &'static str) -> JoinHandle<()> {
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.read_to_end(&mut request).await.unwrap();
    })
}

#[tokio::test]
async fn one_message_that_is_refused_holds_up_no_other() {
    let receiver = Receiver::start(|push| Reply::Status(if push.text() == "bad" { 500 } else { 204 })).await;
    let broker = Running::start_with(&receiver.url(), |config| config.min_backoff = Duration::from_secs(60)).await;
    broker.publish("bad", None).await;
    for n in 0..20 {
        broker.publish(&format!("good {n}"), None).await;
    }
    eventually("the good ones", async || broker.broker.pending().await.unwrap() == 1).await;
    assert_eq!(receiver.pushes().len(), 21);
}

#[tokio::test]
async fn connections_are_kept_and_no_more_is_under_way_than_allowed() {
    let receiver = Receiver::start(|_| Reply::Status(204)).await;
    let broker = Running::start_with(&receiver.url(), |config| config.max_outstanding = 3).await;
    for n in 0..60 {
        broker.publish(&n.to_string(), None).await;
    }
    broker.is_empty().await;
    assert_eq!(receiver.pushes().len(), 60);
    assert!(receiver.most_under_way() <= 3, "{} under way", receiver.most_under_way());
    assert!(receiver.connections() < 30, "{} connections for 60 pushes", receiver.connections());
}

#[tokio::test]
async fn a_shutdown_ends_what_is_under_way_and_starts_nothing_new() {
    let receiver = Receiver::start(|_| Reply::Never).await;
    let broker = Running::start_with(&receiver.url(), |config| {
        config.ack_deadline = Duration::from_millis(300);
        config.max_outstanding = 1;
    })
    .await;
    broker.publish("first", None).await;
    broker.publish("second", None).await;
    receiver.has(1).await;
    let store = broker.broker.clone();
    broker.stop().await;
    assert_eq!(receiver.texts(), ["first"]);
    assert_eq!(store.pending().await.unwrap(), 2);
}
