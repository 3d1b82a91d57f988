use wasmtime::component::ResourceTableError;

use super::bindings::store::Error;
use super::keeping::{MAX_OPERATIONS, MAX_SWAPS};
use crate::key_value::{KeyValueError, StoreName};

/// Why a guest doesn't get what it asked for, in words for the operator and for who wrote the handler.
#[derive(Debug, thiserror::Error)]
pub(in crate::runtime) enum Refusal {
    #[error("the handler's handler.toml doesn't list the store \"{0}\" under [permissions] key-value")]
    NotListed(StoreName),
    #[error("the handler asked for a store by what is no name of one")]
    NoName,
    #[error("an event may ask its stores {MAX_OPERATIONS} times, and this is once more")]
    TooMany,
    #[error("an event may have {MAX_SWAPS} handles of compare-and-swap at once, and this is one more")]
    TooManySwaps,
    #[error("a handler keeps nothing while it is being loaded")]
    Loading,
    #[error(transparent)]
    Store(#[from] KeyValueError),
}

impl Refusal {
    /// Whether the operator should hear of it: what a handler's own values are is the handler's business.
    pub(super) fn is_the_operators(&self) -> bool {
        !matches!(self, Self::Store(KeyValueError::NoNumber | KeyValueError::Overflow))
    }
}

impl Refusal {
    /// Whether the guest may not have what it asked for, rather than that it can't be had now, or isn't there.
    pub(super) fn is_one(&self) -> bool {
        match self {
            Self::Store(error) => {
                matches!(error, KeyValueError::Key(_) | KeyValueError::Value(_) | KeyValueError::Full { .. })
            }
            Self::NotListed(_) | Self::NoName | Self::TooMany | Self::TooManySwaps | Self::Loading => true,
        }
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NotListed(_) => Self::AccessDenied,
            Refusal::NoName => Self::NoSuchStore,
            // Where the store is and what it said is for the operator alone.
            Refusal::Store(error) if error.is_the_stores() => {
                Self::Other("the host's key-value store can't be asked now".to_owned())
            }
            Refusal::TooMany | Refusal::TooManySwaps | Refusal::Loading | Refusal::Store(_) => {
                Self::Other(refusal.to_string())
            }
        }
    }
}

/// Why a call doesn't give what it was made for.
#[derive(Debug)]
pub(in crate::runtime) enum Failed {
    /// The guest is told.
    Refused(Refusal),
    /// The guest ends: it used a handle that it doesn't have.
    Trap(wasmtime::Error),
}

impl<E: Into<Refusal>> From<E> for Failed {
    fn from(refusal: E) -> Self {
        Self::Refused(refusal.into())
    }
}

impl From<ResourceTableError> for Failed {
    fn from(error: ResourceTableError) -> Self {
        Self::Trap(error.into())
    }
}
