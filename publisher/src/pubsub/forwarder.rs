use std::time::Duration;

use tidemill_events::Message;

use super::channel::Channel;
use super::{EmulatorHost, PubSubError, TopicName};
use crate::{MessageId, PublishError, limits};

/// Sends messages on as they came: with the signature of whoever published them, or without where there was none.
///
/// For dead letters alone, which have to keep what was wrong with them. What an application has to say is an event, and
/// goes through a [`Publisher`](crate::Publisher), which signs it.
#[derive(Debug)]
pub struct Forwarder {
    channel: Channel,
}

impl Forwarder {
    /// Opens the way to `topic`: at this emulator, without credentials, or with `None` at Google Cloud, with the
    /// application's default credentials. It connects with the first message, and gives each `time_limit`. Call it
    /// within a tokio runtime.
    ///
    /// # Errors
    /// Where the credentials can't be read.
    pub async fn open(
        topic: TopicName,
        emulator: Option<EmulatorHost>,
        time_limit: Duration,
    ) -> Result<Self, PubSubError> {
        Ok(Self { channel: Channel::open(topic, emulator.as_ref(), time_limit).await? })
    }

    /// Sends a message on, and gives its new id once the topic has it.
    ///
    /// # Errors
    /// See [`PublishError`]; a message past a limit of Pub/Sub's is [`PublishError::Unforwardable`].
    pub async fn forward(&self, message: Message) -> Result<MessageId, PublishError> {
        limits::check(&message).map_err(PublishError::Unforwardable)?;
        self.channel.send(message).await
    }
}
