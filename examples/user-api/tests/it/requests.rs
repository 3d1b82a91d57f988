//! What requests are answered with, and what events they cause.

use std::collections::BTreeMap;

use hyper::Method;
use serde_json::{Value, json};

use crate::support::{App, Broker, Recorder, data};

#[tokio::test]
async fn each_change_is_answered_and_published_before_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;

    let (status, author) = app
        .api
        .post("/register", json!({ "email": "ada@example.com", "name": "Ada", "device_token": "ExponentPushToken[1]" }))
        .await;
    assert_eq!(status, 201);
    let author = author["id"].as_str().unwrap();
    let registered = &recorder.published()[0];
    assert_eq!(registered.event_type, "user.registered");
    assert_eq!(data(registered), json!({ "id": author, "email": "ada@example.com", "name": "Ada" }));
    assert_eq!(registered.content_type.as_deref(), Some("application/json"));

    app.api.change_name(author, "Countess").await;
    let changed = &recorder.published()[1];
    assert_eq!(changed.event_type, "user.name.changed");
    assert_eq!(changed.data, br#"{"Name":"Countess"}"#);
    assert_eq!(changed.attributes, BTreeMap::from([("user-id".into(), author.into())]));
    assert_eq!(changed.ordering_key, registered.ordering_key);

    let (status, post) = app.api.post("/posts", json!({ "author_id": author, "title": "On engines" })).await;
    assert_eq!(status, 201);
    let post = post["id"].as_str().unwrap();
    let reader = app.api.register("bob@example.com", "Bob").await;
    let like = format!("/posts/{post}/like");
    let answer = app.api.post(&like, json!({ "user_id": reader })).await;
    assert_eq!(answer, (200, json!({ "post_id": post, "user_id": reader })));
    let published = recorder.published();
    let liked = &published[3];
    assert_eq!(liked.event_type, "post.liked");
    assert_eq!(data(liked), json!({ "post_id": post, "liked_by": "Bob", "device_token": "ExponentPushToken[1]" }));

    assert_eq!(published.len(), 4);
    app.stop().await;
    assert_eq!(recorder.attempted().len(), 4);
}

#[tokio::test]
async fn what_changes_nothing_causes_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;
    let body = json!({ "email": "ada@example.com", "name": "Ada", "device_token": "t" });
    let (_, ada) = app.api.post("/register", body).await;
    let (_, post) = app.api.post("/posts", json!({ "author_id": ada["id"], "title": "On engines" })).await;
    let like = format!("/posts/{}/like", post["id"].as_str().unwrap());
    let events = || recorder.published().len();

    assert_eq!(app.api.post(&like, json!({ "user_id": ada["id"] })).await.0, 200);
    assert_eq!(events(), 2);
    assert_eq!(app.api.post(&like, json!({ "user_id": ada["id"] })).await.0, 200);
    assert_eq!(events(), 2, "a second like by the same user");

    app.api.change_name(ada["id"].as_str().unwrap(), "Ada").await;
    assert_eq!(events(), 2, "the same name again");

    let (status, answer) = app.api.post("/register", json!({ "email": "ADA@example.com", "name": "Imposter" })).await;
    assert_eq!((status, answer), (409, json!({ "error": "there is a user with this email address already" })));
    assert_eq!(events(), 2, "an email address that is taken");

    let nobody = app.api.register("bob@example.com", "Bob without a device").await;
    let (_, post) = app.api.post("/posts", json!({ "author_id": nobody, "title": "Unnoticed" })).await;
    let like = format!("/posts/{}/like", post["id"].as_str().unwrap());
    assert_eq!(app.api.post(&like, json!({ "user_id": ada["id"] })).await.0, 200);
    assert_eq!(events(), 3, "a like of a post whose author has no device to notify");
    app.stop().await;
}

#[tokio::test]
async fn bad_input_is_told_by_field_and_causes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;
    let long = "x".repeat(201);

    for (path, body, field) in [
        ("/register", json!({ "name": "Ada" }), "email"),
        ("/register", json!({ "email": "ada@example.com" }), "name"),
        ("/register", json!({ "email": "ada", "name": "Ada" }), "email"),
        ("/register", json!({ "email": 7, "name": "Ada" }), "email"),
        ("/register", json!({ "email": "ada@example.com", "name": long }), "name"),
        ("/register", json!({ "email": "ada@example.com", "name": "Ada", "device_token": [] }), "device_token"),
        ("/change-name", json!({ "name": "Ada" }), "id"),
        ("/change-name", json!({ "id": "1", "name": " " }), "name"),
        ("/posts", json!({ "title": "On engines" }), "author_id"),
        ("/posts", json!({ "author_id": "1" }), "title"),
        ("/posts/1/like", json!({ "user": "1" }), "user_id"),
    ] {
        let (status, answer) = app.api.post(path, body.clone()).await;
        assert_eq!((status, &answer["field"]), (400, &Value::from(field)), "{path} {body}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(&format!("`{field}`")), "{answer}");
    }
    for (body, complaint) in
        [("{\"email\":", "the body is no JSON: "), ("", "the body is no JSON: "), ("[1]", "the body is a list")]
    {
        let (status, answer) = app.api.send(Method::POST, "/register", body).await;
        assert_eq!(status, 400, "{body}: {answer}");
        assert!(answer["error"].as_str().unwrap().starts_with(complaint), "{answer}");
    }
    let (status, _) = app.api.send(Method::POST, "/register", vec![b' '; (64 << 10) + 1]).await;
    assert_eq!(status, 413);

    assert!(recorder.attempted().is_empty());
    app.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_told_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(Broker::Up);
    let app = App::start(folder.path(), recorder.clone()).await;
    let ada = app.api.register("ada@example.com", "Ada").await;
    let (_, post) = app.api.post("/posts", json!({ "author_id": ada, "title": "On engines" })).await;
    let like = format!("/posts/{}/like", post["id"].as_str().unwrap());

    for (path, body, complaint) in [
        ("/change-name", json!({ "id": "nobody", "name": "Ada" }), "there is no user \"nobody\""),
        ("/posts", json!({ "author_id": "nobody", "title": "On engines" }), "there is no user \"nobody\""),
        ("/posts/nothing/like", json!({ "user_id": ada }), "there is no post \"nothing\""),
        (like.as_str(), json!({ "user_id": "nobody" }), "there is no user \"nobody\""),
        ("/elsewhere", json!({}), "there is nothing at this path"),
        ("/", json!({}), "there is nothing at this path"),
        ("/register/", json!({}), "there is nothing at this path"),
        ("/posts/1/like/2", json!({}), "there is nothing at this path"),
    ] {
        assert_eq!(app.api.post(path, body).await, (404, json!({ "error": complaint })), "{path}");
    }
    for path in ["/register", "/change-name", "/posts", "/posts/1/like"] {
        assert_eq!(
            app.api.send(Method::GET, path, "").await,
            (405, json!({ "error": "this path takes POST" })),
            "{path}"
        );
    }
    assert_eq!(recorder.attempted().len(), 1);
    app.stop().await;
}
