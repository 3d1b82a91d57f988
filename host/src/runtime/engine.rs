use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wasmtime::{Config, Engine};

use super::http::Reach;
use super::instances::{AllIdle, Idle};
use super::key_value::Kept;
use super::linkers::Linkers;
use super::{Allocation, Code, Component, Grant, LoadError, StandIn, native};
use crate::key_value::KeyValue;
use crate::outgoing::Outgoing;
use crate::trust::{EngineId, EngineIdError};

/// How often a running guest is made to let other events run. A guest that computes for longer than this yields its
/// thread and goes on in its turn; shorter ones never notice.
const TICK: Duration = Duration::from_millis(2);

/// How often idle instances that are too old are looked for.
const LOOK: Duration = Duration::from_millis(100);

/// The stack of each guest, in bytes. It is the engine's: compiled code knows where it ends.
pub(super) const STACK: usize = 512 << 10;

/// What the engine is sized for, and what its guests reach the world by.
#[derive(Clone)]
pub struct RuntimeConfig {
    /// Instances that may be alive at once.
    pub max_instances: u32,
    /// The largest linear memory that any handler may ask for, in bytes.
    pub max_memory: usize,
    /// The way out for guests' HTTP.
    pub outgoing: Outgoing,
}

/// The engine could not be set up at all.
#[derive(Debug, thiserror::Error)]
#[error("the WebAssembly engine could not be set up: {0:#}")]
pub struct RuntimeError(#[source] wasmtime::Error);

/// The engine, and the thread that keeps its guests polite. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    engine: Engine,
    linkers: Linkers,
    outgoing: Outgoing,
    key_value: Option<Arc<dyn KeyValue>>,
    publishes: bool,
    allocation: Allocation,
    /// The engine's name, for code that was compiled ahead of time.
    id: EngineId,
    /// The instances that wait for another event.
    idle: Arc<AllIdle>,
    ticker: Arc<Ticker>,
}

impl Runtime {
    /// Sets up the engine with the best allocation that this machine allows; [`Self::allocation`] tells which.
    ///
    /// # Errors
    /// Where not even the plainest configuration works.
    pub fn new(config: &RuntimeConfig) -> Result<Self, RuntimeError> {
        Self::with_allocation(config, Allocation::PoolWithPagemapScan)
            .or_else(|_| Self::with_allocation(config, Allocation::Pool))
            .or_else(|_| Self::with_allocation(config, Allocation::without_pool()))
    }

    /// Sets up the engine with this allocation and no other.
    ///
    /// # Errors
    /// Where this machine doesn't allow it.
    pub fn with_allocation(config: &RuntimeConfig, allocation: Allocation) -> Result<Self, RuntimeError> {
        let (settings, target) = engine_config(config, allocation).map_err(RuntimeError)?;
        let engine = Engine::new(&settings).map_err(RuntimeError)?;
        let linkers = Linkers::new(&engine).map_err(RuntimeError)?;
        let idle = AllIdle::new(config.max_instances);
        let ticker = Ticker::start(engine.clone(), Arc::clone(&idle)).map_err(|e| RuntimeError(e.into()))?;
        Ok(Self {
            id: id(&engine, target).map_err(|error| RuntimeError(wasmtime::Error::new(error)))?,
            engine,
            linkers,
            outgoing: config.outgoing.clone(),
            key_value: None,
            publishes: false,
            allocation,
            idle,
            ticker: Arc::new(ticker),
        })
    }

    /// The same runtime, whose guests keep values here, those that may. `None`: nowhere, as it is at first.
    #[must_use]
    pub fn keeping(self, key_value: Option<Arc<dyn KeyValue>>) -> Self {
        Self { key_value, ..self }
    }

    /// Whether there is a store that guests may keep values in.
    #[must_use]
    pub fn keeps(&self) -> bool {
        self.key_value.is_some()
    }

    /// The same runtime, whose guests may publish, those that may, or not, as it is at first.
    #[must_use]
    pub fn publishing(self, publishes: bool) -> Self {
        Self { publishes, ..self }
    }

    /// Whether there is a way out for what guests publish.
    #[must_use]
    pub fn publishes(&self) -> bool {
        self.publishes
    }

    /// Where instances get their memory.
    #[must_use]
    pub fn allocation(&self) -> Allocation {
        self.allocation
    }

    /// The engine's name: equal ones load each other's code ([`Component::native_code`]).
    #[must_use]
    pub fn id(&self) -> &EngineId {
        &self.id
    }

