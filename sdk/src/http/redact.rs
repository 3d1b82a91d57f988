//! What of a request may show in a reason, which ends in logs.

use std::fmt;

use wstd::http::Uri;

/// What reasons call a request by, and what they must not hold.
#[derive(Clone)]
pub(super) struct Subject {
    method: String,
    origin: String,
    secrets: Vec<String>,
}

impl Subject {
    /// The subject of a request to a URL. A path or a query may be a secret, so it keeps neither.
    pub(super) fn new(method: &str, url: &Uri) -> Self {
        let scheme = url.scheme_str().unwrap_or_default();
        let authority = url.authority().map_or("", |authority| authority.as_str());
        Self { method: method.to_owned(), origin: format!("{scheme}://{authority}"), secrets: Vec::new() }
    }

    /// Keeps a value out of every reason from now on.
    pub(super) fn hide(&mut self, secret: &str) {
        let secret = secret.trim();
        if secret.is_empty() {
            return;
        }
        self.insert(secret.to_owned());
        if secret.contains('/') {
            // The form that some writers of JSON give it.
            self.insert(secret.replace('/', "\\/"));
        }
    }

    /// Keeps the longest first: one secret may be part of another.
    fn insert(&mut self, secret: String) {
        let at = self.secrets.iter().take_while(|other| other.len() > secret.len()).count();
        self.secrets.insert(at, secret);
    }

    /// The text, without what must not show.
    pub(super) fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "[hidden]"))
    }
}

impl fmt::Display for Subject {
    /// Writes `POST https://api.example.com`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.origin)
    }
}

impl fmt::Debug for Subject {
    /// As `Display`: the secrets don't show here either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject::new("POST", &"https://hooks.example.com:8443/T0/secret?key=secret".parse().unwrap())
    }

    #[test]
    fn neither_path_nor_query_shows() {
        assert_eq!(subject().to_string(), "POST https://hooks.example.com:8443");
    }

    #[test]
    fn a_hidden_value_shows_in_none_of_its_forms() {
        let mut subject = subject();
        subject.hide("k/1");
        subject.hide("k/1-long");
        subject.hide(" ");
        assert_eq!(subject.redact(r#"bad key k/1-long, bad "k\/1" "#), r#"bad key [hidden], bad "[hidden]" "#);
    }
}
