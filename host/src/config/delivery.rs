//! How deliveries are judged and what becomes of them: types of the configuration.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tidemill_events::{Exemption, Key, KeyRing, Scheme};
use tidemill_publisher::{EmulatorHost, TopicName, TopicNameError};

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
