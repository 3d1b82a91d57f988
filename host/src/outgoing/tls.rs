use std::path::Path;
use std::sync::OnceLock;

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

/// TLS sessions that one handler may resume.
const SESSIONS: usize = 64;

/// Reads the root certificates in a PEM file.
///
/// # Errors
/// A sentence, where the file can't be read, has no certificate, or has one that can't be a root.
pub fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let shown = path.display();
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| format!("the file {shown} can't be read as PEM: {error}"))?;
    if found.is_empty() {
        return Err(format!("the file {shown} has no certificate: it takes PEM, -----BEGIN CERTIFICATE-----"));
    }
    let mut store = RootCertStore::empty();
    for (number, certificate) in found.iter().enumerate() {
        store
            .add(certificate.clone())
            .map_err(|error| format!("certificate {} of the file {shown} can't be a root: {error}", number + 1))?;
    }
    Ok(found)
}

/// TLS as clients speak it that trust the system's roots and further ones.
///
/// The roots are read when the first handler needs them, not before: the system's lie in some hundred files, and a host whose
/// handlers make no requests starts without.
pub(super) struct Tls {
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
    further: Vec<CertificateDer<'static>>,
    shared: OnceLock<ClientConfig>,
}

impl Tls {
    /// TLS that trusts `further` roots beside the system's.
    pub(super) fn new(further: Vec<CertificateDer<'static>>) -> Result<Self, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(default_provider().into());
        Ok(Self { builder: builder.with_safe_default_protocol_versions()?, further, shared: OnceLock::new() })
    }

    /// TLS for one handler: what it resumes are its own sessions.
    pub(super) fn for_one_handler(&self) -> ClientConfig {
        let mut config = self.shared.get_or_init(|| self.with_roots()).clone();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        config
    }

    fn with_roots(&self) -> ClientConfig {
        let system = rustls_native_certs::load_native_certs();
        for error in system.errors {
            tracing::warn!("a root certificate of the system can't be read: {error}");
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(system.certs);
        roots.add_parsable_certificates(self.further.iter().cloned());
        if roots.is_empty() {
            tracing::warn!(
                "the system has no root certificates, so handlers can't speak TLS: install them, or give some with --outgoing-ca"
            );
        }
        self.builder.clone().with_root_certificates(roots).with_no_client_auth()
    }
}
