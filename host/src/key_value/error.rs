use super::name::{LONGEST_KEY, LONGEST_VALUE};
use crate::redis_link::LinkError;

/// Why a store didn't do what it was asked. None of them holds a key or a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyValueError {
    /// It can't be reached, doesn't answer in time, or can't be read or written.
    #[error("the key-value store {store} can't be reached: {reason}")]
    Unavailable {
        /// Where it is, without user and password.
        store: String,
        /// What the system or the server said.
        reason: String,
    },
    /// It is there and does not do what it is asked: a wrong password, no memory left, a server that is no Redis.
    #[error("the key-value store {store} is there and refuses: {reason}")]
    Refused {
        /// Where it is, without user and password.
        store: String,
        /// What the server said.
        reason: String,
    },
    /// A key is too short or too long.
    #[error("a key has 1 to {LONGEST_KEY} bytes, and this one has {0}")]
    Key(usize),
    /// A value is too long.
    #[error("a value has at most {LONGEST_VALUE} bytes, and this one has {0}")]
    Value(usize),
    /// The handler keeps as much as it may.
    #[error(
        "a handler may keep {quota} bytes, and this would make it {would}: delete keys, or let it have more with the \
         setting `key-value-quota`"
    )]
    Full {
        /// What it may keep.
        quota: u64,
        /// What it would keep.
        would: u64,
    },
    /// What is to be added to is no number.
    #[error("what is to be incremented is no whole number in decimal digits of at most 64 bits")]
    NoNumber,
    /// The sum has no place in 64 bits.
    #[error("the sum doesn't fit into 64 bits")]
    Overflow,
}

impl KeyValueError {
    /// Whether it is the store that failed, and not what was asked of it.
    #[must_use]
    pub fn is_the_stores(&self) -> bool {
        match self {
            Self::Unavailable { .. } | Self::Refused { .. } => true,
            Self::Key(_) | Self::Value(_) | Self::Full { .. } | Self::NoNumber | Self::Overflow => false,
        }
    }
}

impl From<LinkError> for KeyValueError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unavailable { server, reason } => Self::Unavailable { store: server, reason },
            LinkError::Refused { server, reason } => Self::Refused { store: server, reason },
        }
    }
}
