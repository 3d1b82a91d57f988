use std::path::Path;

use rustls::client::Resumption;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

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

/// TLS as clients speak it that trust the system's roots and `further` ones.
pub(super) fn client_config(further: &[CertificateDer<'static>]) -> Result<ClientConfig, rustls::Error> {
    let system = rustls_native_certs::load_native_certs();
    for error in system.errors {
        tracing::warn!("a root certificate of the system can't be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(system.certs);
    roots.add_parsable_certificates(further.iter().cloned());
    if roots.is_empty() {
        tracing::warn!(
            "the system has no root certificates, so handlers can't speak TLS: install them, or give some with --outgoing-ca"
        );
    }
    let builder =
        ClientConfig::builder_with_provider(default_provider().into()).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The same for one handler: what it resumes are its own sessions.
pub(super) fn for_one_handler(shared: &ClientConfig) -> ClientConfig {
    let mut config = shared.clone();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    config
}
