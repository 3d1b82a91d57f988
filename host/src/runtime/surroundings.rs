//! What a guest sees of the machine that it runs on: its clocks and its random numbers, which the host hands in.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand::{RngExt, TryRng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use super::OutputSink;

/// What guests are told of both clocks: Linux counts nanoseconds.
const RESOLUTION: Duration = Duration::from_nanos(1);
/// Random bytes that a guest may ask for at once: nothing interrupts the host while it makes them.
const MAX_RANDOM: u64 = 64 << 10;
/// Random bytes that are asked of the machine at once. The engine draws them one by one, four for each that it gives out.
const BLOCK: usize = 64;

/// The machine, as a guest sees it. Who answers the same again has the guest do the same again, as far as its event and its
/// servers are the same too: hence a run can be recorded and repeated.
pub trait Machine: Send + Sync + 'static {
    /// The time of day.
    fn wall_clock(&self) -> SystemTime;

    /// The time since a moment that stays the same. It never goes back.
    fn monotonic_clock(&self) -> Duration;

    /// Fills `bytes` with random numbers, which guests may make keys of.
    fn random(&self, bytes: &mut [u8]);
}

/// The machine that this process runs on.
#[derive(Debug)]
pub struct ThisMachine {
    wall_clock: fn() -> SystemTime,
    start: Instant,
}

/// What surrounds one run of a handler.
#[derive(Clone)]
pub struct Surroundings {
    /// Takes what it writes.
    pub sink: Arc<dyn OutputSink>,
    /// What it sees of the machine.
    pub machine: Arc<dyn Machine>,
}

impl ThisMachine {
    /// The machine, whose time of day `wall_clock` tells.
    #[must_use]
    pub fn new(wall_clock: fn() -> SystemTime) -> Self {
        Self { wall_clock, start: Instant::now() }
    }
}

impl Machine for ThisMachine {
    fn wall_clock(&self) -> SystemTime {
        (self.wall_clock)()
    }

    fn monotonic_clock(&self) -> Duration {
        self.start.elapsed()
    }

    fn random(&self, bytes: &mut [u8]) {
        // Each thread's own generator, seeded by the system and again from time to time.
        rand::rng().fill(bytes);
    }
}

/// Hands the machine to a guest that asks WASI for something for the first time.
pub(super) fn furnish(machine: &Arc<dyn Machine>, wasi: &mut WasiCtxBuilder) {
    let mut seed = [0; 16];
    machine.random(&mut seed);
    let dice = || Dice::new(Arc::clone(machine));
    wasi.secure_random(dice()).insecure_random(dice()).insecure_random_seed(u128::from_le_bytes(seed));
    wasi.max_random_size(MAX_RANDOM);
    wasi.wall_clock(Clock(Arc::clone(machine)));
    // It begins with the guest's first question: nobody learns for how long the host has run.
    let begin = machine.monotonic_clock();
    wasi.monotonic_clock(Stopwatch { machine: Arc::clone(machine), begin });
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings").finish_non_exhaustive()
    }
}

struct Clock(Arc<dyn Machine>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        RESOLUTION
    }

    /// Times before the epoch, which no machine has, come out as the epoch.
    fn now(&self) -> Duration {
        self.0.wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default()
    }
}

struct Stopwatch {
    machine: Arc<dyn Machine>,
    begin: Duration,
}

impl HostMonotonicClock for Stopwatch {
    fn resolution(&self) -> u64 {
        RESOLUTION.as_nanos() as u64
    }

    fn now(&self) -> u64 {
        let elapsed = self.machine.monotonic_clock().saturating_sub(self.begin);
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A machine's random numbers, drawn by the block.
struct Dice {
    machine: Arc<dyn Machine>,
    block: [u8; BLOCK],
    /// How many bytes of the block were given out.
    used: usize,
}

impl Dice {
    fn new(machine: Arc<dyn Machine>) -> Self {
        Self { machine, block: [0; BLOCK], used: BLOCK }
    }

    fn fill(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            if self.used == BLOCK {
                self.machine.random(&mut self.block);
                self.used = 0;
            }
            let (_, left) = self.block.split_at(self.used);
            let count = left.len().min(bytes.len());
            let (now, later) = std::mem::take(&mut bytes).split_at_mut(count);
            now.copy_from_slice(left.split_at(count).0);
            self.used += count;
            bytes = later;
        }
    }
}

impl TryRng for Dice {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A machine whose random bytes count on, and which counts how often it is asked.
    #[derive(Default)]
    struct Counting {
        asked: AtomicUsize,
    }

    impl Machine for Counting {
        fn wall_clock(&self) -> SystemTime {
            UNIX_EPOCH
        }

        fn monotonic_clock(&self) -> Duration {
            Duration::ZERO
        }

        fn random(&self, bytes: &mut [u8]) {
            let before = self.asked.fetch_add(1, Ordering::Relaxed) * BLOCK;
            bytes.iter_mut().zip(before..).for_each(|(byte, number)| *byte = number as u8);
        }
    }

    #[test]
    fn each_byte_is_given_out_once_and_in_its_order_whatever_is_asked_for() {
        let machine = Arc::new(Counting::default());
        let mut dice = Dice::new(Arc::clone(&machine) as Arc<dyn Machine>);
        let Ok(first) = dice.try_next_u32();
        let Ok(second) = dice.try_next_u64();
        let mut bytes = first.to_le_bytes().to_vec();
        bytes.extend(second.to_le_bytes());
        let mut rest = [0; 2 * BLOCK];
        let Ok(()) = dice.try_fill_bytes(&mut rest);
        bytes.extend(rest);
        assert!(bytes.iter().zip(0..).all(|(byte, number)| *byte == number), "{bytes:?}");
        assert_eq!(machine.asked.load(Ordering::Relaxed), 3);
    }
}
