use std::fmt;
use std::time::Duration;

use serde::Serialize;
use wstd::http::Uri;

use super::redact::Subject;
use super::{Response, exchange};
use crate::Failure;

/// How long a request may take where [`Request::timeout`] doesn't say.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request that is being put together. Nothing is sent before [`Request::send`], and what is wrong is said there.
#[derive(Debug)]
#[must_use = "nothing is sent without `.send().await`"]
pub struct Request(Result<Draft, Failure>);

/// A request in which nothing is wrong so far.
pub(super) struct Draft {
    pub(super) subject: Subject,
    pub(super) method: String,
    pub(super) uri: Uri,
    /// Names, in lower case and each once, and values.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
    pub(super) timeout: Duration,
}

/// A `GET` request to a URL, with scheme and host: `https://api.example.com/v1/users`.
pub fn get(url: &str) -> Request {
    request("GET", url)
}

/// A `POST` request to a URL, with scheme and host: `https://api.example.com/v1/send`.
pub fn post(url: &str) -> Request {
    request("POST", url)
}

/// A request of any method to a URL, with scheme and host.
pub fn request(method: &str, url: &str) -> Request {
    Request(draft(method, url))
}

fn draft(method: &str, url: &str) -> Result<Draft, Failure> {
    // Neither text is repeated: a URL may hold a secret. Both may be set right, hence a retry.
    let wrong = |what: &str| Failure::retry(format!("the request was not sent: {what}"));
    let uri: Uri = url.trim().parse().map_err(|error| wrong(&format!("its URL can't be read: {error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(wrong("its URL begins with neither https:// nor http://"));
    }
    if uri.authority().is_none_or(|authority| authority.host().is_empty() || authority.as_str().contains('@')) {
        return Err(wrong("its URL has no host, or a user name before it"));
    }
    let mut draft = Draft {
        subject: Subject::new(method, &uri),
        method: method.to_owned(),
        uri,
        headers: Vec::new(),
        body: Vec::new(),
        timeout: DEFAULT_TIMEOUT,
    };
    // Some providers refuse what names no agent.
    draft.set("user-agent", concat!("tidemill-sdk/", env!("CARGO_PKG_VERSION"))).map_err(Failure::retry)?;
    Ok(draft)
}

impl Request {
    /// Sets a header. Its value shows in no reason.
    pub fn header(self, name: &str, value: &str) -> Self {
        self.and(|draft| {
            draft.subject.hide(value);
            // A value that can't be sent comes from configuration as a rule, where it can be set right.
            draft.set(name, value).map_err(Failure::retry)
        })
    }

    /// Sets `Authorization: Bearer …`. The token shows in no reason. Blanks around it, as a file's last line has, are
    /// left out.
    pub fn bearer(self, token: &str) -> Self {
        self.and(|draft| {
            draft.subject.hide(token);
            draft.set("authorization", &format!("Bearer {}", token.trim())).map_err(Failure::retry)
        })
    }

    /// Sets `Idempotency-Key`, by which a provider knows a request that it has already carried out.
    ///
    /// Pass [`Event::id`](crate::Event::id). An id that can't be a header's value rejects the event: it stays that way.
    pub fn idempotency_key(self, key: &str) -> Self {
        self.and(|draft| draft.set("idempotency-key", key).map_err(Failure::reject))
    }

    /// Sets how long the request may take, from [`Request::send`] to the last byte of the answer.
    ///
    /// Keep it below the deadline in the manifest: past that the instance is gone, and with it the reason.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.and(|draft| {
            draft.timeout = timeout;
            Ok(())
        })
    }

    /// Sets the body, to a value as JSON.
    pub fn json(self, value: &impl Serialize) -> Self {
        self.and(|draft| {
            draft.body = serde_json::to_vec(value).map_err(|error| {
                Failure::retry(format!("{} was not sent: its body is no JSON: {error}", draft.subject))
            })?;
            draft.set("content-type", "application/json").map_err(Failure::retry)
        })
    }

    /// Sets the body, to bytes of a media type, such as `text/plain`.
    pub fn body(self, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.and(|draft| {
            draft.body = bytes.into();
            draft.set("content-type", content_type).map_err(Failure::retry)
        })
    }

    /// Sends the request and gives what was answered, whatever its status. Redirects are not followed.
    ///
    /// # Errors
    /// A retry where no answer came: a timeout, a refused or broken connection, a host that the manifest doesn't list; or
    /// where the request can't be sent as it was put together. A rejection where the idempotency key can't be sent.
    pub async fn send(self) -> Result<Response, Failure> {
        exchange::exchange(self.0?).await
    }

    fn and(mut self, change: impl FnOnce(&mut Draft) -> Result<(), Failure>) -> Self {
        if let Ok(draft) = &mut self.0
            && let Err(failure) = change(draft)
        {
            self.0 = Err(failure);
        }
        self
    }
}

