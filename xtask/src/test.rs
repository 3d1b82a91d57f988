//! `test`: everything that CI checks, what is quick to fail first.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, fuzz_targets, guests, output, program, random_guests, root, run, wasmtime_peer};
use crate::{fuzz, instructions, setup};

/// Seconds for each fuzz target: time to run every seed and what is near it, not to find what hides.
const FUZZ_SECONDS: u32 = 10;

/// A part that can be had alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The format.
    Fmt,
    /// The lints, warnings denied.
    Clippy,
    /// The tests.
    Test,
    /// The instructions that each step takes, against their bounds.
    Instructions,
    /// The fuzz targets, for a short while.
    Fuzz,
}

impl Part {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 5] = [Self::Fmt, Self::Clippy, Self::Test, Self::Instructions, Self::Fuzz];

    /// The part of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Test => "test",
            Self::Instructions => "instructions",
            Self::Fuzz => "fuzz",
        }
    }
}

/// One thing that is checked.
struct Step {
    part: Part,
    name: &'static str,
    work: Work,
}

/// What there is to do for a step.
enum Work {
    /// Run cargo in this folder with these arguments.
    Cargo(PathBuf, Vec<String>),
    /// Count instructions.
    Instructions,
    /// Fuzz.
    Fuzz(fuzz::Plan),
}

impl Work {
    fn title(&self) -> String {
        match self {
            Self::Cargo(_, arguments) => format!("cargo {}", arguments.join(" ")),
            Self::Instructions => "callgrind".to_owned(),
            Self::Fuzz(_) => format!("cargo xtask fuzz --seconds {FUZZ_SECONDS}"),
        }
    }

    fn run(&self) -> Result<()> {
        match self {
            Self::Cargo(folder, arguments) => {
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                run(&mut cargo(folder, &arguments))
            }
            Self::Instructions => instructions::main(),
            Self::Fuzz(plan) => fuzz::fuzz(plan),
        }
    }
}

/// Runs the steps of `parts`. Ends with a line that sums up, and fails at the first step that fails.
pub(crate) fn main(parts: &[Part]) -> Result<()> {
    let start = Instant::now();
    setup::guest_target()?;
    setup::lint_tools()?;
    if parts.contains(&Part::Test) {
        setup::c_compiler()?;
        setup::emulator()?;
        setup::redis()?;
        setup::python()?;
        setup::registry()?;
    }
    let mut skipped = Vec::new();
    if parts.contains(&Part::Instructions) && !setup::callgrind()? {
        skipped.push(Part::Instructions);
    }
    if parts.contains(&Part::Fuzz) && !setup::fuzzer()? {
        skipped.push(Part::Fuzz);
    }
    let mut passed = Vec::new();
    for Step { part, name, work } in steps()? {
        if !parts.contains(&part) || skipped.contains(&part) {
            continue;
        }
        println!("\n== {name}: {} ==", work.title());
        let began = Instant::now();
        let result = work.run();
        let seconds = began.elapsed().as_secs_f64();
        if let Err(error) = result {
            println!("\n== FAILED: {name} after {seconds:.1} s; passed before: {} ==", list(&passed));
            bail!("{name}: {error:#}");
        }
        println!("== {name}: passed in {seconds:.1} s ==");
        passed.push(format!("{name} {seconds:.1} s"));
    }
    let skipped: String = skipped.into_iter().map(|part| format!("; SKIPPED: {}", part.name())).collect();
    println!("\n== PASSED in {:.1} s: {}{skipped} ==", start.elapsed().as_secs_f64(), list(&passed));
    Ok(())
}

fn list(passed: &[String]) -> String {
    if passed.is_empty() { "nothing".to_owned() } else { passed.join(", ") }
}

/// All steps, in order.
///
/// The selection of packages is always the whole workspace: with another, cargo would unite features otherwise and
/// build dependencies again.
fn steps() -> Result<Vec<Step>> {
    let native = native_target()?;
    let step = |part, name, folder: PathBuf, arguments: &str| Step {
        part,
        name,
        work: Work::Cargo(folder, arguments.split_whitespace().map(str::to_owned).collect()),
    };
    let guest = setup::GUEST_TARGET;
    Ok(vec![
        step(Part::Fmt, "format", root(), "fmt --all --check"),
        step(Part::Fmt, "format of the guests", guests(), "fmt --all --check"),
        step(Part::Fmt, "format of the maker of random guests", random_guests(), "fmt --check"),
        step(Part::Fmt, "format of the bench's component", wasmtime_peer(), "fmt --check"),
        step(Part::Fmt, "format of the fuzz targets", fuzz_targets(), "fmt --check"),
        step(
            Part::Clippy,
            "lints of the guests",
            guests(),
            &format!("clippy --locked --workspace --all-targets --target {guest} -- -D warnings"),
        ),
        step(
            Part::Clippy,
            "lints of the maker of random guests",
            random_guests(),
            "clippy --locked --all-targets -- -D warnings",
        ),
        step(
            Part::Clippy,
            "lints of the bench's component",
            wasmtime_peer(),
            &format!("clippy --locked --target {guest} -- -D warnings"),
        ),
        step(Part::Clippy, "lints", root(), "clippy --locked --workspace --all-targets -- -D warnings"),
        // The guests' own tests hold no world, so they run natively; as components they run under the host's tests.
        step(Part::Test, "tests of the guests", guests(), &format!("test --locked --workspace --target {native}")),
        // Each failing test is worth knowing once everything is built.
        step(Part::Test, "tests", root(), "test --locked --workspace --no-fail-fast"),
        Step { part: Part::Instructions, name: "instructions", work: Work::Instructions },
        // Linting them compiles libFuzzer, so it takes what fuzzing takes.
        step(Part::Fuzz, "lints of the fuzz targets", fuzz_targets(), "clippy --locked --all-targets -- -D warnings"),
        Step { part: Part::Fuzz, name: "fuzz", work: Work::Fuzz(fuzz::Plan::all(FUZZ_SECONDS)?) },
    ])
}

/// What this machine runs, such as `x86_64-unknown-linux-gnu`: the guests' workspace compiles for another by default.
fn native_target() -> Result<String> {
    let version = output(program("rustc", &root()).arg("--version").arg("--verbose"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc --version --verbose` names no host")
}
