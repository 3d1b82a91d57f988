use std::fmt;

use hyper::Uri;
use hyper::http::uri::PathAndQuery;

use super::{Host, HostError};

/// How a server is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// A scheme, a host and a port, each in its one form: `https://api.example.com:443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port.
    pub port: u16,
}

/// Why a text or a URL names no origin. The text is not repeated: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Another scheme, or none.
    #[error("it begins with neither https:// nor http://")]
    Scheme,
    /// A user's name before the host.
    #[error("it has a user before its host, which is no part of an origin")]
    User,
    /// Something else behind the host.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// No host.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A wildcard elsewhere than in the place of the first label.
    #[error(
        "a `*` stands for one label, the first, with two or more behind it: write *.example.com, or each host by itself"
    )]
    Wildcard,
}

impl Scheme {
    /// The scheme of a URL, in any case.
    pub(super) fn parse(text: &str) -> Result<Self, OriginError> {
        if text.eq_ignore_ascii_case("https") {
            Ok(Self::Https)
        } else if text.eq_ignore_ascii_case("http") {
            Ok(Self::Http)
        } else {
            Err(OriginError::Scheme)
        }
    }

    /// The port where a URL gives none.
    pub(super) fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Origin {
    /// The origin of a URL, which may have a path behind it.
    ///
    /// # Errors
    /// See [`OriginError`].
    pub fn of(url: &Uri) -> Result<Self, OriginError> {
        let scheme = Scheme::parse(url.scheme_str().unwrap_or_default())?;
        let (host, port) = split(url.authority().map_or("", |authority| authority.as_str()))?;
        Ok(Self { scheme, host: Host::parse(host)?, port: port.unwrap_or(scheme.default_port()) })
    }

    /// The URL of a path at this origin, so that what was judged is what is connected to and what the server is told.
    #[must_use]
    pub fn url(&self, path: Option<&PathAndQuery>) -> Option<Uri> {
        let path = path.cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        let authority = if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        };
        Uri::builder().scheme(self.scheme.name()).authority(authority).path_and_query(path).build().ok()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme.name(), self.host, self.port)
    }
}

/// The host and the port of `HOST[:PORT]`.
pub(super) fn split(authority: &str) -> Result<(&str, Option<u16>), OriginError> {
    if authority.contains('@') {
        return Err(OriginError::User);
    }
    // The colons of an IPv6 address are inside its brackets.
    let end = if authority.starts_with('[') {
        authority.find(']').map_or(authority.len(), |end| end + 1)
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, rest) = authority.split_at(end);
    if rest.is_empty() {
        return Ok((host, None));
    }
    let digits = rest.strip_prefix(':').filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse().ok()).filter(|port| *port != 0);
    Ok((host, Some(port.ok_or(OriginError::Port)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Result<String, OriginError> {
        Origin::of(&url.parse().unwrap()).map(|origin| origin.to_string())
    }

    #[test]
    fn default_ports_case_dots_and_paths_make_no_difference() {
        assert_eq!(origin("HTTPS://API.example.com./v1/send"), origin("https://api.example.com:443"));
        assert_eq!(origin("http://127.0.0.1"), origin("http://[::ffff:127.0.0.1]:80/"));
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for (url, error) in [
            ("ftp://example.com", OriginError::Scheme),
            ("/path", OriginError::Scheme),
            ("https://user@example.com", OriginError::User),
            ("https://user:secret@example.com/", OriginError::User),
            ("http://169.254.169.254@example.com", OriginError::User),
            ("https://example.com:", OriginError::Port),
            ("https://example.com:0", OriginError::Port),
            ("https://example.com:65536", OriginError::Port),
            ("http://2852039166/", OriginError::Host(HostError::Number)),
        ] {
            assert_eq!(origin(url), Err(error), "{url}");
        }
    }

    #[test]
    fn a_url_is_made_of_what_was_judged() {
        let url = |text: &str| {
            let url: Uri = text.parse().unwrap();
            Origin::of(&url).unwrap().url(url.path_and_query()).unwrap().to_string()
        };
        assert_eq!(url("https://API.example.com.:443/v1?x=1"), "https://api.example.com/v1?x=1");
        assert_eq!(url("http://[::FFFF:127.0.0.1]:8025"), "http://127.0.0.1:8025/");
        assert_eq!(url("http://[2001:DB8::1]:8025/"), "http://[2001:db8::1]:8025/");
    }
}
