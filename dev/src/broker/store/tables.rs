//! The file itself: its form, and each statement that reads or writes it.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};
use tidemill_events::Message;

use super::{Due, Leased, MessageId, StoreError};
use crate::clock::{from_millis, to_millis};

/// The form of the file, which `user_version` names. A file of another form is refused, not guessed at.
const VERSION: i64 = 1;

/// `due_at` is null while another message of the same ordering key comes before, so what is due is one stretch of an
/// index. All times are milliseconds since the Unix epoch.
const SCHEMA: &str = "
    CREATE TABLE messages (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        topic        TEXT NOT NULL,
        ordering_key TEXT,
        published_at INTEGER NOT NULL,
        nacks        INTEGER NOT NULL DEFAULT 0,
        due_at       INTEGER,
        attributes   TEXT NOT NULL,
        data         BLOB NOT NULL
    ) STRICT;
    CREATE INDEX messages_due ON messages (due_at, id) WHERE due_at IS NOT NULL;
    CREATE INDEX messages_key ON messages (topic, ordering_key, id) WHERE ordering_key IS NOT NULL;
";

const INSERT: &str = "
    INSERT INTO messages (topic, ordering_key, published_at, attributes, data, due_at)
    VALUES (?1, ?2, ?3, ?4, ?5,
        CASE WHEN ?2 IS NOT NULL AND EXISTS (SELECT 1 FROM messages WHERE topic = ?1 AND ordering_key = ?2)
             THEN NULL ELSE ?3 END)
    RETURNING id";
const DUE: &str = "
    SELECT id, ordering_key, published_at, nacks, attributes, data
    FROM messages WHERE due_at <= ?1 ORDER BY due_at, id";
const NEXT_DUE: &str = "SELECT due_at FROM messages WHERE due_at > ?1 ORDER BY due_at LIMIT 1";
const NACK: &str = "UPDATE messages SET nacks = nacks + 1, due_at = ?2 WHERE id = ?1";
const REMOVE: &str = "DELETE FROM messages WHERE id = ?1 RETURNING topic, ordering_key";
const PROMOTE: &str = "
    UPDATE messages SET due_at = ?3
    WHERE id = (SELECT min(id) FROM messages WHERE topic = ?1 AND ordering_key = ?2)";
const COUNT: &str = "SELECT count(*) FROM messages";

/// How long to wait for a broker before us to let go of the file.
const BUSY: Duration = Duration::from_secs(2);

/// The open file.
pub(super) struct Tables {
    connection: Connection,
    path: PathBuf,
}

impl Tables {
    /// Opens `messages.sqlite` in `folder`, or makes it.
    pub(super) fn open(folder: &Path, now: SystemTime) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| StoreError::Folder { path: folder.to_owned(), source: Arc::new(source) })?;
        let path = folder.join("messages.sqlite");
        let error = |source: rusqlite::Error| match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::InUse { path: path.clone() },
            _ => StoreError::Sqlite { path: path.clone(), source: Arc::new(source) },
        };
        let connection = Connection::open(&path).map_err(error)?;
        match prepare(&connection, now).map_err(error)? {
            VERSION => Ok(Self { connection, path }),
            found => Err(StoreError::Version { path, found }),
        }
    }

    pub(super) fn begin(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(|source| self.error(source))
    }

    pub(super) fn commit(&self) -> Result<(), StoreError> {
        self.connection.execute_batch("COMMIT").map_err(|source| self.error(source))
    }

    /// Undoes what was begun. SQLite has done so by itself after some errors, and then says that there is nothing to undo.
    pub(super) fn roll_back(&self) {
        if let Err(error) = self.connection.execute_batch("ROLLBACK") {
            tracing::debug!(%error, "nothing to roll back");
        }
    }

    /// Adds a message, due at `now` unless its ordering key has others.
    pub(super) fn insert(&self, topic: &str, message: &Message, now: SystemTime) -> Result<MessageId, StoreError> {
        let insert = || {
            let attributes = serde_json::to_string(&message.attributes)
                .map_err(|source| rusqlite::Error::ToSqlConversionFailure(Box::new(source)))?;
            self.connection
                .prepare_cached(INSERT)?
                .query_one(params![topic, message.ordering_key, to_millis(now), attributes, message.data], |row| {
                    row.get(0).map(MessageId)
                })
        };
        insert().map_err(|source| self.error(source))
    }

    /// The messages that are due at `now`, apart from those in `except`.
    pub(super) fn due(&self, limit: usize, now: SystemTime, except: &HashSet<MessageId>) -> Result<Leased, StoreError> {
        let due = || {
            let mut leased = Leased::default();
            let mut statement = self.connection.prepare_cached(DUE)?;
            let mut rows = statement.query([to_millis(now)])?;
            while leased.messages.len() < limit {
                let Some(row) = rows.next()? else { break };
                if !except.contains(&MessageId(row.get(0)?)) {
                    leased.messages.push(read(row)?);
                }
            }
            let mut statement = self.connection.prepare_cached(NEXT_DUE)?;
            leased.next_due = statement.query_row([to_millis(now)], |row| row.get(0).map(from_millis)).optional()?;
            Ok(leased)
        };
        due().map_err(|source| self.error(source))
    }

    /// Counts a nack, and makes the message due at `due`.
    pub(super) fn nack(&self, id: MessageId, due: SystemTime) -> Result<(), StoreError> {
        let nack = || self.connection.prepare_cached(NACK)?.execute(params![id.0, to_millis(due)]);
        nack().map(drop).map_err(|source| self.error(source))
    }

    /// Removes a message. The next of its ordering key is due at `now`.
    pub(super) fn remove(&self, id: MessageId, now: SystemTime) -> Result<(), StoreError> {
        let remove = || {
            let mut statement = self.connection.prepare_cached(REMOVE)?;
            let key: Option<(String, Option<String>)> =
                statement.query_row([id.0], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            if let Some((topic, Some(key))) = key {
                self.connection.prepare_cached(PROMOTE)?.execute(params![topic, key, to_millis(now)])?;
            }
            Ok(())
        };
        remove().map_err(|source| self.error(source))
    }

    /// How many messages there are.
    pub(super) fn count(&self) -> Result<u64, StoreError> {
        let count = || self.connection.prepare_cached(COUNT)?.query_one([], |row| row.get::<_, i64>(0));
        count().map(i64::unsigned_abs).map_err(|source| self.error(source))
    }

    fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { path: self.path.clone(), source: Arc::new(source) }
    }
}

