use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidemill_events::Envelope;

use super::{DeadLetterError, DeadLetters, Letter, Storing, TIME_LIMIT};

/// Keeps dead letters in a folder, one JSON file each: for one machine, where there is no topic.
///
/// A file holds the message in the form of a push request, so it can be sent again as it is, and a field `deadLetter`
/// that says why it is there. The same event, given up twice, is one file.
#[derive(Debug)]
pub struct DeadLetterFolder {
    folder: PathBuf,
    name: String,
}

impl DeadLetterFolder {
    /// Makes the folder where it is missing.
    ///
    /// # Errors
    /// Where it can't be made, or nothing can be written in it.
    pub fn open(folder: PathBuf) -> Result<Self, DeadLetterError> {
        let name = format!("the folder {}", folder.display());
        let probe = folder.join(".probe");
        let writable =
            fs::create_dir_all(&folder).and_then(|()| fs::write(&probe, "")).and_then(|()| fs::remove_file(&probe));
        match writable {
            Ok(()) => Ok(Self { folder, name }),
            Err(source) => Err(DeadLetterError::Folder { path: folder.display().to_string(), source }),
        }
    }
}

impl DeadLetters for DeadLetterFolder {
    fn store(&self, letter: Letter) -> Storing<'_> {
        let path = self.folder.join(file_name(&letter));
        Box::pin(async move {
            let shown = path.display().to_string();
            let writing = tokio::task::spawn_blocking(move || write_whole(&path, &content(letter)?));
            match tokio::time::timeout(TIME_LIMIT, writing).await {
                Ok(written) => written
                    .map_err(io::Error::other)
                    .flatten()
                    .map_err(|source| DeadLetterError::Folder { path: shown, source }),
                Err(_) => Err(DeadLetterError::Slow { path: shown }),
            }
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// The letter's name, as far as it can stand in a file's name, and what tells it from any other.
fn file_name(letter: &Letter) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let shown: String = letter.name.chars().take(64).map(plain).collect();
    let hash = hex::encode(Sha256::digest(&letter.name));
    format!("{shown}-{}.json", hash.get(..16).unwrap_or(&hash))
}

fn content(letter: Letter) -> io::Result<Vec<u8>> {
    let (mut delivery, cause) = (letter.delivery.clone(), letter.cause.clone());
    // Sent again, it has all its attempts before it; which one was its last stands with the rest.
    delivery.attempt = None;
    let envelope = Envelope { message: letter.into_message(), delivery };
    let mut content: Value = serde_json::from_slice(&envelope.encode())?;
    if let Some(fields) = content.as_object_mut() {
        let said = json!({
            "code": cause.code,
            "reason": cause.reason,
            "handler": cause.handler,
            "artifact": cause.artifact,
            "attempt": cause.attempt,
        });
        fields.insert("deadLetter".into(), said);
    }
    let mut text = serde_json::to_vec_pretty(&content)?;
    text.push(b'\n');
    Ok(text)
}

/// Writes a file so that it is there whole or not at all, whatever happens meanwhile.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    // Hidden, and of this write alone: the same letter may be stored twice at once.
    let unfinished = path.with_file_name(format!(".{}.part", uuid::Uuid::now_v7()));
    let written = write_synced(&unfinished, content).and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        _ = fs::remove_file(&unfinished);
    }
    written?;
    // The rename is part of the folder, which has to reach the disk as well.
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use tidemill_events::{Delivery, Message};

    use super::*;
    use crate::dead_letter::Cause;

    fn letter(name: &str) -> Letter {
        let message = Message { data: vec![0xff], ..Message::default() };
        let delivery = Delivery { message_id: "7".into(), attempt: Some(3), ..Delivery::default() };
        let cause = Cause { code: "reject", reason: "no".into(), handler: None, artifact: None, attempt: None };
        Letter { name: name.into(), message, delivery, cause }
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[tokio::test]
    async fn a_letter_is_a_file_that_reads_as_an_envelope_and_twice_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFolder::open(folder.path().join("deep/down")).unwrap();
        letters.store(letter("7")).await.unwrap();
        letters.store(letter("7")).await.unwrap();
        let [file] = files(&folder.path().join("deep/down")).try_into().unwrap();
        let text = fs::read(file).unwrap();
        let envelope = Envelope::decode(&text).unwrap();
        assert_eq!((envelope.message.data, envelope.delivery.message_id.as_str()), (vec![0xff], "7"));
        assert_eq!(envelope.delivery.attempt, None, "sent again, it begins anew");
        let content: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(content["deadLetter"]["code"], "reject");
    }

    /// A name comes from outside, and must not lead out of the folder nor over another letter.
    #[tokio::test]
    async fn no_name_leaves_the_folder_or_takes_anothers_file() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetterFolder::open(folder.path().join("letters")).unwrap();
        let ids = ["../../x", "..", "", "a/b", "a_b", "\0", &"x".repeat(1000), ".hidden"];
        for id in ids {
            letters.store(letter(id)).await.unwrap();
        }
        assert_eq!(files(&folder.path().join("letters")).len(), ids.len());
        assert_eq!(files(folder.path()).len(), 1);
    }

    #[test]
    fn a_folder_that_can_not_be_is_an_error_at_once() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = DeadLetterFolder::open(file.path().join("in-a-file")).unwrap_err().to_string();
        assert!(error.starts_with("dead-letter: ") && error.contains("in-a-file"), "{error}");
    }
}
