use std::time::{Duration, Instant};

/// What the demo says, to standard output.
#[derive(Debug)]
pub(super) struct Story {
    start: Instant,
}

impl Story {
    /// Begins to count the time.
    pub(super) fn begin() -> Self {
        Self { start: Instant::now() }
    }

    /// Says what comes next.
    pub(super) fn chapter(&self, title: &str) {
        println!("\n== {title} == {}", clock(self.start.elapsed()));
    }

    /// Says what happened.
    pub(super) fn tell(&self, sentence: &str) {
        println!("   {sentence}");
    }

    /// The time since the command was started.
    pub(super) fn so_far(&self) -> String {
        clock(self.start.elapsed())
    }
}

/// Minutes and seconds.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{} min {:02} s", seconds / 60, seconds % 60)
}

/// Milliseconds, for what takes few.
pub(super) fn milliseconds(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
