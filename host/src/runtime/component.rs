use std::fmt;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use wasmtime::component::Linker;
use wasmtime::component::types::ComponentItem;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store, UpdateDeadline};

use super::engine::Ticker;
use super::http::Reach;
use super::instances::{AllIdle, Idle};
use super::interface::{Exports, Interface, Linked};
use super::key_value::Kept;
use super::meter::{Meter, Refused};
use super::output::{Journal, Rate};
use super::state::GuestState;
use super::{Captured, Grant, Surroundings, ThisMachine, native};
use crate::publishing::Cause;
use crate::trust::AuthenticCode;

/// How long a component may take to be instantiated when it is loaded.
const TRIAL: Duration = Duration::from_secs(5);
/// How often an instance is tried again where the pool is full and none waits in it: one that was waiting then may be taken
/// or freed by now. What events have is never all of the pool.
const AGAIN: u32 = 3;

/// A compiled and linked handler, ready to be instantiated. Cheap to clone; its code is freed with the last clone.
#[derive(Clone)]
pub struct Component {
    linked: Linked,
    /// What its instances may reach, and their connections there. While it is tried out, nothing.
    reach: Option<Arc<Reach>>,
    /// How much its instances write together.
    rate: Arc<Rate>,
    /// What its instances may keep between events. While it is tried out, nothing.
    kept: Option<Arc<Kept>>,
    /// Those of its instances that wait for another event, where they may handle one.
    idle: Option<Arc<Idle>>,
    /// Those of all components, in whose place its own may have to be made.
    all_idle: Arc<AllIdle>,
    /// Its guests yield for as long as there is one of it, even where the runtime that loaded it is gone.
    _ticker: Arc<Ticker>,
}

/// What a component is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Code<'a> {
    /// WebAssembly, which has to be compiled.
    Wasm(&'a [u8]),
    /// What an engine has made of it.
    Native(&'a AuthenticCode),
}

/// Why bytes are no handler that this host can run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The bytes are no WebAssembly, are cut short, or ask for a feature that is off.
    #[error("not a WebAssembly component that can be compiled: {0:#}")]
    Compile(#[source] wasmtime::Error),
    /// Another engine's code.
    #[error("the code that was compiled ahead of time can't be loaded: {0:#}")]
    Native(#[source] wasmtime::Error),
    /// A core module where a component is due.
    #[error(
        "a core WebAssembly module, not a component: build it for the target wasm32-wasip2, or with `tidemill build`"
    )]
    CoreModule,
    /// A component of another world.
    #[error(
        "it doesn't export `{}`, so it is no handler (it exports {exports}): build it against the world `event-handler` \
         of wit/, in Rust with the attribute `#[tidemill_sdk::handler]`",
        Interface::Present.name_of("handler")
    )]
    NotAHandler {
        /// What it exports instead.
        exports: String,
    },
    /// A handler for a version of the interface that came after this host.
    #[error(
        "it is built for version {version} of the interface tidemill:handler, and this host serves {}: upgrade the host \
         (it is Tidemill {}), or build the handler for {present}, in Rust with tidemill-sdk {present}",
        Interface::served(),
        env!("CARGO_PKG_VERSION"),
        present = Interface::Present
    )]
    Newer {
        /// The version that it was built for.
        version: String,
    },
    /// A handler for a version of the interface that is served no more.
    #[error(
        "it is built for version {version} of the interface tidemill:handler, and this host serves {}: build it anew for \
         {present}, in Rust with tidemill-sdk {present}",
        Interface::served(),
        present = Interface::Present
    )]
    Older {
        /// The version that it was built for.
        version: String,
    },
    /// It exports what a handler does, in other types, or can't be instantiated.
    #[error("it can't be instantiated as a handler: {0:#}")]
    Interface(#[source] wasmtime::Error),
    /// It can't even begin within its memory.
    #[error(
        "it can't begin within the {memory} bytes of memory that it may have: ask for more in its handler.toml, \
         [limits] memory"
    )]
    Memory {
        /// What it may have, in bytes.
        memory: usize,
    },
    /// It can't even begin with its tables.
    #[error(
        "it can't begin with the {entries} entries of tables that it may have: ask for more in its handler.toml, \
         [limits] table-entries"
    )]
    TableEntries {
        /// How many it may have.
        entries: usize,
    },
    /// It computes at its start, without an end in sight.
    #[error("it was not instantiated within {0:?}: its start function does too much")]
    Start(Duration),
    /// Something is imported that can't be given.
    #[error("it imports what this host doesn't give it: {cause:#}{hint}")]
    Import {
        /// What to do about it, where that is known.
        hint: &'static str,
        /// The linker's word for it.
        #[source]
        cause: wasmtime::Error,
    },
}

