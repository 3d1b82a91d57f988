use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Uri;
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tower_service::Service;

use super::guard::Guard;
use super::stream::Counted;
use super::{ConnectError, Host, Origin};

/// Connections that one handler may have, idle ones among them: more than all its events need, and no more than leaves
/// the others their files.
const CONNECTIONS: usize = 512;
/// Names that are looked up at once for one handler. A look-up goes on when nobody waits for it any more.
const LOOKUPS: usize = 16;

/// What goes wrong is a [`ConnectError`], or an error of TLS.
type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Opens the connections of one handler: to addresses that the guard lets through, within a time, with TLS for `https`.
///
/// HTTP/1.1 alone is spoken: in a connection of HTTP/2 that several events share, one that reads nothing holds up the
/// others.
#[derive(Clone)]
pub struct Connector {
    https: HttpsConnector<Dialer>,
    timeout: Duration,
}

/// Opens its TCP connections.
#[derive(Clone)]
struct Dialer {
    guard: Guard,
    timeout: Duration,
    connections: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

impl Connector {
    pub(super) fn new(guard: Guard, tls: ClientConfig, timeout: Duration) -> Self {
        let (connections, lookups) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(Semaphore::new(LOOKUPS)));
        Self { https: HttpsConnector::from((Dialer { guard, timeout, connections, lookups }, tls)), timeout }
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Counted>;
    type Error = BoxError;
    type Future = Connecting<Self::Response, BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(context)
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let (connecting, within) = (self.https.call(url), self.timeout);
        Box::pin(async move {
            timeout(within, connecting).await.unwrap_or_else(|_| Err(ConnectError::Timeout(within).into()))
        })
    }
}

impl Service<Uri> for Dialer {
    type Response = Counted;
    type Error = ConnectError;
    type Future = Connecting<Counted, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, url: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(&Origin::of(&url)?).await })
    }
}

impl Dialer {
    async fn dial(self, origin: &Origin) -> Result<Counted, ConnectError> {
        let until = Instant::now() + self.timeout;
        let place = Arc::clone(&self.connections).try_acquire_owned();
        let place = place.map_err(|_| ConnectError::Connections(CONNECTIONS))?;
        let addresses = self.addresses(origin).await?;
        let stream = connect(&addresses, until).await.map_err(ConnectError::Connect)?;
        // A request is written whole and waits for its answer: there is nothing to gather.
        stream.set_nodelay(true).map_err(ConnectError::Connect)?;
        Ok(Counted::new(TokioIo::new(stream), place))
    }

    async fn addresses(&self, origin: &Origin) -> Result<Vec<SocketAddr>, ConnectError> {
        let name = match &origin.host {
            Host::Address(_) => return self.guard.addresses(origin).await,
            Host::Name(name) => name,
        };
        let looking = async {
            let place = Arc::clone(&self.lookups).acquire_owned().await;
            let (guard, origin) = (self.guard.clone(), origin.clone());
            // By itself, so that it keeps its place until it is over.
            let lookup = tokio::spawn(async move {
                let _place = place;
                guard.addresses(&origin).await
            });
            lookup.await.unwrap_or_else(|error| {
                Err(ConnectError::Lookup { name: name.clone(), cause: io::Error::other(error) })
            })
        };
        // At most half of the time, so that it can be told what took so long.
        timeout(self.timeout / 2, looking).await.unwrap_or_else(|_| Err(ConnectError::LookupTimeout(name.clone())))
    }
}

/// Connects to the first address that takes it. One that doesn't answer leaves the others their part of the time.
async fn connect(addresses: &[SocketAddr], until: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (tried, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}
