//! What the operating system has counted for a process and its children. Source: proc(5).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

/// What `/proc/PID/stat` counts time in: clock ticks, 100 a second on every Linux that can be met.
const TICK: Duration = Duration::from_millis(10);

/// The time on a processor that a process and its children have had.
#[derive(Debug, Default)]
pub(crate) struct Cpu {
    /// For each living thread, in nanoseconds, as the scheduler counts. Exact, but gone with the thread.
    threads: BTreeMap<u32, u64>,
    /// Of all threads, the gone ones as well, in ticks.
    ticks: u64,
}

impl Cpu {
    /// What a process and its children have had until now.
    ///
    /// # Errors
    /// Where there is no such process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let mut cpu = Self::default();
        cpu.add(pid).with_context(|| format!("the accounting of process {pid} can't be read"))?;
        Ok(cpu)
    }

    fn add(&mut self, pid: u32) -> Result<()> {
        let process = Path::new("/proc").join(pid.to_string());
        let stat = fs::read_to_string(process.join("stat"))?;
        // The second field, the name, is in parentheses and may hold anything.
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
        self.ticks += ticks.sum::<Result<u64, _>>()?;
        for thread in fs::read_dir(process.join("task"))? {
            let thread = thread?;
            let id = thread.file_name().to_string_lossy().parse()?;
            // One that has ended meanwhile has no files any more.
            let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            self.threads.insert(id, text.split(' ').next().unwrap_or_default().parse()?);
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            for child in children.split_whitespace() {
                self.add(child.parse()?)?;
            }
        }
        Ok(())
    }

    /// What was added since `before`: the threads' own sum, or that of ticks, less what two of them may be off, where
    /// threads have come and gone.
    pub(crate) fn since(&self, before: &Self) -> Duration {
        let of = |(id, now): (&u32, &u64)| now.saturating_sub(before.threads.get(id).copied().unwrap_or_default());
        let exact = Duration::from_nanos(self.threads.iter().map(of).sum());
        let ticks = self.ticks.saturating_sub(before.ticks).saturating_sub(2);
        exact.max(TICK * u32::try_from(ticks).unwrap_or(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_to_whom_it_belongs_also_when_its_thread_is_gone() {
        let work = || (0..100_000_000u64).fold(0u64, |sum, number| std::hint::black_box(sum ^ number));
        let start = Cpu::of(std::process::id()).unwrap();
        work();
        let own = Cpu::of(std::process::id()).unwrap();
        assert!(own.since(&start) > Duration::ZERO);
        std::thread::spawn(work).join().unwrap();
        assert!(Cpu::of(std::process::id()).unwrap().since(&own) > Duration::ZERO);
    }
}
