//! A registry of the OCI distribution specification as a store, and as where components come from.
//!
//! Each object is a tag of one repository, and its manifest's one layer holds the bytes (`form`). A component has the form
//! in which the Wasm community's tools push and pull them. The specification has no compare-and-swap, so writers of what is
//! live exclude each other by a lock (`lock`).

mod component;
mod credentials;
mod form;
mod lock;
mod name;
mod objects;
mod repository;

use object_store::Result;

pub use component::{Component, ComponentError, ComponentUrl, ComponentUrlError, HANDLER_MANIFEST};
pub(super) use lock::Lock;
pub(super) use name::RepositoryName;
pub(super) use objects::Objects;
pub(super) use repository::Repository;

/// What went wrong with a registry, as the other backends say it.
fn trouble(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> object_store::Error {
    object_store::Error::Generic { store: "OCI registry", source: source.into() }
}

/// A request's answer, or its error as the other backends say it. `None`: what was asked for isn't there.
fn answer<T>(object: &str, result: oci_client::errors::Result<T>) -> Result<Option<T>> {
    use oci_client::errors::{OciDistributionError as E, OciErrorCode as Code};

    let error = match result {
        Ok(found) => return Ok(Some(found)),
        Err(error) => error,
    };
    let is = |wanted: &[Code]| match &error {
        E::RegistryError { envelope, .. } => envelope.errors.iter().any(|error| wanted.contains(&error.code)),
        _ => false,
    };
    let code = if let E::ServerError { code, .. } = &error { Some(*code) } else { None };
    if code == Some(404) || is(&[Code::ManifestUnknown, Code::NameUnknown, Code::NotFound, Code::BlobUnknown]) {
        return Ok(None);
    }
    let path = object.to_owned();
    let unknown = matches!(error, E::UnauthorizedError { .. } | E::AuthenticationFailure(_)) || code == Some(401);
    Err(if unknown || is(&[Code::Unauthorized]) {
        object_store::Error::Unauthenticated { path, source: error.into() }
    } else if code == Some(403) || is(&[Code::Denied]) {
        object_store::Error::PermissionDenied { path, source: error.into() }
    } else {
        trouble(error)
    })
}

/// The same, where there is nothing that could be missing.
fn written<T>(object: &str, result: oci_client::errors::Result<T>) -> Result<T> {
    answer(object, result)?.ok_or_else(|| {
        trouble("the registry has no such repository, or doesn't take this; look whether it must be made")
    })
}
