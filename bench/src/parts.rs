//! The parts of the bench. Each gives a section of the report.

mod bodies;
mod contenders;
mod growth;
mod memory;
mod start;

use anyhow::Result;

use crate::bench::Bench;
use crate::report::Section;

/// A part, by the name that the command line and the page know it by.
pub(crate) type Part = (&'static str, &'static str, fn(&mut Bench) -> Result<Section>);

/// All of them, with what each is about.
pub(crate) const ALL: [Part; 5] = [
    (
        "contenders",
        "CPU time, throughput and latency of small events: the host, the bare server and the peers",
        contenders::run,
    ),
    ("bodies", "CPU time of an event by the size of its data", bodies::run),
    ("growth", "CPU time of an event by the number of handlers and of connections; memory of a handler", growth::run),
    ("start", "from the start of the process to the first event acknowledged; sizes", start::run),
    ("memory", "peak memory of large events in flight", memory::run),
];
