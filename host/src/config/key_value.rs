//! Where handlers keep what outlives an event.

use std::path::PathBuf;

use super::reader::Reader;
use super::{RedisUrl, RedisUrlError, bounds};

/// Where handlers keep values under keys, and how much of it.
#[derive(Debug, Clone)]
pub struct KeyValueConfig {
    /// Where.
    pub store: KeyValueStoreConfig,
    /// The most bytes that one handler may keep, over all its stores.
    pub quota: u64,
}

/// Where handlers keep values under keys.
#[derive(Debug, Clone)]
pub enum KeyValueStoreConfig {
    /// Nowhere: a handler that asks for a store is not loaded.
    None,
    /// In this process, with which it ends.
    Memory,
    /// In a file, which no other process has meanwhile.
    Disk {
        /// The file.
        file: PathBuf,
    },
    /// In a Redis server, which several instances may share.
    Redis {
        /// Where it is.
        url: RedisUrl,
    },
}

impl KeyValueConfig {
    /// What an operator can rely on, in a sentence for the log; nothing to say where there is no store.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        Some(match &self.store {
            KeyValueStoreConfig::None => return None,
            KeyValueStoreConfig::Memory => "what handlers keep under keys is in memory: it is gone when this process ends, and no other instance sees it; set `key-value` to disk:FILE or to a Redis server to keep it".to_owned(),
            KeyValueStoreConfig::Disk { file } => format!(
                "what handlers keep under keys is in {}, on the disk before a handler is told so; no other instance sees it",
                file.display()
            ),
            KeyValueStoreConfig::Redis { url } => {
                format!("what handlers keep under keys is at {url}, and every instance that asks there sees it")
            }
        })
    }
}

impl Reader<'_> {
    pub(super) fn key_value(&mut self) -> Option<KeyValueConfig> {
        let store = self.one("key-value", store);
        let quota = self.one("key-value-quota", bounds::key_value);
        Some(KeyValueConfig { store: store?, quota: u64::try_from(quota?).unwrap_or(u64::MAX) })
    }
}

/// Reads where. The text is not repeated in an error, as it may hold a password.
fn store(text: &str) -> Result<KeyValueStoreConfig, String> {
    match text {
        "none" => Ok(KeyValueStoreConfig::None),
        "memory" => Ok(KeyValueStoreConfig::Memory),
        text => match text.strip_prefix("disk:") {
            Some("") => Err("behind disk: is the path of a file, such as disk:/var/lib/tidemill/key-value.redb".to_owned()),
            Some(file) => Ok(KeyValueStoreConfig::Disk { file: file.into() }),
            None => match text.parse() {
                Ok(url) => Ok(KeyValueStoreConfig::Redis { url }),
                Err(error @ RedisUrlError::Rest) => Err(error.to_string()),
                Err(RedisUrlError::NoUrl) => Err("it is neither none nor memory nor disk:FILE nor a URL such as redis://:PASSWORD@HOST:6379/0, or rediss:// for TLS".to_owned()),
            },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<String> {
        KeyValueConfig { store: store(text).unwrap(), quota: 1 << 20 }.in_words()
    }

    #[test]
    fn a_place_is_said_without_its_password() {
        assert_eq!(words("none"), None);
        assert!(words("memory").unwrap().contains("gone when this process ends"));
        assert!(words("disk:data/kv.redb").unwrap().contains("in data/kv.redb,"));
        let redis = words("redis://:hunter2@cache/1").unwrap();
        assert!(redis.contains("redis://cache:6379/1") && !redis.contains("hunter2"), "{redis}");
    }

    #[test]
    fn what_is_no_place_is_refused_and_not_repeated() {
        for text in ["", "disk", "disk:", "memroy", "redis://", "redis://:7/hunter2@h", "http://:hunter2@h"] {
            let error = store(text).unwrap_err();
            assert!(!error.contains("hunter2") && !error.contains("memroy"), "{error}");
        }
    }
}
