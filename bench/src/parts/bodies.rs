//! Events by the size of their data, of everybody.

use anyhow::{Context, Result};
use serde_json::json;

use crate::bench::Bench;
use crate::field::Field;
use crate::measure::{Load, Warm};
use crate::mix::{Mix, Spread as Even};
use crate::report::{Line, Section, Table, bytes, lines, number, ratio};
use crate::round::Spread;

const SIZES: [usize; 4] = [100, 10_000, 1_000_000, 10_000_000];

/// Few, so that bodies in flight stay within what the host takes at once by default.
const CONNECTIONS: usize = 4;

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let field = Field::of(bench)?;
    let mix = Mix::new(1, Even::Even);
    // For each contender, for each size, for each round.
    let mut cpu = vec![vec![Vec::new(); SIZES.len()]; field.contenders.len()];
    for round in 1..=bench.scale.rounds {
        for (place, size) in SIZES.into_iter().enumerate() {
            let (events, warm_up) = (bench.scale.events_of(size), bench.scale.warm_up_of(size));
            let load = Load { events, warm_up, size, connections: CONNECTIONS, mix: &mix };
            for (contender, cpu) in field.contenders.iter().zip(&mut cpu) {
                let figures = Warm::up(contender, &mut bench.factory, load)?.at_full_load(&mut bench.factory, load)?;
                println!("round {round}: {}: {}: {} µs", contender.name, bytes(size), number(figures.cpu));
                cpu.get_mut(place).context("a size too many")?.push(figures.cpu);
            }
        }
    }
    let native = cpu.first().cloned().context("nobody was measured")?;
    let head = ["CPU, ms an event (to `native`)".to_owned()];
    let mut table = Table::new(head.into_iter().chain(SIZES.map(bytes)));
    let (mut plot, mut figures) = (Vec::new(), Vec::new());
    for (contender, cpu) in field.contenders.iter().zip(&cpu) {
        let name = &contender.name;
        let medians = cpu.iter().filter_map(|rounds| Spread::of(rounds.iter().copied())).map(|cpu| cpu.median);
        let medians: Vec<f64> = medians.collect();
        let ratios = cpu.iter().zip(&native).filter_map(|(own, native)| Spread::of_ratios(own, native));
        let ratios: Vec<Spread> = ratios.collect();
        let cells =
            medians.iter().zip(&ratios).map(|(cpu, to)| format!("{} ({})", number(cpu / 1e3), number(to.median)));
        table.row([name.clone()].into_iter().chain(cells));
        let points = SIZES.iter().zip(&medians).map(|(size, cpu)| (*size as f64, *cpu)).collect();
        plot.push(Line { name: name.clone(), points });
        let of_size = SIZES.iter().zip(cpu).zip(&ratios).map(|((size, cpu), to)| {
            json!({ "size": size, "cpu_us_of_rounds": cpu, "cpu_to_native": to, "text": ratio(*to) })
        });
        figures.push(json!({ "name": name, "sizes": of_size.collect::<Vec<_>>() }));
    }
    for (name, _) in &field.skipped {
        table.row([name.as_str(), "SKIPPED", "", "", ""]);
    }
    let svg = lines("CPU time of the server by the size of an event's data", "bytes", "µs an event", &plot)?;
    Ok(Section { name: "bodies", text: table.to_string(), figures: json!(figures), plots: vec![("bodies", svg)] })
}
