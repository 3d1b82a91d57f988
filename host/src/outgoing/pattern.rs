use std::fmt;
use std::str::FromStr;

use super::origin::split;
use super::private::closed;
use super::{Host, Origin, OriginError, Scheme};

/// Origins that a handler may reach: `https://api.example.com`, or `https://*.example.com` for each name that has one
/// label more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: Scheme,
    host: Hosts,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    One(Host),
    /// Names with exactly one label before this one.
    Below(String),
}

impl OriginPattern {
    /// Whether this is one of them.
    #[must_use]
    pub fn matches(&self, origin: &Origin) -> bool {
        let host = match (&self.host, &origin.host) {
            (Hosts::One(host), other) => host == other,
            (Hosts::Below(base), Host::Name(name)) => {
                name.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == base)
            }
            (Hosts::Below(_), Host::Address(_)) => false,
        };
        host && self.scheme == origin.scheme && self.port == origin.port
    }

    /// Whether every origin that `other` stands for is one of these.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match &other.host {
            Hosts::One(host) => self.matches(&Origin { scheme: other.scheme, host: host.clone(), port: other.port }),
            Hosts::Below(_) => self == other,
        }
    }

    /// Why no request goes there, whatever the operator allows: a metadata server, or an address that is nobody's. A
    /// name is judged by itself; which addresses it has is looked at when it is connected to.
    #[must_use]
    pub fn closed(&self) -> Option<&'static str> {
        match &self.host {
            Hosts::One(host) => closed(host),
            Hosts::Below(_) => None,
        }
    }
}

impl FromStr for OriginPattern {
    type Err = OriginError;

    /// Reads `SCHEME://HOST[:PORT]`; a path behind it is passed over, so that the URL of an API can stand here as it is.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, rest) = text.split_once("://").ok_or(OriginError::Scheme)?;
        let scheme = Scheme::parse(scheme)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        let (host, port) = split(rest.get(..end).unwrap_or_default())?;
        let host = match host.strip_prefix("*.") {
            Some(base) => match Host::parse(base)? {
                // Else it would take in a whole top-level domain.
                Host::Name(base) if base.contains('.') => Hosts::Below(base),
                Host::Name(_) | Host::Address(_) => return Err(OriginError::Wildcard),
            },
            None if host.contains('*') => return Err(OriginError::Wildcard),
            None => Hosts::One(Host::parse(host)?),
        };
        Ok(Self { scheme, host, port: port.unwrap_or(scheme.default_port()) })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, port) = (self.scheme, self.port);
        match &self.host {
            Hosts::One(host) => Origin { scheme, host: host.clone(), port }.fmt(f),
            Hosts::Below(base) => Origin { scheme, host: Host::Name(format!("*.{base}")), port }.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HostError;
    use super::*;

    fn allows(pattern: &str, url: &str) -> bool {
        pattern.parse::<OriginPattern>().unwrap().matches(&Origin::of(&url.parse().unwrap()).unwrap())
    }

    #[test]
    fn an_origin_is_itself_in_any_spelling_and_no_other() {
        for url in ["https://api.example.com", "https://API.EXAMPLE.com.:443/x"] {
            assert!(allows("https://Api.Example.com/v1", url), "{url}");
        }
        for url in [
            "http://api.example.com:443",
            "https://api.example.com:8443",
            "https://example.com",
            "https://api.example.com.evil.example",
            "https://xapi.example.com",
        ] {
            assert!(!allows("https://api.example.com", url), "{url}");
        }
        assert!(allows("https://bücher.example", "https://xn--bcher-kva.example"));
        assert!(allows("http://127.0.0.1:80", "http://[::ffff:127.0.0.1]"));
    }

    #[test]
    fn a_wildcard_is_one_label_more() {
        for url in ["https://a.example.com", "https://A.Example.com."] {
            assert!(allows("https://*.example.com", url), "{url}");
        }
        for url in [
            "https://example.com",
            "https://a.b.example.com",
            "https://aexample.com",
            "https://a.example.com.evil.example",
            "http://a.example.com",
            "https://127.0.0.1",
        ] {
            assert!(!allows("https://*.example.com", url), "{url}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let error = |text: &str| text.parse::<OriginPattern>().unwrap_err();
        for text in
            ["https://*", "https://*.com", "https://a.*.com", "https://a*.example.com", "https://*.*.example.com"]
        {
            assert!(matches!(error(text), OriginError::Wildcard | OriginError::Host(HostError::Name)), "{text}");
        }
        assert_eq!(error("https://*.127.0.0.1"), OriginError::Wildcard);
        for text in ["", "api.example.com", "ftp://example.com", "*://example.com", "//example.com"] {
            assert_eq!(error(text), OriginError::Scheme, "{text}");
        }
        assert_eq!(error("https://user@example.com"), OriginError::User);
        assert_eq!(error("https://"), OriginError::Host(HostError::Empty));
        assert_eq!(error("http://0xa9fea9fe"), OriginError::Host(HostError::Number));
    }

    #[test]
    fn a_pattern_covers_what_is_no_wider() {
        let covers = |pattern: &str, other: &str| {
            pattern.parse::<OriginPattern>().unwrap().covers(&other.parse::<OriginPattern>().unwrap())
        };
        assert!(covers("https://a.example.com", "https://A.example.com:443/v1"));
        assert!(covers("https://*.example.com", "https://a.example.com"));
        assert!(covers("https://*.example.com", "https://*.example.com"));
        for (pattern, other) in [
            ("https://a.example.com", "https://*.example.com"),
            ("https://*.example.com", "https://*.a.example.com"),
            ("https://*.example.com", "https://*.example.com:8443"),
            ("https://*.example.com", "http://a.example.com:443"),
        ] {
            assert!(!covers(pattern, other), "{pattern} {other}");
        }
    }

    #[test]
    fn a_metadata_server_is_closed_by_name_and_by_address() {
        for text in ["http://metadata.google.internal", "http://169.254.169.254", "http://[::ffff:169.254.169.254]"] {
            assert!(text.parse::<OriginPattern>().unwrap().closed().is_some(), "{text}");
        }
        for text in ["https://api.example.com", "https://*.example.com", "http://127.0.0.1", "http://10.0.0.1"] {
            assert_eq!(text.parse::<OriginPattern>().unwrap().closed(), None, "{text}");
        }
    }

    #[test]
    fn it_shows_as_it_is_written() {
        for text in ["https://*.example.com:443", "http://127.0.0.1:8025", "http://[2001:db8::1]:80"] {
            assert_eq!(text.parse::<OriginPattern>().unwrap().to_string(), text);
        }
    }
}
