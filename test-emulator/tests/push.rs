//! That the emulator does what other crates' tests lean on: pushes, repeats what was not acknowledged, and gives up.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tidemill_events::Envelope;
use tidemill_test_emulator::{DeadLetter, Emulator, Subscription};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A push endpoint that acknowledges everything but poison. Gives its URL, and what arrives.
async fn endpoint() -> (String, mpsc::UnboundedReceiver<Envelope>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let (arrived, arrivals) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let arrived = arrived.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let arrived = arrived.clone();
                async move {
                    let envelope = Envelope::decode(&request.into_body().collect().await?.to_bytes()).unwrap();
                    let poison = envelope.message.data == b"poison";
                    _ = arrived.send(envelope);
                    let mut response = Response::new(Empty::<Bytes>::new());
                    *response.status_mut() =
                        if poison { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT };
                    Ok::<_, hyper::Error>(response)
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, arrivals)
}

#[tokio::test]
async fn emulator_poison_is_pushed_until_it_goes_to_the_dead_letter_topic() {
    let Some(emulator) = Emulator::shared().await else { return };
    let (url, mut arrivals) = endpoint().await;
    let topic = emulator.create_topic("orders").await;
    let dead = emulator.create_topic("dead-orders").await;
    let dead_pull = emulator.create_subscription("dead-orders-pull", &Subscription::of(&dead)).await;
    let push = emulator
        .create_subscription(
            "orders-push",
            &Subscription {
                push_endpoint: Some(url),
                dead_letter: Some(DeadLetter { topic: &dead, attempts: 5 }),
                retry: Some((Duration::ZERO, Duration::from_secs(1))),
                ..Subscription::of(&topic)
            },
        )
        .await;

    let attributes = BTreeMap::from([("event-type".to_owned(), "order.placed".to_owned())]);
    // "poison" and "bread", in base64.
    let poison = emulator.publish_raw(&topic, "cG9pc29u", &attributes).await;
    let bread = emulator.publish_raw(&topic, "YnJlYWQ=", &attributes).await;
    let [dead] = emulator.pull(&dead_pull, 1).await.try_into().unwrap();

    assert_eq!(dead.message.data, b"poison");
    assert_eq!(dead.message.attributes["event-type"], "order.placed");
    let mut pushed: BTreeMap<String, usize> = BTreeMap::new();
    while let Ok(envelope) = arrivals.try_recv() {
        assert_eq!(envelope.delivery.subscription, push);
        *pushed.entry(envelope.delivery.message_id).or_default() += 1;
    }
    assert!(pushed[&poison] >= 5, "{pushed:?}");
    assert!(pushed.contains_key(&bread), "{pushed:?}");
}
