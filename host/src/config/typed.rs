use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tidemill_events::{Key, Scheme};

use super::settings::SETTINGS;
use super::sources::Given;
use super::{HandlerValues, Problem, Problems, Setting, Sources, bounds, parse_duration};

/// The host's configuration, in types.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder of handlers.
    pub handlers: PathBuf,
    /// How often the folder is looked at.
    pub watch_interval: Duration,
    /// Who may deliver.
    pub auth: AuthMode,
    /// The signature schemes that count.
    pub accept: Vec<Scheme>,
    /// The keys that signatures are checked with.
    pub keys: Vec<Key>,
    /// What to do with events that no handler serves.
    pub unknown_event_type: UnknownEventType,
    /// Longest request body, in bytes.
    pub max_body: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub body_timeout: Duration,
    /// Connections open at once.
    pub max_connections: usize,
    /// Events handled at once.
    pub max_in_flight: usize,
    /// The most that a handler may ask for.
    pub quota: Quota,
    /// Time to finish what is in flight at the end.
    pub grace: Duration,
    /// How to log.
    pub log: LogConfig,
    /// The operator's values for handlers' configuration keys.
    pub handler_values: HandlerValues,
    /// What is not wrong, but should be said at the start.
    pub warnings: Vec<String>,
}

/// The most that any handler may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Quota {
    /// Wall time for one event.
    pub deadline: Duration,
    /// Linear memory, in bytes.
    pub memory: usize,
}

/// Who may deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Anybody who reaches the port; the signature alone decides.
    None,
}

/// What to do with an event that no handler serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownEventType {
    /// Refuse it: it comes again, and the subscription's dead-letter policy decides.
    Nack,
    /// Acknowledge it: it is dropped.
    Ack,
}

/// How to log.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// In what form.
    pub format: LogFormat,
    /// What of it.
    pub level: tracing_subscriber::filter::Targets,
    /// The Google Cloud project, for the trace links.
    pub project: Option<String>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    /// One JSON object a line, as Cloud Logging reads them.
    Json,
    /// For people.
    Text,
}

impl Config {
    /// Makes types of the raw texts.
    ///
    /// # Errors
    /// All problems of all settings together.
    pub fn read(sources: Sources) -> Result<Self, Problems> {
        let mut reader = Reader { problems: sources.problems.clone(), sources: &sources };
        let mut warnings: Vec<_> = sources
            .unknown_variables
            .iter()
            .map(|name| format!("the variable {name} is none that the host reads; is it misspelt?"))
            .collect();
        let port = reader.one("port", |text| {
            text.parse::<u16>().map_err(|_| format!("{text:?} is no port; give a number from 0 to 65535"))
        });
        let address = reader.one("address", |text| {
            text.parse::<IpAddr>().map_err(|_| format!("{text:?} is no IP address; give one such as 0.0.0.0 or ::"))
        });
        let handlers = reader.required("handlers", "name the folder of handlers, for example --handlers ./handlers");
        let watch_interval = reader.one("watch-interval", bounds::some_time);
        let auth = reader.auth();
        let accept = reader.accept(&mut warnings);
        let keys = reader.keys();
        let unknown_event_type =
            reader.word("unknown-event-type", &[("nack", UnknownEventType::Nack), ("ack", UnknownEventType::Ack)]);
        let max_body = reader.one("max-body", bounds::body);
        let body_timeout = reader.one("body-timeout", bounds::some_time);
        let max_connections = reader.one("max-connections", bounds::connections);
        let max_in_flight = reader.one("max-in-flight", bounds::in_flight);
        let deadline = reader.one("max-deadline", bounds::some_time);
        let memory = reader.one("max-memory", bounds::memory);
        let grace = reader.one("grace", parse_duration);
        let format = reader
            .word("log-format", &[("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)]);
        let level = reader.one("log-level", bounds::log_level);
        let project = reader.optional("project");
        let config = (|| {
            Some(Self {
                listen: SocketAddr::new(address?, port?),
                handlers: PathBuf::from(handlers?),
                watch_interval: watch_interval?,
                auth: auth?,
                accept: accept?,
                keys: keys?,
                unknown_event_type: unknown_event_type?,
                max_body: max_body?,
                body_timeout: body_timeout?,
                max_connections: max_connections?,
                max_in_flight: max_in_flight?,
                quota: Quota { deadline: deadline?, memory: memory? },
                grace: grace?,
                log: LogConfig { format: format?, level: level?, project },
                handler_values: sources.handler_values.clone(),
                warnings,
            })
        })();
        match config {
            Some(config) if reader.problems.is_empty() => Ok(config),
            _ => Err(Problems(reader.problems)),
        }
    }
}

/// Reads settings one by one and keeps what is wrong. `None` always comes with a problem.
struct Reader<'a> {
    sources: &'a Sources,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn given(&mut self, name: &str) -> Option<(&'static Setting, Given)> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
        Some((setting, self.sources.get(setting)?))
    }

