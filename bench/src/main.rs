//! What an event costs: the host beside a bare server and its peers, under one generated load.

mod accounting;
mod contender;
mod event;
mod handlers;
mod load;
mod measure;
mod server;

use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::{Arg, ArgMatches, Command, value_parser};

use contender::Contender;
use event::Factory;
use measure::{Load, measure};

fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidemill-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let number = |name: &'static str, default: &'static str| {
        Arg::new(name).long(name).value_name("N").default_value(default).value_parser(value_parser!(usize))
    };
    Command::new("tidemill-bench")
        .about("Measures what an event costs")
        .arg(Arg::new("only").long("only").value_name("CONTENDER").help("Only this one"))
        .arg(number("rounds", "3").help("Rounds, in each of which every contender is measured once"))
        .arg(number("events", "50000").help("Events that are measured, of each in each round"))
        .arg(number("warm-up", "5000").help("Events before them"))
        .arg(number("size", "100").help("Bytes of each event's data"))
        .arg(number("connections", "32").help("Connections, each with one event in flight"))
}

fn run(matches: &ArgMatches) -> Result<()> {
    let number = |name: &str| matches.get_one::<usize>(name).copied().unwrap_or_default();
    let own = std::env::current_exe()?;
    let programs = own.parent().context("this program is in no folder")?;
    let folder = tempfile::tempdir()?;
    handlers::write(folder.path(), 1)?;
    let mut contenders = vec![
        Contender::native(programs),
        Contender::host("host", programs, folder.path().to_owned(), &[]),
        Contender::host("host, log-level=warn", programs, folder.path().to_owned(), &["--log-level", "warn"]),
    ];
    if let Some(only) = matches.get_one::<String>("only") {
        contenders.retain(|contender| contender.name == only);
    }
    #[expect(clippy::disallowed_methods, reason = "the composition root reads the clock")]
    let mut factory = Factory::new(SystemTime::now())?;
    let load = Load {
        events: number("events"),
        warm_up: number("warm-up"),
        size: number("size"),
        connections: number("connections"),
    };
    for round in 1..=number("rounds") {
        for contender in &contenders {
            let figures = measure(contender, &mut factory, load)?;
            let at = |quantile: f64| figures.latencies.value_at_quantile(quantile) as f64 / 1000.0;
            println!(
                "{round} {:<24} {:>8.1} µs CPU an event, {:>8.0} events/s, p50 {:.0} µs, p99 {:.0} µs, p99.9 {:.0} µs",
                contender.name,
                figures.cpu.as_nanos() as f64 / 1000.0,
                figures.throughput,
                at(0.5),
                at(0.99),
                at(0.999)
            );
        }
    }
    Ok(())
}
