//! The instructions that each step of an event's way takes, counted by callgrind and held against written bounds: what makes
//! it slower is seen when it comes in, on any machine and beside any work, since nothing is timed.

mod bounds;

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use bounds::Counted;

use crate::tools::{cargo, executable, output, program, root};

/// The file with the bounds.
const BOUNDS: &str = "bench/instructions.txt";

/// What takes the steps, `host/benches/instructions.rs`.
const PROGRAM: &str = "instructions";

/// Its function that is called where a step's turns begin, and where they end.
const MARK: &str = "*instructions::mark*";

/// Where handlers, their code, and what callgrind writes are kept.
const FOLDER: &str = "target/instructions";

/// The files that callgrind writes: at each mark one for each thread, whose numbers it puts behind the name.
const COUNTS: &str = "counts";

/// What callgrind's file of a step ends with, behind the step's name.
const PROFILE: &str = "callgrind";

/// Counts, prints a table, and fails where a step takes more than it may.
pub(crate) fn main() -> Result<()> {
    let bounds = fs::read_to_string(root().join(BOUNDS)).with_context(|| format!("{BOUNDS} can't be read"))?;
    let bounds = bounds::read(&bounds).with_context(|| BOUNDS.to_owned())?;
    let judged = bounds::judge(&count(&build()?)?, &bounds);
    println!("\n{}", judged.table);
    println!("Where a step's instructions go: callgrind_annotate --threshold=100 {FOLDER}/STEP.{PROFILE}");
    judged.notices.iter().for_each(|notice| println!("{BOUNDS}: {notice}"));
    judged.broken.iter().for_each(|broken| println!("{BOUNDS}: {broken}"));
    if !judged.broken.is_empty() {
        bail!("{} of the bounds in {BOUNDS} don't hold; see above", judged.broken.len());
    }
    Ok(())
}

/// Builds what takes the steps, and gives its path.
fn build() -> Result<PathBuf> {
    // The whole workspace, as everywhere: with another selection, cargo would build dependencies again.
    let arguments = ["build", "--locked", "--profile", "gate", "--workspace", "--bench", PROGRAM];
    let messages = cargo(&root(), &arguments)
        .args(["--message-format", "json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("cargo could not be started")?;
    if !messages.status.success() {
        bail!("cargo build failed, see above: {}", messages.status);
    }
    executable(&String::from_utf8_lossy(&messages.stdout), PROGRAM)
        .with_context(|| format!("cargo built no `{PROGRAM}`"))
}

/// Has all steps taken under callgrind, and gives what each took.
fn count(steps: &Path) -> Result<Vec<Counted>> {
    let folder = root().join(FOLDER);
    let steps = steps.to_string_lossy();
    // Natively first: it compiles the handlers, whose code is kept there.
    output(program(&steps, &root()).arg(&folder))?;
    for file in fs::read_dir(&folder).with_context(|| format!("{} can't be read", folder.display()))? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(COUNTS) {
            fs::remove_file(file.path())?;
        }
    }
    println!("Counting with callgrind");
    let taken = output(
        program("valgrind", &root())
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", folder.join(COUNTS).display()))
            .arg(format!("--dump-before={MARK}"))
            // The steps are on the first thread; what other threads do meanwhile depends on the time.
            .arg("--separate-threads=yes")
            .arg(&*steps)
            .arg(&folder),
    )?;
    taken.lines().enumerate().map(|(index, line)| counted(line, &folder, index)).collect()
}

/// What the step took that this line tells of, `NAME TIMES`, the one of this index.
fn counted(line: &str, folder: &Path, index: usize) -> Result<Counted> {
    let told = line.split_once(' ').and_then(|(step, times)| Some((step, times.parse::<NonZeroU64>().ok()?)));
    let (step, times) = told.with_context(|| format!("`{line}` tells of no step"))?;
    // The first is written where the first step begins, the second where it ends, and so on.
    let file = folder.join(format!("{COUNTS}.{}-01", 2 * index + 2));
    let dump = fs::read_to_string(&file).with_context(|| {
        format!("callgrind wrote no {}: has the program that takes the steps no symbols?", file.display())
    })?;
    let total = total(&dump).with_context(|| format!("{} has no total", file.display()))?;
    fs::rename(&file, folder.join(format!("{step}.{PROFILE}")))?;
    Ok(Counted { step: step.to_owned(), count: total / times })
}

/// The instructions in a dump of callgrind's, all together.
fn total(dump: &str) -> Option<u64> {
    let total =
        dump.lines().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")))?;
    total.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_total_of_a_dump_is_found() {
        let dump = "version: 1\ncmd: a b\nevents: Ir\nsummary: 1234567\n\nfn=(1) main\n7 12\n\ntotals: 1234567\n";
        assert_eq!(super::total(dump), Some(1_234_567));
        assert_eq!(super::total("version: 1\n"), None);
    }

    #[test]
    fn the_bounds_can_be_read() {
        let text = std::fs::read_to_string(super::root().join(super::BOUNDS)).unwrap();
        assert!(!super::bounds::read(&text).unwrap().is_empty());
    }
}
