use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;

/// How a [`Broker`](super::Broker) keeps and delivers messages: its one push subscription.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    /// The folder of the message file; made where it is missing. One broker at a time uses it.
    pub data: PathBuf,
    /// Where messages are pushed to: an `http://` URL, such as `http://127.0.0.1:8080/events`.
    pub push_url: String,
    /// The full name of the subscription, `projects/PROJECT/subscriptions/NAME`.
    pub subscription: String,
    /// How long a push may take, from the request to the answer. After that it counts as a nack.
    pub ack_deadline: Duration,
    /// How long a message waits after its first nack. It doubles with each further one.
    pub min_backoff: Duration,
    /// The longest that a message waits between two deliveries.
    pub max_backoff: Duration,
    /// With so many nacks a message goes to the dead-letter folder.
    pub max_attempts: u32,
    /// The folder that takes dead letters, a JSON file for each; made where it is missing.
    pub dead_letter: PathBuf,
    /// How many pushes may be under way at a time.
    pub max_outstanding: usize,
}

/// A field of a [`BrokerConfig`] with a value that makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the broker's `{field}` is {found}: it has to be {expected}")]
pub struct ConfigError {
    field: &'static str,
    found: String,
    expected: &'static str,
}

/// A subscription's full name, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    /// `projects/PROJECT/subscriptions/NAME`.
    pub(super) full: String,
    pub(super) project: String,
    pub(super) name: String,
}

impl BrokerConfig {
    /// The defaults of a Pub/Sub push subscription with a dead-letter policy: an ack deadline of 10 s, a backoff of
    /// 100 ms to 60 s, five attempts. Up to 64 pushes at a time.
    ///
    /// The messages lie in `data`, the dead letters in its folder `dead-letter`.
    #[must_use]
    pub fn new(data: PathBuf, push_url: String, subscription: String) -> Self {
        Self {
            dead_letter: data.join("dead-letter"),
            data,
            push_url,
            subscription,
            ack_deadline: Duration::from_secs(10),
            min_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(60),
            max_attempts: 5,
            max_outstanding: 64,
        }
    }

    /// Checks the values that stand for themselves.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let durations = [("ack_deadline", self.ack_deadline), ("min_backoff", self.min_backoff)];
        if let Some((field, _)) = durations.iter().find(|(_, duration)| duration.is_zero()) {
            return Err(ConfigError { field, found: "0".into(), expected: "longer" });
        }
        if self.max_backoff < self.min_backoff {
            let found = format!("{:?}", self.max_backoff);
            return Err(ConfigError { field: "max_backoff", found, expected: "no shorter than `min_backoff`" });
        }
        if self.max_attempts == 0 {
            return Err(ConfigError { field: "max_attempts", found: "0".into(), expected: "1 or more" });
        }
        // The upper bound is what a semaphore holds; nobody has so many connections.
        if !(1..=10_000).contains(&self.max_outstanding) {
            let found = self.max_outstanding.to_string();
            return Err(ConfigError { field: "max_outstanding", found, expected: "1 to 10000" });
        }
        Ok(())
    }

    /// The push URL, parsed.
    pub(super) fn parse_push_url(&self) -> Result<Uri, ConfigError> {
        let error = || ConfigError {
            field: "push_url",
            found: format!("{:?}", self.push_url),
            expected: "an http:// URL such as http://127.0.0.1:8080/events",
        };
        let uri: Uri = self.push_url.parse().map_err(|_| error())?;
        if uri.scheme_str() != Some("http") || uri.authority().is_none() {
            return Err(error());
        }
        Ok(uri)
    }

    /// The subscription's name, parsed.
    pub(super) fn parse_subscription(&self) -> Result<Subscription, ConfigError> {
        let full = &self.subscription;
        let parts: Vec<&str> = full.split('/').collect();
        match parts.as_slice() {
            ["projects", project, "subscriptions", name] if !project.is_empty() && !name.is_empty() => {
                Ok(Subscription { full: full.clone(), project: (*project).into(), name: (*name).into() })
            }
            _ => Err(ConfigError {
                field: "subscription",
                found: format!("{full:?}"),
                expected: "projects/PROJECT/subscriptions/NAME",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> BrokerConfig {
        BrokerConfig::new("data".into(), "http://127.0.0.1:1/events".into(), "projects/p/subscriptions/s".into())
    }

    #[test]
    fn the_defaults_are_accepted() {
        let config = config();
        config.check().unwrap();
        assert_eq!(config.parse_push_url().unwrap().path(), "/events");
        assert_eq!(config.parse_subscription().unwrap().name, "s");
    }

    #[test]
    fn each_wrong_value_is_refused_by_name() {
        let refused = |change: fn(&mut BrokerConfig)| {
            let mut config = config();
            change(&mut config);
            config
                .check()
                .and_then(|()| config.parse_push_url().map(drop))
                .and_then(|()| config.parse_subscription().map(drop))
                .unwrap_err()
                .to_string()
        };
        assert!(refused(|c| c.ack_deadline = Duration::ZERO).contains("`ack_deadline`"));
        assert!(refused(|c| c.min_backoff = Duration::ZERO).contains("`min_backoff`"));
        assert!(refused(|c| c.max_backoff = Duration::from_millis(1)).contains("`max_backoff` is 1ms"));
        assert!(refused(|c| c.max_attempts = 0).contains("`max_attempts`"));
        assert!(refused(|c| c.max_outstanding = 0).contains("`max_outstanding`"));
        for url in ["https://example.com/events", "/events", "127.0.0.1:8080", ""] {
            let mut config = config();
            config.push_url = url.into();
            assert!(config.parse_push_url().unwrap_err().to_string().contains(&format!("{url:?}")));
        }
        for name in ["s", "projects/p/topics/s", "projects//subscriptions/s", "projects/p/subscriptions/"] {
            let mut config = config();
            config.subscription = name.into();
            assert!(config.parse_subscription().unwrap_err().to_string().contains(&format!("{name:?}")));
        }
    }
}
