//! `fuzz`: the decoders of what strangers send, tried with what a fuzzer makes of the examples in `fuzz/seeds`.

use std::fs;
use std::num::NonZeroU32;
use std::process::Output;

use anyhow::{Context, Result, bail};

use crate::setup::{self, NIGHTLY};
use crate::tools::{cargo, fuzz_targets, root, run};

/// Without AddressSanitizer: what is fuzzed has no `unsafe`, so what it can do wrong is to panic, to loop or to take
/// memory. Six times as many inputs are tried without, and the build is a third cheaper.
const BUILD: [&str; 2] = ["--sanitizer", "none"];

/// What no input may make a decoder take: memory in MiB, of which a fuzzer itself takes some 50, and seconds.
const LIMITS: [&str; 2] = ["-rss_limit_mb=2048", "-timeout=10"];

/// Seconds for each target, where nobody says how many.
const SECONDS: u32 = 20;

/// What libFuzzer says before the name of the file with what it found.
const WRITTEN: &str = "Test unit written to ";

/// What is to be fuzzed, and how long.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The targets, at least one.
    targets: Vec<String>,
    /// For each of them.
    seconds: u32,
}

impl Plan {
    /// Every target, for so many seconds each.
    pub(crate) fn all(seconds: u32) -> Result<Self> {
        let folder = fuzz_targets().join("fuzz_targets");
        let files = fs::read_dir(&folder).with_context(|| format!("{} can't be read", folder.display()))?;
        let names = files.map(|file| Ok(file?.path().file_stem().unwrap_or_default().to_string_lossy().into_owned()));
        let mut targets = names.collect::<std::io::Result<Vec<_>>>()?;
        targets.sort();
        Ok(Self { targets, seconds })
    }

    /// What the arguments say: the targets' names, all where there is none, and `--seconds N`.
    pub(crate) fn read(arguments: &[&str]) -> Result<Self> {
        let mut plan = Self::all(SECONDS)?;
        let mut named = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if *argument == "--seconds" {
                // libFuzzer takes 0 for no end.
                let seconds = arguments.next().and_then(|seconds| seconds.parse::<NonZeroU32>().ok());
                plan.seconds = seconds.context("--seconds takes a whole number above 0")?.get();
            } else if plan.targets.iter().any(|target| target == argument) {
                named.push((*argument).to_owned());
            } else {
                bail!("there is no target `{argument}`, there are {}", plan.targets.join(", "));
            }
        }
        if !named.is_empty() {
            plan.targets = named;
        }
        Ok(plan)
    }
}

/// Sets up what is missing, and fuzzes. What can't be set up is said, and is a failure in CI alone.
pub(crate) fn main(plan: &Plan) -> Result<()> {
    if setup::fuzzer()? { fuzz(plan) } else { Ok(()) }
}

/// Fuzzes, each target to its end. Fails where one found something.
pub(crate) fn fuzz(plan: &Plan) -> Result<()> {
    run(cargo(&fuzz_targets(), &[NIGHTLY, "fuzz", "build"]).args(BUILD))?;
    let mut failed = Vec::new();
    for target in &plan.targets {
        match try_out(target, plan.seconds) {
            Ok(figures) => println!("{target}: nothing found; {figures}"),
            Err(error) => {
                println!("{target}: FAILED: {error:#}");
                failed.push(target.as_str());
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { bail!("fuzzing failed for {}; see above", failed.join(", ")) }
}

/// Fuzzes one target. Gives the fuzzer's own figures: inputs, edges and features covered, inputs kept, speed, memory.
fn try_out(target: &str, seconds: u32) -> Result<String> {
    // Empty at each start, so that it's the seeds that are built on, here as everywhere.
    let corpus = root().join("target/fuzz").join(target);
    if corpus.exists() {
        fs::remove_dir_all(&corpus).with_context(|| format!("{} can't be removed", corpus.display()))?;
    }
    fs::create_dir_all(&corpus).with_context(|| format!("{} can't be made", corpus.display()))?;
    let Output { status, stderr, .. } = cargo(&fuzz_targets(), &[NIGHTLY, "fuzz", "run"])
        .args(BUILD)
        .arg(target)
        .args([corpus, fuzz_targets().join("seeds").join(target)])
        .arg("--")
        .args(LIMITS)
        .arg(format!("-max_total_time={seconds}"))
        // The place of a panic is told without.
        .env("RUST_BACKTRACE", "0")
        .output()
        .context("cargo could not be started")?;
    let said = String::from_utf8_lossy(&stderr);
    if status.success() {
        let done = said.lines().rev().find(|line| line.starts_with('#') && line.contains("DONE"));
        return done.map(|line| line.to_owned()).context("the fuzzer ended without its figures");
    }
    // After it cargo-fuzz repeats the input, and says how to go on in words of its own.
    let written = |line: &str| line.contains(WRITTEN);
    said.lines()
        .take_while(|line| !written(line))
        .filter(|line| !is_progress(line))
        .for_each(|line| println!("{line}"));
    match said.lines().find_map(|line| line.split_once(WRITTEN)) {
        Some((_, file)) => {
            let build = BUILD.join(" ");
            bail!("what it found is in {file}; to run that again: cargo {NIGHTLY} fuzz run {build} {target} {file}")
        }
        None => bail!("the fuzzer ended with {status}"),
    }
}

/// Whether the fuzzer only tells how it gets on.
fn is_progress(line: &str) -> bool {
    ["#", "INFO:", "\tNEW_FUNC"].iter().any(|start| line.starts_with(start))
}
