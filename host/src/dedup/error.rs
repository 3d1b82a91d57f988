use crate::redis_link::LinkError;

/// Why a store gave no answer. Neither says anything about the event.
#[derive(Debug, thiserror::Error)]
pub enum DedupError {
    /// It can't be reached, or doesn't answer in time.
    #[error("the deduplication store {store} can't be reached: {reason}")]
    Unavailable {
        /// Where it is, without user and password.
        store: String,
        /// What the system or the server said.
        reason: String,
    },
    /// It is there and does not do what it is asked: a wrong password, no memory left, a replica, a server that is no
    /// Redis.
    #[error("the deduplication store {store} is there and refuses: {reason}")]
    Refused {
        /// Where it is, without user and password.
        store: String,
        /// What the server said.
        reason: String,
    },
}

impl From<LinkError> for DedupError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Unavailable { server, reason } => Self::Unavailable { store: server, reason },
            LinkError::Refused { server, reason } => Self::Refused { store: server, reason },
        }
    }
}
