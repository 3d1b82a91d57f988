//! Small events: everybody, in rounds, at full load and at half of it.

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::json;

use crate::bench::Bench;
use crate::field::Field;
use crate::load::{Latencies, latencies};
use crate::measure::{Load, Warm};
use crate::mix::{Mix, Spread as Even};
use crate::report::{Bar, Line, Section, Table, bars, lines, micros, number, ratio};
use crate::round::Spread;

/// Bytes of an event's data.
const SIZE: usize = 100;
/// Connections at full load, and at half of it.
const CONNECTIONS: usize = 32;

/// Of a latency's distribution, what is told.
const QUANTILES: [f64; 3] = [0.5, 0.99, 0.999];

/// What one contender's rounds gave.
struct Rounds {
    name: String,
    cpu: Vec<f64>,
    /// At half of full load.
    cpu_half: Vec<f64>,
    throughput: Vec<f64>,
    full: Latencies,
    half: Latencies,
}

#[derive(Serialize)]
struct Row {
    name: String,
    cpu_us: Spread,
    cpu_to_native: Spread,
    half_load_cpu_us: Spread,
    half_load_cpu_to_native: Spread,
    throughput: Spread,
    full_load_ns: [u64; 3],
    half_load_ns: [u64; 3],
    cpu_us_of_rounds: Vec<f64>,
}

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let field = Field::of(bench)?;
    let mut all = Vec::new();
    for contender in &field.contenders {
        all.push(Rounds::of(&contender.name)?);
    }
    let mix = Mix::new(1, Even::Even);
    let (events, warm_up) = (bench.scale.events, bench.scale.warm_up);
    let load = Load { events, warm_up, size: SIZE, connections: CONNECTIONS, mix: &mix };
    for round in 1..=bench.scale.rounds {
        for (contender, rounds) in field.contenders.iter().zip(&mut all) {
            let mut warm = Warm::up(contender, &mut bench.factory, load)?;
            let full = warm.at_full_load(&mut bench.factory, load)?;
            let half = Load { events: load.events / 2, ..load };
            let half = warm.at_rate(full.throughput / 2.0, &mut bench.factory, half)?;
            println!("round {round}: {}: {} µs, {:.0} events/s", contender.name, number(full.cpu), full.throughput);
            rounds.cpu.push(full.cpu);
            rounds.cpu_half.push(half.cpu);
            rounds.throughput.push(full.throughput);
            rounds.full.add(full.latencies)?;
            rounds.half.add(half.latencies)?;
        }
    }
    let native = all.first().context("nobody was measured")?;
    let rows = all.iter().map(|rounds| rounds.row(native)).collect::<Option<Vec<_>>>().context("no rounds")?;
    section(&rows, &all, &field)
}

impl Rounds {
    fn of(name: &str) -> Result<Self> {
        let (cpu, cpu_half, throughput) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { name: name.to_owned(), cpu, cpu_half, throughput, full: latencies()?, half: latencies()? })
    }

    fn row(&self, native: &Self) -> Option<Row> {
        Some(Row {
            name: self.name.clone(),
            cpu_us: Spread::of(self.cpu.iter().copied())?,
            cpu_to_native: Spread::of_ratios(&self.cpu, &native.cpu)?,
            half_load_cpu_us: Spread::of(self.cpu_half.iter().copied())?,
            half_load_cpu_to_native: Spread::of_ratios(&self.cpu_half, &native.cpu_half)?,
            throughput: Spread::of(self.throughput.iter().copied())?,
            full_load_ns: QUANTILES.map(|quantile| self.full.value_at_quantile(quantile)),
            half_load_ns: QUANTILES.map(|quantile| self.half.value_at_quantile(quantile)),
            cpu_us_of_rounds: self.cpu.clone(),
        })
    }
}

fn section(rows: &[Row], all: &[Rounds], field: &Field) -> Result<Section> {
    let mut cost = Table::new([
        "contender",
        "full load: CPU, µs an event",
        "to `native`",
        "events/s",
        "half load: CPU, µs",
        "to `native`",
    ]);
    let head = ["contender", "full load, µs: p50", "p99", "p99.9", "half load, µs: p50", "p99", "p99.9"];
    let mut latency = Table::new(head);
    for row in rows {
        let half = [number(row.half_load_cpu_us.median), ratio(row.half_load_cpu_to_native)];
        let cells = [number(row.cpu_us.median), ratio(row.cpu_to_native), number(row.throughput.median)];
        cost.row([&row.name].into_iter().chain(&cells).chain(&half));
        let quantiles = row.full_load_ns.iter().chain(&row.half_load_ns).map(|quantile| micros(*quantile));
        latency.row([row.name.clone()].into_iter().chain(quantiles));
    }
    for (name, _) in &field.skipped {
        cost.row([name.as_str(), "SKIPPED", "not installed", "", "", ""]);
    }
    let bar = |row: &Row| Bar { name: row.name.clone(), figure: row.cpu_us.median };
    let title = "CPU time of the server for each event";
    let plots = vec![
        ("contenders", bars(title, "µs", &rows.iter().map(bar).collect::<Vec<_>>())?),
        ("latency", lines("Latency at half of full load", "one event of so many takes longer", "µs", &curves(all))?),
    ];
    let skipped: Vec<_> = field.skipped.iter().map(|(name, why)| json!({ "name": name, "why": why })).collect();
    let figures = json!({ "size": SIZE, "connections": CONNECTIONS, "contenders": rows, "skipped": skipped });
    Ok(Section { name: "contenders", text: format!("{cost}\n{latency}"), figures, plots })
}

/// The distribution, by how many events there are for one that takes longer.
fn curves(all: &[Rounds]) -> Vec<Line> {
    let points = |half: &Latencies| {
        let one_of = [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];
        one_of.map(|events| (events, half.value_at_quantile(1.0 - 1.0 / events) as f64 / 1e3)).to_vec()
    };
    all.iter().map(|rounds| Line { name: rounds.name.clone(), points: points(&rounds.half) }).collect()
}
