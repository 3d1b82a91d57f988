//! The way from the component's export to the author's function and back. The attribute `handler` writes the call.

use crate::bindings::tidemill::handler::events as wit;
use crate::{Event, Failure, FromData};

/// Runs a function on one event.
///
/// # Errors
/// What the function answers, or a rejection where the data is no `T`.
pub fn handle<T: FromData>(
    event: wit::Event,
    handler: impl FnOnce(Event<T>) -> Result<(), Failure>,
) -> Result<(), wit::Failure> {
    Event::from(event).parse().and_then(handler).map_err(wit::Failure::from)
}

/// Runs an async function on one event, to its end.
///
/// # Errors
/// What the function answers, or a rejection where the data is no `T`.
pub fn handle_async<T: FromData, F: Future<Output = Result<(), Failure>>>(
    event: wit::Event,
    handler: impl FnOnce(Event<T>) -> F,
) -> Result<(), wit::Failure> {
    handle(event, |event| block_on(handler(event)))
}

#[cfg(feature = "http")]
use wstd::runtime::block_on;

#[cfg(not(feature = "http"))]
use crate::block_on::block_on;
