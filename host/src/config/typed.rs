use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tidemill_events::{Exemption, Key, KeyRing, Scheme};
use tidemill_publisher::EmulatorHost;
use zeroize::Zeroizing;

use super::settings::SETTINGS;
use super::sources::Given;
use super::{
    DeadLetterConfig, DeadLetterTarget, DedupConfig, DedupStoreConfig, HandlerValues, InFlight, KeysConfig, Problem,
    Problems, RedisUrlError, Setting, Sources, Unavailable, UnknownEventType, VerifyConfig, bounds, parse_duration,
};

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
    /// What counts as genuine.
    pub verify: VerifyConfig,
    /// The keys that signatures are checked with.
    pub keys: KeysConfig,
    /// Where events go that no handler can finish, and when.
    pub dead_letter: DeadLetterConfig,
    /// What is remembered of events that were handled.
    pub dedup: DedupConfig,
    /// Longest request body, in bytes.
    pub max_body: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub body_timeout: Duration,
    /// Connections open at once.
    pub max_connections: usize,
    /// How much may be in flight.
    pub in_flight: InFlight,
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

/// What accepting v1 leaves open.
const V1_WARNING: &str = "accept: v1 is accepted, and vouches for the data alone: whoever can read one signed message can \
                          publish its data again, at any time, as an event of any other type, and a repeated event is \
                          known by its message id alone; let publishers sign v2 too, then accept v2 alone";

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
        let verify = reader.verify(&mut warnings);
        let keys = reader.keys();
        let dead_letter = reader.dead_letter();
        let dedup = reader.dedup();
        let max_body = reader.one("max-body", bounds::body);
        let body_timeout = reader.one("body-timeout", bounds::some_time);
        let max_connections = reader.one("max-connections", bounds::connections);
        let in_flight = reader.in_flight(max_body);
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
                verify: verify?,
                keys: keys?,
                dead_letter: dead_letter?,
                dedup: dedup?,
                max_body: max_body?,
                body_timeout: body_timeout?,
                max_connections: max_connections?,
                in_flight: in_flight?,
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

    /// A setting that need not be set: `None` where it is set to what it can't be, `Some(None)` where it is not set.
    fn maybe<T, E: Display>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<Option<T>> {
        Some(self.each(name, parse)?.pop())
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

    fn verify(&mut self, warnings: &mut Vec<String>) -> Option<VerifyConfig> {
        let accept = self.each("accept", Scheme::from_str);
        if accept.as_ref().is_some_and(|schemes| schemes.contains(&Scheme::V1)) {
            warnings.push(V1_WARNING.into());
        }
        if accept.as_ref().is_some_and(Vec::is_empty) {
            self.problem("accept", None, "it lists no scheme, so every delivery would be refused; list v2");
        }
        let max_event_age = self.one("max-event-age", bounds::age);
        let unsigned_sources = self.each("unsigned-sources", Exemption::from_str);
        Some(VerifyConfig {
            accept: accept.filter(|schemes| !schemes.is_empty())?,
            max_event_age: max_event_age?,
            unsigned_sources: unsigned_sources?,
        })
    }

    fn dead_letter(&mut self) -> Option<DeadLetterConfig> {
        let target = self.maybe("dead-letter", DeadLetterTarget::from_str);
        let emulator = self.maybe("pubsub-emulator", EmulatorHost::from_str);
        let max_attempts = self.one("max-attempts", bounds::attempts);
        let words = [
            ("dead-letter", UnknownEventType::DeadLetter),
            ("nack", UnknownEventType::Nack),
            ("ack", UnknownEventType::Ack),
        ];
        let unknown_event_type = self.word("unknown-event-type", &words);
        Some(DeadLetterConfig {
            target: target?,
            emulator: emulator?,
            max_attempts: max_attempts?,
            unknown_event_type: unknown_event_type?,
        })
    }

    fn in_flight(&mut self, max_body: Option<usize>) -> Option<InFlight> {
        let events = self.one("max-in-flight", bounds::in_flight);
        let per_handler = self.maybe("max-in-flight-per-handler", bounds::in_flight);
        let body_bytes = self.one("max-body-in-flight", bounds::bodies);
        if let (Some(bytes), Some(body)) = (body_bytes, max_body)
            && bytes < body
        {
            let problem = format!("{bytes} bytes are less than one body may have ({body}, `max-body`)");
            self.problem("max-body-in-flight", None, problem);
            return None;
        }
        let events = events?;
        let per_handler = per_handler?.unwrap_or(events.div_ceil(2)).min(events);
        Some(InFlight { events, per_handler, body_bytes: body_bytes? })
    }

    fn keys(&mut self) -> Option<KeysConfig> {
        let fixed = self.each("signing-keys", Key::from_str);
        let reload = self.one("signing-keys-reload", bounds::some_time);
        let file = self.optional("signing-keys-file").map(PathBuf::from);
        let read = match &file {
            Some(path) => self.key_file(path)?,
            None => Vec::new(),
        };
        let fixed = fixed?;
        let ring = match KeyRing::new(fixed.iter().cloned().chain(read).collect()) {
            Ok(ring) => ring,
            Err(error) => {
                self.problem("signing-keys", None, error);
                return None;
            }
        };
        if ring.keys().is_empty() {
            self.problem("signing-keys", None, "there is none, so every delivery would be refused: give --signing-key ID=SECRET, TIDEMILL_SIGNING_KEYS or --signing-keys-file");
            return None;
        }
        Some(KeysConfig { ring, fixed, file, reload: reload? })
    }

    fn dedup(&mut self) -> Option<DedupConfig> {
        let capacity = self.one("dedup-capacity", bounds::dedup_capacity);
        let store = self.one("dedup", |text| {
            Ok::<_, RedisUrlError>(match text {
                "none" => DedupStoreConfig::None,
                "memory" => DedupStoreConfig::Memory { capacity: capacity.unwrap_or_default() },
                url => DedupStoreConfig::Redis { url: url.parse()? },
            })
        });
        let remember = self.one("dedup-remember", bounds::dedup_remember);
        let unavailable = self.word("dedup-unavailable", &[("nack", Unavailable::Nack), ("run", Unavailable::Run)]);
        capacity?;
        Some(DedupConfig { store: store?, remember: remember?, unavailable: unavailable? })
    }

    fn key_file(&mut self, path: &Path) -> Option<Vec<Key>> {
        let source = format!("file {}", path.display());
        let read = match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => KeyRing::parse_lines(&text).map_err(|error| error.to_string()),
            Err(error) => Err(format!("it can't be read: {error}")),
        };
        read.map_err(|problem| self.problem("signing-keys-file", Some(&source), problem)).ok()
    }
}
