//! The store that is one file of one process (redb): what was answered is on the disk.

mod writer;

use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, TableDefinition};
use tokio::task::spawn_blocking;

use self::writer::{Change, Writer};
use super::step::{self, Step};
use super::{Asking, Key, KeyValue, KeyValueError, PAGE, Page, Space, Value};

/// Handler, store and key, which the tuple keeps apart, and the value.
const ENTRIES: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("entries");
/// A handler, and the bytes that it keeps.
const USED: TableDefinition<'_, &str, u64> = TableDefinition::new("used");
/// Pages of the file that are kept in memory, in bytes. The system keeps them as well.
const CACHE: usize = 16 << 20;

/// A store in a file, which one process has at a time.
///
/// Reads run beside each other on threads that may block. Changes go to one thread, which takes all that wait for it
/// together: they share the wait for the disk, and none is answered before it is there.
pub struct DiskStore {
    database: Arc<Database>,
    writer: Writer,
    shown: String,
}

impl DiskStore {
    /// Opens the file, or makes it and its folder. Each handler may keep `quota` bytes: keys, values, and
    /// [`super::ENTRY_COST`] for each.
    ///
    /// It takes as long as the disk does, and after a crash as long as it takes to read the file.
    ///
    /// # Errors
    /// Where the file can't be made, another process has it, or it is no such file.
    pub fn open(file: &Path, quota: u64) -> Result<Self, KeyValueError> {
        let shown = file.display().to_string();
        let failed = |reason: String| KeyValueError::Unavailable { store: shown.clone(), reason };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let database = Builder::new().set_cache_size(CACHE).create(file).map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => failed("another process has it open, and it is one process's".into()),
            error => failed(error.to_string()),
        })?;
        make_tables(&database).map_err(|error| failed(error.to_string()))?;
        let database = Arc::new(database);
        let writer = Writer::start(Arc::clone(&database), quota, shown.clone()).map_err(|e| failed(e.to_string()))?;
        Ok(Self { database, writer, shown })
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(
            &ReadOnlyTable<(&'static str, &'static str, &'static str), &'static [u8]>,
        ) -> Result<T, redb::Error>
        + Send
        + 'static,
    ) -> Asking<'_, T> {
        let database = Arc::clone(&self.database);
        let reading = spawn_blocking(move || read(&database.begin_read()?.open_table(ENTRIES)?));
        Box::pin(async move {
            match reading.await {
                Ok(Ok(read)) => Ok(read),
                Ok(Err(error)) => Err(self.unavailable(error.to_string())),
                Err(error) => Err(self.unavailable(error.to_string())),
            }
        })
    }

    fn change<T: Send + 'static>(
        &self,
        space: &Space,
        key: &Key,
        step: impl FnOnce(Option<&[u8]>) -> Result<Step<T>, KeyValueError> + Send + 'static,
    ) -> Asking<'_, T> {
        let change = Change { space: space.clone(), key: key.clone(), step };
        Box::pin(async move {
            let answer = self.writer.write(change).await;
            answer.unwrap_or_else(|| Err(self.unavailable("it could not be written; the log says why".into())))
        })
    }

    fn unavailable(&self, reason: String) -> KeyValueError {
        KeyValueError::Unavailable { store: self.shown.clone(), reason }
    }
}

/// Makes the tables, so that reading finds them.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(ENTRIES)?;
    transaction.open_table(USED)?;
    transaction.commit()?;
    Ok(())
}

impl KeyValue for DiskStore {
    fn get<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, Option<Vec<u8>>> {
        let (space, key) = (space.clone(), key.clone());
        self.read(move |entries| {
            Ok(entries.get((space.handler(), space.store(), key.as_str()))?.map(|value| value.value().to_vec()))
        })
    }

    fn exists<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, bool> {
        let (space, key) = (space.clone(), key.clone());
        self.read(move |entries| Ok(entries.get((space.handler(), space.store(), key.as_str()))?.is_some()))
    }

    fn keys<'a>(&'a self, space: &'a Space, after: Option<&'a str>) -> Asking<'a, Page> {
        let (space, after) = (space.clone(), after.unwrap_or_default().to_owned());
        self.read(move |entries| {
            let (handler, store) = (space.handler(), space.store());
            let mut keys = Vec::new();
            // No key is empty, so all of them come after the empty one.
            for entry in entries.range((Bound::Excluded((handler, store, after.as_str())), Bound::Unbounded))? {
                let (name, _) = entry?;
                let (of_handler, of_store, key) = name.value();
                if (of_handler, of_store) != (handler, store) || keys.len() > PAGE {
                    break;
                }
                keys.push(key.to_owned());
            }
            Ok(Page::of(keys))
        })
    }

    fn set<'a>(&'a self, space: &'a Space, key: &'a Key, value: Value) -> Asking<'a, ()> {
        self.change(space, key, step::set(value))
    }

    fn delete<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, ()> {
        self.change(space, key, step::delete())
    }

    fn increment<'a>(&'a self, space: &'a Space, key: &'a Key, delta: i64) -> Asking<'a, i64> {
        self.change(space, key, step::increment(delta))
    }

    fn swap<'a>(&'a self, space: &'a Space, key: &'a Key, expected: Option<Vec<u8>>, value: Value) -> Asking<'a, bool> {
        self.change(space, key, step::swap(expected, value))
    }
}
