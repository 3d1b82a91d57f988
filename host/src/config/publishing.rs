//! Where the events go that handlers publish, and how long their chains may be.

use tidemill_events::{Scheme, Schemes};
use tidemill_publisher::{EmulatorHost, EventsUrl, TopicName};

use super::reader::Reader;
use super::{DeadLetterConfig, VerifyConfig, bounds};

/// Where the events go that handlers publish, and how long their chains may be.
#[derive(Debug, Clone)]
pub struct PublishingConfig {
    /// Where to.
    pub target: PublishTarget,
    /// The emulator that a topic is at, where it is at one.
    pub emulator: Option<EmulatorHost>,
    /// How they are signed: by v2, unless the host itself accepts v1 alone.
    pub schemes: Schemes,
    /// How many handlers, one after the other, may have led to an event that is handled.
    pub max_chain: u32,
    /// How many events may come of one from outside, all together.
    pub max_descendants: u32,
}

/// Where the events go that handlers publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishTarget {
    /// Nowhere: a handler that asks to publish is not loaded.
    None,
    /// To a topic of Pub/Sub.
    Topic(TopicName),
    /// Straight to a host, for local work.
    Host(EventsUrl),
}

impl PublishingConfig {
    /// Where they go, in a sentence for the log; nothing to say where they go nowhere.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        match (&self.target, &self.emulator) {
            (PublishTarget::None, _) => None,
            (PublishTarget::Topic(topic), None) => Some(format!("what handlers publish goes to the topic {topic}")),
            (PublishTarget::Topic(topic), Some(emulator)) => {
                Some(format!("what handlers publish goes to the topic {topic} at the emulator {emulator}"))
            }
            (PublishTarget::Host(url), _) => Some(format!(
                "what handlers publish goes straight to {url}, and whoever publishes waits until it is handled there: that \
                 is for local work"
            )),
        }
    }
}

impl Reader<'_> {
    /// Whether what handlers publish goes anywhere.
    pub(super) fn sends(&mut self) -> Option<bool> {
        self.one("publish-to", target).map(|target| target != PublishTarget::None)
    }

    /// Reads it; what else matters to it was read before.
    pub(super) fn publishing(
        &mut self,
        verify: Option<&VerifyConfig>,
        dead_letter: Option<&DeadLetterConfig>,
    ) -> Option<PublishingConfig> {
        let target = self.one("publish-to", target);
        let max_chain = self.one("max-chain", bounds::chain);
        let max_descendants = self.one("max-descendants", bounds::descendants);
        let accepted = &verify?.accept;
        Some(PublishingConfig {
            target: target?,
            emulator: dead_letter?.emulator.clone(),
            // A handler chooses the data, and v1 signs nothing else: beside it, v1 would sign for any type.
            schemes: Schemes::Only(if accepted.contains(&Scheme::V2) { Scheme::V2 } else { Scheme::V1 }),
            max_chain: max_chain?,
            max_descendants: max_descendants?,
        })
    }
}

fn target(text: &str) -> Result<PublishTarget, String> {
    match text {
        "none" => Ok(PublishTarget::None),
        topic if topic.starts_with("projects/") => {
            topic.parse().map(PublishTarget::Topic).map_err(|error| error.to_string())
        }
        url if url.contains("://") => url.parse().map(PublishTarget::Host).map_err(|error| error.to_string()),
        other => Err(format!(
            "{other:?} is neither none nor a topic, projects/PROJECT/topics/TOPIC, nor a host, http://HOST:PORT/events"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_nowhere_a_topic_or_a_host() {
        assert_eq!(target("none"), Ok(PublishTarget::None));
        let topic = "projects/p/topics/events";
        assert_eq!(target(topic), Ok(PublishTarget::Topic(topic.parse().unwrap())));
        let url = "http://127.0.0.1:8080/events";
        assert_eq!(target(url), Ok(PublishTarget::Host(url.parse().unwrap())));
        for text in ["", "events", "nowhere", "projects/p/topics/", "https://host/events", "projects/p", "127.0.0.1:80"]
        {
            let error = target(text).unwrap_err();
            assert!(error.contains(&format!("{text:?}")), "{text}: {error}");
        }
    }

    #[test]
    fn where_it_goes_is_said() {
        let words = |text: &str, emulator: Option<&str>| {
            let emulator = emulator.map(|text| text.parse().unwrap());
            let schemes = Schemes::Only(Scheme::V2);
            PublishingConfig { target: target(text).unwrap(), emulator, schemes, max_chain: 16, max_descendants: 100 }
                .in_words()
        };
        assert_eq!(words("none", Some("127.0.0.1:8085")), None);
        assert!(!words("projects/p/topics/events", None).unwrap().contains("emulator"));
        assert!(words("projects/p/topics/events", Some("127.0.0.1:8085")).unwrap().contains("127.0.0.1:8085"));
        assert!(words("http://127.0.0.1:9", None).unwrap().contains("http://127.0.0.1:9/events"));
    }
}
