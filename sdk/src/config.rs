//! The handler's configuration: the keys under `[config]` in its `handler.toml`, with what the operator set for them.

use crate::Failure;
use crate::bindings::wasi::config::store;

/// The value of a key.
///
/// # Errors
/// A retry where the key has no value: the operator can give it one, and then the event can be handled.
pub fn get(key: &str) -> Result<String, Failure> {
    find(key)?.ok_or_else(|| {
        Failure::retry(format!(
            "the handler's configuration has no `{key}`: list it under [config] in handler.toml, and give it a value \
             there or in the host's configuration"
        ))
    })
}

/// The value of a key, or `None` where it has none.
///
/// # Errors
/// A retry where the host couldn't look it up.
pub fn find(key: &str) -> Result<Option<String>, Failure> {
    store::get(key).map_err(|error| {
        let (store::Error::Upstream(cause) | store::Error::Io(cause)) = error;
        Failure::retry(format!("the handler's configuration `{key}` can't be looked up: {cause}"))
    })
}
