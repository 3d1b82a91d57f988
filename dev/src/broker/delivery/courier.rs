//! One delivery, from a due message to what the store keeps of it.

use std::time::Duration;

use tidemill_events::{Delivery, Envelope};

use super::STORE_PAUSE;
use super::backoff::Backoff;
use super::dead_letter::DeadLetters;
use super::push::{Nack, Pusher, Verdict};
use crate::broker::store::{Due, Settlement, Store};
use crate::broker::{BrokerConfig, BrokerError, event_type};
use crate::clock;

/// Delivers messages by the rules of one subscription.
#[derive(Debug)]
pub(in crate::broker) struct Courier {
    pusher: Pusher,
    dead_letters: DeadLetters,
    subscription: String,
    backoff: Backoff,
    max_attempts: u32,
    max_outstanding: usize,
}

impl Courier {
    /// Checks what the deliveries need, and makes the dead-letter folder.
    pub(in crate::broker) fn new(config: &BrokerConfig) -> Result<Self, BrokerError> {
        let subscription = config.parse_subscription()?;
        Ok(Self {
            pusher: Pusher::new(config.parse_push_url()?, config.ack_deadline),
            subscription: subscription.full.clone(),
            dead_letters: DeadLetters::open(config.dead_letter.clone(), subscription)?,
            backoff: Backoff { min: config.min_backoff, max: config.max_backoff },
            max_attempts: config.max_attempts,
            max_outstanding: config.max_outstanding,
        })
    }

    /// How many deliveries may be under way at a time.
    pub(super) fn max_outstanding(&self) -> usize {
        self.max_outstanding
    }

    /// Pushes a leased message and ends its lease. Says whether it stays in the store, to be delivered again.
    pub(super) async fn deliver(&self, store: &Store, due: Due) -> bool {
        let Due { id, published, nacks, message } = due;
        let attempt = nacks.saturating_add(1);
        let delivery = Delivery {
            message_id: id.to_string(),
            subscription: self.subscription.clone(),
            attempt: Some(attempt),
            publish_time: Some(published),
            ..Delivery::default()
        };
        let envelope = Envelope { message, delivery };
        let settlement = match self.pusher.push(&envelope).await {
            Verdict::Ack(status) => {
                let (message_id, event_type) = (&envelope.delivery.message_id, event_type(&envelope.message));
                tracing::debug!(message_id, event_type, attempt, status, "acknowledged");
                Settlement::Remove
            }
            Verdict::Nack(nack) => self.refused(envelope, attempt, &nack).await,
        };
        if let Err(error) = store.settle(id, settlement, clock::now()).await {
            tracing::error!(message_id = %id, attempt, %error, "a delivery could not be written down; it is made again");
            // The message is due as before: without a pause it would go round and round.
            tokio::time::sleep(STORE_PAUSE).await;
            return true;
        }
        matches!(settlement, Settlement::Nack(_))
    }

    /// Decides between another delivery and the dead-letter folder, where a message has to arrive before it leaves
    /// the store.
    async fn refused(&self, envelope: Envelope, attempt: u32, nack: &Nack) -> Settlement {
        let Nack { status, reason } = nack;
        let message_id = envelope.delivery.message_id.clone();
        let event_type = event_type(&envelope.message).to_owned();
        if attempt < self.max_attempts {
            let wait = self.backoff.after(attempt);
            let retry_in = tracing::field::debug(wait);
            tracing::warn!(message_id, event_type, attempt, status, reason, retry_in, "not acknowledged");
            return again_in(wait);
        }
        match self.dead_letters.write(envelope, nack.clone()).await {
            Ok(file) => {
                let file = tracing::field::display(file.display());
                tracing::error!(message_id, event_type, attempt, status, reason, file, "given up: now a dead letter");
                Settlement::Remove
            }
            Err(error) => {
                tracing::error!(message_id, event_type, attempt, status, reason, %error, "no dead letter could be written");
                again_in(self.backoff.max)
            }
        }
    }
}

fn again_in(wait: Duration) -> Settlement {
    Settlement::Nack(clock::now() + wait)
}
