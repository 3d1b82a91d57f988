//! A closed loop: as many events in flight as there are connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;

use super::{Connection, Latencies, Run, join, latencies, record};

pub(super) async fn run(connections: Vec<Connection>, events: Arc<[Bytes]>) -> Result<(Run, Vec<Connection>)> {
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let tasks = connections
        .into_iter()
        .map(|connection| tokio::spawn(drive(connection, Arc::clone(&events), Arc::clone(&next))))
        .collect();
    let (latencies, connections) = join(tasks).await?;
    Ok((Run { latencies, elapsed: start.elapsed() }, connections))
}

async fn drive(
    mut connection: Connection,
    events: Arc<[Bytes]>,
    next: Arc<AtomicUsize>,
) -> Result<(Connection, Latencies)> {
    let mut latencies = latencies()?;
    while let Some(event) = events.get(next.fetch_add(1, Ordering::Relaxed)) {
        let start = Instant::now();
        connection.send(event.clone()).await?;
        record(&mut latencies, start);
    }
    Ok((connection, latencies))
}
