//! An open loop: events at a fixed rate, by a clock that waits for no answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use super::{Connection, Latencies, Run, join, latencies, record};

/// An event, and when it was due.
type Due = (Instant, Bytes);

pub(super) async fn run(connections: Vec<Connection>, events: Vec<Bytes>, rate: f64) -> Result<(Run, Vec<Connection>)> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let start = Instant::now();
    let tasks =
        connections.into_iter().map(|connection| tokio::spawn(drive(connection, Arc::clone(&receiver)))).collect();
    // The runtime's own timer counts in whole milliseconds, so a thread sleeps instead.
    std::thread::spawn(move || pace(&sender, events, start, rate));
    let (latencies, connections) = join(tasks).await?;
    Ok((Run { latencies, elapsed: start.elapsed() }, connections))
}

fn pace(sender: &UnboundedSender<Due>, events: Vec<Bytes>, start: Instant, rate: f64) {
    for (number, event) in (0u32..).zip(events) {
        let due = start + Duration::from_secs_f64(f64::from(number) / rate);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        // Nobody is there any more once an event has failed.
        if sender.send((due, event)).is_err() {
            return;
        }
    }
}

async fn drive(
    mut connection: Connection,
    events: Arc<Mutex<UnboundedReceiver<Due>>>,
) -> Result<(Connection, Latencies)> {
    let mut latencies = latencies()?;
    loop {
        let next = events.lock().await.recv().await;
        let Some((due, event)) = next else { return Ok((connection, latencies)) };
        connection.send(event).await?;
        record(&mut latencies, due);
    }
}