/// Takes the file for this process, makes its tables where it is new, and gives the version of its form.
fn prepare(connection: &Connection, now: SystemTime) -> rusqlite::Result<i64> {
    connection.busy_timeout(BUSY)?;
    // One process: the lock lasts as long as the connection, and the kernel takes it back from one that was killed.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A commit is written, but not synced: it survives the process, though not a loss of power.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut version = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version == 0 {
        connection.execute_batch(SCHEMA)?;
        // Ids go on from the time, so that those of a data folder made anew are new as well.
        let first = to_millis(now).saturating_mul(1000);
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('messages', ?1)", [first])?;
        connection.pragma_update(None, "user_version", VERSION)?;
        version = VERSION;
    }
    if version == VERSION {
        connection.execute("UPDATE messages SET due_at = ?1 WHERE due_at > ?1", [to_millis(now)])?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(version)
}

/// The message of a row of [`DUE`].
fn read(row: &Row<'_>) -> rusqlite::Result<Due> {
    let attributes: String = row.get(4)?;
    let attributes: BTreeMap<String, String> = serde_json::from_str(&attributes)
        .map_err(|source| rusqlite::Error::FromSqlConversionFailure(4, Type::Text, Box::new(source)))?;
    Ok(Due {
        id: MessageId(row.get(0)?),
        published: from_millis(row.get(2)?),
        nacks: row.get(3)?,
        message: Message { data: row.get(5)?, attributes, ordering_key: row.get(1)? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: SystemTime = SystemTime::UNIX_EPOCH;

    fn message(key: Option<&str>) -> Message {
        Message { data: b"x".into(), attributes: BTreeMap::new(), ordering_key: key.map(str::to_owned) }
    }

    fn due(tables: &Tables, now: SystemTime) -> Vec<MessageId> {
        let leased = tables.due(usize::MAX, now, &HashSet::new()).unwrap();
        leased.messages.iter().map(|due| due.id).collect()
    }

    #[test]
    fn of_an_ordering_key_only_the_first_is_due() {
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::open(folder.path(), NOON).unwrap();
        let insert = |topic, key| tables.insert(topic, &message(key), NOON).unwrap();
        let (first, second, third) = (insert("a", Some("k")), insert("a", Some("k")), insert("a", Some("k")));
        let (other_topic, no_key, no_key_either) = (insert("b", Some("k")), insert("a", None), insert("a", None));
        assert_eq!(due(&tables, NOON), [first, other_topic, no_key, no_key_either]);
        tables.remove(first, NOON).unwrap();
        assert_eq!(due(&tables, NOON), [second, other_topic, no_key, no_key_either]);
        let later = NOON + Duration::from_secs(1);
        tables.nack(second, later).unwrap();
        assert_eq!(due(&tables, NOON), [other_topic, no_key, no_key_either], "a nack must not let the next one pass");
        tables.remove(second, later).unwrap();
        assert!(due(&tables, later).contains(&third));
    }

    #[test]
    fn the_next_due_is_told_and_a_new_start_waits_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::open(folder.path(), NOON).unwrap();
        let id = tables.insert("a", &message(None), NOON).unwrap();
        let later = NOON + Duration::from_secs(60);
        tables.nack(id, later).unwrap();
        assert_eq!(tables.due(1, NOON, &HashSet::new()).unwrap().next_due, Some(later));
        assert_eq!(tables.due(1, later, &HashSet::from([id])).unwrap().messages.len(), 0);
        drop(tables);
        let tables = Tables::open(folder.path(), NOON).unwrap();
        let leased = tables.due(1, NOON, &HashSet::new()).unwrap();
        assert_eq!(leased.messages[0].id, id);
        assert_eq!(leased.messages[0].nacks, 1);
    }

    #[test]
    fn ids_grow_and_are_not_given_again() {
        let folder = tempfile::tempdir().unwrap();
        let start = NOON + Duration::from_secs(1_700_000_000);
        let tables = Tables::open(folder.path(), start).unwrap();
        let first = tables.insert("a", &message(None), start).unwrap();
        assert_eq!(first, MessageId(1_700_000_000_000_001));
        tables.remove(first, start).unwrap();
        drop(tables);
        let tables = Tables::open(folder.path(), start).unwrap();
        assert!(tables.insert("a", &message(None), start).unwrap() > first);
    }

    #[test]
    fn a_file_in_use_and_a_file_of_another_form_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let tables = Tables::open(folder.path(), NOON).unwrap();
        let error = Tables::open(folder.path(), NOON).err().unwrap();
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
        tables.connection.pragma_update(None, "user_version", 7).unwrap();
        drop(tables);
        let error = Tables::open(folder.path(), NOON).err().unwrap();
        assert!(matches!(error, StoreError::Version { found: 7, .. }), "{error}");
    }
}
