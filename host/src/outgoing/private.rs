use std::fmt;
use std::str::FromStr;

use super::address::{Standing, standing};
use super::origin::split;
use super::{Host, Origin, OriginError};

/// Names of the clouds' metadata servers: Google's, Amazon's.
const METADATA_NAMES: [&str; 5] =
    ["metadata", "metadata.goog", "metadata.google.internal", "instance-data", "instance-data.ec2.internal"];

/// Whether a name is that of a metadata server, whatever address it has.
pub(super) fn is_metadata_name(name: &str) -> bool {
    METADATA_NAMES.contains(&name)
}

/// Why nothing opens a host to handlers, where that can be said of it before its addresses are known.
pub(super) fn closed(host: &Host) -> Option<&'static str> {
    match host {
        Host::Name(name) if is_metadata_name(name) => Some("a cloud's metadata server"),
        Host::Name(_) => None,
        Host::Address(address) => match standing(*address) {
            Standing::Closed(kind) => Some(kind),
            Standing::Public | Standing::Private(_) => None,
        },
    }
}

/// A host in a private network or on this machine that the operator opens to the handlers whose manifests list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrivateHost {
    host: Host,
    port: Option<u16>,
}

/// Why a text opens no private host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrivateHostError {
    /// It names no host.
    #[error("it is no HOST[:PORT]: {0}")]
    Form(#[from] OriginError),
    /// It is a metadata server, or an address that is nobody's.
    #[error("it is {0}, which nothing opens to handlers")]
    Closed(&'static str),
}

impl PrivateHost {
    /// Whether this is the host of `origin`, at its port.
    pub(super) fn covers(&self, origin: &Origin) -> bool {
        self.host == origin.host && self.port.is_none_or(|port| port == origin.port)
    }
}

impl FromStr for PrivateHost {
    type Err = PrivateHostError;

    /// Reads `HOST[:PORT]`: a name, an IPv4 address, or an IPv6 address in brackets. Without a port it is every port.
    fn from_str(text: &str) -> Result<Self, PrivateHostError> {
        let (host, port) = split(text)?;
        let host = Host::parse(host).map_err(OriginError::from)?;
        match closed(&host) {
            Some(kind) => Err(PrivateHostError::Closed(kind)),
            None => Ok(Self { host, port }),
        }
    }
}

impl fmt::Display for PrivateHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => write!(f, "{}:{port}", self.host),
            None => self.host.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(text: &str, url: &str) -> bool {
        text.parse::<PrivateHost>().unwrap().covers(&Origin::of(&url.parse().unwrap()).unwrap())
    }

    #[test]
    fn it_is_one_host_at_one_port_or_at_all() {
        assert!(covers("127.0.0.1", "http://127.0.0.1:8025") && covers("[::1]:80", "http://[::1]"));
        assert!(covers("Mail.Internal.:8025", "http://mail.internal:8025"));
        assert!(!covers("127.0.0.1:8025", "http://127.0.0.1:8026"));
        assert!(!covers("127.0.0.1", "http://localhost") && !covers("localhost", "http://127.0.0.1"));
    }

    #[test]
    fn it_is_never_a_metadata_server() {
        for text in [
            "169.254.169.254",
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "Metadata.Google.Internal.",
            "metadata",
            "0.0.0.0",
            "[fe80::1]",
        ] {
            assert!(matches!(text.parse::<PrivateHost>(), Err(PrivateHostError::Closed(_))), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a b", "10.0.0.0/8", "http://127.0.0.1", "127.1", "::1", "*.internal", "localhost:0", "u@h"] {
            assert!(matches!(text.parse::<PrivateHost>(), Err(PrivateHostError::Form(_))), "{text}");
        }
    }
}
