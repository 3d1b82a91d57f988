//! The folder of dead letters: what was nacked too often, one JSON file each.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidemill_events::{Envelope, format_rfc3339};

use super::push::Nack;
use crate::broker::config::Subscription;

/// What Pub/Sub writes in front of the attributes that it adds to a dead letter.
const PREFIX: &str = "CloudPubSubDeadLetterSource";

/// Why a dead letter could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the dead-letter folder: {path} can't be written: {source}")]
pub struct DeadLetterError {
    path: PathBuf,
    source: io::Error,
}

/// Writes dead letters of one subscription.
///
/// A file is named by its message id and holds the envelope as it was last pushed, with the attributes that Pub/Sub adds
/// to a dead letter, and a field `deadLetter` that says with what `status` (null without an answer) and for what
/// `reason` the last delivery failed. It still reads as an envelope, so it can be sent again as it is.
#[derive(Debug)]
pub(super) struct DeadLetters {
    folder: PathBuf,
    subscription: Subscription,
}

impl DeadLetters {
    /// Makes the folder where it is missing.
    pub(super) fn open(folder: PathBuf, subscription: Subscription) -> Result<Self, DeadLetterError> {
        match fs::create_dir_all(&folder) {
            Ok(()) => Ok(Self { folder, subscription }),
            Err(source) => Err(DeadLetterError { path: folder, source }),
        }
    }

    /// Writes a dead letter, and gives its file once that is whole, in place and synced to disk.
    pub(super) async fn write(&self, mut envelope: Envelope, nack: Nack) -> Result<PathBuf, DeadLetterError> {
        self.add_attributes(&mut envelope);
        let path = self.folder.join(format!("{}.json", envelope.delivery.message_id));
        let written = path.clone();
        tokio::task::spawn_blocking(move || write_whole(&path, &content(&envelope, &nack)?))
            .await
            .map_err(io::Error::other)
            .flatten()
            .map(|()| written.clone())
            .map_err(|source| DeadLetterError { path: written, source })
    }

    fn add_attributes(&self, envelope: &mut Envelope) {
        let mut add = |name: &str, value: String| envelope.message.attributes.insert(format!("{PREFIX}{name}"), value);
        add("DeliveryCount", envelope.delivery.attempt.unwrap_or_default().to_string());
        add("Subscription", self.subscription.name.clone());
        add("SubscriptionProject", self.subscription.project.clone());
        if let Some(time) = envelope.delivery.publish_time {
            // Pub/Sub writes this one time with an offset.
            add("TopicPublishTime", format_rfc3339(time).replace('Z', "+00:00"));
        }
    }
}

fn content(envelope: &Envelope, nack: &Nack) -> io::Result<Vec<u8>> {
    let mut letter: Value = serde_json::from_slice(&envelope.encode())?;
    if let Some(fields) = letter.as_object_mut() {
        fields.insert("deadLetter".into(), json!({ "status": nack.status, "reason": nack.reason }));
    }
    let mut text = serde_json::to_vec_pretty(&letter)?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a file so that it is there whole or not at all, whatever happens meanwhile.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension("json.part");
    let mut file = File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The rename is part of the folder, which has to reach the disk as well.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
