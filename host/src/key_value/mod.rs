//! What handlers keep between their events: values under keys, in stores that a handler names in its manifest.
//!
//! A [`KeyValue`] holds all handlers' stores. [`MemoryStore`] forgets with the process, [`DiskStore`] is one process's
//! file, [`RedisStore`] is for several instances. A handler sees its own keys alone, and has a quota of bytes.

mod disk;
mod error;
mod memory;
mod name;
mod redis_store;
mod step;

use std::pin::Pin;

pub use disk::DiskStore;
pub use error::KeyValueError;
pub use memory::MemoryStore;
pub use name::{Key, Space, StoreName, StoreNameError, Value};
pub use redis_store::RedisStore;
pub use step::ENTRY_COST;

/// The most keys of one page of a list.
pub const PAGE: usize = 1000;

/// A question to a store, under way. Dropping it leaves open whether it reached the store.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, KeyValueError>> + Send + 'a>>;

/// Keeps values under keys, for all handlers.
///
/// Each change is one step: of several at once, one comes after the other. What was answered is kept, as far as the store
/// keeps anything, and is seen by whoever asks next. Each change that makes a handler's keeping larger is refused with
/// [`KeyValueError::Full`] where that would go past the quota.
///
/// It can be a trait object, so that the composition root picks the implementation.
pub trait KeyValue: Send + Sync + 'static {
    /// The value of a key, or `None` where there is no such key.
    fn get<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, Option<Vec<u8>>>;

    /// Whether there is such a key.
    fn exists<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, bool>;

    /// The keys that come after `after` by their bytes, or the first ones: at most [`PAGE`].
    fn keys<'a>(&'a self, space: &'a Space, after: Option<&'a str>) -> Asking<'a, Page>;

    /// Puts a value in the place of any other.
    fn set<'a>(&'a self, space: &'a Space, key: &'a Key, value: Value) -> Asking<'a, ()>;

    /// Takes a key away, if there is such a key.
    fn delete<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, ()>;

    /// Adds to a number, and gives the sum. Its value is in decimal digits; where there is no such key, it is 0.
    fn increment<'a>(&'a self, space: &'a Space, key: &'a Key, delta: i64) -> Asking<'a, i64>;

    /// Puts a value in the place of `expected`, where `None` is no key, and says whether that is what was there.
    fn swap<'a>(&'a self, space: &'a Space, key: &'a Key, expected: Option<Vec<u8>>, value: Value) -> Asking<'a, bool>;
}

/// A part of a list of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The keys, in the order of their bytes.
    pub keys: Vec<String>,
    /// What to ask for the next page with, where there may be one.
    pub next: Option<String>,
}

impl Page {
    /// A page of keys that were looked for up to one more than a page has.
    fn of(mut keys: Vec<String>) -> Self {
        let more = keys.len() > PAGE;
        keys.truncate(PAGE);
        let next = if more { keys.last().cloned() } else { None };
        Self { keys, next }
    }
}
