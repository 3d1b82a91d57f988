//! The configuration, read from the environment once.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use tidemill_events::Key;
use tidemill_publisher::{EmulatorHost, EventsUrl, TopicName};

/// What the variables say.
#[derive(Debug)]
pub(crate) struct Config {
    /// `HOST` (0.0.0.0) and `PORT` (8081): where to listen.
    pub(crate) listen: SocketAddr,
    /// `DATABASE` (user-api.db): the SQLite file.
    pub(crate) database: PathBuf,
    /// `TOPIC` or `EVENTS_URL`: where events go.
    pub(crate) destination: Destination,
    /// `SIGNING_KEY` (ID=SECRET): what events are signed with.
    pub(crate) key: Key,
}

/// Where events go.
#[derive(Debug)]
pub(crate) enum Destination {
    /// To a Pub/Sub topic (`TOPIC`); through the emulator where `PUBSUB_EMULATOR_HOST` names one.
    Topic(TopicName, Option<EmulatorHost>),
    /// Straight to a host (`EVENTS_URL`).
    Host(EventsUrl),
}

/// All that is wrong with the variables.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the configuration is wrong:\n  {}", .0.join("\n  "))]
pub(crate) struct ConfigError(Vec<String>);

impl Config {
    /// Reads the process's environment.
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        #[allow(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::read(variable, EmulatorHost::from_env().map_err(|error| error.to_string()))
    }

    fn read(
        variable: impl Fn(&str) -> Option<String>,
        emulator: Result<Option<EmulatorHost>, String>,
    ) -> Result<Self, ConfigError> {
        let mut reader = Reader { variable, problems: Vec::new() };
        let host = reader.parsed("HOST").unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let port = reader.parsed("PORT").unwrap_or(8081);
        let database = reader.text("DATABASE").unwrap_or_else(|| "user-api.db".to_owned());
        let key = match reader.text("SIGNING_KEY") {
            None => {
                reader.problem("SIGNING_KEY is not set: give the key that the host verifies with, as ID=SECRET".into())
            }
            Some(_) => reader.parsed("SIGNING_KEY"),
        };
        let destination = match (reader.text("TOPIC"), reader.text("EVENTS_URL")) {
            (Some(_), None) => {
                let topic = reader.parsed("TOPIC");
                let emulator = emulator.map_err(|error| reader.problem::<()>(error));
                topic.zip(emulator.ok()).map(|(topic, emulator)| Destination::Topic(topic, emulator))
            }
            (None, Some(_)) => reader.parsed("EVENTS_URL").map(Destination::Host),
            (None, None) => reader.problem(
                "neither TOPIC nor EVENTS_URL is set: give a topic (projects/PROJECT/topics/TOPIC), or the URL of a host \
                 (http://127.0.0.1:8080)"
                    .into(),
            ),
            (Some(_), Some(_)) => reader.problem("both TOPIC and EVENTS_URL are set: unset one".into()),
        };
        match (key, destination) {
            (Some(key), Some(destination)) if reader.problems.is_empty() => {
                Ok(Self { listen: SocketAddr::new(host, port), database: database.into(), destination, key })
            }
            _ => Err(ConfigError(reader.problems)),
        }
    }
}

/// Reads variables and collects what is wrong with them, so that all of it is told at once.
struct Reader<F> {
    variable: F,
    problems: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    /// The text of a variable that is set to something.
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|text| !text.is_empty())
    }

    /// The value of a variable; none where it is not set, or wrong, which is noted.
    fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, name: &str) -> Option<T> {
        match self.text(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => self.problem(format!("{name}: {error}")),
        }
    }

    fn problem<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Config::read(find, Ok(Some("127.0.0.1:8085".parse().unwrap())))
    }

    #[test]
    fn a_key_and_a_destination_are_enough() {
        let config = read(&[("SIGNING_KEY", "k1=s3cret"), ("EVENTS_URL", "http://127.0.0.1:8080")]).unwrap();
        assert_eq!(config.listen, "0.0.0.0:8081".parse().unwrap());
        assert_eq!(config.database, PathBuf::from("user-api.db"));
        assert!(matches!(config.destination, Destination::Host(_)));

        let config = read(&[
            ("SIGNING_KEY", "k1=s3cret"),
            ("TOPIC", "projects/shop/topics/events"),
            ("HOST", "127.0.0.1"),
            ("PORT", "0"),
            ("DATABASE", "/data/a.db"),
            ("EVENTS_URL", ""),
        ])
        .unwrap();
        assert_eq!(config.listen, "127.0.0.1:0".parse().unwrap());
        assert_eq!(config.database, PathBuf::from("/data/a.db"));
        assert!(
            matches!(config.destination, Destination::Topic(topic, Some(_)) if topic.as_str().ends_with("/events"))
        );
    }

    #[test]
    fn all_problems_are_told_at_once_and_each_names_its_variable() {
        let ConfigError(problems) =
            read(&[("PORT", "http"), ("TOPIC", "events"), ("SIGNING_KEY", "s3cret")]).unwrap_err();
        let names: Vec<&str> = problems.iter().map(|problem| problem.split(':').next().unwrap()).collect();
        assert_eq!(names, ["PORT", "SIGNING_KEY", "TOPIC"]);
        assert!(!problems.concat().contains("s3cret,"), "{problems:?}");

        let ConfigError(problems) = read(&[]).unwrap_err();
        assert!(problems[0].starts_with("SIGNING_KEY is not set"), "{problems:?}");
        assert!(problems[1].starts_with("neither TOPIC nor EVENTS_URL is set"), "{problems:?}");

        let both = [("SIGNING_KEY", "k=v"), ("TOPIC", "projects/a/topics/events"), ("EVENTS_URL", "http://127.0.0.1")];
        assert_eq!(read(&both).unwrap_err(), ConfigError(vec!["both TOPIC and EVENTS_URL are set: unset one".into()]));
    }
}
