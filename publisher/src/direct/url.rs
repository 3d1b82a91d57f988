use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// Where a host takes events, such as `http://127.0.0.1:8080/events`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsUrl(Uri);

/// A text that is no [`EventsUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsUrlError {
    /// The text is no URL with a host.
    #[error("{0:?} is no URL such as http://127.0.0.1:8080/events")]
    Malformed(String),
    /// The scheme is not `http`.
    #[error(
        "{0:?} is no http:// URL: events are posted directly only for local work, in plain HTTP; elsewhere publish to a topic"
    )]
    Scheme(String),
}

impl EventsUrl {
    pub(super) fn uri(&self) -> &Uri {
        &self.0
    }
}

impl FromStr for EventsUrl {
    type Err = EventsUrlError;

    /// Reads an `http://` URL. Without a path it means the host's `/events`.
    fn from_str(text: &str) -> Result<Self, EventsUrlError> {
        let malformed = || EventsUrlError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let mut parts = uri.into_parts();
        match parts.scheme.as_ref().map(|scheme| scheme.as_str()) {
            Some("http") => {}
            Some(_) => return Err(EventsUrlError::Scheme(text.to_owned())),
            None => return Err(malformed()),
        }
        if parts.path_and_query.as_ref().is_none_or(|path| path.as_str() == "/") {
            parts.path_and_query = Some(hyper::http::uri::PathAndQuery::from_static("/events"));
        }
        Uri::from_parts(parts).map(Self).map_err(|_| malformed())
    }
}

impl fmt::Display for EventsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_host_means_its_events_path() {
        let read = |text: &str| text.parse::<EventsUrl>().map(|url| url.to_string());
        assert_eq!(read("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080/events");
        assert_eq!(read("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080/events");
        assert_eq!(read("http://localhost/elsewhere?x=1").unwrap(), "http://localhost/elsewhere?x=1");
    }

    #[test]
    fn what_is_no_plain_http_url_is_refused_by_name() {
        let read = |text: &str| text.parse::<EventsUrl>().unwrap_err();
        assert_eq!(read("https://host/events"), EventsUrlError::Scheme("https://host/events".into()));
        for text in ["", "127.0.0.1:8080", "/events", "http://", "not a url"] {
            assert_eq!(read(text), EventsUrlError::Malformed(text.into()));
        }
    }
}
