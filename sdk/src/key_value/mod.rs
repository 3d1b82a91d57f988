//! Values that outlive an event, in the stores that the handler's manifest lists under `[permissions] key-value`.
//!
//! ```no_run
//! # use tidemill_sdk::{Event, Failure, key_value::Store};
//! # fn f(event: Event) -> Result<(), Failure> {
//! let store = Store::open("default")?;
//! let seen = store.increment("registered", 1)?;
//! store.set("last", event.id.as_bytes())?;
//! println!("{seen} registered so far");
//! # Ok(()) }
//! ```
//!
//! A handler sees its own keys alone, and so do all instances of all its versions. A key has 1 to 256 bytes, a value at
//! most 1 MiB; what a handler keeps together is bounded by the host, and so is how often an event may ask.
//!
//! What was changed stays changed, also where the event then fails and comes again: an increment counts each attempt.

mod bindings;

use std::fmt;

use bindings::wasi::keyvalue::{atomics, store};

/// One of the handler's stores, open.
#[derive(Debug)]
pub struct Store(store::Bucket);

/// Why a store didn't do what it was asked. `?` makes a retry of it, since most of it passes or is the operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There can be no store of that name.
    NoSuchStore,
    /// The handler's manifest doesn't list the store.
    AccessDenied,
    /// Anything else, in the host's words: a quota, a bound, a store that can't be reached.
    Other(String),
}

impl Store {
    /// Opens a store by the name that the manifest lists.
    ///
    /// # Errors
    /// Where the manifest doesn't list it.
    pub fn open(name: &str) -> Result<Self, Error> {
        Ok(Self(store::open(name)?))
    }

    /// The value of a key, or `None` where there is no such key.
    ///
    /// # Errors
    /// Where the host refuses, or can't reach its store.
    pub fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key)?)
    }

    /// Puts a value in the place of any other.
    ///
    /// # Errors
    /// As [`Self::get`], and where the handler would keep more than it may.
    pub fn set(&self, key: &str, value: impl AsRef<[u8]>) -> Result<(), Error> {
        Ok(self.0.set(key, value.as_ref())?)
    }

    /// Takes a key away, if there is such a key.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(&self, key: &str) -> Result<(), Error> {
        Ok(self.0.delete(key)?)
    }

    /// Whether there is such a key.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.0.exists(key)?)
    }

    /// All keys, in the order of their bytes. The host is asked once for each thousand.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.0.list_keys(cursor.as_deref())?;
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
    }

    /// Adds to a number, and gives the sum. No other event comes between. The value is in decimal digits; where there is
    /// no such key, it is 0.
    ///
    /// # Errors
    /// As [`Self::set`], and where the value is no number or the sum doesn't fit.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64, Error> {
        Ok(atomics::increment(&self.0, key, delta)?)
    }

    /// Puts a value in the place of what is there, of which `next` makes it: `None` is no key. Where another event comes
    /// between, `next` is asked again, with what is there then, until none does.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub fn update(&self, key: &str, mut next: impl FnMut(Option<Vec<u8>>) -> Vec<u8>) -> Result<(), Error> {
        let mut seen = atomics::Cas::new(&self.0, key)?;
        loop {
            let value = next(seen.current()?);
            match atomics::swap(seen, &value) {
                Ok(()) => return Ok(()),
                Err(atomics::CasError::CasFailed(now)) => seen = now,
                Err(atomics::CasError::StoreError(error)) => return Err(error.into()),
            }
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NoSuchStore => Self::NoSuchStore,
            store::Error::AccessDenied => Self::AccessDenied,
            store::Error::Other(reason) => Self::Other(reason),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("key-value: ")?;
        match self {
            Self::NoSuchStore => f.write_str("there can be no store of that name"),
            Self::AccessDenied => {
                f.write_str("the handler's handler.toml doesn't list this store under [permissions] key-value")
            }
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Error {}
