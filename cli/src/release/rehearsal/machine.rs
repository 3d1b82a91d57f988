use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use tidemill_events::Received;
use tidemill_host::runtime::Machine;

/// How far both clocks move at once. A run that is shorter than this sees them stand still, so that a time in what two
/// runs send is the same in both; one that waits for a time to pass gets there, a little later.
const STEP: Duration = Duration::from_millis(100);

/// The machine that an event is rehearsed on: the same for all that handle the same event, and not this machine. The time
/// of day is when the event was published, and the random numbers are made of its ids.
pub(super) struct Replayed {
    published: SystemTime,
    start: Instant,
    seed: Sha256,
    blocks: AtomicU64,
}

impl Replayed {
    /// A machine for one run.
    pub(super) fn of(received: &Received) -> Self {
        let Received { event, delivery, .. } = received;
        let seed = [&event.id, &delivery.message_id].into_iter().fold(Sha256::new(), |seed, id| {
            // Each with its length before it, which keeps them apart.
            seed.chain_update((id.len() as u64).to_le_bytes()).chain_update(id)
        });
        let published = delivery.publish_time.unwrap_or(event.time);
        Self { published, start: Instant::now(), seed, blocks: AtomicU64::new(0) }
    }
}

impl Machine for Replayed {
    fn wall_clock(&self) -> SystemTime {
        self.published + self.monotonic_clock()
    }

    fn monotonic_clock(&self) -> Duration {
        let steps = self.start.elapsed().as_millis() / STEP.as_millis();
        STEP.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
    }

    fn random(&self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let number = self.blocks.fetch_add(1, Ordering::Relaxed);
            let hash = self.seed.clone().chain_update(number.to_le_bytes()).finalize();
            block.iter_mut().zip(hash).for_each(|(byte, hashed)| *byte = hashed);
        }
    }
}

#[cfg(test)]
mod tests {
    use tidemill_events::Delivery;
    use tidemill_publisher::new_event;

    use super::*;

    #[test]
    fn an_event_is_met_by_the_same_machine_each_time_and_another_by_another() {
        let received = |message_id: &str| {
            let delivery = Delivery { message_id: message_id.to_owned(), ..Delivery::default() };
            Received::unverified(tidemill_events::Event { id: "7".into(), ..event() }, delivery)
        };
        let drawn = |received: &Received| {
            let (machine, mut bytes) = (Replayed::of(received), [0; 40]);
            machine.random(&mut bytes);
            bytes
        };
        let [first, second] = ["1", "2"].map(received);
        assert_eq!(drawn(&first), drawn(&first));
        assert_ne!(drawn(&first), drawn(&second));
        assert_ne!(drawn(&first)[..8], drawn(&first)[32..], "blocks repeat");
        let published = SystemTime::UNIX_EPOCH + Duration::from_secs(5);
        let delivery = Delivery { publish_time: Some(published), ..Delivery::default() };
        assert!(Replayed::of(&Received::unverified(event(), delivery)).wall_clock() >= published);
    }

    fn event() -> tidemill_events::Event {
        new_event("a", &serde_json::json!({}))
    }
}
