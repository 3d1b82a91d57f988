use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

/// How many transactions may wait for their turn; whoever comes then waits to be let in.
const QUEUE: usize = 256;
/// How long to wait for another process that holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What went wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file is no database, or can't be opened.
    #[error("can't open the database {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// A statement failed.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The database's thread can't be started.
    #[error("can't start the database's thread: {0}")]
    Thread(std::io::Error),
    /// The database's thread has ended.
    #[error("the database is closed")]
    Closed,
}

/// An SQLite database on a thread of its own, since its calls block.
///
/// SQLite takes one writer at a time anyway, so one thread is all that it needs. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    jobs: mpsc::Sender<Job>,
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

impl Database {
    /// Opens the database, and makes its tables where they are missing.
    pub(crate) async fn open(path: &Path) -> Result<Self, DatabaseError> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        let (opened, result) = oneshot::channel();
        let path = path.to_owned();
        let run = move || match connect(&path) {
            Ok(mut connection) => {
                _ = opened.send(Ok(()));
                while let Some(job) = queue.blocking_recv() {
                    job(&mut connection);
                }
            }
            Err(source) => _ = opened.send(Err(DatabaseError::Open { path, source })),
        };
        std::thread::Builder::new().name("database".into()).spawn(run).map_err(DatabaseError::Thread)?;
        result.await.map_err(|_| DatabaseError::Closed)??;
        Ok(Self { jobs })
    }

    /// Runs `work` in a transaction: committed where it gives `Ok`, undone where it doesn't.
    ///
    /// Once begun it ends on its own terms, even if the caller is no longer there.
    pub(crate) async fn transaction<T, E>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (done, result) = oneshot::channel();
        let job: Job = Box::new(move |connection| _ = done.send(transact(connection, work)));
        self.jobs.send(job).await.map_err(|_| DatabaseError::Closed)?;
        result.await.map_err(|_| DatabaseError::Closed)?
    }
}

fn transact<T, E: From<DatabaseError>>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    // Immediate: a transaction that begins by reading and then finds another writer in its way could not go on.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(DatabaseError::Sqlite)?;
    let value = work(&transaction)?;
    transaction.commit().map_err(DatabaseError::Sqlite)?;
    Ok(value)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A commit is on the disk before the caller is told: with less, a power cut could take back a change that was
    // confirmed, and the event with it.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.execute_batch(include_str!("schema.sql"))?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("test.db")).await.unwrap();
        let insert = "INSERT INTO users (id, email, name) VALUES ('1', 'a@example.com', 'Ada')";

        let failed: Result<(), DatabaseError> = database
            .transaction(move |tx| {
                tx.execute(insert, []).map_err(DatabaseError::Sqlite)?;
                Err(DatabaseError::Closed)
            })
            .await;

        assert!(matches!(failed, Err(DatabaseError::Closed)));
        let count = |tx: &Transaction<'_>| -> Result<u32, DatabaseError> {
            Ok(tx.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?)
        };
        assert_eq!(database.transaction(count).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        std::fs::write(&path, "no database, but long enough to have a header of some kind").unwrap();
        let error = Database::open(&path).await.unwrap_err();
        assert!(error.to_string().contains("notes.txt"), "{error}");
    }
}
