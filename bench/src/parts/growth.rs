//! How the host's costs grow: by handlers, evenly used and with skew, and by connections.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::{Value, json};

use crate::accounting::Memory;
use crate::bench::Bench;
use crate::contender::Contender;
use crate::measure::{Load, Warm};
use crate::mix::{Mix, Spread as How};
use crate::report::{Line, Section, Table, lines, number, ratio};
use crate::round::Spread;

/// Bytes of an event's data.
const SIZE: usize = 100;
/// Connections, where handlers grow in number.
const CONNECTIONS: usize = 32;

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let (handlers, by_handlers, memory) = by_handlers(bench)?;
    let (connections, by_connections) = by_connections(bench)?;
    let up = "µs an event";
    let plots = vec![
        ("handlers", lines("CPU time of the host by the number of handlers", "handlers", up, &by_handlers.lines)?),
        ("connections", lines("CPU time by the number of connections", "connections", up, &by_connections.lines)?),
    ];
    let figures = json!({ "handlers": by_handlers.figures, "memory": memory, "connections": by_connections.figures });
    Ok(Section { name: "growth", text: format!("{handlers}\n{connections}"), figures, plots })
}

/// Curves, and the figures that they are drawn from.
struct Curves {
    lines: Vec<Line>,
    figures: Vec<Value>,
}

impl Curves {
    fn of(names: &[&str]) -> Self {
        let line = |name: &&str| Line { name: (*name).to_owned(), points: Vec::new() };
        Self { lines: names.iter().map(line).collect(), figures: Vec::new() }
    }

    fn add(&mut self, across: usize, ups: [f64; 2]) {
        for (line, up) in self.lines.iter_mut().zip(ups) {
            line.points.push((across as f64, up));
        }
    }
}

/// What a host has in memory.
#[derive(Debug, Default, Clone, Copy, Serialize)]
struct Residence {
    /// With all its handlers loaded, after the first event of one. It takes all of a release up at once.
    loaded: Memory,
    /// After each of them has had events.
    used: Memory,
}

fn residence(bench: &mut Bench, host: &Contender, used: &Warm<'_>, load: Load<'_>) -> Result<Residence> {
    let first = Mix::new(1, How::Even);
    let load = Load { warm_up: 1, connections: 1, mix: &first, ..load };
    let loaded = Warm::up(host, &mut bench.factory, load)?;
    Ok(Residence { loaded: Memory::of(loaded.pid())?, used: Memory::of(used.pid())? })
}