impl Draft {
    /// Sets a header, in place of one of the same name. An error tells the name and never the value.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("{} was not sent: {what}", self.subject));
        let name = name.to_ascii_lowercase();
        if name.is_empty() || !name.bytes().all(is_token) {
            return wrong(&format!("{name:?} is no header's name"));
        }
        if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
            return wrong(&format!("the value for the header `{name}` has line ends or control characters"));
        }
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.into()));
        Ok(())
    }
}

impl fmt::Debug for Draft {
    /// Neither path nor query, nor a header's value, nor the body: each may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<&String> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Request")
            .field("subject", &self.subject)
            .field("headers", &headers)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What a header's name is made of: RFC 9110, 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: Request) -> Failure {
        request.0.unwrap_err()
    }

    #[test]
    fn what_was_set_is_what_is_sent() {
        let draft = post("https://api.example.com/send?x=1")
            .bearer(" s3cret\n")
            .idempotency_key("e1")
            .timeout(Duration::from_secs(3))
            .json(&[1, 2])
            .0
            .unwrap();
        let sent = [
            ("user-agent", concat!("tidemill-sdk/", env!("CARGO_PKG_VERSION"))),
            ("authorization", "Bearer s3cret"),
            ("idempotency-key", "e1"),
            ("content-type", "application/json"),
        ];
        assert_eq!(draft.headers, sent.map(|(name, value)| (name.to_owned(), value.as_bytes().to_owned())));
        assert_eq!(draft.method, "POST");
        assert_eq!(draft.uri, "https://api.example.com/send?x=1");
        assert_eq!(draft.body, b"[1,2]");
        assert_eq!(draft.timeout, Duration::from_secs(3));
    }

    #[test]
    fn a_header_that_is_set_again_is_replaced() {
        let draft = get("http://example.com").header("User-Agent", "a").header("user-agent", "b").0.unwrap();
        assert_eq!(draft.headers, [("user-agent".to_owned(), b"b".to_vec())]);
    }

    #[test]
    fn a_url_that_goes_nowhere_is_a_retry_and_is_not_repeated() {
        for url in
            ["", "/secret", "localhost:8025/secret", "ftp://secret", "https://secret@example.com", "http://a b/secret"]
        {
            let failure = refused(get(url));
            assert!(matches!(failure, Failure::Retry { .. }), "{url}: {failure}");
            assert!(!failure.reason().contains("secret"), "{url}: {failure}");
        }
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named_without_its_value() {
        let failure = refused(post("http://example.com").bearer("s3\ncret"));
        assert_eq!(
            failure,
            Failure::retry(
                "POST http://example.com was not sent: the value for the header `authorization` has line ends or control characters"
            )
        );
        assert!(matches!(refused(get("http://example.com").header("a b", "c")), Failure::Retry { .. }));
    }

    #[test]
    fn an_id_that_cannot_be_sent_rejects_its_event() {
        assert!(matches!(refused(post("http://example.com").idempotency_key("a\nb")), Failure::Reject { .. }));
    }

    #[test]
    fn no_secret_shows_by_accident() {
        let request = post("http://example.com/s3cret").bearer("s3cret").header("x-key", "s3cret").json(&"s3cret");
        assert!(request.0.is_ok());
        assert!(!format!("{request:?}").contains("s3cret"), "{request:?}");
    }

    #[test]
    fn the_first_mistake_is_the_one_that_is_told() {
        let failure = refused(get("/").header("a b", "c"));
        assert!(failure.reason().contains("URL"), "{failure}");
    }
}
