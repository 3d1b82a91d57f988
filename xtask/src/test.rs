//! `test`: everything that CI checks, what is quick to fail first.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::setup;
use crate::tools::{cargo, guests, output, program, root, run};

/// A part that can be had alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The format.
    Fmt,
    /// The lints, warnings denied.
    Clippy,
    /// The tests.
    Test,
}

impl Part {
    /// All of them, in the order in which they run.
    pub(crate) const ALL: [Self; 3] = [Self::Fmt, Self::Clippy, Self::Test];

    /// The part of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "fmt" => Some(Self::Fmt),
            "clippy" => Some(Self::Clippy),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

/// One run of cargo.
struct Step {
    part: Part,
    name: &'static str,
    folder: PathBuf,
    arguments: Vec<String>,
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
    }
    let mut passed = Vec::new();
    for step in steps()?.iter().filter(|step| parts.contains(&step.part)) {
        let arguments: Vec<&str> = step.arguments.iter().map(String::as_str).collect();
        println!("\n== {}: cargo {} ==", step.name, arguments.join(" "));
        let began = Instant::now();
        let result = run(&mut cargo(&step.folder, &arguments));
        let seconds = began.elapsed().as_secs_f64();
        if let Err(error) = result {
            println!("\n== FAILED: {} after {seconds:.1} s; passed before: {} ==", step.name, list(&passed));
            bail!("{}: {error:#}", step.name);
        }
        println!("== {}: passed in {seconds:.1} s ==", step.name);
        passed.push(format!("{} {seconds:.1} s", step.name));
    }
    println!("\n== PASSED in {:.1} s: {} ==", start.elapsed().as_secs_f64(), list(&passed));
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
        folder,
        arguments: arguments.split_whitespace().map(str::to_owned).collect(),
    };
    let guest = setup::GUEST_TARGET;
    Ok(vec![
        step(Part::Fmt, "format", root(), "fmt --all --check"),
        step(Part::Fmt, "format of the guests", guests(), "fmt --all --check"),
        step(
            Part::Clippy,
            "lints of the guests",
            guests(),
            &format!("clippy --locked --workspace --all-targets --target {guest} -- -D warnings"),
        ),
        step(Part::Clippy, "lints", root(), "clippy --locked --workspace --all-targets -- -D warnings"),
        // The guests' own tests hold no world, so they run natively; as components they run under the host's tests.
        step(Part::Test, "tests of the guests", guests(), &format!("test --locked --workspace --target {native}")),
        // Each failing test is worth knowing once everything is built.
        step(Part::Test, "tests", root(), "test --locked --workspace --no-fail-fast"),
    ])
}

/// What this machine runs, such as `x86_64-unknown-linux-gnu`: the guests' workspace compiles for another by default.
fn native_target() -> Result<String> {
    let version = output(program("rustc", &root()).arg("--version").arg("--verbose"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc --version --verbose` names no host")
}
