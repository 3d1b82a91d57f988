use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisError, ScriptInvocation};

use super::DedupError;
use crate::config::RedisUrl;

/// The longest wait for a connection, and then for an answer. The broker waits meanwhile, and can do without one.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// A connection to a server that may come and go.
pub(super) struct Link {
    client: Client,
    live: ArcSwap<ConnectionManager>,
    /// Where the server is, without user and password.
    shown: String,
}

impl Link {
    pub(super) fn new(url: &RedisUrl) -> Result<Self, DedupError> {
        // Losing a race against another thread that installs one is fine.
        if url.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        // A script is small and somebody waits for its answer.
        let tcp = url.connection().tcp_settings().clone().set_nodelay(true);
        let shown = url.to_string();
        let refused = |error: RedisError| DedupError::Refused { store: url.to_string(), reason: error.to_string() };
        let client = Client::open(url.connection().clone().set_tcp_settings(tcp)).map_err(refused)?;
        let live = ArcSwap::from_pointee(connect(&client).map_err(refused)?);
        Ok(Self { client, live, shown })
    }

    /// Runs a script. It must be one that may run twice: where the connection broke, it is sent once more, since nobody
    /// can tell whether it had arrived. So a server that was away, or has closed what was idle, costs no event.
    pub(super) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, DedupError> {
        let mut answer = self.run_once(script).await;
        if answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = self.run_once(script).await;
        }
        answer.map_err(|error| {
            let reason = error.to_string();
            if error.is_io_error() {
                DedupError::Unavailable { store: self.shown.clone(), reason }
            } else {
                self.refused(reason)
            }
        })
    }

    async fn run_once<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, RedisError> {
        let used = self.live.load_full();
        let answer = script.invoke_async(&mut ConnectionManager::clone(&used)).await;
        // The manager makes a new connection where one broke. It keeps for ever one that is silent, or was refused for
        // a wrong password or too many clients, or leads to what has become a replica.
        if answer.as_ref().is_err_and(|error| !error.is_connection_dropped())
            && let Ok(new) = connect(&self.client)
        {
            self.live.compare_and_swap(&used, Arc::new(new));
        }
        answer
    }

    pub(super) fn refused(&self, reason: String) -> DedupError {
        DedupError::Refused { store: self.shown.clone(), reason }
    }
}

/// A manager that connects when it is first used. It doesn't try again by itself: the broker does, with each delivery.
fn connect(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(TIME_LIMIT))
        .set_response_timeout(Some(TIME_LIMIT))
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
