use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::http::{HEADERS, Hooks, Reach};
use super::instances::Reuse;
use super::key_value::{Keeping, Kept, View};
use super::meter::Meter;
use super::output::{GuestOutput, Journal, OutputSink, Refusals, Remarks};
use super::publishing::Publisher;
use super::surroundings::{self, Machine};
use super::{Configuration, Limits, Surroundings};
use crate::key_value::Space;
use crate::outgoing::OriginPattern;
use crate::publishing::{Cause, Outbox, Publication};

/// What a handler may have and do, the same for each of its events.
#[derive(Debug, Clone, Default)]
pub struct Grant {
    /// What it may use.
    pub limits: Limits,
    /// The origins that outgoing HTTP may reach. Empty: none, and the interface is not even there.
    pub http: Vec<OriginPattern>,
    /// The stores that it may keep values in. Empty: none, and the interface is not even there.
    pub key_value: Vec<Space>,
    /// The event types that it may publish. Empty: none, and the interface is not even there.
    pub publish: Vec<String>,
    /// The handler's configuration, as `wasi:config/store` gives it out.
    pub config: Configuration,
    /// How long its instances are used again. `None`: each event has a fresh one.
    pub reuse: Option<Reuse>,
}

/// What the host keeps for one instance. It dies with it.
///
/// Where the instance handles several events, [`GuestState::begin`] makes new for each what is of one event. The rest is the
/// instance's: its clocks and random numbers go on, what it has open stays open and counted, and its memory stays.
///
/// Most events need little of it, so what is WASI's own is made when the guest first asks for it.
pub(super) struct GuestState {
    machine: Arc<dyn Machine>,
    wasi: Option<WasiCtx>,
    reach: Option<Arc<Reach>>,
    http: Option<Http>,
    table: ResourceTable,
    config: Arc<WasiConfigVariables>,
    journal: Arc<Journal>,
    remarks: Remarks,
    key_value: Keeping,
    publisher: Publisher,
    pub(super) meter: Meter,
}

/// What an instance has of outgoing HTTP.
struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl GuestState {
    /// A state that shares nothing with any other, apart from its surroundings, its handler's connections and its handler's
    /// stores.
    pub(super) fn new(
        grant: &Grant,
        surroundings: &Surroundings,
        journal: Journal,
        reach: Option<Arc<Reach>>,
        kept: Option<Arc<Kept>>,
        cause: Option<Cause>,
        meter: Meter,
    ) -> Self {
        let remarks = journal.remarks();
        let journal = Arc::new(journal);
        let mut table = ResourceTable::new();
        table.set_max_capacity(grant.limits.resources);
        Self {
            machine: Arc::clone(&surroundings.machine),
            wasi: None,
            reach,
            http: None,
            table,
            config: Arc::clone(grant.config.given_out()),
            journal,
            remarks: remarks.clone(),
            key_value: Keeping::new(kept, remarks.clone()),
            publisher: Publisher::new(Outbox::new(grant.publish.clone(), cause), remarks),
            meter,
        }
    }

    /// Whether it was made under this grant, or one of the same limits and values.
    pub(super) fn is_of(&self, grant: &Grant) -> bool {
        self.meter.limits() == grant.limits && Arc::ptr_eq(&self.config, grant.config.given_out())
    }

    /// Begins another event, whose lines go to `sink`: what it writes, calls, sends, asks for, publishes and is refused
    /// counts from nothing.
    pub(super) fn begin(&mut self, grant: &Grant, cause: Option<Cause>, sink: Arc<dyn OutputSink>) {
        self.journal.begin(sink);
        self.remarks = self.journal.remarks();
        if let Some(http) = &mut self.http {
            http.hooks.begin(self.remarks.clone());
        }
        self.key_value.begin(self.remarks.clone());
        self.publisher = Publisher::new(Outbox::new(grant.publish.clone(), cause), self.remarks.clone());
        self.meter.begin();
    }

    /// Ends an event that another may follow, while what it wrote is still of the event.
    pub(super) fn end(&mut self) {
        self.journal.end();
        self.publisher.take_outbox();
    }

    /// Whether another event may follow the one that the guest has answered: it broke no limit, which it could go on to
    /// press against, and none of its requests is still under way, which the next event would answer for.
    pub(super) fn is_settled(&self) -> bool {
        self.meter.is_unbroken() && self.http.as_ref().is_none_or(|http| http.hooks.are_quiet())
    }

    pub(super) fn config(&mut self) -> WasiConfig<'_> {
        self.meter.host_call();
        WasiConfig::new(&self.config)
    }

    /// Where its lines go.
    pub(super) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What it was refused so far.
    pub(super) fn refusals(&self) -> Refusals {
        self.remarks.refusals()
    }

    pub(super) fn key_value(&mut self) -> View<'_> {
        View { keeping: &mut self.key_value, table: &mut self.table }
    }

    pub(super) fn publisher(&mut self) -> &mut Publisher {
        self.meter.host_call();
        &mut self.publisher
    }

    /// What was published for the event. It is gone from here then.
    pub(super) fn take_publications(&mut self) -> Vec<Publication> {
        self.publisher.take_outbox().into_publications()
    }

    /// What it publishes for, to be handed to another store.
    pub(super) fn take_cause(&mut self) -> Option<Cause> {
        self.publisher.take_outbox().into_cause()
    }
}

// Each host function of WASI's begins with one of these, so here its calls are counted.

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        self.meter.host_call();
        let ctx = self.wasi.get_or_insert_with(|| {
            let mut wasi = WasiCtx::builder();
            // No file, no argument, no variable, no socket: what a builder doesn't open is closed.
            wasi.stdout(GuestOutput::stdout(&self.journal));
            wasi.stderr(GuestOutput::stderr(&self.journal));
            wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
            surroundings::furnish(&self.machine, &mut wasi);
            wasi.build()
        });
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.meter.host_call();
        let Http { ctx, hooks } = self.http.get_or_insert_with(|| {
            let mut ctx = WasiHttpCtx::new();
            ctx.set_field_size_limit(HEADERS);
            Http { ctx, hooks: Hooks::new(self.reach.clone(), self.remarks.clone()) }
        });
        WasiHttpCtxView { ctx, table: &mut self.table, hooks }
    }
}