    fn problem(&mut self, name: &str, source: Option<&str>, problem: impl Display) {
        let (setting, source) = (name.to_owned(), source.map(str::to_owned));
        self.problems.push(Problem { setting, source, problem: problem.to_string() });
    }

    fn each<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Vec<T>> {
        let Some((_, given)) = self.given(name) else { return Some(Vec::new()) };
        let mut values = Vec::with_capacity(given.texts.len());
        for text in &given.texts {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(problem) => self.problem(name, Some(&given.source), problem),
            }
        }
        (values.len() == given.texts.len()).then_some(values)
    }

    fn one<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        self.each(name, parse)?.pop()
    }

    fn optional(&mut self, name: &str) -> Option<String> {
        self.given(name)?.1.texts.pop()
    }

    fn required(&mut self, name: &str, advice: &str) -> Option<String> {
        let value = self.optional(name);
        if value.is_none() {
            self.problem(name, None, format_args!("it is not set: {advice}"));
        }
        value
    }

    fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let known = words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        self.one(name, |text| {
            let found = words.iter().find(|(word, _)| *word == text);
            found.map(|(_, value)| *value).ok_or_else(|| format!("{text:?} is none of {known}"))
        })
    }

    fn auth(&mut self) -> Option<AuthMode> {
        self.required("auth", "say in words who may deliver, for example --auth none for the emulator and local work")?;
        self.one("auth", |text| match text {
            "none" => Ok(AuthMode::None),
            "iam" | "oidc" => Err(format!("{text:?} is not in this version yet; only none is")),
            _ => Err(format!("{text:?} is none of none, iam, oidc")),
        })
    }

    /// `v2` may be listed already, so that one configuration serves this version and the next; it is said to add nothing.
    fn accept(&mut self, warnings: &mut Vec<String>) -> Option<Vec<Scheme>> {
        let schemes = self.each("accept", |text| match text {
            "v2" => Ok(None),
            _ => Scheme::from_str(text).map(Some),
        })?;
        if schemes.contains(&None) {
            warnings.push("accept: this version doesn't verify v2; what is signed with v2 alone is refused".into());
        }
        let schemes: Vec<_> = schemes.into_iter().flatten().collect();
        if schemes.is_empty() {
            self.problem(
                "accept",
                None,
                "it lists no scheme that this version verifies, so every delivery would be refused; list v1",
            );
            return None;
        }
        Some(schemes)
    }

    fn keys(&mut self) -> Option<Vec<Key>> {
        let mut keys = self.each("signing-keys", Key::from_str)?;
        if let Some(path) = self.optional("signing-keys-file") {
            let source = format!("file {path}");
            let text = match std::fs::read_to_string(&path) {
                Ok(text) => text,
                Err(error) => {
                    self.problem("signing-keys-file", Some(&source), format_args!("it can't be read: {error}"));
                    return None;
                }
            };
            for (index, line) in text.lines().enumerate() {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') {
                    continue;
                }
                match line.parse() {
                    Ok(key) => keys.push(key),
                    Err(error) => {
                        self.problem("signing-keys-file", Some(&format!("{source}, line {}", index + 1)), error);
                        return None;
                    }
                }
            }
        }
        if keys.is_empty() {
            self.problem("signing-keys", None, "there is none, so every delivery would be refused: give --signing-key ID=SECRET, TIDEMILL_SIGNING_KEYS or --signing-keys-file");
            return None;
        }
        let mut ids: Vec<_> = keys.iter().map(Key::id).collect();
        ids.sort_unstable();
        if let Some(twice) = ids.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            let problem = format!("the id {twice:?} is given twice; each key has an id of its own");
            self.problem("signing-keys", None, problem);
            return None;
        }
        Some(keys)
    }
}
