//! One measurement: what a server spends on each of many like events.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;

use crate::accounting::Cpu;
use crate::contender::Contender;
use crate::event::Factory;
use crate::handlers::event_type;
use crate::load::{Generator, Latencies};
use crate::mix::Mix;
use crate::server::Server;

/// Bytes of data that lie signed ahead at once: each takes a third more on the wire.
const AHEAD: usize = 48 << 20;

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load<'a> {
    /// Events that are measured.
    pub(crate) events: usize,
    /// Events before them.
    pub(crate) warm_up: usize,
    /// Bytes of each event's data.
    pub(crate) size: usize,
    /// Connections, each with one event in flight.
    pub(crate) connections: usize,
    /// Whom they are for.
    pub(crate) mix: &'a Mix,
}

/// What a measurement gave.
pub(crate) struct Figures {
    /// Time on a processor, of the server alone, for each event, in microseconds.
    pub(crate) cpu: f64,
    /// Events handled in a second.
    pub(crate) throughput: f64,
    /// From sending an event to its whole answer; in an open loop from when it was due.
    pub(crate) latencies: Latencies,
}

/// A contender that was started anew, and has seen some events.
pub(crate) struct Warm<'a> {
    contender: &'a Contender,
    server: Server,
    generator: Generator,
}

impl<'a> Warm<'a> {
    /// Starts a contender and warms it up.
    ///
    /// # Errors
    /// Where it can't be started, or answers an event with anything but success.
    pub(crate) fn up(contender: &'a Contender, factory: &mut Factory, load: Load<'_>) -> Result<Self> {
        let server = Server::start(|port| contender.command(port))?;
        let generator = Generator::connect(server.port(), load.connections, contender.success)?;
        let mut warm = Self { contender, server, generator };
        for events in batches(factory, load.warm_up, load) {
            warm.generator.closed(events).with_context(|| format!("{}, warming up", contender.name))?;
        }
        Ok(warm)
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Measures it at full load: each connection has an event in flight all the time.
    ///
    /// # Errors
    /// Where it answers an event with anything but success.
    pub(crate) fn at_full_load(&mut self, factory: &mut Factory, load: Load<'_>) -> Result<Figures> {
        self.measure(factory, load, Generator::closed)
    }

    /// Measures it at a rate, so many events a second, whether those before were answered or not.
    ///
    /// # Errors
    /// As [`Self::at_full_load`].
    pub(crate) fn at_rate(&mut self, rate: f64, factory: &mut Factory, load: Load<'_>) -> Result<Figures> {
        self.measure(factory, load, |generator, events| generator.open(events, rate))
    }

    fn measure(
        &mut self,
        factory: &mut Factory,
        load: Load<'_>,
        mut run: impl FnMut(&mut Generator, Vec<Bytes>) -> Result<crate::load::Run>,
    ) -> Result<Figures> {
        let (mut cpu, mut elapsed, mut latencies) = (Duration::ZERO, Duration::ZERO, crate::load::latencies()?);
        for events in batches(factory, load.events, load) {
            // Read around each batch, so that what a server does while events are signed is not counted.
            let before = Cpu::of(self.pid())?;
            let run = run(&mut self.generator, events).with_context(|| self.contender.name.clone())?;
            cpu += Cpu::of(self.pid())?.since(&before);
            elapsed += run.elapsed;
            latencies.add(run.latencies)?;
        }
        if latencies.len() != load.events as u64 {
            bail!("{}: {} latencies of {} events", self.contender.name, latencies.len(), load.events);
        }
        let events = load.events as f64;
        Ok(Figures { cpu: cpu.as_secs_f64() * 1e6 / events, throughput: events / elapsed.as_secs_f64(), latencies })
    }
}

/// So many events, signed as they are asked for, in portions that fit into memory.
fn batches(factory: &mut Factory, count: usize, load: Load<'_>) -> impl Iterator<Item = Vec<Bytes>> {
    let most = (AHEAD / load.size.max(1000)).max(1);
    let portions = (0..count).step_by(most).map(move |start| most.min(count - start));
    portions
        .map(move |portion| (0..portion).map(|_| factory.event(&event_type(load.mix.choose()), load.size)).collect())
}
