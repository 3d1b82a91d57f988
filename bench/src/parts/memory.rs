//! What large events take while they are in flight.

use anyhow::Result;
use serde_json::json;

use crate::accounting::Memory;
use crate::bench::Bench;
use crate::contender::Contender;
use crate::event::EVENT_TYPE;
use crate::measure::{Load, Warm};
use crate::mix::{Mix, Spread as Even};
use crate::report::{Section, Table, bytes, number};

/// Bytes of an event's data.
const SIZE: usize = 10_000_000;
/// In flight at once.
const AT_ONCE: [usize; 2] = [1, 4];

pub(super) fn run(bench: &mut Bench) -> Result<Section> {
    let host = bench.host("host", 1, &[])?;
    let native = Contender::native(&bench.programs);
    let mix = Mix::new(1, Even::Even);
    let head = ["10 MB events", "at once", "peak above idle, MB", "an event, MB", "times its data", "times its body"];
    let (mut table, mut figures) = (Table::new(head), Vec::new());
    let body = bench.factory.event(EVENT_TYPE, SIZE).len();
    for contender in [&native, &host] {
        for at_once in AT_ONCE {
            // Small events first, so that what every event takes is there.
            let small = Load { events: 1, warm_up: bench.scale.warm_up, size: 100, connections: at_once, mix: &mix };
            let mut warm = Warm::up(contender, &mut bench.factory, small)?;
            Memory::forget_peak(warm.pid())?;
            let before = Memory::of(warm.pid())?;
            warm.at_full_load(&mut bench.factory, Load { events: at_once, size: SIZE, ..small })?;
            let after = Memory::of(warm.pid())?;
            let above = after.peak.saturating_sub(before.resident) as f64;
            let each = above / at_once as f64;
            let (to_data, to_body) = (each / SIZE as f64, each / body as f64);
            let cells = [at_once as f64, above / 1e6, each / 1e6, to_data, to_body].map(number);
            table.row([contender.name.clone()].into_iter().chain(cells));
            println!("{}: {at_once} at once: {} MB above idle", contender.name, number(above / 1e6));
            figures.push(json!({ "name": contender.name, "at_once": at_once, "before": before, "after": after }));
        }
    }
    let text = format!("{table}\nThe data have {}, the body of the push request {}.\n", bytes(SIZE), bytes(body));
    let figures = json!({ "data": SIZE, "body": body, "contenders": figures });
    Ok(Section { name: "memory", text, figures, plots: Vec::new() })
}
