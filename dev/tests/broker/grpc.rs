//! Publishing over gRPC, with Google's own client.

use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::client::Publisher;
use google_cloud_pubsub::model::Message;

use crate::support::client::grpc;
use crate::support::{Receiver, Reply, Running, TOPIC};

async fn acking() -> (Receiver, Running) {
    let receiver = Receiver::start(|_| Reply::Status(200)).await;
    let broker = Running::start(&receiver).await;
    (receiver, broker)
}

async fn publisher(broker: &Running, topic: &str) -> Publisher {
    // The client's TLS wants a provider, though nothing here uses TLS. Another test may have installed it.
    _ = rustls::crypto::ring::default_provider().install_default();
    Publisher::builder(topic)
        .with_endpoint(format!("http://{}", broker.address))
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_official_client_publishes() {
    let (receiver, broker) = acking().await;
    let publisher = publisher(&broker, TOPIC).await;
    let message = |n: usize| {
        let message = Message::new().set_data(format!("event {n}")).set_attributes([("event-type", "post.liked")]);
        if n.is_multiple_of(2) { message.set_ordering_key("post-1") } else { message }
    };
    let published: Vec<_> = (0..200).map(|n| publisher.publish(message(n))).collect();
    let mut ids = Vec::new();
    for id in published {
        ids.push(id.await.unwrap());
    }
    let mut pushes = receiver.has(200).await;
    broker.is_empty().await;
    assert_eq!(pushes.len(), 200);
    assert!(pushes.iter().all(|push| push.envelope.message.attributes["event-type"] == "post.liked"));
    pushes.sort_by_key(|push| push.text().trim_start_matches("event ").parse::<usize>().unwrap());
    for (n, push) in pushes.iter().enumerate() {
        assert_eq!(push.text(), format!("event {n}"));
        assert_eq!(push.envelope.delivery.message_id, ids[n]);
        assert_eq!(push.envelope.message.ordering_key.as_deref(), (n.is_multiple_of(2)).then_some("post-1"));
    }
}

#[tokio::test]
async fn a_large_message_goes_through() {
    let (receiver, broker) = acking().await;
    let data = vec![0xa5; 9 << 20];
    publisher(&broker, TOPIC).await.publish(Message::new().set_data(data.clone())).await.unwrap();
    assert!(receiver.has(1).await[0].envelope.message.data == data);
}

#[tokio::test]
async fn the_official_client_hears_why_it_was_refused() {
    let (_receiver, broker) = acking().await;
    let publisher = publisher(&broker, "projects/demo/topics/x").await;
    let error = publisher.publish(Message::new().set_data("x")).await.unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("projects/PROJECT/topics/NAME"), "{text}");
    assert_eq!(broker.broker.pending().await.unwrap(), 0);
}

/// A frame of one string field, which is all that `GetTopicRequest` and `Topic` need.
fn frame(field: u8, text: &str) -> Vec<u8> {
    let message = [&[field << 3 | 2, text.len() as u8][..], text.as_bytes()].concat();
    [&[0][..], &(message.len() as u32).to_be_bytes(), &message].concat()
}

#[tokio::test]
async fn topics_are_there_for_whoever_asks() {
    let (_receiver, broker) = acking().await;
    for method in ["GetTopic", "CreateTopic"] {
        let url = format!("http://{}/google.pubsub.v1.Publisher/{method}", broker.address);
        let answer = grpc(&url, frame(1, TOPIC)).await;
        assert_eq!(answer.trailers["grpc-status"], "0", "{method}");
        assert_eq!(answer.headers["content-type"], "application/grpc");
        assert_eq!(answer.body, frame(1, TOPIC), "{method}");
    }
}

#[tokio::test]
async fn a_call_that_can_not_be_answered_says_why() {
    let (_receiver, broker) = acking().await;
    let mut compressed = frame(1, TOPIC);
    compressed[0] = 1;
    let mut cut = frame(1, TOPIC);
    cut.pop();
    for (path, body, code, says) in [
        ("google.pubsub.v1.Publisher/DeleteTopic", frame(1, TOPIC), "12", "DeleteTopic"),
        ("google.pubsub.v1.Subscriber/Pull", frame(1, TOPIC), "12", "stand-in"),
        ("google.pubsub.v1.Publisher/Publish", compressed, "12", "compress"),
        ("google.pubsub.v1.Publisher/Publish", cut, "13", "another length"),
        ("google.pubsub.v1.Publisher/Publish", vec![0, 0], "13", "five bytes"),
        ("google.pubsub.v1.Publisher/Publish", vec![0, 0, 0, 0, 1, 0xff], "13", "no gRPC message"),
        ("google.pubsub.v1.Publisher/Publish", frame(1, TOPIC), "3", "1 to 1000 messages"),
        ("google.pubsub.v1.Publisher/GetTopic", frame(1, "events"), "3", "the topic \"events\""),
    ] {
        let answer = grpc(&format!("http://{}/{path}", broker.address), body).await;
        assert_eq!(answer.headers["grpc-status"], code, "{path}");
        let message = answer.headers["grpc-message"].to_str().unwrap();
        assert!(message.contains(says), "{path}: {message}");
    }
}
