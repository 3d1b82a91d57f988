//! Outgoing HTTP: which origins a handler may reach.

use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

/// A scheme, a host and a port: `https://api.example.com`, `http://127.0.0.1:8025`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: String,
    port: u16,
}

/// A text that names no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no origin: write a scheme and a host, such as https://api.example.com or http://127.0.0.1:8025")]
pub struct OriginError(String);

impl Origin {
    /// The origin of a URL, which may have a path behind it; `None` where it is no http or https URL.
    #[must_use]
    pub fn of(url: &Uri) -> Option<Self> {
        let https = match url.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let authority = url.authority()?;
        if authority.as_str().contains('@') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        Some(Self { https, host: authority.host().to_ascii_lowercase(), port })
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        text.parse().ok().as_ref().and_then(Self::of).ok_or_else(|| OriginError(text.to_owned()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", if self.https { "https" } else { "http" }, self.host, self.port)
    }
}

/// Lets requests to the listed origins out, and no others.
pub(super) struct AllowList {
    origins: Vec<Origin>,
}

impl AllowList {
    pub(super) fn new(origins: Vec<Origin>) -> Self {
        Self { origins }
    }
}

type Sending = Box<dyn Future<Output = Result<(hyper::Response<WasiBody>, Transfer), Error>> + Send>;
type Transfer = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for AllowList {
    fn send_request(
        &mut self,
        request: hyper::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Transfer,
    ) -> Sending {
        use http_body_util::BodyExt;

        let origin = Origin::of(request.uri());
        if !origin.as_ref().is_some_and(|origin| self.origins.contains(origin)) {
            let origin = origin.map_or_else(|| request.uri().to_string(), |origin| origin.to_string());
            tracing::warn!(
                origin,
                "refused an outgoing request: the handler's handler.toml doesn't list this origin under [permissions] http"
            );
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        Box::new(async move {
            let (response, transfer) = wasmtime_wasi_http::default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(transfer) as Transfer))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        text.parse().unwrap()
    }

    #[test]
    fn default_ports_case_and_paths_make_no_difference() {
        assert_eq!(origin("https://API.example.com/v1/send"), origin("https://api.example.com:443"));
        assert_eq!(origin("http://127.0.0.1"), origin("http://127.0.0.1:80/"));
    }

    #[test]
    fn scheme_host_and_port_do() {
        let allowed = origin("https://api.example.com");
        for other in ["http://api.example.com:443", "https://api.example.com:8443", "https://evil.example.com"] {
            assert_ne!(allowed, origin(other));
        }
    }

    #[test]
    fn what_is_no_origin_is_said_to_be_none() {
        for text in ["", "api.example.com", "ftp://example.com", "https://", "https://user@example.com", "/path"] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