    /// Compiles a component and makes one instance of it, to see that it is a handler which can run with what `grant`
    /// gives it.
    ///
    /// This takes from 50 ms to seconds and keeps a processor busy: call it off the serving threads.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn load(&self, wasm: &[u8], grant: &Grant) -> Result<Component, LoadError> {
        self.load_code(Code::Wasm(wasm), grant)
    }

    /// The same of whatever the component is made of: what is compiled already takes a millisecond.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub(crate) fn load_code(&self, code: Code<'_>, grant: &Grant) -> Result<Component, LoadError> {
        let linker = self.linkers.for_grant(grant).map_err(|cause| LoadError::Import { hint: "", cause })?;
        let component = Component::load(&self.engine, &self.ticker, &self.idle, &linker, code, grant)?;
        let reach = self.reach(grant);
        let spaces = &grant.key_value;
        let kept = self.key_value.as_ref().filter(|_| !spaces.is_empty());
        let kept = kept.map(|store| Arc::new(Kept::new(Arc::clone(store), spaces.clone())));
        Ok(component.reaching(reach).keeping(kept).waiting(self.idle(grant)))
    }

    /// The same component under a grant in which values of the configuration are others than `before`, and with them
    /// perhaps origins. Nothing is compiled; where the origins are the same, so are the connections. No instance is the
    /// same: what one has seen of the values from before is gone with it.
    #[must_use]
    pub fn regrant(&self, component: &Component, before: &Grant, grant: &Grant) -> Component {
        let component = component.clone().waiting(self.idle(grant));
        if before.http == grant.http { component } else { component.reaching(self.reach(grant)) }
    }

    /// The same component, to be run without effects under the same grant: `stand_in` answers its requests, and what it
    /// keeps is kept in `key_value`. What it may not do it may not do here either. Each event has a fresh instance, so that
    /// what comes of one doesn't depend on those before. Nothing is compiled.
    #[must_use]
    pub fn withheld(
        &self,
        component: &Component,
        grant: &Grant,
        stand_in: Arc<dyn StandIn>,
        key_value: Arc<dyn KeyValue>,
    ) -> Component {
        let reach = || Arc::new(Reach::withheld(stand_in, &self.outgoing, grant.http.clone()));
        let kept = || Arc::new(Kept::new(key_value, grant.key_value.clone()));
        let component = component.clone().reaching((!grant.http.is_empty()).then(reach));
        component.keeping((!grant.key_value.is_empty()).then(kept)).waiting(None)
    }

    fn idle(&self, grant: &Grant) -> Option<Arc<Idle>> {
        grant.reuse.map(|reuse| self.idle.place(reuse))
    }

    fn reach(&self, grant: &Grant) -> Option<Arc<Reach>> {
        (!grant.http.is_empty()).then(|| Arc::new(Reach::new(&self.outgoing, grant.http.clone())))
    }
}

/// The engine's settings, and the name of the target that it compiles for.
fn engine_config(config: &RuntimeConfig, allocation: Allocation) -> wasmtime::Result<(Config, &'static str)> {
    let mut engine = Config::new();
    let target = native::settle_target(&mut engine)?;
    engine.epoch_interruption(true);
    engine.max_wasm_stack(STACK);
    // WASI 0.3 is not promised stable in this line of wasmtime, and its bookkeeping costs a third of an event.
    engine.concurrency_support(false);
    // Where an instruction came from in the component, and how unwinders other than the engine's own find their way: running
    // a guest and naming the functions of a trap take neither, and together they are a seventh of its code in memory.
    engine.generate_address_map(false).native_unwind_info(false);
    allocation.configure(&mut engine, config);
    Ok((engine, target))
}

/// Names an engine by all that its code depends on, which it can tell: its version, its settings, its target.
fn id(engine: &Engine, target: &str) -> Result<EngineId, EngineIdError> {
    /// The same bytes give the same digest, whichever build computes it: the standard library's hashers don't promise that.
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            let digest: [u8; 32] = self.0.clone().finalize().into();
            u64::from_be_bytes(*digest.first_chunk().unwrap_or(&[0; 8]))
        }
    }
    let mut hasher = Sha(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{}-{:016x}", target.replace('_', "-"), hasher.finish()).parse()
}

/// Moves the engine's epoch on, so that guests yield, and frees the idle instances that are too old. It ends with the last
/// runtime and the last component that hold it.
pub(super) struct Ticker {
    stop: Arc<AtomicBool>,
}

impl Ticker {
    fn start(engine: Engine, idle: Arc<AllIdle>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(TICK);
                engine.increment_epoch();
            }
        })?;
        // Not the same thread: to free an instance takes its time, and guests that compute must not wait for it.
        let stopped = Arc::clone(&stop);
        std::thread::Builder::new().name("idle".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(LOOK);
                while idle.free_aged() {}
            }
        })?;
        Ok(Self { stop })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
