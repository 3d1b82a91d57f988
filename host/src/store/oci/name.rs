use std::fmt;
use std::str::FromStr;

use object_store::Result;
use object_store::path::Path;

/// The longest tag.
pub(super) const MAX_TAG: usize = 128;

/// A repository of a registry: `HOST[:PORT]/PATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct RepositoryName {
    /// `HOST[:PORT]`.
    pub(super) registry: String,
    /// What the registry calls it.
    pub(super) path: String,
}

/// A text names no repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct NoRepository;

impl FromStr for RepositoryName {
    type Err = NoRepository;

    /// Reads `HOST[:PORT]/PATH`, where the path is what the [distribution specification] takes.
    ///
    /// [distribution specification]: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
    fn from_str(text: &str) -> Result<Self, NoRepository> {
        let (registry, path) = text.split_once('/').ok_or(NoRepository)?;
        let (host, port) = registry.split_once(':').map_or((registry, None), |(host, port)| (host, Some(port)));
        let good_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        let good_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
        let part = |part: &str| {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            part.starts_with(plain)
                && part.ends_with(plain)
                && part.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-'))
                && !["___", ".."].iter().any(|separator| part.contains(separator))
        };
        if good_host && good_port && path.split('/').all(part) {
            Ok(Self { registry: registry.to_owned(), path: path.to_owned() })
        } else {
            Err(NoRepository)
        }
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl RepositoryName {
    /// Whether the registry is on this machine.
    pub(super) fn is_local(&self) -> bool {
        let host = self.registry.split(':').next().unwrap_or_default();
        host == "localhost" || host.parse().is_ok_and(|address: std::net::Ipv4Addr| address.is_loopback())
    }
}

/// The tag that an object is. A tag has no `/`, so that is a `_`, which no object's name has.
///
/// # Errors
/// Where the name has what a tag can't have, or is too long.
pub(super) fn tag(object: &Path) -> Result<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '/');
    let name = object.as_ref();
    if name.len() <= MAX_TAG && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain) {
        return Ok(name.replace('/', "_"));
    }
    Err(super::trouble(format!(
        "no tag of a registry can be called {name:?}: at most {MAX_TAG} letters, digits, points and hyphens, beginning \
         with a letter or a digit, and slashes between"
    )))
}

/// The object that a tag is; `None` where it is none that was written by [`tag`].
pub(super) fn object(tag: &str) -> Option<Path> {
    let path = Path::parse(tag.replace('_', "/")).ok()?;
    self::tag(&path).is_ok_and(|again| again == tag).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_is_a_registry_and_a_path() {
        for (text, local) in [
            ("ghcr.io/me/store", false),
            ("europe-docker.pkg.dev/project/repository/store", false),
            ("127.0.0.1:5000/store", true),
            ("localhost:5000/a/b--c__d.e", true),
        ] {
            let name: RepositoryName = text.parse().unwrap();
            assert_eq!((name.to_string().as_str(), name.is_local()), (text, local));
        }
        for text in ["", "ghcr.io", "ghcr.io/", "/store", "ghcr.io/Store", "ghcr.io/a//b", "ghcr.io/a/", "ghcr.io/-a"] {
            assert_eq!(text.parse::<RepositoryName>(), Err(NoRepository), "{text}");
        }
        for text in ["user:secret@ghcr.io/a", "ghcr.io:0/a", "ghcr.io/a:tag", "ghcr.io/a?b", "ghcr.io/a___b"] {
            assert_eq!(text.parse::<RepositoryName>(), Err(NoRepository), "{text}");
        }
    }

    #[test]
    fn an_object_is_a_tag_and_back() {
        let longest = format!("artifacts/{}/signatures/{}.json", "a".repeat(64), "b".repeat(37));
        for name in ["live.json", "releases/0000000042.json", "hosts/an-id-7.json", &longest] {
            let path = Path::from(name);
            let tag = tag(&path).unwrap();
            assert!(!tag.contains('/'));
            assert_eq!(object(&tag), Some(path));
        }
        for name in ["hosts/an_id.json", ".hidden", "a b", &format!("{longest}x")] {
            assert!(tag(&Path::from(name)).is_err(), "{name}");
        }
        assert_eq!(object("a__b"), None);
    }
}
