//! What the requests of handlers may reach: which origins, at which addresses, over which connections.
//!
//! Any text of a stranger's becomes a [`Host`] in its one form or is refused; the [`Origin`] that is judged is the one
//! that is connected to and that the server is told. A [`Connector`] looks a name up once, judges every address, and
//! connects to the addresses that were judged.

mod address;
mod connect;
mod error;
mod guard;
mod host;
mod origin;
mod pattern;
mod private;
mod resolve;
mod stream;
mod tls;

use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::sync::Semaphore;

pub use connect::Connector;
pub use error::ConnectError;
pub use host::{Host, HostError};
pub use origin::{Origin, OriginError, Scheme};
pub use pattern::OriginPattern;
pub use private::{PrivateHost, PrivateHostError};
pub use resolve::{Resolve, Resolving, SystemResolver};
pub use stream::Counted;
pub use tls::read_roots;

use guard::Guard;
use tls::Tls;

/// What holds for the requests of all handlers.
#[derive(Debug, Clone)]
pub struct OutgoingConfig {
    /// The private hosts that may be reached, by handlers whose manifests list them.
    pub allow_private: Vec<PrivateHost>,
    /// Root certificates beside the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// How long a connection may take: name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long a server may be silent: until its answer begins, and between two pieces of it.
    pub timeout: Duration,
    /// The longest body that is sent, and the longest that is taken, in bytes.
    pub max_body: usize,
    /// Requests that are open at once in all of the host beyond the first of each event.
    pub max_open: usize,
}

impl Default for OutgoingConfig {
    /// What the settings are where nobody sets them.
    fn default() -> Self {
        Self {
            allow_private: Vec::new(),
            roots: Vec::new(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            max_body: 10 << 20,
            max_open: 256,
        }
    }
}

/// The host's way out, from which each handler gets a connector of its own. Cheap to clone.
#[derive(Clone)]
pub struct Outgoing {
    guard: Guard,
    tls: Arc<Tls>,
    limits: OutgoingLimits,
    open: Arc<Semaphore>,
}

/// What bounds each request; see [`OutgoingConfig`].
#[derive(Debug, Clone, Copy)]
pub struct OutgoingLimits {
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long a server may be silent.
    pub timeout: Duration,
    /// The longest body either way, in bytes.
    pub max_body: usize,
}

impl Outgoing {
    /// A way out, whose names `resolver` looks up. The system's root certificates are read when the first connector is made.
    ///
    /// # Errors
    /// Where TLS can't be set up.
    pub fn new(config: &OutgoingConfig, resolver: Arc<dyn Resolve>) -> Result<Self, rustls::Error> {
        let OutgoingConfig { connect_timeout, timeout, max_body, .. } = *config;
        Ok(Self {
            guard: Guard::new(resolver, &config.allow_private),
            tls: Arc::new(Tls::new(config.roots.clone())?),
            limits: OutgoingLimits { connect_timeout, timeout, max_body },
            open: Arc::new(Semaphore::new(config.max_open)),
        })
    }

    /// A connector for one handler, which shares neither connections nor TLS sessions with another's.
    #[must_use]
    pub fn connector(&self) -> Connector {
        Connector::new(self.guard.clone(), self.tls.for_one_handler(), self.limits.connect_timeout)
    }

    /// What bounds each request.
    #[must_use]
    pub fn limits(&self) -> OutgoingLimits {
        self.limits
    }

    /// The places of requests that are open at once beyond the first of each event.
    #[must_use]
    pub fn open(&self) -> &Arc<Semaphore> {
        &self.open
    }
}
