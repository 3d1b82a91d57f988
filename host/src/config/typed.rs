use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::reader::Reader;
use super::{
    AuthMode, DeadLetterConfig, DedupConfig, Grants, HandlerSource, HandlerValues, InFlight, KeyValueConfig,
    KeysConfig, Problems, PublishingConfig, Sources, VerifyConfig, bounds, parse_duration,
};
use crate::outgoing::OutgoingConfig;
use crate::trust::Trust;

/// The host's configuration, in types.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where handlers come from.
    pub handlers: HandlerSource,
    /// How often the folder is looked at.
    pub watch_interval: Duration,
    /// Whose signatures of artifacts count.
    pub trust: Trust,
    /// Where compiled code is kept for the next start, if anywhere.
    pub code_cache: Option<PathBuf>,
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
    /// What handlers may do.
    pub grants: Grants,
    /// What handlers' requests may reach.
    pub outgoing: OutgoingConfig,
    /// Where handlers keep what outlives an event.
    pub key_value: KeyValueConfig,
    /// Where to tell what is counted, if anywhere.
    pub metrics: Option<SocketAddr>,
    /// Where the events go that handlers publish.
    pub publishing: PublishingConfig,
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
        let mut reader = Reader::new(&sources);
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
        let handlers = reader.handler_source();
        let watch_interval = reader.one("watch-interval", bounds::some_time);
        let trust = reader.trust();
        let code_cache = reader.code_cache();
        let auth = reader.auth(&mut warnings);
        let verify = reader.verify(auth.as_ref(), &mut warnings);
        let keys = reader.keys();
        let dead_letter = reader.dead_letter();
        let dedup = reader.dedup();
        if let (Some(dedup), Some(verify)) = (&dedup, &verify) {
            warnings.extend(dedup.forgets_too_soon(verify.max_event_age));
        }
        let max_body = reader.one("max-body", bounds::body);
        let body_timeout = reader.one("body-timeout", bounds::some_time);
        let max_connections = reader.one("max-connections", bounds::connections);
        let in_flight = reader.in_flight(max_body);
        let quota = reader.quota();
        let grants = reader.grants();
        let outgoing = reader.outgoing();
        let key_value = reader.key_value();
        let metrics = reader.one("metrics", metrics);
        let handler_config_reload = reader.one("handler-config-reload", bounds::some_time);
        let publishing = reader.publishing(verify.as_ref(), dead_letter.as_ref());
        let grace = reader.one("grace", parse_duration);
        let format = reader
            .word("log-format", &[("auto", LogFormat::Auto), ("json", LogFormat::Json), ("text", LogFormat::Text)]);
        let level = reader.one("log-level", bounds::log_level);
        let project = reader.optional("project");
        let config = (|| {
            Some(Self {
                listen: SocketAddr::new(address?, port?),
                handlers: handlers?,
                watch_interval: watch_interval?,
                trust: trust?,
                code_cache,
                auth: auth?,
                verify: verify?,
                keys: keys?,
                dead_letter: dead_letter?,
                dedup: dedup?,
                max_body: max_body?,
                body_timeout: body_timeout?,
                max_connections: max_connections?,
                in_flight: in_flight?,
                quota: quota?,
                grants: grants?,
                outgoing: outgoing?,
                key_value: key_value?,
                metrics: metrics?,
                publishing: publishing?,
                grace: grace?,
                log: LogConfig { format: format?, level: level?, project },
                handler_values: sources.handler_values.clone().reloading(handler_config_reload?),
                warnings,
            })
        })();
        reader.finish(config)
    }
}

fn metrics(text: &str) -> Result<Option<SocketAddr>, String> {
    let wrong = |_| format!("{text:?} is neither none nor an address with a port, such as 127.0.0.1:9464");
    if text == "none" { Ok(None) } else { text.parse().map(Some).map_err(wrong) }
}
