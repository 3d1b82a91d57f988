//! Where events are kept that no handler can finish, so that they leave their subscription and nothing is lost.

mod fit;
mod folder;
mod letter;
mod topic;

use std::pin::Pin;
use std::time::Duration;

use tidemill_publisher::{PubSubError, PublishError};

pub use folder::DeadLetterFolder;
pub use letter::{Cause, Letter};
pub use topic::DeadLetterTopic;

/// How long a letter may take to be stored. The delivery waits for it, within the subscription's ack deadline, which is
/// 10 s by default, and within the lease of its event.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// A place for dead letters.
pub trait DeadLetters: Send + Sync {
    /// Stores a letter. Once this has given `Ok`, the letter is kept whatever happens to this process.
    fn store(&self, letter: Letter) -> Storing<'_>;

    /// What the place is called, for people.
    fn name(&self) -> &str;
}

/// A store under way; see [`DeadLetters::store`].
pub type Storing<'a> = Pin<Box<dyn Future<Output = Result<(), DeadLetterError>> + Send + 'a>>;

/// Why a dead letter could not be stored, or there is no place for one.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The topic can't be published to.
    #[error("dead-letter: {0}")]
    Topic(#[from] PubSubError),
    /// The topic did not take it.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The folder didn't take it in time.
    #[error("dead-letter: {path} was not written within {TIME_LIMIT:?}")]
    Slow {
        /// The file.
        path: String,
    },
    /// The folder can't be written.
    #[error("dead-letter: {path} can't be written: {source}")]
    Folder {
        /// The folder, or the file in it.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}
