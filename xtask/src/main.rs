//! The project's own commands, `cargo xtask COMMAND`: what a newcomer, a CI machine and a release need.

mod bench;
mod children;
mod demo;
mod fuzz;
mod http;
mod image;
mod instructions;
mod interrupt;
mod setup;
mod test;
mod tools;

use std::process::ExitCode;

use fuzz::Plan;
use image::Work;
use test::Part;

const HELP: &str = "\
The project's own commands

Usage: cargo xtask COMMAND

  demo            Builds everything, starts the local loop and the example API, and plays a scenario: a user registers,
                  changes a name, likes a post, and a handler is swapped while it runs. Stays until Ctrl-C
  demo --once     The same, and ends after the scenario: 0 where every step happened, 1 where one did not
  test            Everything that CI checks: format, lints and tests, of the host's workspace and of the guests', the
                  instructions that each step of an event's way takes, and a short run of the fuzz targets
  test --only P   One part of it: fmt, clippy, test, instructions or fuzz
  fuzz            Tries the decoders of what strangers send with what a fuzzer makes of real examples: every target, or
                  those that are named, for 20 seconds each, or --seconds N. Takes the nightly toolchain and cargo-fuzz
  bench           Measures what an event costs the host, beside a bare server, functions-framework, workerd and wasmtime
                  serve, and writes tables and plots into docs/performance.md. All parts, or those that are named:
                  contenders, bodies, growth, start, memory
  bench --quick   The same with few events, to see that it works; what it writes is under target/bench/quick
  bench --only N  Only the bare server and those whose names begin with N. --rounds N: so many, instead of 5;
                  --no-peers: measures peers only where they are installed already
  image           Builds the Dockerfile with buildah, over base images made on this machine, and runs the container once.
                  For Debian without a Docker engine, as root. With Docker: docker build --tag tidemill-host .
  image --bases   Only makes the base images
  image --run     Only runs the image that was built before
  help            This text

Each command first sets up what is missing.

Example: cargo xtask demo --once
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match arguments.as_slice() {
        [.., "help" | "--help" | "-h"] => {
            print!("{HELP}");
            Ok(())
        }
        ["demo"] => demo::main(false),
        ["demo", "--once"] => demo::main(true),
        ["test"] => test::main(&Part::ALL),
        ["test", "--only", part] => match Part::named(part) {
            Some(part) => test::main(&[part]),
            None => {
                let parts = "fmt, clippy, test, instructions and fuzz";
                return misused(&format!("test --only {part}: there are the parts {parts}"));
            }
        },
        ["fuzz", arguments @ ..] => match Plan::read(arguments) {
            Ok(plan) => fuzz::main(&plan),
            Err(error) => return misused(&format!("fuzz: {error:#}")),
        },
        ["bench", arguments @ ..] => bench::main(arguments),
        ["image"] => image::main(Work::All),
        ["image", "--bases"] => image::main(Work::Bases),
        ["image", "--run"] => image::main(Work::Run),
        [] => return misused("a command is missing"),
        other => return misused(&format!("there is no command `{}`", other.join(" "))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn misused(sentence: &str) -> ExitCode {
    eprintln!("xtask: {sentence}\n\n{HELP}");
    ExitCode::from(2)
}
