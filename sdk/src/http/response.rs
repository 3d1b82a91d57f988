use std::time::Duration;

use serde::de::DeserializeOwned;

use super::redact::Subject;
use crate::Failure;
use crate::text::bounded;

/// Bytes of an answer's body that are read. What is past them is left.
pub const MAX_BODY: usize = 1 << 20;

/// What of an answer's body a reason quotes.
const MAX_EXCERPT: usize = 200;

/// What was answered.
#[derive(Debug)]
pub struct Response {
    subject: Subject,
    status: u16,
    /// Names and values, as the host gave them.
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    /// Why the body is not all of it, where it isn't.
    cut: Option<String>,
}

impl Response {
    pub(super) fn new(
        subject: Subject,
        status: u16,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        cut: Option<String>,
    ) -> Self {
        Self { subject, status, headers, body, cut }
    }

    /// The status, such as 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of a header, where there is one and it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The body.
    ///
    /// # Errors
    /// A retry where it didn't come whole: the connection broke off, time ran out, or it is longer than [`MAX_BODY`].
    pub fn body(&self) -> Result<&[u8], Failure> {
        match &self.cut {
            None => Ok(&self.body),
            Some(cut) => {
                let cut = self.subject.redact(cut);
                Err(Failure::retry(format!("{}: the answer's body is not whole: {cut}", self.subject)))
            }
        }
    }

    /// The body as text.
    ///
    /// # Errors
    /// As [`Response::body`]; and a retry where it is no UTF-8.
    pub fn text(&self) -> Result<&str, Failure> {
        std::str::from_utf8(self.body()?)
            .map_err(|error| Failure::retry(format!("{}: the answer's body is no text: {error}", self.subject)))
    }

    /// The body as a value, from JSON.
    ///
    /// # Errors
    /// As [`Response::body`]; and a retry where it is not the JSON that `T` takes.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(self.body()?).map_err(|error| {
            let error = bounded(&self.subject.redact(&error.to_string()), MAX_EXCERPT);
            Failure::retry(format!("{}: the answer's body is not the JSON that was due: {error}", self.subject))
        })
    }

    /// The answer, where it says that the request was carried out; else the failure that fits its status.
    ///
    /// | status | gives |
    /// | --- | --- |
    /// | 2xx | the answer, even where its body didn't come whole |
    /// | 408, 429, 5xx | a retry, after the seconds that `Retry-After` gives, where it does |
    /// | other 4xx | a rejection: the same request would be refused again |
    /// | others, redirects among them | a retry: it is the URL that has to be set right |
    ///
    /// # Errors
    /// As the table says. The reason has the status and the beginning of the body.
    pub fn ok(self) -> Result<Self, Failure> {
        if matches!(self.status, 200..=299) {
            return Ok(self);
        }
        let hint = if matches!(self.status, 300..=399) { " (redirects are not followed)" } else { "" };
        let mut reason = format!("{} was answered {}{hint}", self.subject, self.status);
        let excerpt = self.excerpt();
        if !excerpt.is_empty() {
            reason.push_str(": ");
            reason.push_str(&excerpt);
        }
        if matches!(self.status, 400..=499) && !matches!(self.status, 408 | 429) {
            return Err(Failure::reject(reason));
        }
        let failure = Failure::retry(reason);
        Err(match self.retry_after() {
            Some(wait) => failure.after(wait),
            None => failure,
        })
    }

    /// How long the provider wants to be left alone. Its other form, a date, is passed over: the broker's backoff does.
    fn retry_after(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.header("retry-after")?.trim().parse().ok()?))
    }

    /// The beginning of the body, on one line.
    fn excerpt(&self) -> String {
        let text = self.subject.redact(&String::from_utf8_lossy(&self.body));
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        // Each word adds a byte at least.
        bounded(&words.take(MAX_EXCERPT).collect::<Vec<_>>().join(" "), MAX_EXCERPT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Response {
        let mut subject = Subject::new("POST", &"https://api.example.com/send".parse().unwrap());
        subject.hide("s3cret");
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
        Response::new(subject, status, headers, body.into(), None)
    }

    fn failed(status: u16, headers: &[(&'static str, &str)], body: &str) -> Failure {
        answered(status, headers, body).ok().unwrap_err()
    }

    #[test]
    fn every_2xx_is_done() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(answered(status, &[], "").ok().unwrap().status(), status);
        }
    }

    #[test]
    fn what_may_pass_is_a_retry() {
        for status in [301, 304, 408, 429, 500, 502, 503, 504, 599] {
            assert!(matches!(failed(status, &[], ""), Failure::Retry { delay: None, .. }), "{status}");
        }
    }

    #[test]
    fn what_stays_refused_is_a_rejection() {
        for status in [400, 401, 403, 404, 409, 410, 413, 422, 451] {
            assert!(matches!(failed(status, &[("retry-after", "1")], ""), Failure::Reject { .. }), "{status}");
        }
    }

    #[test]
    fn retry_after_is_heeded_in_seconds_alone() {
        let delay = |value| match failed(429, &[("retry-after", value)], "") {
            Failure::Retry { delay, .. } => delay,
            other => panic!("{other}"),
        };
        assert_eq!(delay("7"), Some(Duration::from_secs(7)));
        assert_eq!(delay("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert_eq!(delay("-1"), None);
    }

    #[test]
    fn a_reason_has_the_status_and_a_short_excerpt_on_one_line_without_secrets() {
        assert_eq!(
            failed(422, &[], "{\n  \"error\":\t\"key s3cret may not\"\n}").reason(),
            "POST https://api.example.com was answered 422: { \"error\": \"key [hidden] may not\" }"
        );
        assert_eq!(failed(500, &[], "").reason(), "POST https://api.example.com was answered 500");
        assert!(failed(500, &[], &"x".repeat(MAX_BODY)).reason().len() < 300);
    }

    #[test]
    fn a_body_that_is_not_whole_is_none_but_its_status_counts() {
        let mut response = answered(200, &[], "{\"id\":");
        response.cut = Some("the connection broke off".into());
        let response = response.ok().unwrap();
        assert!(matches!(response.body(), Err(Failure::Retry { .. })));
        assert!(matches!(response.json::<serde_json::Value>(), Err(Failure::Retry { .. })));
    }

    #[test]
    fn a_body_is_read_as_what_it_is() {
        let response = answered(200, &[("x-id", "7")], "[1, 2]");
        assert_eq!(response.header("X-Id"), Some("7"));
        assert_eq!(response.text().unwrap(), "[1, 2]");
        assert_eq!(response.json::<Vec<u8>>().unwrap(), [1, 2]);
        assert!(response.json::<String>().unwrap_err().reason().contains("at line 1 column"));
    }
}
