//! A well-behaved handler under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio::task::JoinSet;

use crate::common::TestHost;

/// Senders at once, and so slots that it takes.
pub(crate) const SENDERS: usize = 2;

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
        times.push(send_one(&host).await);
    }
    times
}

/// Sends one event, which takes so long.
pub(crate) async fn send_one(host: &TestHost) -> Duration {
    let start = Instant::now();
    let answer = host.deliver("user.name.changed", r#"{"Name":"Ada"}"#).await;
    let time = start.elapsed();
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "the neighbour's event failed: {answer:?}");
    time
}

/// Prints what [`report`] says.
pub(crate) fn heading() {
    println!("{:<26} {:>16} {:>16} {:>16} {:>6}", "beside", "events", "p50 µs", "p99 µs", "ratio");
}

/// Prints how long events took alone and beside an animal, and the ratio of the two p99.
pub(crate) fn report(beside: &str, mut alone: Vec<Duration>, mut together: Vec<Duration>) {
    alone.sort();
    together.sort();
    let at = |times: &[Duration], hundredths: usize| times[(times.len() - 1) * hundredths / 100].as_micros();
    let pair = |hundredths| (at(&alone, hundredths), at(&together, hundredths));
    let ((p50, p50_beside), (p99, p99_beside)) = (pair(50), pair(99));
    println!(
        "{beside:<26} {:>7} {:>8} {p50:>7} {p50_beside:>8} {p99:>7} {p99_beside:>8} {:>6.1}",
        alone.len(),
        together.len(),
        p99_beside as f64 / p99 as f64
    );
}
