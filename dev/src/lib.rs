//! What `tidemill dev` puts in place of the cloud, so that the whole loop runs on one machine with nothing else installed.
//!
//! - [`broker`]: stands in for Pub/Sub. Publishers reach it with their ordinary clients; it pushes to the host, at least
//!   once, with backoff and a dead-letter folder, and keeps its events on disk.
//! - [`sink`]: stands in for the providers of mail and push notifications, and shows what the handlers sent.
//!
//! Both are made for development: there is no authentication, and they belong on the loopback address.

pub mod broker;
mod clock;
mod server;
pub mod sink;
