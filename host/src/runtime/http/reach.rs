use std::sync::Arc;
use std::time::Duration;

use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::Semaphore;
use wasmtime_wasi_http::WasiBody;

use super::StandIn;
use crate::outgoing::{Connector, Origin, OriginPattern, Outgoing, OutgoingLimits};

/// How long a connection is kept for the next request. Servers as a rule keep theirs for a minute or more, and one that
/// was closed meanwhile costs an attempt.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections that are kept to one origin.
const MAX_IDLE: usize = 32;
/// Bytes of a connection that are read ahead, and with them the longest head of an answer. It has 100 headers at most,
/// which is the client's own bound.
const READ_AHEAD: usize = 64 << 10;

/// What one handler may reach, and its connections there, which all of its instances use and no other handler does.
/// They are closed with the last of them.
pub(in crate::runtime) struct Reach {
    allowed: Vec<OriginPattern>,
    way: Way,
    limits: OutgoingLimits,
    open: Arc<Semaphore>,
}

/// Who answers what may leave.
pub(super) enum Way {
    /// The servers themselves.
    Out(Box<Client<Connector, WasiBody>>),
    /// Somebody in their place: nothing leaves.
    StandIn(Arc<dyn StandIn>),
}

impl Reach {
    /// A reach as far as these origins.
    pub(in crate::runtime) fn new(outgoing: &Outgoing, allowed: Vec<OriginPattern>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(MAX_IDLE)
            .http1_max_buf_size(READ_AHEAD)
            .build(outgoing.connector());
        Self::by(Way::Out(Box::new(client)), outgoing, allowed)
    }

    /// The same, with somebody who answers in the place of the servers.
    pub(in crate::runtime) fn withheld(
        stand_in: Arc<dyn StandIn>,
        outgoing: &Outgoing,
        allowed: Vec<OriginPattern>,
    ) -> Self {
        Self::by(Way::StandIn(stand_in), outgoing, allowed)
    }

    fn by(way: Way, outgoing: &Outgoing, allowed: Vec<OriginPattern>) -> Self {
        Self { allowed, way, limits: outgoing.limits(), open: Arc::clone(outgoing.open()) }
    }

    pub(super) fn allows(&self, origin: &Origin) -> bool {
        self.allowed.iter().any(|pattern| pattern.matches(origin))
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    pub(super) fn limits(&self) -> OutgoingLimits {
        self.limits
    }

    /// The places that all handlers share.
    pub(super) fn open(&self) -> &Arc<Semaphore> {
        &self.open
    }
}
