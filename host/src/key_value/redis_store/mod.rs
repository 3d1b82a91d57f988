//! The store that several instances share, in a Redis server (5 or later, or a Valkey).

use redis::Script;
use uuid::Uuid;

use super::{Asking, ENTRY_COST, Key, KeyValue, KeyValueError, PAGE, Page, Space, Value};
use crate::config::RedisUrl;
use crate::redis_link::Link;

/// A store in a Redis server, for all instances that use the same database of it.
///
/// The values of a handler's store are one hash, its keys a sorted set beside it, for their order; what the handler keeps
/// together is a number. Each change is one script, which the server runs as a whole. A server that evicts keys when its
/// memory is full (`maxmemory-policy`) loses what handlers keep; give it `noeviction`.
pub struct RedisStore {
    link: Link,
    quota: u64,
    get: Script,
    exists: Script,
    keys: Script,
    change: Script,
}

/// The parts of a change that are not the same for each kind.
struct Change<'a> {
    kind: &'a str,
    /// The value, or what is to be added.
    given: &'a [u8],
    /// What has to be there for the change to be made, where that matters.
    expected: Option<&'a [u8]>,
}

impl RedisStore {
    /// A store at `url`, in which each handler may keep `quota` bytes: keys, values, and [`ENTRY_COST`] for each. It
    /// connects with the first question, so the server may be away. Call it within a tokio runtime.
    ///
    /// Where the application has installed no default provider for rustls, and `url` asks for TLS, this installs ring.
    ///
    /// # Errors
    /// Where the client refuses what the URL says.
    pub fn new(url: &RedisUrl, quota: u64) -> Result<Self, KeyValueError> {
        Ok(Self {
            link: Link::new(url)?,
            quota,
            get: Script::new("return redis.call('HGET', KEYS[1], ARGV[1])"),
            exists: Script::new("return redis.call('HEXISTS', KEYS[1], ARGV[1])"),
            keys: Script::new("return redis.call('ZRANGEBYLEX', KEYS[1], ARGV[1], '+', 'LIMIT', 0, ARGV[2])"),
            change: Script::new(include_str!("change.lua")),
        })
    }

    /// The answer to a change: a word, and a number where it has one.
    async fn change(&self, space: &Space, key: &Key, change: Change<'_>) -> Result<(String, String), KeyValueError> {
        // What is added twice is wrong, and a script is sent twice where its answer was lost: its name tells.
        let once = name(space, &format!("once:{}", Uuid::now_v7().simple()));
        let mut script = self.change.key(values(space));
        script.key(keys(space)).key(name(space, "used")).key(once);
        script.arg(change.kind).arg(key.as_str()).arg(change.given).arg(self.quota).arg(ENTRY_COST);
        if let Some(expected) = change.expected {
            script.arg(expected);
        }
        let (word, number): (String, String) = self.link.run(&script).await?;
        match word.as_str() {
            "full" => Err(KeyValueError::Full { quota: self.quota, would: number.parse().unwrap_or(u64::MAX) }),
            "no-number" => Err(KeyValueError::NoNumber),
            "overflow" => Err(KeyValueError::Overflow),
            _ => Ok((word, number)),
        }
    }

    fn no_answer(&self, answer: &(String, String)) -> KeyValueError {
        self.link.refused(format!("its answer to a change is {answer:?}, which is none")).into()
    }
}

impl KeyValue for RedisStore {
    fn get<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, Option<Vec<u8>>> {
        Box::pin(async move { Ok(self.link.run(self.get.key(values(space)).arg(key.as_str())).await?) })
    }

    fn exists<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, bool> {
        Box::pin(async move { Ok(self.link.run(self.exists.key(values(space)).arg(key.as_str())).await?) })
    }

    fn keys<'a>(&'a self, space: &'a Space, after: Option<&'a str>) -> Asking<'a, Page> {
        Box::pin(async move {
            // No key is empty, so all of them come after the empty one.
            let after = format!("({}", after.unwrap_or_default());
            let found = self.link.run(self.keys.key(keys(space)).arg(after).arg(PAGE.saturating_add(1))).await?;
            Ok(Page::of(found))
        })
    }

    fn set<'a>(&'a self, space: &'a Space, key: &'a Key, value: Value) -> Asking<'a, ()> {
        Box::pin(async move {
            let change = Change { kind: "set", given: &value.into_bytes(), expected: None };
            self.change(space, key, change).await.map(drop)
        })
    }

    fn delete<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, ()> {
        Box::pin(async move {
            let change = Change { kind: "delete", given: b"", expected: None };
            self.change(space, key, change).await.map(drop)
        })
    }

    fn increment<'a>(&'a self, space: &'a Space, key: &'a Key, delta: i64) -> Asking<'a, i64> {
        Box::pin(async move {
            let delta = delta.to_string();
            let change = Change { kind: "increment", given: delta.as_bytes(), expected: None };
            let answer = self.change(space, key, change).await?;
            answer.1.parse().map_err(|_| self.no_answer(&answer))
        })
    }

    fn swap<'a>(&'a self, space: &'a Space, key: &'a Key, expected: Option<Vec<u8>>, value: Value) -> Asking<'a, bool> {
        Box::pin(async move {
            let change = Change { kind: "swap", given: &value.into_bytes(), expected: expected.as_deref() };
            let answer = self.change(space, key, change).await?;
            match answer.0.as_str() {
                "done" => Ok(true),
                "other" => Ok(false),
                _ => Err(self.no_answer(&answer)),
            }
        })
    }
}

/// A name in the server. A handler's names hash to one place of a cluster. They can't be mistaken for another's, since
/// what follows the handler's name has no brace.
fn name(space: &Space, part: &str) -> String {
    format!("tidemill:kv:{{{}}}:{part}", space.handler())
}

fn values(space: &Space) -> String {
    name(space, &format!("values:{}", space.store()))
}

fn keys(space: &Space) -> String {
    name(space, &format!("keys:{}", space.store()))
}
