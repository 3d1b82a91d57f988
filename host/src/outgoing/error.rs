use std::io;
use std::net::IpAddr;
use std::time::Duration;

use super::Host;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The host is a metadata server by its name.
    #[error("{0} is a cloud's metadata server, which no handler may reach")]
    Metadata(Host),
    /// No address of the host may be reached, whatever the operator sets.
    #[error("{host} is at {address}, {kind}, which no handler may reach")]
    Closed {
        /// The host.
        host: Host,
        /// The first of its addresses.
        address: IpAddr,
        /// What it is.
        kind: &'static str,
    },
    /// Every address of the host is private, and the operator hasn't opened it.
    #[error(
        "{host} is at {address}, {kind}, which a handler may reach only where the operator says so: --allow-private {host}"
    )]
    Private {
        /// The host.
        host: Host,
        /// The first of its private addresses.
        address: IpAddr,
        /// What it is.
        kind: &'static str,
    },
    /// The name has no address, or that can't be found out.
    #[error("the address of {name} was not found: {cause}")]
    Lookup {
        /// The name.
        name: String,
        /// The resolver's word for it.
        #[source]
        cause: io::Error,
    },
    /// The resolver didn't answer in time.
    #[error("the address of {0} was not found in time")]
    LookupTimeout(String),
    /// No address could be connected to. It is the error of the last one.
    #[error("no address of the host could be connected to: {0}")]
    Connect(#[source] io::Error),
    /// Name, connection and TLS together took too long.
    #[error("there was no connection within {0:?}")]
    Timeout(Duration),
    /// The handler has too many connections.
    #[error("the handler has {0} connections, which is all that it may have")]
    Connections(usize),
    /// The URL to connect to is none: a mistake of the caller's.
    #[error("the URL to connect to has no origin: {0}")]
    Origin(#[from] super::OriginError),
}

impl ConnectError {
    /// Whether it is the host that refuses, by rule, so that it is for its operator to know.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Metadata(_) | Self::Closed { .. } | Self::Private { .. } | Self::Connections(_) => true,
            Self::Lookup { .. } | Self::LookupTimeout(_) | Self::Connect(_) | Self::Timeout(_) | Self::Origin(_) => {
                false
            }
        }
    }
}
