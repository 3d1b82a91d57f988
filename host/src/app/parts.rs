//! The parts that the configuration picks among several, each with its word for the log.

use std::sync::Arc;
use std::time::SystemTime;

use tidemill_publisher::{Direct, PubSub, PubSubError, Publisher};

use crate::auth::{AuthSetupError, Authenticator};
use crate::config::{
    AuthMode, DeadLetterConfig, DeadLetterTarget, DedupConfig, DedupStoreConfig, KeyValueConfig, KeyValueStoreConfig,
    PublishTarget, PublishingConfig,
};
use crate::dead_letter::{DeadLetterError, DeadLetterFolder, DeadLetterTopic, DeadLetters};
use crate::dedup::{DedupError, DedupStore, MemoryStore, RedisStore};
use crate::dispatch::{GivingUp, Once};
use crate::key_value::{self, DiskStore, KeyValue, KeyValueError};
use crate::keys::Keys;
use crate::publishing::{EVENT_TIME_LIMIT, RingSigner};
use crate::runtime::Allocation;

/// What tells who may deliver, with what it needs on its way already.
pub(super) fn authenticator(mode: &AuthMode, now: SystemTime) -> Result<Authenticator, AuthSetupError> {
    let auth = Authenticator::new(mode.clone())?;
    tracing::info!("{}", mode.in_words());
    auth.prepare(now);
    Ok(auth)
}

/// What sees to it that an event takes effect once.
pub(super) fn once(config: &DedupConfig) -> Result<Once, DedupError> {
    let remember = config.remember;
    let store: Option<Arc<dyn DedupStore>> = match &config.store {
        DedupStoreConfig::None => None,
        DedupStoreConfig::Memory { capacity } => Some(Arc::new(MemoryStore::new(*capacity, remember))),
        DedupStoreConfig::Redis { url } => Some(Arc::new(RedisStore::new(url, remember)?)),
    };
    match config.store {
        DedupStoreConfig::None => tracing::warn!("{}", config.in_words()),
        DedupStoreConfig::Memory { .. } | DedupStoreConfig::Redis { .. } => tracing::info!("{}", config.in_words()),
    }
    Ok(Once { store, unavailable: config.unavailable })
}

/// What happens to an event that no handler can finish.
pub(super) async fn giving_up(config: &DeadLetterConfig) -> Result<GivingUp, DeadLetterError> {
    let letters: Option<Arc<dyn DeadLetters>> = match config.target.clone() {
        Some(DeadLetterTarget::Topic(topic)) => {
            Some(Arc::new(DeadLetterTopic::open(topic, config.emulator.clone()).await?))
        }
        Some(DeadLetterTarget::Folder(folder)) => Some(Arc::new(DeadLetterFolder::open(folder)?)),
        None => None,
    };
    match &letters {
        Some(letters) => tracing::info!("events that no handler can finish go to {}", letters.name()),
        None => tracing::warn!(
            "there is no place for dead letters: an event that no handler can finish comes again until the subscription's own policy takes it; set `dead-letter`"
        ),
    }
    let DeadLetterConfig { max_attempts, unknown_event_type, .. } = *config;
    Ok(GivingUp { letters, max_attempts, unknown_event_type })
}

/// Where handlers keep what outlives an event, if anywhere.
pub(super) fn key_value(config: &KeyValueConfig) -> Result<Option<Arc<dyn KeyValue>>, KeyValueError> {
    let quota = config.quota;
    let store: Option<Arc<dyn KeyValue>> = match &config.store {
        KeyValueStoreConfig::None => None,
        KeyValueStoreConfig::Memory => Some(Arc::new(key_value::MemoryStore::new(quota))),
        KeyValueStoreConfig::Disk { file } => Some(Arc::new(DiskStore::open(file, quota)?)),
        KeyValueStoreConfig::Redis { url } => Some(Arc::new(key_value::RedisStore::new(url, quota)?)),
    };
    if let Some(words) = config.in_words() {
        tracing::info!("{words}");
    }
    Ok(store)
}

/// The way out for what handlers publish, if any.
pub(super) async fn publisher(
    config: &PublishingConfig,
    keys: &Arc<Keys>,
) -> Result<Option<Arc<dyn Publisher>>, PubSubError> {
    let signer = RingSigner::new(Arc::clone(keys), config.schemes);
    let publisher: Option<Arc<dyn Publisher>> = match config.target.clone() {
        PublishTarget::None => None,
        PublishTarget::Topic(topic) => {
            let publisher = PubSub::builder(topic, signer).emulator(config.emulator.clone());
            Some(Arc::new(publisher.time_limit(EVENT_TIME_LIMIT).build().await?))
        }
        PublishTarget::Host(url) => Some(Arc::new(Direct::new(url, signer).time_limit(EVENT_TIME_LIMIT))),
    };
    if let Some(words) = config.in_words() {
        tracing::info!("{words}");
    }
    Ok(publisher)
}

pub(super) fn tell_allocation(allocation: Allocation) {
    match allocation {
        Allocation::PoolWithPagemapScan => tracing::debug!("instances come from a pool whose pages stay resident"),
        Allocation::Pool => tracing::info!(
            "instances come from a pool; this kernel has no PAGEMAP_SCAN (Linux 6.7 and later), so each event costs about twice as much"
        ),
        Allocation::OnDemand => tracing::warn!(
            "no instance pool can be reserved here, so each instance is mapped by itself and events cost about five times as much: lower `max-in-flight`, which a pool has a slot for each of"
        ),
        Allocation::OnDemandInLittleSpace => tracing::warn!(
            "there is not enough address space for an instance pool, so each instance is mapped by itself, in as little as it can be: events cost about five times as much, and code that was compiled ahead of time on other hosts doesn't fit; raise the limit (ulimit -v), or lower `max-in-flight`"
        ),
    }
}
