//! Publishing over REST.

use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::{Method, StatusCode};
use serde_json::json;
use tidemill_events::parse_rfc3339;

use crate::support::client::request;
use crate::support::{Receiver, Reply, Running, SUBSCRIPTION, TOPIC};

async fn acking() -> (Receiver, Running) {
    let receiver = Receiver::start(|_| Reply::Status(204)).await;
    let broker = Running::start(&receiver).await;
    (receiver, broker)
}

fn publish_url(broker: &Running, topic: &str) -> String {
    format!("http://{}/v1/{topic}:publish", broker.address)
}

#[tokio::test]
async fn a_published_message_is_pushed_as_a_real_subscription_wraps_it() {
    let (receiver, broker) = acking().await;
    let body = json!({ "messages": [
        { "data": "eyJpZCI6NDJ9", "attributes": { "event-type": "user.registered" }, "orderingKey": "42" },
    ] });
    let answer = request(Method::POST, &publish_url(&broker, TOPIC), body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    let id = answer.json()["messageIds"][0].as_str().unwrap().to_owned();
    assert_eq!(answer.json(), json!({ "messageIds": [id] }));

    let push = &receiver.has(1).await[0];
    assert_eq!(push.path, "/events");
    assert_eq!(push.content_type, "application/json");
    let time = push.body["message"]["publishTime"].as_str().unwrap();
    let published = parse_rfc3339(time).unwrap();
    assert!(published > SystemTime::UNIX_EPOCH);
    let expected = json!({
        "deliveryAttempt": 1,
        "message": {
            "attributes": { "event-type": "user.registered" },
            "data": "eyJpZCI6NDJ9",
            "messageId": id, "message_id": id,
            "orderingKey": "42",
            "publishTime": time, "publish_time": time,
        },
        "subscription": SUBSCRIPTION,
    });
    assert_eq!(push.body, expected);
    broker.is_empty().await;
}

#[tokio::test]
async fn json_may_spell_base64_and_names_in_either_way() {
    let (receiver, broker) = acking().await;
    let body = json!({ "messages": [
        { "data": "-_8", "ordering_key": "k" },
        { "data": "+/8=", "orderingKey": "" },
        { "attributes": { "only": "attributes" } },
    ] });
    let answer = request(Method::POST, &publish_url(&broker, TOPIC), body.to_string()).await;
    assert_eq!(answer.json()["messageIds"].as_array().unwrap().len(), 3);
    let mut pushes = receiver.has(3).await;
    pushes.sort_by_key(|push| push.envelope.delivery.message_id.clone());
    assert_eq!(pushes[0].envelope.message.data, [0xfb, 0xff]);
    assert_eq!(pushes[0].envelope.message.ordering_key.as_deref(), Some("k"));
    assert_eq!(pushes[1].envelope.message.data, [0xfb, 0xff]);
    assert_eq!(pushes[1].envelope.message.ordering_key, None);
    assert_eq!(pushes[2].envelope.message.attributes["only"], "attributes");
}

#[tokio::test]
async fn the_largest_message_goes_through() {
    let (receiver, broker) = acking().await;
    let data = vec![0xa5; 10 << 20];
    let body = json!({ "messages": [{ "data": STANDARD.encode(&data) }] });
    let answer = request(Method::POST, &publish_url(&broker, TOPIC), body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(receiver.has(1).await[0].envelope.message.data == data);
    let body = json!({ "messages": [{ "data": STANDARD.encode(vec![0xa5; 1 + (10 << 20)]) }] });
    let answer = request(Method::POST, &publish_url(&broker, TOPIC), body.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_wrong_request_is_refused_in_googles_terms_and_publishes_nothing() {
    let (_receiver, broker) = acking().await;
    for (topic, body, says) in [
        (TOPIC, "", "no JSON"),
        (TOPIC, "[1]", "no JSON"),
        (TOPIC, r#"{"messages":[]}"#, "1 to 1000 messages"),
        (TOPIC, r#"{"messages":[{"data":"eA=="},{"data":"!"}]}"#, "`messages[1].data` is no base64"),
        (TOPIC, r#"{"messages":[{"data":"eA=="},{}]}"#, "index 1 is empty"),
        ("projects/p/topics/x", r#"{"messages":[{"data":"eA=="}]}"#, "projects/p/topics/x"),
    ] {
        let answer = request(Method::POST, &publish_url(&broker, topic), body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        let error = &answer.json()["error"];
        assert_eq!((&error["code"], &error["status"]), (&json!(400), &json!("INVALID_ARGUMENT")), "{body}");
        assert!(error["message"].as_str().unwrap().contains(says), "{body}: {error}");
    }
    assert_eq!(broker.broker.pending().await.unwrap(), 0);
}

#[tokio::test]
async fn topics_are_there_for_whoever_asks_and_nothing_else_is() {
    let (_receiver, broker) = acking().await;
    let url = |path: &str| format!("http://{}{path}", broker.address);
    for method in [Method::GET, Method::PUT] {
        let answer = request(method, &url(&format!("/v1/{TOPIC}")), "{}").await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({ "name": TOPIC })));
    }
    for (method, path) in [
        (Method::GET, "/"),
        (Method::GET, "/v1/projects/demo/topics/events:publish"),
        (Method::DELETE, "/v1/projects/demo/topics/events"),
        (Method::POST, "/v1/projects/demo/subscriptions/host:pull"),
    ] {
        let answer = request(method, &url(path), "{}").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.json()["error"]["status"], "NOT_FOUND");
    }
}
