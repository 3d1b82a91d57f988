//! Lines on their way to the process's output: gathered while there is much to do, and written in few system calls.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines are gathered for so long at most while nobody asks for them to be written.
const GATHER: Duration = Duration::from_millis(5);
/// When so many bytes have gathered, who adds to them writes them all.
const FULL: usize = 32 << 10;

/// A log's output. Lines are written in their order and none is dropped: where the output takes nothing, who logs waits.
///
/// A line is written within [`GATHER`], at the latest when nothing is in flight any more ([`Lines::flush`]): on a machine
/// whose processor stops with the last answer, nothing is left lying. A process that is killed loses what it had gathered.
pub(super) struct Lines {
    gathered: Mutex<Gathered>,
    /// There is something where there was nothing, and the thread waits for it.
    begun: Condvar,
    /// Who writes holds it from before it takes what has gathered until it is written, so that the order stays.
    output: Mutex<Output>,
}

struct Gathered {
    lines: Vec<u8>,
    /// Whether the thread waits for the first of them. To wake it costs a system call, and while it is up it looks by itself.
    is_awaited: bool,
}

struct Output {
    to: Box<dyn Write + Send>,
    /// Holds what is written, and changes place with what gathers meanwhile.
    batch: Vec<u8>,
}

impl Lines {
    /// Lines to `output`, with a thread that writes what nobody asks for.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self::new(output));
        let weak = Arc::downgrade(&lines);
        std::thread::Builder::new().name("log".into()).spawn(move || {
            while let Some(lines) = weak.upgrade() {
                lines.wait();
                std::thread::sleep(GATHER);
                lines.flush();
            }
        })?;
        Ok(lines)
    }

    fn new(output: impl Write + Send + 'static) -> Self {
        let output = Output { to: Box::new(output), batch: Vec::with_capacity(2 * FULL) };
        let gathered = Gathered { lines: Vec::with_capacity(2 * FULL), is_awaited: false };
        Self { gathered: Mutex::new(gathered), begun: Condvar::new(), output: Mutex::new(output) }
    }

    /// Waits until there is something to write.
    fn wait(&self) {
        let mut gathered = lock(&self.gathered);
        while gathered.lines.is_empty() {
            gathered.is_awaited = true;
            gathered = self.begun.wait(gathered).unwrap_or_else(PoisonError::into_inner);
        }
        gathered.is_awaited = false;
    }

    fn add(&self, line: &[u8]) {
        let (is_awaited, is_full) = {
            let mut gathered = lock(&self.gathered);
            gathered.lines.extend_from_slice(line);
            (std::mem::take(&mut gathered.is_awaited), gathered.lines.len() >= FULL)
        };
        if is_awaited {
            self.begun.notify_one();
        }
        if is_full {
            self.flush();
        }
    }

    /// Writes what has gathered, and returns when that and all before is written.
    pub(super) fn flush(&self) {
        let mut output = lock(&self.output);
        let Output { to, batch } = &mut *output;
        std::mem::swap(batch, &mut lock(&self.gathered).lines);
        if !batch.is_empty() {
            // A log that can't be written can't be complained of either.
            _ = to.write_all(batch).and_then(|()| to.flush());
            batch.clear();
        }
    }
}

/// Nothing panics between two changes that belong together.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes whole lines, one with each write.
pub(super) struct Writer(pub(super) Arc<Lines>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Lines;

    fn make_writer(&'a self) -> Self::Writer {
        &self.0
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Lines::flush(self);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::buffer::Buffer;
    use super::*;

    #[test]
    fn lines_of_many_threads_stay_whole_and_each_threads_in_order() {
        let buffer = Buffer::default();
        let lines = Lines::start(buffer.clone()).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let lines = &lines;
                scope.spawn(move || {
                    for number in 0..2_000 {
                        lines.add(format!("{thread} {number} {}\n", "x".repeat(number % 200)).as_bytes());
                        if number % 97 == 0 {
                            lines.flush();
                        }
                    }
                });
            }
        });
        lines.flush();
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let mut next = [0; 4];
        for line in text.lines() {
            let mut words = line.split(' ').map(|word| word.parse::<usize>().ok());
            let (thread, number) = (words.next().unwrap().unwrap(), words.next().unwrap().unwrap());
            assert_eq!(next[thread], number, "{line}");
            next[thread] += 1;
        }
        assert_eq!(next, [2_000; 4]);
    }

    #[test]
    fn what_nobody_asks_for_is_written_too() {
        let buffer = Buffer::default();
        let lines = Lines::start(buffer.clone()).unwrap();
        for line in ["one\n", "two\n"] {
            lines.add(line.as_bytes());
            while !buffer.0.lock().unwrap().ends_with(line.as_bytes()) {
                std::thread::yield_now();
            }
        }
    }
}