fn by_handlers(bench: &mut Bench) -> Result<(Table, Curves, Vec<Value>)> {
    let counts = bench.by_tens();
    let mut hosts = Vec::new();
    for count in counts.iter().copied() {
        hosts.push(bench.host("host", count, &[])?);
    }
    // For each number of handlers the rounds, evenly and with skew.
    let mut cpu = vec![[Vec::new(), Vec::new()]; counts.len()];
    let mut memory = vec![Residence::default(); counts.len()];
    for _ in 0..bench.scale.rounds {
        for (place, (host, &count)) in hosts.iter().zip(&counts).enumerate() {
            for (kind, how) in [How::Even, How::Zipf].into_iter().enumerate() {
                let (mix, idle) = (Mix::new(count, how), Mix::new(count, How::Even));
                let load = load(bench, CONNECTIONS, &mix);
                // Each handler has had events before its cost is counted.
                let warm_up = Load { warm_up: load.warm_up.max(4 * count), mix: &idle, ..load };
                let mut warm = Warm::up(host, &mut bench.factory, warm_up)?;
                if kind == 0 {
                    *memory.get_mut(place).context("a count too many")? = residence(bench, host, &warm, warm_up)?;
                }
                let figures = warm.at_full_load(&mut bench.factory, load)?;
                println!("{count} handlers, {how:?}: {} µs", number(figures.cpu));
                let of = cpu.get_mut(place).and_then(|cpu| cpu.get_mut(kind)).context("a count too many")?;
                of.push(figures.cpu);
            }
        }
    }
    let mut curves = Curves::of(&["evenly used", "by Zipf's law"]);
    let one = cpu.first().map(|[even, _]| even.clone()).context("nothing was measured")?;
    let least = memory.first().copied().unwrap_or_default();
    let head = [
        "handlers",
        "CPU, µs an event",
        "to one handler",
        "with skew, µs",
        "to one handler",
        "loaded, MiB",
        "used, MiB",
        "KiB a handler",
    ];
    let mut table = Table::new(head);
    for (((count, [even, zipf]), memory), _) in counts.iter().zip(&cpu).zip(&memory).zip(&hosts) {
        let medians = [even, zipf].map(|rounds| Spread::of(rounds.iter().copied()).map_or(0.0, |cpu| cpu.median));
        let ratios = [even, zipf].map(|rounds| Spread::of_ratios(rounds, &one).map_or_else(String::new, ratio));
        let each = match count - 1 {
            0 => String::new(),
            further => {
                number(memory.used.resident.saturating_sub(least.used.resident) as f64 / 1024.0 / further as f64)
            }
        };
        let [loaded, used] =
            [memory.loaded, memory.used].map(|memory| number(memory.resident as f64 / f64::from(1 << 20)));
        let [even_us, zipf_us] = medians.map(number);
        let [to_even, to_zipf] = ratios;
        table.row([count.to_string(), even_us, to_even, zipf_us, to_zipf, loaded, used, each]);
        curves.add(*count, medians);
        curves.figures.push(json!({ "handlers": count, "even_cpu_us": even, "zipf_cpu_us": zipf }));
    }
    let memory = counts.iter().zip(&memory).map(|(count, memory)| json!({ "handlers": count, "bytes": memory }));
    Ok((table, curves, memory.collect()))
}

fn by_connections(bench: &mut Bench) -> Result<(Table, Curves)> {
    let settings = ["--max-in-flight", "1024", "--max-in-flight-per-handler", "1024", "--max-connections", "2048"];
    let pair = [Contender::native(&bench.programs), bench.host("host", 1, &settings)?];
    let counts = bench.by_tens();
    let mut cpu = vec![[Vec::new(), Vec::new()]; counts.len()];
    let mix = Mix::new(1, How::Even);
    for _ in 0..bench.scale.rounds {
        for (count, cpu) in counts.iter().zip(&mut cpu) {
            let load = load(bench, *count, &mix);
            for (contender, cpu) in pair.iter().zip(cpu) {
                let figures = Warm::up(contender, &mut bench.factory, load)?.at_full_load(&mut bench.factory, load)?;
                println!("{count} connections: {}: {} µs", contender.name, number(figures.cpu));
                cpu.push(figures.cpu);
            }
        }
    }
    let mut curves = Curves::of(&["native", "host"]);
    let mut table = Table::new(["connections", "`native`, µs an event", "host, µs", "to `native`"]);
    for (count, [native, host]) in counts.iter().zip(&cpu) {
        let medians = [native, host].map(|rounds| Spread::of(rounds.iter().copied()).map_or(0.0, |cpu| cpu.median));
        let [native_us, host_us] = medians.map(number);
        let to = Spread::of_ratios(host, native).map_or_else(String::new, ratio);
        table.row([count.to_string(), native_us, host_us, to]);
        curves.add(*count, medians);
        curves.figures.push(json!({ "connections": count, "native_cpu_us": native, "host_cpu_us": host }));
    }
    Ok((table, curves))
}

fn load<'a>(bench: &Bench, connections: usize, mix: &'a Mix) -> Load<'a> {
    let (events, warm_up) = (bench.scale.events, bench.scale.warm_up.max(2 * connections));
    Load { events, warm_up, size: SIZE, connections, mix }
}
