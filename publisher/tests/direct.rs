//! Posting straight to a host, over real HTTP.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tidemill_events::{Envelope, Event, Key, Scheme, Sender, Signer, Verifier};
use tidemill_publisher::{Direct, PublishError, Publisher, Unpublishable, new_event};
use tokio::net::TcpListener;

fn key() -> Key {
    "k1=s3cret".parse().unwrap()
}

fn direct(url: &str) -> Direct {
    Direct::new(url.parse().unwrap(), Signer::new(key()))
}

#[derive(Debug)]
struct Arrival {
    method: String,
    path: String,
    content_type: String,
    body: Bytes,
}

/// A server that notes what arrives and gives every request the same answer.
struct Server {
    url: String,
    arrivals: Arc<Mutex<Vec<Arrival>>>,
}

async fn server(status: StatusCode, answer: &'static str) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&arrivals);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let noted = Arc::clone(&noted);
            let service = service_fn(move |request: Request<Incoming>| {
                let noted = Arc::clone(&noted);
                async move {
                    let arrival = Arrival {
                        method: request.method().to_string(),
                        path: request.uri().path().to_owned(),
                        content_type: request.headers()["content-type"].to_str().unwrap().to_owned(),
                        body: request.into_body().collect().await?.to_bytes(),
                    };
                    noted.lock().unwrap().push(arrival);
                    let mut response = Response::new(Full::new(Bytes::from_static(answer.as_bytes())));
                    *response.status_mut() = status;
                    Ok::<_, hyper::Error>(response)
                }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    Server { url, arrivals }
}

#[tokio::test]
async fn what_arrives_is_the_signed_event_in_a_wrapped_envelope() {
    let server = server(StatusCode::NO_CONTENT, "").await;
    let event = Event {
        ordering_key: Some("user-7".into()),
        attributes: BTreeMap::from([("user-id".into(), "7".into())]),
        ..new_event("user.name.changed", &serde_json::json!({ "Name": "Ada" }))
    };

    let message_id = direct(&server.url).publish(&event).await.unwrap();

    let arrivals = server.arrivals.lock().unwrap();
    let [arrival] = arrivals.as_slice() else { panic!("one request expected, {} came", arrivals.len()) };
    assert_eq!((arrival.method.as_str(), arrival.path.as_str()), ("POST", "/events"));
    assert_eq!(arrival.content_type, "application/json");
    let envelope = Envelope::decode(&arrival.body).unwrap();
    let received = {
        let time = envelope.delivery.publish_time.unwrap();
        Verifier::new(vec![Scheme::V2]).verify(&key().into(), envelope, Sender::Stranger, time).unwrap().into_inner()
    };
    assert_eq!(received.event, event);
    assert_eq!(received.delivery.message_id, message_id.as_str());
    assert!(received.delivery.publish_time.is_some());
    assert_eq!((received.delivery.subscription.as_str(), received.delivery.attempt), ("", None));
}

#[tokio::test]
async fn publishing_again_keeps_the_event_id_and_changes_the_message_id() {
    let server = server(StatusCode::OK, "").await;
    let publisher: Arc<dyn Publisher> = Arc::new(direct(&server.url));
    let event = new_event("tick", &serde_json::json!({}));

    let first = publisher.publish(&event).await.unwrap();
    let second = publisher.publish(&event).await.unwrap();

    assert_ne!(first, second);
    let arrivals = server.arrivals.lock().unwrap();
    let ids: Vec<String> =
        arrivals.iter().map(|a| Envelope::decode(&a.body).unwrap().message.attributes["event-id"].clone()).collect();
    assert_eq!(ids, [event.id.clone(), event.id]);
}

#[tokio::test]
async fn a_refusal_tells_status_code_and_reason_of_the_host() {
    let body = r#"{"outcome":"reject","code":"unknown-event-type","reason":"no handler for tick","message_id":"m"}"#;
    let server = server(StatusCode::NOT_FOUND, body).await;

    let error = direct(&server.url).publish(&new_event("tick", &serde_json::json!({}))).await.unwrap_err();

    let expected = format!("{}/events answered 404 (unknown-event-type): no handler for tick", server.url);
    assert_eq!(error.to_string(), expected);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn an_answer_that_is_no_hosts_is_quoted() {
    let server = server(StatusCode::BAD_GATEWAY, "<h1>Bad gateway</h1>\n").await;

    let error = direct(&server.url).publish(&new_event("tick", &serde_json::json!({}))).await.unwrap_err();

    assert_eq!(error.to_string(), format!("{}/events answered 502: <h1>Bad gateway</h1>", server.url));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_redirect_is_no_acknowledgement() {
    let server = server(StatusCode::FOUND, "").await;

    let error = direct(&server.url).publish(&new_event("tick", &serde_json::json!({}))).await.unwrap_err();

    assert!(matches!(error, PublishError::Host { status: 302, .. }), "{error}");
    assert_eq!(server.arrivals.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_that_never_answers_ends_in_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let publisher = direct(&url).time_limit(Duration::from_millis(50));

    let error = publisher.publish(&new_event("tick", &serde_json::json!({}))).await.unwrap_err();

    assert!(matches!(&error, PublishError::Timeout { destination, .. } if *destination == url), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_host_that_is_not_there_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    drop(listener);

    let error = direct(&url).publish(&new_event("tick", &serde_json::json!({}))).await.unwrap_err();

    assert!(matches!(&error, PublishError::Unreachable { destination, .. } if *destination == url), "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_event_past_a_limit_is_not_sent() {
    let server = server(StatusCode::OK, "").await;
    let event = Event { data: vec![0; 11_000_000], ..new_event("tick", &serde_json::json!({})) };

    let error = direct(&server.url).publish(&event).await.unwrap_err();

    assert!(matches!(error, PublishError::Unpublishable { reason: Unpublishable::TooLong(_), .. }), "{error}");
    assert!(!error.is_retryable());
    assert!(server.arrivals.lock().unwrap().is_empty());
}
