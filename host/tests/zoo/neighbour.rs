//! A well-behaved handler under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::common::TestHost;

/// Senders at once.
const SENDERS: usize = 2;

/// Sends the neighbour events, one after the other from each sender, until it is told to end.
pub(crate) struct Neighbour {
    ended: Arc<AtomicBool>,
    senders: JoinSet<Vec<Duration>>,
}

impl Neighbour {
    /// Begins to send.
    pub(crate) fn begin(host: &Arc<TestHost>) -> Self {
        let (ended, mut senders) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..SENDERS {
            senders.spawn(send(Arc::clone(host), Arc::clone(&ended)));
        }
        Self { ended, senders }
    }

    /// Ends the load. Each event took so long; had one of them failed, this panics.
    pub(crate) async fn end(self) -> Vec<Duration> {
        self.ended.store(true, Ordering::Relaxed);
        self.senders.join_all().await.concat()
    }
}

async fn send(host: Arc<TestHost>, ended: Arc<AtomicBool>) -> Vec<Duration> {
    let mut times = Vec::new();
    while !ended.load(Ordering::Relaxed) {
        let start = Instant::now();
        let answer = host.deliver("user.name.changed", r#"{"Name":"Ada"}"#).await;
        times.push(start.elapsed());
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "the neighbour's event failed: {answer:?}");
    }
    times
}

/// Prints how long events took.
pub(crate) fn report(beside: &str, mut times: Vec<Duration>) {
    times.sort();
    let at = |hundredths: usize| times[(times.len() - 1) * hundredths / 100].as_micros();
    println!("{beside:<28} {:>8} {:>9} {:>9}", times.len(), at(50), at(99));
}
