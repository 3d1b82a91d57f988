//! One event, whichever way it comes: wrapped, unwrapped, as a CloudEvent; over a socket, against the running host.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod common;

use bytes::Bytes;
use common::{SCRIPT, TestHost, event, log, sign, wasm};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tidemill_events::{Envelope, Event, format_rfc3339};
use tidemill_test_artifacts::SCRIPTED;

type Headers = Vec<(String, String)>;

/// Posts to the host, and gives the status with what the guest saw, where it ran.
async fn post(host: &TestHost, path: &str, headers: Headers, body: Vec<u8>, message_id: &str) -> (StatusCode, Value) {
    post_by(&common::client(false), host, path, headers, body, message_id).await
}

async fn post_by(
    client: &Client<HttpConnector, Full<Bytes>>,
    host: &TestHost,
    path: &str,
    headers: Headers,
    body: Vec<u8>,
    message_id: &str,
) -> (StatusCode, Value) {
    let mut request = Request::post(format!("http://{}{path}", host.address));
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = client.request(request.body(Full::from(Bytes::from(body))).unwrap()).await.unwrap();
    let status = response.status();
    response.into_body().collect().await.unwrap();
    let lines = log::of_message(message_id);
    let shown = lines.iter().find(|line| line["stream"] == "stdout");
    (status, shown.map_or(Value::Null, |line| serde_json::from_str(line["message"].as_str().unwrap()).unwrap()))
}

fn unwrapped(envelope: &Envelope) -> (Headers, Vec<u8>) {
    let delivery = &envelope.delivery;
    let mut headers: Headers = envelope.message.attributes.clone().into_iter().collect();
    headers.extend([
        ("x-goog-pubsub-message-id".to_owned(), delivery.message_id.clone()),
        ("x-goog-pubsub-subscription-name".to_owned(), delivery.subscription.clone()),
        ("x-goog-pubsub-publish-time".to_owned(), format_rfc3339(delivery.publish_time.unwrap())),
        ("x-goog-pubsub-ordering-key".to_owned(), envelope.message.ordering_key.clone().unwrap()),
        ("authorization".to_owned(), "Bearer secret".to_owned()),
    ]);
    (headers, envelope.message.data.clone())
}

fn cloud_event_headers(envelope: &Envelope) -> Headers {
    [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", &envelope.delivery.message_id),
        ("ce-source", "//pubsub.googleapis.com/projects/p/topics/t"),
        ("ce-type", "google.cloud.pubsub.topic.v1.messagePublished"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn structured(envelope: &Envelope) -> Vec<u8> {
    let data: Value = serde_json::from_slice(&envelope.encode()).unwrap();
    json!({
        "specversion": "1.0",
        "id": envelope.delivery.message_id,
        "source": "//pubsub.googleapis.com/projects/p/topics/t",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "data": data,
    })
    .to_string()
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_of_a_signed_event_is_the_same_to_its_handler() {
    let host = TestHost::start(&[("scripted", SCRIPT, &wasm(SCRIPTED))]).await;
    let fresh = || {
        let mut envelope = sign(&Event {
            attributes: [("tenant".to_owned(), "acme".to_owned())].into(),
            ordering_key: Some("user-1".into()),
            ..event("script", br#"["show"]"#)
        });
        // Not in every form: the rest should be the same.
        envelope.delivery.attempt = None;
        envelope
    };
    let mut seen = Vec::new();
    for form in ["wrapped", "unwrapped", "binary", "structured"] {
        let envelope = fresh();
        let (path, headers, body) = match form {
            "wrapped" => ("/events", vec![], envelope.encode()),
            "unwrapped" => {
                let (headers, body) = unwrapped(&envelope);
                ("/events", headers, body)
            }
            // Eventarc posts to the root, with a query of its own.
            "binary" => {
                ("/?__GCP_CloudEventsMode=CE_PUBSUB_BINDING", cloud_event_headers(&envelope), envelope.encode())
            }
            _ => {
                let headers =
                    vec![("content-type".to_owned(), "application/cloudevents+json; charset=utf-8".to_owned())];
                ("/", headers, structured(&envelope))
            }
        };
        let id = envelope.delivery.message_id.clone();
        let (status, mut shown) = post(&host, path, headers, body, &id).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{form}");
        assert_eq!(shown["delivery"]["message_id"], json!(id), "{form}");
        assert_eq!(shown["id"], json!(envelope.message.attributes["event-id"]), "{form}");
        (shown["id"], shown["delivery"]["message_id"]) = (Value::Null, Value::Null);
        seen.push((form, shown));
    }
    for (form, shown) in &seen {
        assert_eq!(*shown, seen[0].1, "{form}");
        assert_eq!(shown["attributes"], json!({ "tenant": "acme" }), "{form}: no header of the transport's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_takes_cloud_events_and_nothing_else() {
    let host = TestHost::start(&[("scripted", SCRIPT, &wasm(SCRIPTED))]).await;
    let envelope = sign(&event("script", b"[]"));
    let (status, _) = post(&host, "/", vec![], envelope.encode(), &envelope.delivery.message_id).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    // Two forms at once: two readers could disagree.
    let mut headers = cloud_event_headers(&envelope);
    headers.push(("x-goog-pubsub-message-id".into(), "7".into()));
    let (status, _) = post(&host, "/", headers, envelope.encode(), &envelope.delivery.message_id).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

/// As many attributes as Pub/Sub takes, each as long as it may be, are headers of 128 KB where they come unwrapped.
#[tokio::test(flavor = "multi_thread")]
async fn the_most_and_longest_attributes_come_through_as_headers() {
    let host = TestHost::start(&[("scripted", SCRIPT, &wasm(SCRIPTED))]).await;
    for http2 in [false, true] {
        // Seven more are the event's own and its signatures'.
        let attributes = (0..93).map(|n| (format!("a{n:0>255}"), "v".repeat(1024)));
        let envelope = sign(&Event {
            attributes: attributes.collect(),
            ordering_key: Some("k".repeat(1024)),
            ..event("script", b"[]")
        });
        assert_eq!(envelope.message.attributes.len(), 100);
        let (headers, body) = unwrapped(&envelope);
        let (client, id) = (common::client(http2), &envelope.delivery.message_id);
        let (status, _) = post_by(&client, &host, "/events", headers, body, id).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "HTTP/2: {http2}");
    }
}
