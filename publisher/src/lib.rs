//! Signs events and sends them.
//!
//! [`Publisher`] is the seam; [`PubSub`] sends through Google Cloud Pub/Sub or its emulator, [`Direct`] posts straight to
//! a host for local work. Both are made with what signs, a [`Signer`](tidemill_events::Signer) as a rule, and take nothing but
//! an [`Event`](tidemill_events::Event), so no event leaves unsigned.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tidemill_publisher::{EmulatorHost, PubSub, Publisher, new_event};
//!
//! let signer = tidemill_events::Signer::new("k1=s3cret".parse()?);
//! let publisher = PubSub::builder("projects/shop/topics/events".parse()?, signer)
//!     .emulator(EmulatorHost::from_env()?)
//!     .build()
//!     .await?;
//! let event = new_event("user.registered", &serde_json::json!({ "id": "7", "email": "a@example.com", "name": "Ada" }));
//! println!("published as {}", publisher.publish(&event).await?);
//! # Ok(()) }
//! ```
//!
//! # Features
//! `pubsub` (on by default) brings [`PubSub`]. Without it Google's client is not compiled.

mod direct;
mod error;
mod limits;
mod new_event;
mod publisher;
#[cfg(feature = "pubsub")]
mod pubsub;
mod signing;

pub use direct::{Direct, EventsUrl, EventsUrlError};
pub use error::PublishError;
pub use limits::Unpublishable;
pub use new_event::new_event;
pub use publisher::{DEFAULT_TIME_LIMIT, MessageId, Publisher, Publishing};
#[cfg(feature = "pubsub")]
pub use pubsub::{
    EmulatorHost, EmulatorHostError, Forwarder, PubSub, PubSubBuilder, PubSubError, TopicName, TopicNameError,
};
pub use signing::Signing;