impl Component {
    pub(super) fn load(
        engine: &Engine,
        ticker: &Arc<Ticker>,
        all_idle: &Arc<AllIdle>,
        linker: &Linker<GuestState>,
        code: Code<'_>,
        grant: &Grant,
    ) -> Result<Self, LoadError> {
        let component = match code {
            // A core module's header differs from a component's in its version field alone.
            Code::Wasm(wasm) if wasm.starts_with(b"\0asm\x01\0\0\0") => return Err(LoadError::CoreModule),
            Code::Wasm(wasm) => {
                wasmtime::component::Component::from_binary(engine, wasm).map_err(LoadError::Compile)?
            }
            Code::Native(code) => native::load(engine, code).map_err(LoadError::Native)?,
        };
        let ty = component.component_type();
        let interface = Interface::of(&component, ty.exports(engine).map(|(name, _)| name))?;
        let imports = |interface: &str| {
            ty.imports(engine).any(|(name, item)| {
                matches!(item.ty, ComponentItem::ComponentInstance(_)) && name.starts_with(interface)
            })
        };
        let import = |cause| LoadError::Import {
            hint: if grant.http.is_empty() && imports("wasi:http/outgoing-handler") {
                "; it sends HTTP requests, which its handler.toml has to ask for: [permissions] http = [\"https://…\"]"
            } else if grant.key_value.is_empty() && imports("wasi:keyvalue/") {
                "; it keeps values under keys, which its handler.toml has to ask for: [permissions] key-value = \
                 [\"default\"]"
            } else if grant.publish.is_empty() && imports("tidemill:handler/publisher") {
                "; it publishes events, which its handler.toml has to ask for: [permissions] publish = [\"mail.sent\"]"
            } else {
                ""
            },
            cause,
        };
        let pre = linker.instantiate_pre(&component).map_err(import)?;
        let component = Self {
            linked: Linked::new(interface, pre).map_err(LoadError::Interface)?,
            reach: None,
            rate: Arc::default(),
            kept: None,
            idle: None,
            all_idle: Arc::clone(all_idle),
            _ticker: Arc::clone(ticker),
        };
        component.try_out(grant)?;
        Ok(component)
    }

    /// The version of the interface between host and handler that it was built for.
    #[must_use]
    pub fn interface(&self) -> Interface {
        self.linked.interface()
    }

    /// The same component, whose instances reach so far.
    pub(super) fn reaching(self, reach: Option<Arc<Reach>>) -> Self {
        Self { reach, ..self }
    }

    /// The same component, whose instances keep this.
    pub(super) fn keeping(self, kept: Option<Arc<Kept>>) -> Self {
        Self { kept, ..self }
    }

    /// The same component, whose instances wait here for another event; `None`: none handles another.
    pub(super) fn waiting(self, idle: Option<Arc<Idle>>) -> Self {
        Self { idle, ..self }
    }

    /// Makes one instance, with the handler's own limits: its types, its memory and its start are then known to fit.
    fn try_out(&self, grant: &Grant) -> Result<(), LoadError> {
        let executor = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let executor = executor.map_err(|error| LoadError::Interface(error.into()))?;
        // No event comes, so nobody asks for the date.
        let machine = Arc::new(ThisMachine::new(|| UNIX_EPOCH));
        let surroundings = Surroundings { sink: Arc::new(Captured::default()), machine };
        // Several that are loaded at once would else take slots of events, or be refused for want of one.
        let _spare = self.all_idle.spare();
        let mut store = self.store(grant, None, &surroundings);
        let made = async { tokio::time::timeout(TRIAL, self.instantiate(&mut store, grant, &surroundings)).await };
        match executor.block_on(made) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(cause)) => Err(match store.data().meter.refused() {
                Some(Refused::Memory) => LoadError::Memory { memory: grant.limits.memory },
                Some(Refused::TableEntries) => LoadError::TableEntries { entries: grant.limits.table_entries },
                None => LoadError::Interface(cause),
            }),
            Err(_) => Err(LoadError::Start(TRIAL)),
        }
    }

    /// A store for one instance, which yields at each tick and holds it to its limits. What it publishes, it publishes for
    /// `cause`.
    pub(super) fn store(&self, grant: &Grant, cause: Option<Cause>, surroundings: &Surroundings) -> Store<GuestState> {
        let (engine, limits) = (self.linked.engine(), grant.limits);
        let (sink, mask) = (Arc::clone(&surroundings.sink), grant.config.mask().cloned());
        let journal = Journal::new(sink, Arc::clone(&self.rate), limits.log, mask);
        let meter = Meter::new(limits, engine.clone());
        let (reach, kept) = (self.reach.clone(), self.kept.clone());
        let state = GuestState::new(grant, surroundings, journal, reach, kept, cause, meter);
        let mut store = Store::new(engine, state);
        store.limiter(|state| &mut state.meter);
        store.set_max_component_handles(limits.resources);
        store.set_hostcall_fuel(limits.data);
        // A guest that computes gives up its thread at each tick, so that it starves nobody, and what is around it, which
        // its task polls in between, can end it. It gives it up tokio's way: a task that only wakes itself comes back
        // before sockets and timers are looked at, sixty times in a row.
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|store| {
            store.data().meter.may_go_on()?;
            Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
        });
        store
    }

    /// Makes an instance in a store that was made with the same. Where idle ones have all of the pool, they go, one by one,
    /// and the store is another one then: parts of an instance that could not be made whole stay in theirs.
    pub(super) async fn instantiate(
        &self,
        store: &mut Store<GuestState>,
        grant: &Grant,
        surroundings: &Surroundings,
    ) -> wasmtime::Result<Exports> {
        let mut in_vain = 0;
        loop {
            match self.linked.instantiate(store).await {
                Err(error) if error.is::<PoolConcurrencyLimitError>() && in_vain < AGAIN => {}
                made => return made,
            }
            in_vain = if self.all_idle.make_room() { 0 } else { in_vain + 1 };
            let cause = store.data_mut().take_cause();
            *store = self.store(grant, cause, surroundings);
        }
    }

    /// How many of its instances wait for another event.
    #[must_use]
    pub fn idle_instances(&self) -> usize {
        self.idle.as_ref().map_or(0, |idle| idle.len())
    }

    /// What the engine has made of it, to be loaded again without compiling, where it is vouched for.
    ///
    /// # Errors
    /// Where there isn't enough memory for it.
    pub fn native_code(&self) -> wasmtime::Result<Vec<u8>> {
        self.linked.component().serialize()
    }

    /// Where its instances wait for another event, if any does.
    pub(super) fn idle(&self) -> Option<&Idle> {
        self.idle.as_deref()
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("interface", &self.interface()).finish_non_exhaustive()
    }
}
