use std::convert::Infallible;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tidemill_publisher::Publisher;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::DatabaseError;
use crate::database::Database;
use crate::relay;
use crate::routes::Api;

/// How many connections are held at once; further ones wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 1024;
/// How long a caller may take to send a request's head; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to rest when no connection can be accepted, for want of file descriptors for example.
const ACCEPT_REST: Duration = Duration::from_millis(100);
/// How long requests and the outbox may take to come to an end. Cloud Run kills 10 s after SIGTERM.
const GRACE: Duration = Duration::from_secs(8);

/// Serves the API on `listener`, with its data in the SQLite file `database`, until `shutdown` is ready; then takes
/// nothing new, finishes the requests that it holds and the publishing that they began, and returns, within 8 s.
///
/// What can't be published stays in the database, and goes out the next time that something serves it.
///
/// # Errors
/// Where the database can't be opened.
pub async fn serve(
    listener: TcpListener,
    database: &Path,
    publisher: Arc<dyn Publisher>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), DatabaseError> {
    let database = Database::open(database).await?;
    let (relay, worker) = relay::new(database.clone(), publisher);
    // A set, because tasks in a set end when it is dropped: nothing of this outlives it.
    let mut relaying = JoinSet::new();
    relaying.spawn(worker.run());
    let api = Api { database, relay };
    let connections = accept(&listener, api, shutdown).await;
    drop(listener);
    let drain = async {
        // The relay ends when the last request has dropped its handle.
        connections.join_all().await;
        relaying.join_all().await;
    };
    if tokio::time::timeout(GRACE, drain).await.is_err() {
        tracing::warn!("stopped before everything was finished; the outbox keeps what was not published");
    }
    Ok(())
}

/// Accepts connections until `shutdown` is ready. Gives those that are still open, each told to end.
async fn accept(listener: &TcpListener, api: Api, shutdown: impl Future<Output = ()>) -> JoinSet<()> {
    let mut shutdown = pin!(shutdown);
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let (stop, stopping) = watch::channel(());
    let mut connections = JoinSet::new();
    let next = async || {
        let permit = Arc::clone(&permits).acquire_owned().await;
        (permit, listener.accept().await)
    };
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (permit, accepted) = next() => match accepted {
                Ok((stream, _)) => {
                    let connection = converse(stream, api.clone(), stopping.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // It concerns one connection, or will pass: never a reason to stop serving.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            }
        }
    }
    stop.send_replace(());
    connections
}

/// Answers the requests of one connection, and ends it after the one under way when told to stop.
async fn converse(stream: TcpStream, api: Api, mut stopping: watch::Receiver<()>) {
    // Answers are short and each is one write: waiting for more to send would only delay them.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let api = api.clone();
        async move { Ok::<_, Infallible>(api.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        _ = stopping.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection broke");
    }
}
