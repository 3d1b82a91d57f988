use std::time::Duration;

use tidemill_publisher::{EmulatorHost, Forwarder, TopicName};

use super::{DeadLetterError, DeadLetters, Letter, Storing};

/// How long a letter may take to be stored. The delivery waits for it, within the subscription's ack deadline, which is
/// 10 s by default.
const TIME_LIMIT: Duration = Duration::from_secs(5);

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
            self.forwarder.forward(letter.into_message()).await?;
            Ok(())
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}
