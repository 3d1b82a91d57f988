use std::net::SocketAddr;

use tempfile::TempDir;
use tidemill_dev::broker::{Broker, BrokerConfig};
use tidemill_events::Message;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{PATIENCE, Receiver, SUBSCRIPTION, TOPIC, eventually};

/// A broker that serves on a port of its own and pushes to a receiver.
pub(crate) struct Running {
    pub(crate) broker: Broker,
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(receiver: &Receiver) -> Self {
        Self::start_with(&receiver.url(), |_| {}).await
    }

    pub(crate) async fn start_with(push_url: &str, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = BrokerConfig::new(folder.path().join("data"), push_url.into(), SUBSCRIPTION.into());
        change(&mut config);
        let broker = Broker::open(config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving = broker.clone();
        let task = tokio::spawn(async move { serving.serve(listener, async { _ = stopped.await }).await });
        Self { broker, address, folder, stop, task }
    }

    /// Publishes one message with this data and ordering key, past the wire.
    pub(crate) async fn publish(&self, data: &str, ordering_key: Option<&str>) -> String {
        let message = Message {
            data: data.into(),
            attributes: [("event-type".to_owned(), "test.event".to_owned())].into(),
            ordering_key: ordering_key.map(str::to_owned),
        };
        self.broker.publish(TOPIC, vec![message]).await.unwrap()[0].to_string()
    }

    /// Waits until everything was acknowledged, or became a dead letter.
    pub(crate) async fn is_empty(&self) {
        eventually("the broker to be empty", async || self.broker.pending().await.unwrap() == 0).await;
    }

    pub(crate) async fn stop(self) -> TempDir {
        _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.task).await.expect("the shutdown ends").unwrap();
        self.folder
    }
}
