//! The composition root: what the configuration asks for, built and wired. It alone picks implementations.

mod parts;

use std::sync::Arc;
use std::time::SystemTime;

use tidemill_events::Verifier;
use tidemill_publisher::PubSubError;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use crate::auth::AuthSetupError;
use crate::config::{Config, HandlerSource, PublishingConfig, StoreConfig, VerifyConfig};
use crate::dead_letter::DeadLetterError;
use crate::dedup::DedupError;
use crate::dispatch::Dispatcher;
use crate::ingress::{BodyLimits, Ingress, Stage, Trust};
use crate::key_value::{KeyValue, KeyValueError};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::outgoing::{Outgoing, Resolve, SystemResolver};
use crate::publishing::Publishing;
use crate::registry::{FolderWatch, Loader, Registry, ReleaseWatch, Releases, WatchError};
use crate::runtime::{LogLines, Runtime, RuntimeConfig, RuntimeError, Surroundings, ThisMachine};
use crate::server::{self, Drained, ServerLimits};
use crate::store::{Store, StoreError};
use crate::trust::{CodeCache, CodeCacheError};

/// A host, built and not yet serving.
pub struct App {
    ingress: Arc<Ingress>,
    registry: Arc<Registry>,
    limits: ServerLimits,
    metrics: Metrics,
    watch: Watch,
    _following_keys: AbortOnDropHandle<()>,
}

