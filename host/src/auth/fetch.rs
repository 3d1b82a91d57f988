//! Getting the issuer's keys over HTTP.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};

use super::AuthSetupError;
use super::freshness::lifetime;
use super::jwks::KeySet;
use crate::config::OidcConfig;

/// The longest key set that is read, in bytes. Google's has about 1,500.
const MAX_SET: usize = 256 << 10;

/// Where keys come from.
pub(super) struct KeySource {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    url: Uri,
    timeout: Duration,
}

/// Keys, and how long they may be kept.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) lifetime: Duration,
}

/// Why no keys came. The issuer's answer is not repeated.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("there was no whole answer within {0:?}")]
    Timeout(Duration),
    #[error("the request failed: {0}")]
    Request(String),
    #[error("the answer's status is {0}, not 200 (redirects are not followed)")]
    Status(StatusCode),
    #[error("the answer broke off or is longer than {MAX_SET} bytes: {0}")]
    Body(String),
    #[error("the answer is no JWK Set")]
    NoSet,
    #[error("the answer has no RSA key of 2048 bits or more for RS256")]
    NoKeys,
}

impl KeySource {
    pub(super) fn new(config: &OidcConfig) -> Result<Self, AuthSetupError> {
        let builder = HttpsConnectorBuilder::new();
        let builder = if config.jwks_url.is_https() {
            builder.with_provider_and_native_roots(default_provider()).map_err(AuthSetupError::Tls)?.https_only()
        } else {
            builder.with_tls_config(without_roots()?).https_or_http()
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        // Of several addresses that don't answer, each gets its part of the time.
        http.set_connect_timeout(Some(config.fetch_timeout / 2));
        let client = Client::builder(TokioExecutor::new())
            // Keys are asked for once in hours; a connection that was kept for that long is closed when it is used.
            .pool_max_idle_per_host(0)
            .build(builder.enable_http1().wrap_connector(http));
        Ok(Self { client, url: config.jwks_url.uri().clone(), timeout: config.fetch_timeout })
    }

    /// Where the keys come from, for the log.
    pub(super) fn url(&self) -> &Uri {
        &self.url
    }

    pub(super) async fn fetch(&self) -> Result<Fetched, FetchError> {
        tokio::time::timeout(self.timeout, self.exchange()).await.map_err(|_| FetchError::Timeout(self.timeout))?
    }

    async fn exchange(&self) -> Result<Fetched, FetchError> {
        let failed = |error: &dyn Error| FetchError::Request(chain(error));
        let request = Request::get(&self.url).body(Empty::new()).map_err(|error| failed(&error))?;
        let answer = self.client.request(request).await.map_err(|error| failed(&error))?;
        if answer.status() != StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let lifetime = lifetime(answer.headers());
        let body = Limited::new(answer.into_body(), MAX_SET).collect().await;
        let body = body.map_err(|error| FetchError::Body(chain(&*error)))?.to_bytes();
        let keys = KeySet::read(&body).ok_or(FetchError::NoSet)?;
        if keys.is_empty() { Err(FetchError::NoKeys) } else { Ok(Fetched { keys, lifetime }) }
    }
}

/// For a URL that needs no TLS. The machine's certificates are not asked for, since there may be none.
fn without_roots() -> Result<ClientConfig, AuthSetupError> {
    let builder = ClientConfig::builder_with_provider(default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| AuthSetupError::Tls(std::io::Error::other(error)))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

/// An error with all that is behind it: the client's own says little more than that it failed.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
