//! What the tests stand on.

pub(crate) mod client;
mod receiver;
mod running;

pub(crate) use receiver::{Receiver, Reply};
pub(crate) use running::Running;

use std::time::Duration;

/// How long a test waits for what has to happen. Nothing is asserted about how long it takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const TOPIC: &str = "projects/demo/topics/events";
pub(crate) const SUBSCRIPTION: &str = "projects/demo/subscriptions/host";

/// Asks again and again until the answer is yes.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"));
}
