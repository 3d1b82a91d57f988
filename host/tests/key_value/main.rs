//! What handlers keep: one contract for every store, what only a file or a server can do to one, and a guest's own view.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../common/mod.rs"]
mod common;
mod contract;
mod disk;
mod guest;
mod redis_away;

use tidemill_host::key_value::{Key, KeyValue, Space, Value};

/// More than any test keeps.
const PLENTY: u64 = 1 << 24;

fn space(handler: &str, store: &str) -> Space {
    Space::new(handler, store.parse().unwrap())
}

fn key(text: &str) -> Key {
    Key::new(text.into()).unwrap()
}

fn value(bytes: impl AsRef<[u8]>) -> Value {
    Value::new(bytes.as_ref().to_vec()).unwrap()
}

async fn text(store: &dyn KeyValue, space: &Space, name: &str) -> Option<String> {
    store.get(space, &key(name)).await.unwrap().map(|value| String::from_utf8(value).unwrap())
}
