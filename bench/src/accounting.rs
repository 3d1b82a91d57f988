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

/// The memory that a process has, in bytes.
#[derive(Debug, Default, Clone, Copy, serde::Serialize)]
pub(crate) struct Memory {
    /// Pages that are in memory.
    pub(crate) resident: u64,
    /// The same, each divided by how many processes share it.
    pub(crate) proportional: u64,
    /// The most that was resident, since the start of the process or the last [`Self::forget_peak`].
    pub(crate) peak: u64,
}

impl Memory {
    /// What a process has now.
    ///
    /// # Errors
    /// Where there is no such process.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let process = Path::new("/proc").join(pid.to_string());
        let read = |file: &str, field: &str| {
            let text = fs::read_to_string(process.join(file)).with_context(|| format!("{file} of process {pid}"))?;
            let line = text.lines().find_map(|line| line.strip_prefix(field));
            let kibibytes =
                line.and_then(|line| line.trim().strip_suffix(" kB")).and_then(|text| text.parse::<u64>().ok());
            Ok::<_, anyhow::Error>(kibibytes.with_context(|| format!("{file} of process {pid} has no {field}"))? * 1024)
        };
        Ok(Self {
            resident: read("status", "VmRSS:")?,
            proportional: read("smaps_rollup", "Pss:")?,
            peak: read("status", "VmHWM:")?,
        })
    }

    /// Has the peak count from now on.
    ///
    /// # Errors
    /// Where there is no such process, or it is somebody else's.
    pub(crate) fn forget_peak(pid: u32) -> Result<()> {
        fs::write(format!("/proc/{pid}/clear_refs"), "5").with_context(|| format!("clear_refs of process {pid}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_counted_to_whom_it_belongs_also_when_its_thread_is_gone() {
        // As long as it takes to have had a tenth of a second, however busy the machine is.
        let had =
            || fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap();
        let work = move || {
            let begin: u64 = had();
            while had() < begin + 100_000_000 {}
        };
        let start = Cpu::of(std::process::id()).unwrap();
        work();
        let own = Cpu::of(std::process::id()).unwrap();
        assert!(own.since(&start) > Duration::ZERO);
        std::thread::spawn(work).join().unwrap();
        assert!(Cpu::of(std::process::id()).unwrap().since(&own) > Duration::ZERO);
    }

    #[test]
    fn a_peak_is_forgotten_and_comes_back() {
        let pid = std::process::id();
        drop(std::hint::black_box(vec![1u8; 64 << 20]));
        assert!(Memory::of(pid).unwrap().peak > 64 << 20);
        Memory::forget_peak(pid).unwrap();
        let memory = Memory::of(pid).unwrap();
        assert!(memory.peak < 64 << 20 && memory.proportional > 0, "{memory:?}");
    }
}
