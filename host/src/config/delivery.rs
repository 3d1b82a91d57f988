//! How deliveries are judged and what becomes of them: types of the configuration.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use tidemill_events::{Exemption, Key, KeyRing, Scheme};
use tidemill_publisher::{EmulatorHost, TopicName, TopicNameError};
use zeroize::Zeroizing;

use super::reader::Reader;
use super::{AuthMode, bounds};

/// What accepting v1 leaves open.
const V1_WARNING: &str = "accept: v1 is accepted, and vouches for the data alone: whoever can read one signed message can \
                          publish its data again, at any time, as an event of any other type, and a repeated event is \
                          known by its message id alone; let publishers sign v2 too, then accept v2 alone";

/// The keys that signatures are checked with, and where they come from.
#[derive(Debug, Clone)]
pub struct KeysConfig {
    /// The keys to begin with, from wherever.
    pub ring: KeyRing,
    /// Those of flags, variables and the configuration's file, which stay.
    pub fixed: Vec<Key>,
    /// The file that the others come from, and which is followed.
    pub file: Option<PathBuf>,
    /// How often it is read.
    pub reload: Duration,
}

/// What counts as genuine.
#[derive(Debug, Clone)]
pub struct VerifyConfig {
    /// The signature schemes that count.
    pub accept: Vec<Scheme>,
    /// How old an event signed by v2 may be.
    pub max_event_age: Duration,
    /// The sources that are taken without a signature.
    pub unsigned_sources: Vec<Exemption>,
}

/// Where events go that no handler can finish, and when.
#[derive(Debug, Clone)]
pub struct DeadLetterConfig {
    /// Where to. `None`: nowhere, they stay with the broker.
    pub target: Option<DeadLetterTarget>,
    /// The emulator that a topic is at, where it is at one.
    pub emulator: Option<EmulatorHost>,
    /// After how many attempts an event that fails is given up. `None`: never.
    pub max_attempts: Option<u32>,
    /// What to do with events that no handler serves.
    pub unknown_event_type: UnknownEventType,
}

/// A place for dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeadLetterTarget {
    /// A topic of Pub/Sub.
    Topic(TopicName),
    /// A folder, for one machine.
    Folder(PathBuf),
}

/// What to do with an event that no handler serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownEventType {
    /// Store it with the dead letters; where there is no place for them, as `Nack`.
    DeadLetter,
    /// Refuse it: it comes again, and the subscription's own policy decides.
    Nack,
    /// Acknowledge it: it is dropped.
    Ack,
}

/// How much may be in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InFlight {
    /// Events handled at once.
    pub events: usize,
    /// Of these, those of any one handler.
    pub per_handler: usize,
    /// Bytes of bodies that are held at once.
    pub body_bytes: usize,
}

impl FromStr for DeadLetterTarget {
    type Err = TopicNameError;

    /// A topic's full name begins with `projects/`; anything else is a folder.
    fn from_str(text: &str) -> Result<Self, TopicNameError> {
        if text.starts_with("projects/") { text.parse().map(Self::Topic) } else { Ok(Self::Folder(text.into())) }
    }
}

impl Reader<'_> {
    pub(super) fn verify(&mut self, auth: Option<&AuthMode>, warnings: &mut Vec<String>) -> Option<VerifyConfig> {
        let accept = self.each("accept", Scheme::from_str);
        if accept.as_ref().is_some_and(|schemes| schemes.contains(&Scheme::V1)) {
            warnings.push(V1_WARNING.into());
        }
        if accept.as_ref().is_some_and(Vec::is_empty) {
            self.problem("accept", None, "it lists no scheme, so every delivery would be refused; list v2");
        }
        let max_event_age = self.one("max-event-age", bounds::age);
        let unsigned_sources = self.each("unsigned-sources", Exemption::from_str);
        if let (Some(AuthMode::None), Some(true)) = (auth, unsigned_sources.as_ref().map(|rules| !rules.is_empty())) {
            let problem = "with `auth` none nobody vouches for what such a source sends; set `auth` to iam or oidc";
            self.problem("unsigned-sources", None, problem);
        }
        Some(VerifyConfig {
            accept: accept.filter(|schemes| !schemes.is_empty())?,
            max_event_age: max_event_age?,
            unsigned_sources: unsigned_sources?,
        })
    }

    pub(super) fn dead_letter(&mut self) -> Option<DeadLetterConfig> {
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

    pub(super) fn in_flight(&mut self, max_body: Option<usize>) -> Option<InFlight> {
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

    pub(super) fn keys(&mut self) -> Option<KeysConfig> {
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

    fn key_file(&mut self, path: &Path) -> Option<Vec<Key>> {
        let source = format!("file {}", path.display());
        let read = match std::fs::read_to_string(path).map(Zeroizing::new) {
            Ok(text) => KeyRing::parse_lines(&text).map_err(|error| error.to_string()),
            Err(error) => Err(format!("it can't be read: {error}")),
        };
        read.map_err(|problem| self.problem("signing-keys-file", Some(&source), problem)).ok()
    }
}