/// What keeps the registry at what should be served, until it is dropped.
enum Watch {
    /// A folder of handlers.
    Folder(#[expect(dead_code, reason = "it is held, and does the rest by itself")] FolderWatch),
    /// A store of releases.
    Releases(ReleaseWatch),
}

/// Why a host could not be built.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// No engine.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// No TLS for handlers' requests.
    #[error("handlers' requests: TLS can't be set up: {0}")]
    Outgoing(#[from] rustls::Error),
    /// No way to tell who sends.
    #[error(transparent)]
    Auth(#[from] AuthSetupError),
    /// No handlers' folder.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// No store of releases.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No place for compiled code.
    #[error("code-cache: {0}")]
    CodeCache(#[from] CodeCacheError),
    /// No place for dead letters.
    #[error(transparent)]
    DeadLetter(#[from] DeadLetterError),
    /// No store to remember events in.
    #[error("dedup: {0}")]
    Dedup(#[from] DedupError),
    /// No store for what handlers keep.
    #[error("key-value: {0}")]
    KeyValue(#[from] KeyValueError),
    /// No way out for what handlers publish.
    #[error("publish-to: {0}")]
    Publishing(#[from] PubSubError),
    /// The first load was cut off.
    #[error("the first load of the handlers broke off: {0}")]
    Load(#[from] tokio::task::JoinError),
}

impl App {
    /// Builds a host: the engine, and every handler that is there, compiled.
    ///
    /// # Errors
    /// Where the engine can't be set up or the handlers' folder can't be read. A handler that can't be loaded is
    /// logged, and is no error.
    pub async fn build(config: &Config) -> Result<Self, AppError> {
        Self::build_with(config, Arc::new(SystemResolver::default())).await
    }

    /// The same with another resolver for the names that handlers' requests go to.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_with(config: &Config, resolver: Arc<dyn Resolve>) -> Result<Self, AppError> {
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        // What may fail at once comes first: loading the handlers takes time.
        let auth = parts::authenticator(&config.auth, wall_clock())?;
        let giving_up = parts::giving_up(&config.dead_letter).await?;
        let once = parts::once(&config.dedup)?;
        let key_value = parts::key_value(&config.key_value)?;
        let keys = Arc::new(Keys::new(config.keys.clone()));
        let publisher = parts::publisher(&config.publishing, &keys).await?;
        let PublishingConfig { max_chain, max_descendants, .. } = config.publishing;
        let publishing = Publishing { publisher, max_chain, max_descendants, clock: wall_clock };
        let registry = Arc::new(Registry::default());
        let outgoing = Outgoing::new(&config.outgoing, resolver)?;
        let publishes = publishing.publisher.is_some();
        let watch = Self::load(config, outgoing, key_value, publishes, &registry).await?;
        let metrics = Metrics::default();
        let surroundings = Surroundings { sink: Arc::new(LogLines), machine: Arc::new(ThisMachine::new(wall_clock)) };
        let dispatcher = Dispatcher::new(
            Arc::clone(&registry),
            config.in_flight,
            once,
            giving_up,
            publishing,
            surroundings,
            metrics.clone(),
        );
        let VerifyConfig { accept, max_event_age, unsigned_sources } = config.verify.clone();
        let verifier = Verifier::new(accept).max_age(max_event_age).exemptions(unsigned_sources);
        let following_keys = AbortOnDropHandle::new(tokio::spawn(Arc::clone(&keys).follow()));
        let ingress = Ingress::new(
            auth,
            Trust { verifier, keys },
            BodyLimits { bytes: config.max_body, time: config.body_timeout, in_flight: config.in_flight.body_bytes },
            config.in_flight.events,
            Arc::new(dispatcher),
            wall_clock,
            metrics.clone(),
        );
        let limits = ServerLimits {
            max_connections: config.max_connections,
            head_timeout: config.body_timeout,
            grace: config.grace,
        };
        Ok(Self { ingress: Arc::new(ingress), registry, limits, metrics, watch, _following_keys: following_keys })
    }

    /// Makes the engine, loads every handler that is there, and follows their folder from then on.
    async fn load(
        config: &Config,
        outgoing: Outgoing,
        key_value: Option<Arc<dyn KeyValue>>,
        publishes: bool,
        registry: &Arc<Registry>,
    ) -> Result<Watch, AppError> {
        let instances = u32::try_from(config.in_flight.events).unwrap_or(u32::MAX);
        let runtime =
            Runtime::new(&RuntimeConfig { max_instances: instances, max_memory: config.quota.memory, outgoing })?
                .keeping(key_value)
                .publishing(publishes);
        parts::tell_allocation(runtime.allocation());
        let code_cache = config.code_cache.as_deref().map(CodeCache::open).transpose()?;
        if config.trust.has_keys() {
            tracing::info!("signatures of artifacts count by these keys: {}", config.trust);
        }
        let loader = Loader { runtime, terms: config.terms(), trust: config.trust.clone(), code_cache };
        let followed = Arc::clone(registry);
        let watch = match config.handlers.clone() {
            HandlerSource::Folder(folder) => {
                let interval = config.watch_interval;
                let start = move || FolderWatch::start(folder, loader, followed, interval);
                Watch::Folder(tokio::task::spawn_blocking(start).await??)
            }
            HandlerSource::Store(StoreConfig { url, variables, poll, cache }) => {
                let store = Store::open(&url, &variables.0)?;
                let host = Uuid::now_v7().to_string();
                tracing::info!(host, "serving what is live in the store {store}");
                let releases = Releases { store, cache, loader, poll, host, clock: wall_clock };
                Watch::Releases(ReleaseWatch::start(releases, followed).await.map_err(WatchError::Thread)?)
            }
        };
        let snapshot = registry.snapshot();
        for name in config.handler_values.handlers() {
            if !snapshot.handlers().any(|handler| handler.name == name) {
                tracing::warn!(
                    "handler-config: there are values for the handler {name:?}, which is not loaded; is it misspelt?"
                );
            }
        }
        for name in config.grants.handlers() {
            if !snapshot.handlers().any(|handler| handler.name == name) {
                tracing::warn!(
                    "grants: there are rules for the handler {name:?}, which is not loaded; is it misspelt?"
                );
            }
        }
        Ok(watch)
    }

    /// What is live, to look at.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Serves on `listener` until `shutdown` comes, then finishes what it holds.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Drained {
        let ingress = Arc::clone(&self.ingress);
        ingress.enter(Stage::Ready);
        let shutdown = async {
            shutdown.await;
            ingress.enter(Stage::ShuttingDown);
            tracing::info!("shutting down: taking nothing new, finishing what is in flight");
        };
        let answer = {
            let ingress = Arc::clone(&self.ingress);
            move |request| Arc::clone(&ingress).answer(request)
        };
        let drained = server::serve(listener, self.limits, answer, shutdown, self.ingress.finished()).await;
        if let Watch::Releases(releases) = self.watch {
            releases.stop().await;
        }
        match drained {
            Drained::Fully => tracing::info!("every delivery has its answer; ending"),
            Drained::Cut(connections) => tracing::error!(
                connections,
                "the grace time is over, with {connections} connections open: what they waited for was not acknowledged and comes again"
            ),
        }
        drained
    }
}

#[expect(clippy::disallowed_methods, reason = "the composition root hands the clock to the rest")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
