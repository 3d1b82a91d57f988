use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_config::{WasiConfig, WasiConfigVariables};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::http::{Hooks, Reach};
use super::limits::Limits;
use super::output::{GuestOutput, OutputSink, Stream};
use crate::outgoing::OriginPattern;

/// What a handler may have and do, the same for each of its events.
#[derive(Clone, Default)]
pub struct Grant {
    /// Linear memory, in bytes, over all memories of the instance.
    pub memory: usize,
    /// The origins that outgoing HTTP may reach. Empty: none, and the interface is not even there.
    pub http: Vec<OriginPattern>,
    /// The handler's configuration, as `wasi:config/store` gives it out.
    pub config: BTreeMap<String, String>,
}

impl fmt::Debug for Grant {
    /// Shows the names of configuration values, never the values: some are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant")
            .field("memory", &self.memory)
            .field("http", &self.http)
            .field("config", &self.config.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// What the host keeps for one instance. It dies with it.
pub(super) struct GuestState {
    wasi: WasiCtx,
    http: WasiHttpCtx,
    http_hooks: Hooks,
    table: ResourceTable,
    config: WasiConfigVariables,
    pub(super) limits: Limits,
}

impl GuestState {
    /// A state that shares nothing with any other, apart from the sink that its output goes to and its handler's
    /// connections.
    pub(super) fn new(grant: &Grant, sink: &Arc<dyn OutputSink>, reach: Option<Arc<Reach>>) -> Self {
        let mut wasi = WasiCtx::builder();
        // No file, no argument, no variable, no socket: what a builder doesn't open is closed.
        wasi.stdout(GuestOutput::new(Stream::Stdout, Arc::clone(sink)));
        wasi.stderr(GuestOutput::new(Stream::Stderr, Arc::clone(sink)));
        wasi.allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
        Self {
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            http_hooks: Hooks::new(reach),
            table: ResourceTable::new(),
            config: grant.config.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            limits: Limits::new(grant.memory),
        }
    }

    pub(super) fn config(&mut self) -> WasiConfig<'_> {
        WasiConfig::from(&self.config)
    }
}

impl WasiView for GuestState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for GuestState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.http_hooks }
    }
}
