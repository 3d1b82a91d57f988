//! One measurement: what a server spends on each of many like events.

use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;

use crate::accounting::Cpu;
use crate::contender::Contender;
use crate::event::{EVENT_TYPE, Factory};
use crate::load::{Generator, Latencies};
use crate::server::Server;

/// Bytes of data that lie signed ahead at once: each takes a third more on the wire.
const AHEAD: usize = 48 << 20;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Events that are measured.
    pub(crate) events: usize,
    /// Events before them.
    pub(crate) warm_up: usize,
    /// Bytes of each event's data.
    pub(crate) size: usize,
    /// Connections, each with one event in flight.
    pub(crate) connections: usize,
}

/// What a measurement gave.
pub(crate) struct Figures {
    /// Time on a processor, of the server alone, for each event.
    pub(crate) cpu: Duration,
    /// Events handled in a second.
    pub(crate) throughput: f64,
    /// From sending an event to its whole answer.
    pub(crate) latencies: Latencies,
}

/// Starts a contender anew and measures it under this load, in a closed loop.
///
/// # Errors
/// Where it can't be started, or answers an event with anything but success.
pub(crate) fn measure(contender: &Contender, factory: &mut Factory, load: Load) -> Result<Figures> {
    let server = Server::start(|port| contender.command(port))?;
    let mut generator = Generator::connect(server.port(), load.connections, contender.success)?;
    for events in batches(factory, load.warm_up, load.size) {
        generator.closed(events).with_context(|| format!("{}, warming up", contender.name))?;
    }
    let (mut cpu, mut elapsed) = (Duration::ZERO, Duration::ZERO);
    let mut latencies: Option<Latencies> = None;
    for events in batches(factory, load.events, load.size) {
        // Read around each batch, so that what a server does while events are signed is not counted.
        let before = Cpu::of(server.pid())?;
        let run = generator.closed(events).with_context(|| contender.name)?;
        cpu += Cpu::of(server.pid())?.since(&before);
        elapsed += run.elapsed;
        match &mut latencies {
            Some(latencies) => latencies.add(run.latencies)?,
            None => latencies = Some(run.latencies),
        }
    }
    Ok(Figures {
        cpu: cpu.div_f64(load.events as f64),
        throughput: load.events as f64 / elapsed.as_secs_f64(),
        latencies: latencies.context("a load of no events")?,
    })
}

/// So many events, signed as they are asked for, in portions that fit into memory.
fn batches(factory: &mut Factory, count: usize, size: usize) -> impl Iterator<Item = Vec<Bytes>> {
    let most = (AHEAD / size.max(1000)).max(1);
    let portions = (0..count).step_by(most).map(move |start| most.min(count - start));
    portions.map(move |portion| (0..portion).map(|_| factory.event(EVENT_TYPE, size)).collect())
}
