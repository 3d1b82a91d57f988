use tidemill_publisher::{EmulatorHost, Forwarder, TopicName};

use super::fit::fit;
use super::{DeadLetterError, DeadLetters, Letter, Storing, TIME_LIMIT};

/// Keeps dead letters in a topic of Pub/Sub.
#[derive(Debug)]
pub struct DeadLetterTopic {
    forwarder: Forwarder,
    name: String,
}

impl DeadLetterTopic {
    /// Opens the way to a topic. It connects with the first letter.
    ///
    /// # Errors
    /// Where there are no credentials to publish with.
    pub async fn open(topic: TopicName, emulator: Option<EmulatorHost>) -> Result<Self, DeadLetterError> {
        let name = format!("the topic {topic}");
        Ok(Self { forwarder: Forwarder::open(topic, emulator, TIME_LIMIT).await?, name })
    }
}

impl DeadLetters for DeadLetterTopic {
    fn store(&self, letter: Letter) -> Storing<'_> {
        Box::pin(async move {
            self.forwarder.forward(fit(letter.into_message())).await?;
            Ok(())
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}
