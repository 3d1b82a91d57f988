//! What arrives where a handler has published and is done.

use std::time::SystemTime;

use hyper::header::HeaderValue;
use hyper::{Method, Request, StatusCode};
use serde_json::json;
use tidemill_events::{Envelope, Key, KeyRing, Scheme, Schemes, Sender, Verifier};

use super::common::{self, KEY, delivery, log};
use super::receiver::Receiver;
use super::{attribute, cause, host, host_with, ids, printed, until};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[expect(clippy::disallowed_methods, reason = "the host has signed with the time that it is")]
fn now() -> SystemTime {
    SystemTime::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_leaves_whole_signed_and_marked() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    let script = json!({ "publish": [{
        "type": "b", "data": { "id": 7 }, "key": "user-7", "attributes": { "tenant": "acme" },
    }] });
    let cause = cause(&script);
    let answer = host.post(&cause).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let [sent] = receiver.take().try_into().unwrap();
    assert_eq!(printed(&answer), [format!("published {}", attribute(&sent, "event-id"))]);
    let counted = host.metrics.text();
    assert!(counted.contains("tidemill_published_total{handler=\"chain\"} 1\n"), "{counted}");
    assert_eq!((&*sent.message.data, sent.message.ordering_key.as_deref()), (&b"{\"id\":7}"[..], Some("user-7")));
    for (name, value) in [
        ("event-type", "b"),
        ("content-type", "application/json"),
        ("tenant", "acme"),
        ("tidemill-cause", attribute(&cause, "event-id")),
        ("tidemill-depth", "1"),
    ] {
        assert_eq!(attribute(&sent, name), value);
    }
    assert!(!sent.message.attributes.contains_key("googclient_traceparent"), "there is no trace: {sent:?}");
    // As any host judges it that accepts v2 alone, by the time that it is.
    let keys: KeyRing = KEY.parse::<Key>().unwrap().into();
    let verifier = Verifier::new(vec![Scheme::V2]).max_age(std::time::Duration::from_secs(60));
    let verified = verifier.verify(&keys, sent, Sender::Stranger, now()).unwrap();
    assert!(verified.vouched_id().is_some());
    let told = log::of_message(&answer.message_id);
    assert!(told.iter().any(|line| line["message"] == format!("published b {}", verified.event.id)), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_a_delivery_goes_on_and_one_of_the_event_itself_goes_before_it() {
    let receiver = Receiver::start().await;
    let host = host(&receiver).await;
    let other = TRACE.replace("4bf9", "ffff");
    for (own, expected) in [(None, TRACE), (Some(other.as_str()), other.as_str())] {
        let mut cause = cause(&json!({ "publish": [{ "type": "b" }] }));
        if let Some(own) = own {
            cause.message.attributes.insert("googclient_traceparent".into(), own.into());
        }
        let request = Request::builder().method(Method::POST).uri(format!("http://{}/events", host.address));
        let request = request.header("traceparent", HeaderValue::from_static(TRACE));
        let request = request.body(http_body_util::Full::from(cause.encode())).unwrap();
        assert_eq!(common::client(false).request(request).await.unwrap().status(), StatusCode::NO_CONTENT);
        assert_eq!(attribute(&receiver.take()[0], "googclient_traceparent"), expected);
    }
}

/// Under version 1 nobody vouches for an event's id: what it causes goes by the message that brought it.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_event_without_a_vouched_id_causes_goes_by_its_message() {
    let receiver = Receiver::start().await;
    let host = host_with(&receiver, |config| config.publishing.schemes = Schemes::Only(Scheme::V2)).await;
    let data = json!({ "publish": [{ "type": "b" }] }).to_string();
    let v1 = tidemill_events::signature::v1::sign(&KEY.parse().unwrap(), data.as_bytes());
    let unsigned = common::unsigned(&[("event-type", "a"), ("event-id", "same"), ("signature", &v1)], data.as_bytes());
    for delivery in [unsigned.delivery.clone(), delivery()] {
        let envelope = Envelope { message: unsigned.message.clone(), delivery };
        assert_eq!(host.post(&envelope).await.status, StatusCode::NO_CONTENT);
    }
    let taken = receiver.take();
    assert_ne!(ids(&taken)[0], ids(&taken)[1]);
    assert!(!taken[0].message.attributes.contains_key("signature"), "v1 is not asked for: {:?}", taken[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_signs_from_the_moment_that_it_is_the_first() {
    let receiver = Receiver::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    std::fs::write(&file, format!("{KEY}\n")).unwrap();
    let path = file.clone();
    let host = host_with(&receiver, |config| {
        config.keys.fixed.clear();
        config.keys.file = Some(path);
        config.keys.reload = std::time::Duration::from_millis(10);
    })
    .await;
    let sent = async || {
        assert_eq!(host.post(&cause(&json!({ "publish": [{ "type": "b" }] }))).await.status, StatusCode::NO_CONTENT);
        attribute(&receiver.take()[0], "signature-v2").split(',').nth(1).unwrap().to_owned()
    };
    assert_eq!(sent().await, "k1");
    std::fs::write(&file, format!("k2=n3w\n{KEY}\n")).unwrap();
    until("the keys changed", || {
        !log::lines(|line| line["message"] == "signing keys changed" && line["keys"] == "k2, k1").is_empty()
    })
    .await;
    assert_eq!(sent().await, "k2");
}
