//! What goes wrong outside, as `wasi:http` names it.

use std::error::Error as StdError;
use std::io;

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

use super::refusal::Told;
use crate::outgoing::ConnectError;

/// What kept a request from its answer. Where it is the host's own rule, the log says so.
pub(super) fn of_client(failed: &legacy::Error, told: &Told) -> Error {
    if let Some(error) = find::<ConnectError>(failed) {
        if error.is_refusal() {
            told.refused(error);
        }
        return of_connect(error);
    }
    match find::<hyper::Error>(failed) {
        Some(error) => of_hyper(error, Error::ConnectionTerminated),
        None => find::<rustls::Error>(failed).map_or(Error::DestinationUnavailable, of_tls),
    }
}

/// What broke an answer off.
pub(super) fn of_body(failed: &hyper::Error) -> Error {
    of_hyper(failed, Error::HttpResponseIncomplete)
}

fn of_connect(error: &ConnectError) -> Error {
    match error {
        ConnectError::Metadata(_) | ConnectError::Closed { .. } | ConnectError::Private { .. } => {
            Error::DestinationIpProhibited
        }
        ConnectError::Lookup { .. } => Error::DnsError { rcode: None, info_code: None },
        ConnectError::LookupTimeout(_) => Error::DnsTimeout,
        ConnectError::Timeout(_) => Error::ConnectionTimeout,
        ConnectError::Connections(_) => Error::ConnectionLimitReached,
        ConnectError::Origin(_) => Error::HttpRequestUriInvalid,
        ConnectError::Connect(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            io::ErrorKind::TimedOut => Error::ConnectionTimeout,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
            _ => Error::DestinationUnavailable,
        },
    }
}

/// `broken` is what it is where the connection ended too soon.
fn of_hyper(error: &hyper::Error, broken: Error) -> Error {
    // The request's own body ended it.
    match find::<Error>(error) {
        Some(Error::HttpRequestBodySize(size)) => return Error::HttpRequestBodySize(*size),
        Some(Error::HttpRequestDenied) => return Error::HttpRequestDenied,
        Some(_) => return Error::HttpProtocolError,
        None => {}
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return of_tls(error);
    }
    if error.is_parse_too_large() {
        return Error::HttpResponseHeaderSectionSize(None);
    }
    if error.is_parse() {
        return Error::HttpProtocolError;
    }
    if error.is_timeout() {
        return Error::HttpResponseTimeout;
    }
    let ended = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    if ended || find::<io::Error>(error).is_some() { broken } else { Error::HttpProtocolError }
}

fn of_tls(error: &rustls::Error) -> Error {
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    }
}

/// The first error of a type in a chain of causes. `io::Error` hides what it was made of from [`StdError::source`].
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}
