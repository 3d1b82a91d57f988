//! Outgoing HTTP, to the origins that the handler's manifest lists under `[permissions] http`.
//!
//! ```no_run
//! # use std::time::Duration;
//! # use tidemill_sdk::{Event, Failure, config, http};
//! # #[derive(serde::Serialize)] struct Mail { to: String }
//! # async fn f(event: Event, mail: Mail) -> Result<(), Failure> {
//! http::post(&config::get("mail-url")?)
//!     .bearer(&config::get("mail-key")?)
//!     .idempotency_key(&event.id)
//!     .timeout(Duration::from_secs(3))
//!     .json(&mail)
//!     .send()
//!     .await?
//!     .ok()?;
//! # Ok(()) }
//! ```
//!
//! What goes wrong is a [`Failure`](crate::Failure) already, of the kind that fits: see [`Request::send`] for what keeps
//! an answer from coming and [`Response::ok`] for what an answer means. A reason names the origin alone, since a path or
//! a query may be a secret, and no value that was put into a header, even where the answer repeats it.

mod exchange;
mod redact;
mod request;
mod response;

pub use request::{DEFAULT_TIMEOUT, Request, get, post, request};
pub use response::{MAX_BODY, Response};
