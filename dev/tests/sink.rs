//! The sink over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code outside of test functions, which clippy.toml doesn't reach"
)]

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::HeaderMap;
use hyper::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tidemill_dev::sink::{Kind, Sink};
use tidemill_events::parse_rfc3339;
use tokio::net::TcpListener;

const WELCOME: &str = r#"{"from":"api@example.com","to":"ada@example.com","subject":"Welcome","text":"Hello <Ada>"}"#;

struct Running {
    sink: Sink,
    address: SocketAddr,
}

impl Running {
    async fn start() -> Self {
        let sink = Sink::new(NonZeroUsize::new(100).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = sink.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { sink, address }
    }

    async fn request(&self, method: Method, path: &str, key: &str, body: &str) -> (StatusCode, HeaderMap, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", "Bearer s3cret")
            .header("idempotency-key", key)
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.unwrap();
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn post(&self, path: &str, key: &str, body: &str) -> (StatusCode, Value) {
        let (status, _, body) = self.request(Method::POST, path, key, body).await;
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn get(&self, path: &str) -> (HeaderMap, String) {
        let (status, headers, body) = self.request(Method::GET, path, "", "").await;
        assert_eq!(status, StatusCode::OK);
        (headers, String::from_utf8(body.to_vec()).unwrap())
    }
}

#[tokio::test]
async fn what_is_sent_is_listed_and_shown() {
    let running = Running::start().await;
    let push = r#"{"to":"device-1","title":"A like","body":"Ada likes your post"}"#;
    assert_eq!(running.post("/mail", "event-1", WELCOME).await, (StatusCode::OK, json!({ "id": "1" })));
    assert_eq!(running.post("/push", "event-2", push).await, (StatusCode::OK, json!({ "id": "2" })));

    let listed: Vec<Value> = serde_json::from_str(&running.get("/messages").await.1).unwrap();
    let body: Value = serde_json::from_str(WELCOME).unwrap();
    parse_rfc3339(listed[0]["received_at"].as_str().unwrap()).unwrap();
    let expected = json!({
        "id": 1, "kind": "mail", "received_at": listed[0]["received_at"],
        "idempotency_key": "event-1", "repeats": 0, "body": body,
    });
    assert_eq!(listed[0], expected);
    assert_eq!((&listed[1]["kind"], listed.len()), (&json!("push"), 2));
    assert_eq!(running.sink.messages()[1].kind, Kind::Push);
    assert_eq!(running.sink.messages()[1].title(), "A like");

    let (headers, page) = running.get("/").await;
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert!(headers.contains_key("content-security-policy"));
    for shown in ["2 sent", "ada@example.com", "Welcome", "Hello &lt;Ada&gt;", "Ada likes your post", "event-2"] {
        assert!(page.contains(shown), "{shown}: {page}");
    }
    assert!(!page.contains("s3cret"));
    assert!(page.find("device-1").unwrap() < page.find("ada@example.com").unwrap(), "the newest comes first");
}

#[tokio::test]
async fn an_idempotency_key_counts_once_and_is_answered_alike() {
    let running = Running::start().await;
    let first = running.post("/mail", "event-1", WELCOME).await;
    assert_eq!(running.post("/mail", "event-1", WELCOME).await, first);
    assert_eq!(running.post("/mail", "", WELCOME).await.1, json!({ "id": "2" }));
    assert_eq!(running.post("/mail", "", WELCOME).await.1, json!({ "id": "3" }));
    let messages = running.sink.messages();
    assert_eq!(messages.iter().map(|sent| sent.repeats).collect::<Vec<_>>(), [1, 0, 0]);
    assert_eq!(messages[1].idempotency_key, None);
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_and_not_kept() {
    let running = Running::start().await;
    for body in ["", "{", "[]", "\"text\"", "{} {}"] {
        let (status, answer) = running.post("/mail", "k", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["error"].as_str().unwrap().contains("no JSON object"), "{answer}");
    }
    let (status, _) = running.post("/mail", "k", &format!("{{\"text\":\"{}\"}}", "x".repeat(1 << 20))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(running.sink.messages().is_empty());
}

#[tokio::test]
async fn sends_fail_as_they_are_asked_to_and_then_no_more() {
    let running = Running::start().await;
    assert_eq!(running.post("/fail?next=2&status=429", "", "").await.0, StatusCode::OK);
    assert_eq!(running.post("/mail", "k", WELCOME).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(running.post("/push", "k", WELCOME).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(running.post("/mail", "k", WELCOME).await.0, StatusCode::OK);
    assert_eq!(running.post("/fail?next=1", "", "").await.1, json!({ "next": 1, "status": 503 }));
    assert_eq!(running.post("/fail?next=0", "", "").await.0, StatusCode::OK);
    assert_eq!(running.post("/push", "k", WELCOME).await.0, StatusCode::OK);
    for query in ["", "?status=503", "?next=-1", "?next=1&status=200", "?next=1&status=x", "?next=1&kind=mail"] {
        let (status, answer) = running.post(&format!("/fail{query}"), "", "").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer["error"].as_str().unwrap().contains("next=N&status=S"), "{answer}");
    }
    assert_eq!(running.post("/mail", "k2", WELCOME).await.0, StatusCode::OK, "a wrong request must change nothing");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let running = Running::start().await;
    assert_eq!(running.post("/mails", "", WELCOME).await.0, StatusCode::NOT_FOUND);
    let (status, headers, _) = running.request(Method::GET, "/mail", "", "").await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"POST".parse().unwrap()));
    let (status, headers, _) = running.request(Method::POST, "/messages", "", "").await;
    assert_eq!((status, &headers["allow"]), (StatusCode::METHOD_NOT_ALLOWED, &"GET".parse().unwrap()));
}
