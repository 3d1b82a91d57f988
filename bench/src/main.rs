//! What an event costs: the host beside a bare server and its peers, under one generated load.
//!
//! `cargo xtask bench` builds and installs all that it takes, and runs it.

mod accounting;
mod bench;
mod contender;
mod event;
mod field;
mod first;
mod handlers;
mod load;
mod measure;
mod mix;
mod parts;
mod peers;
mod report;
mod round;
mod server;
mod surroundings;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result};
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use bench::{Bench, Scale};
use event::Factory;

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
    let path = |name: &'static str| Arg::new(name).long(name).value_parser(value_parser!(PathBuf));
    let about: Vec<_> = parts::ALL.iter().map(|(name, about, _)| format!("  {name:<12}{about}")).collect();
    Command::new("tidemill-bench")
        .about("Measures what an event costs the host, beside a bare server and its peers")
        .arg(
            Arg::new("part")
                .value_parser(PossibleValuesParser::new(parts::ALL.map(|(name, ..)| name)))
                .action(ArgAction::Append)
                .hide_possible_values(true)
                .help("Only this part; may be given more than once [default: all]"),
        )
        .arg(Arg::new("only").long("only").value_name("NAME").help("Only `native` and contenders whose names begin so"))
        .arg(Arg::new("quick").long("quick").action(ArgAction::SetTrue).help("Few events, to see that it works"))
        .arg(
            Arg::new("rounds")
                .long("rounds")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("Rounds, in each of which every contender is measured once"),
        )
        .arg(path("page").value_name("FILE").help("Page to write the tables into; plots and JSON go beside it"))
        .arg(path("peers").value_name("DIR").default_value("target/bench/peers").help("Where peers are installed"))
        .after_help(format!("Parts:\n{}", about.join("\n")))
}

fn run(matches: &ArgMatches) -> Result<()> {
    let own = std::env::current_exe()?;
    let programs = own.parent().context("this program is in no folder")?.to_owned();
    let peers = matches.get_one::<PathBuf>("peers").cloned().unwrap_or_default();
    let mut scale = if matches.get_flag("quick") { Scale::QUICK } else { Scale::FULL };
    if let Some(rounds) = matches.get_one("rounds") {
        scale.rounds = *rounds;
    }
    #[expect(clippy::disallowed_methods, reason = "the composition root reads the clock")]
    let now = SystemTime::now();
    let surroundings = surroundings::describe(now, &programs, &peers);
    let only = matches.get_one::<String>("only").cloned();
    let mut bench = Bench { programs, peers, only, scale, factory: Factory::new(now)?, scratch: tempfile::tempdir()? };
    let asked: Vec<&String> = matches.get_many("part").into_iter().flatten().collect();
    for (name, _, part) in parts::ALL {
        if !asked.is_empty() && !asked.iter().any(|asked| *asked == name) {
            continue;
        }
        println!("\n== {name} ==");
        let section = part(&mut bench).with_context(|| format!("the part {name}"))?;
        println!("\n{}", section.text);
        if let Some(page) = matches.get_one::<PathBuf>("page") {
            report::write(page, &section, &surroundings)?;
        }
    }
    Ok(())
}
