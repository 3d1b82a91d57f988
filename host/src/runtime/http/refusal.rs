use std::fmt::Display;

use hyper::header::HeaderName;
use wasmtime_wasi_http::Error;

use super::hooks::{MAX_OPEN, MAX_REQUESTS};
use crate::outgoing::OriginError;
use crate::runtime::output::{Capability, Remarks};

/// Bytes of an origin that are logged, and of why a request to it is refused.
const SHOWN: usize = 1 << 10;

/// What the log says of one request. A guest can put a secret into the name of a host, so what quotes one is masked.
#[derive(Clone)]
pub(super) struct Told {
    origin: String,
    remarks: Remarks,
}

impl Told {
    /// Of a request to this origin; an empty one where it has none.
    pub(super) fn of(origin: &str, remarks: &Remarks) -> Self {
        Self { origin: remarks.show(origin, SHOWN), remarks: remarks.clone() }
    }

    /// That the host refused the request, and why.
    pub(super) fn refused(&self, why: &impl Display) {
        self.remarks.count(Capability::Http);
        if self.remarks.may_say() {
            let why = self.remarks.show(&why.to_string(), SHOWN);
            tracing::warn!(origin = self.origin, "refused an outgoing request: {why}");
        }
    }

    /// That the host cut the answer off after so many bytes.
    pub(super) fn cut(&self, bytes: usize) {
        self.remarks.count(Capability::Http);
        if self.remarks.may_say() {
            tracing::warn!(
                origin = self.origin,
                "cut an answer off: it has more than {bytes} bytes (setting `max-outgoing-body`)"
            );
        }
    }
}

/// Why a request doesn't leave, in words for the operator and for who wrote the handler.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the handler's handler.toml doesn't list this origin under [permissions] http")]
    NotListed,
    #[error("its URL names no origin: {0}")]
    Origin(#[from] OriginError),
    #[error("the method CONNECT asks for a tunnel, which no handler gets")]
    Connect,
    #[error("its header `{0}` is for a cloud's metadata server, which no handler may speak to")]
    Header(HeaderName),
    #[error("an event may send {MAX_REQUESTS} requests, and this is one more; further ones are not logged")]
    TooMany,
    #[error("an event may have {MAX_OPEN} requests open at once, and this is one more")]
    TooManyOpen,
    #[error("the handlers have as many requests open at once as the setting `max-outgoing` lets them")]
    HostFull,
    #[error("a handler sends nothing while it is being loaded")]
    Loading,
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Origin(_) => Self::HttpRequestUriInvalid,
            Refusal::Connect => Self::HttpRequestMethodInvalid,
            Refusal::NotListed | Refusal::Header(_) | Refusal::TooMany | Refusal::Loading => Self::HttpRequestDenied,
            Refusal::TooManyOpen | Refusal::HostFull => Self::ConnectionLimitReached,
        }
    }
}
