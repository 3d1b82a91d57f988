use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::Reference;

use super::name::{MAX_TAG, RepositoryName};
use super::{Repository, form};
use crate::artifact::{Digest, MAX_COMPONENT};

/// The annotation of a component's manifest that holds its `handler.toml`, in base64: not every tool that pushes annotations
/// gets the end of a line through.
pub const HANDLER_MANIFEST: &str = "dev.tidemill.handler.toml.base64";

/// Where a component is that was pushed to a registry: `oci://HOST[:PORT]/REPOSITORY[:TAG|@sha256:HEX]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComponentUrl {
    repository: RepositoryName,
    version: Version,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Version {
    Tag(String),
    Digest(Digest),
}

/// A component that was pushed to a registry, as `wkg oci push` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its bytes.
    pub wasm: Vec<u8>,
    /// Its `handler.toml`, where it was pushed with one, as the annotation [`HANDLER_MANIFEST`].
    pub manifest: Option<Vec<u8>>,
    /// The digest of the registry's manifest, `sha256:HEX`: what the tag was when it was read.
    pub digest: String,
}

/// A text names no component in a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names no component in a registry: write oci://HOST/REPOSITORY:TAG or oci://HOST/REPOSITORY@sha256:HEX")]
pub struct ComponentUrlError;

/// Why a component can't be had from a registry.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It doesn't answer, or refuses.
    #[error("{url}: it can't be read: {source}")]
    Away {
        /// What was asked for.
        url: ComponentUrl,
        /// The registry's word for it.
        source: Box<object_store::Error>,
    },
    /// There is nothing.
    #[error("{url}: there is no such component; look at its tag, or push one there, `wkg oci push`")]
    Missing {
        /// What was asked for.
        url: ComponentUrl,
    },
    /// It is something else.
    #[error("{url}: it is no component: {problem}; push one with `wkg oci push`")]
    Other {
        /// What was asked for.
        url: ComponentUrl,
        /// What it is.
        problem: String,
    },
}

impl ComponentUrl {
    /// What the repository is called without the folders that it is in: a name for the component.
    #[must_use]
    pub fn name(&self) -> &str {
        self.repository.path.rsplit('/').next().unwrap_or_default()
    }

    /// Gets the component. `variables` are those of the environment, for the registry's credentials.
    ///
    /// # Errors
    /// Where the registry can't be reached, has no such component, or something else there.
    pub async fn pull(&self, variables: &[(String, String)]) -> Result<Component, ComponentError> {
        // The client brings no provider of its own. If there is one already, it stays.
        _ = rustls::crypto::ring::default_provider().install_default();
        let away = |source: object_store::Error| ComponentError::Away { url: self.clone(), source: source.into() };
        let other = |problem: String| ComponentError::Other { url: self.clone(), problem };
        let repository = Repository::new(self.repository.clone(), variables).map_err(away)?;
        let found = repository.manifest_of(&self.reference()).await.map_err(away)?;
        let (manifest, digest) = found.ok_or_else(|| ComponentError::Missing { url: self.clone() })?;
        let layer = match manifest.layers.as_slice() {
            [layer] if layer.media_type == form::COMPONENT => layer,
            [layer] => return Err(other(format!("its layer is {:?}, not {:?}", layer.media_type, form::COMPONENT))),
            layers => return Err(other(format!("it has {} layers, and not one", layers.len()))),
        };
        if manifest.config.media_type != form::COMPONENT_CONFIGURATION {
            let (is, wanted) = (&manifest.config.media_type, form::COMPONENT_CONFIGURATION);
            return Err(other(format!("its configuration is {is:?}, not {wanted:?}")));
        }
        if u64::try_from(layer.size).is_ok_and(|size| size > MAX_COMPONENT) {
            return Err(other(format!("it has {} bytes; at most {MAX_COMPONENT} are taken", layer.size)));
        }
        let wasm = repository.bytes(layer).await.map_err(away)?.into();
        let manifest = manifest.annotations.and_then(|mut annotations| annotations.remove(HANDLER_MANIFEST));
        let manifest = manifest.map(|text| STANDARD.decode(text.trim())).transpose();
        let manifest =
            manifest.map_err(|error| other(format!("its annotation {HANDLER_MANIFEST} is no base64: {error}")))?;
        Ok(Component { wasm, manifest, digest })
    }

    fn reference(&self) -> Reference {
        let (registry, path) = (self.repository.registry.clone(), self.repository.path.clone());
        match &self.version {
            Version::Tag(tag) => Reference::with_tag(registry, path, tag.clone()),
            Version::Digest(digest) => Reference::with_digest(registry, path, digest.to_string()),
        }
    }
}

impl FromStr for ComponentUrl {
    type Err = ComponentUrlError;

    /// Reads `oci://HOST[:PORT]/REPOSITORY[:TAG|@sha256:HEX]`. Without tag and digest the tag is `latest`.
    fn from_str(text: &str) -> Result<Self, ComponentUrlError> {
        let rest = text.strip_prefix("oci://").ok_or(ComponentUrlError)?;
        let (repository, version) = if let Some((repository, digest)) = rest.split_once('@') {
            (repository, Version::Digest(digest.parse().map_err(|_| ComponentUrlError)?))
        } else {
            // A colon before the last slash is the port's.
            let split = rest.rsplit_once(':').filter(|(_, tag)| !tag.contains('/'));
            let (repository, tag) = split.unwrap_or((rest, "latest"));
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let good = tag.starts_with(plain)
                && tag.len() <= MAX_TAG
                && tag.chars().all(|c| plain(c) || matches!(c, '.' | '-'));
            (repository, if good { Version::Tag(tag.to_owned()) } else { return Err(ComponentUrlError) })
        };
        Ok(Self { repository: repository.parse().map_err(|_| ComponentUrlError)?, version })
    }
}

impl fmt::Display for ComponentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Version::Tag(tag) => write!(f, "oci://{}:{tag}", self.repository),
            Version::Digest(digest) => write!(f, "oci://{}@{digest}", self.repository),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_named_by_tag_or_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (text, shown, name) in [
            ("oci://ghcr.io/me/mail:1.2", "oci://ghcr.io/me/mail:1.2", "mail"),
            ("oci://127.0.0.1:5000/mail", "oci://127.0.0.1:5000/mail:latest", "mail"),
            (&format!("oci://ghcr.io/mail@{digest}"), &format!("oci://ghcr.io/mail@{digest}"), "mail"),
        ] {
            let url: ComponentUrl = text.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.name()), (shown, name));
        }
        for text in
            ["", "mail", "oci://mail", "oci://ghcr.io/mail:", "oci://ghcr.io/mail:-a", "oci://ghcr.io/mail@sha256:a"]
        {
            assert_eq!(text.parse::<ComponentUrl>(), Err(ComponentUrlError), "{text}");
        }
    }
}
