//! Tells an author's device that a post was liked.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tidemill_sdk::{Event, Failure, config, handler, http};

/// Below the deadline in handler.toml, so that a silent provider ends in a reason and not in a fault.
const TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
struct Liked {
    post_id: String,
    liked_by: String,
    /// The device of the post's author.
    device_token: String,
}

#[derive(Serialize)]
struct Push<'a> {
    to: &'a str,
    title: &'a str,
    body: &'a str,
}

#[handler]
async fn push_on_like(event: Event<Liked>) -> Result<(), Failure> {
    let like = &event.data;
    if like.device_token.is_empty() {
        return Err(Failure::reject("`device_token` is empty: there is no device to tell"));
    }
    let body = format!("{} likes your post.", like.liked_by);
    let push = Push { to: &like.device_token, title: "Somebody likes your post", body: &body };

    http::post(&config::get("push-url")?)
        .bearer(&config::get("push-key")?)
        .idempotency_key(&event.id)
        .timeout(TIMEOUT)
        .json(&push)
        .send()
        .await?
        .ok()?;

    println!("the provider took the push for post {}", like.post_id);
    Ok(())
}
