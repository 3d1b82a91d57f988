//! A connection to a Redis server (5 or later, or a Valkey) that may come and go: what the stores there have in common.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, RedisError, ScriptInvocation};

use crate::config::RedisUrl;

/// The longest wait for a connection, and then for an answer. An event waits meanwhile, and can come again.
const TIME_LIMIT: Duration = Duration::from_secs(1);

/// Why a server gave no answer.
#[derive(Debug)]
pub(crate) enum LinkError {
    /// It can't be reached, or doesn't answer in time.
    Unavailable {
        /// Where it is, without user and password.
        server: String,
        /// What the system or the server said.
        reason: String,
    },
    /// It is there and does not do what it is asked.
    Refused {
        /// Where it is, without user and password.
        server: String,
        /// What the server said.
        reason: String,
    },
}

/// A connection to a server that may come and go.
pub(crate) struct Link {
    client: Client,
    live: ArcSwap<ConnectionManager>,
    /// Where the server is, without user and password.
    shown: String,
}

impl Link {
    /// A link to the server at `url`, which may be away: it connects with the first script. Call it within a tokio
    /// runtime.
    ///
    /// Where the application has installed no default provider for rustls, and `url` asks for TLS, this installs ring.
    ///
    /// # Errors
    /// Where the client refuses what the URL says.
    pub(crate) fn new(url: &RedisUrl) -> Result<Self, LinkError> {
        // Losing a race against another thread that installs one is fine.
        if url.is_tls() && rustls::crypto::CryptoProvider::get_default().is_none() {
            _ = rustls::crypto::ring::default_provider().install_default();
        }
        // A script is small and somebody waits for its answer.
        let tcp = url.connection().tcp_settings().clone().set_nodelay(true);
        let shown = url.to_string();
        let refused = |error: RedisError| LinkError::Refused { server: url.to_string(), reason: error.to_string() };
        let client = Client::open(url.connection().clone().set_tcp_settings(tcp)).map_err(refused)?;
        let live = ArcSwap::from_pointee(connect(&client).map_err(refused)?);
        Ok(Self { client, live, shown })
    }

    /// Runs a script. It must be one that may run twice: where the connection broke, it is sent once more, since nobody
    /// can tell whether it had arrived. So a server that was away, or has closed what was idle, costs no event.
    pub(crate) async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, LinkError> {
        let mut answer = self.run_once(script).await;
        if answer.as_ref().is_err_and(RedisError::is_connection_dropped) {
            answer = self.run_once(script).await;
        }
        answer.map_err(|error| {
            let reason = error.to_string();
            if error.is_io_error() {
                LinkError::Unavailable { server: self.shown.clone(), reason }
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

    /// The error of an answer that is none.
    pub(crate) fn refused(&self, reason: String) -> LinkError {
        LinkError::Refused { server: self.shown.clone(), reason }
    }
}

/// A manager that connects when it is first used. It doesn't try again by itself: the next who asks does.
fn connect(client: &Client) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(TIME_LIMIT))
        .set_response_timeout(Some(TIME_LIMIT))
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}
