//! A guest's standard output and standard error, cut into lines and bounded.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes that one event may write to one stream; the rest is dropped and counted.
const MAX_BYTES: usize = 64 << 10;
/// Lines that one event may write to one stream: each costs far more than its bytes.
const MAX_LINES: usize = 500;
/// A longer line is cut here, so that one line can't hold the whole budget back until the end.
const MAX_LINE: usize = 8 << 10;

/// Which of its two streams a guest wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a guest wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it wrote it.
    pub stream: Stream,
    /// The line, without its end. Bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// Takes a guest's lines as they come. Called within the span of the event.
pub trait OutputSink: Send + Sync {
    /// Takes one line.
    fn line(&self, line: Line);
}

/// Makes each line a log line: standard output at INFO, standard error at WARN.
#[derive(Debug, Default)]
pub struct LogLines;

impl OutputSink for LogLines {
    fn line(&self, line: Line) {
        match line.stream {
            Stream::Stdout => tracing::info!(stream = "stdout", "{}", line.text),
            Stream::Stderr => tracing::warn!(stream = "stderr", "{}", line.text),
        }
    }
}

/// Keeps the lines, to be shown afterwards.
#[derive(Debug, Default)]
pub struct Captured(Mutex<Vec<Line>>);

impl Captured {
    /// The lines so far, in the order in which they came. They are gone from here then.
    pub fn take(&self) -> Vec<Line> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl OutputSink for Captured {
    fn line(&self, line: Line) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

/// One of a guest's streams. A guest may open it several times; all of them are the same stream.
#[derive(Clone)]
pub(super) struct GuestOutput(Arc<Mutex<Lines>>);

struct Lines {
    stream: Stream,
    sink: Arc<dyn OutputSink>,
    partial: Vec<u8>,
    taken: usize,
    lines: usize,
    dropped: usize,
}

impl GuestOutput {
    pub(super) fn new(stream: Stream, sink: Arc<dyn OutputSink>) -> Self {
        Self(Arc::new(Mutex::new(Lines { stream, sink, partial: Vec::new(), taken: 0, lines: 0, dropped: 0 })))
    }

    fn push(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
    }
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        let room = if self.lines < MAX_LINES { MAX_BYTES.saturating_sub(self.taken).min(bytes.len()) } else { 0 };
        let (kept, dropped) = bytes.split_at(room);
        self.taken += kept.len();
        self.dropped += dropped.len();
        for piece in kept.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= MAX_LINE {
                self.emit();
            }
        }
    }

    fn emit(&mut self) {
        if self.lines == MAX_LINES {
            self.dropped += self.partial.len();
            self.partial.clear();
            return;
        }
        self.lines += 1;
        let text = String::from_utf8_lossy(&self.partial).trim_end_matches(['\n', '\r']).to_owned();
        self.partial.clear();
        self.sink.line(Line { stream: self.stream, text });
    }
}

impl Drop for Lines {
    /// The last line often has no end, and what was cut has to be said.
    fn drop(&mut self) {
        if !self.partial.is_empty() {
            self.emit();
        }
        if self.dropped > 0 {
            let text = format!(
                "[{} further bytes of output dropped: an event may write {MAX_BYTES} in {MAX_LINES} lines]",
                self.dropped
            );
            self.sink.line(Line { stream: self.stream, text });
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MAX_BYTES)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pieces: &[&[u8]]) -> Vec<String> {
        let captured = Arc::new(Captured::default());
        let output = GuestOutput::new(Stream::Stdout, Arc::clone(&captured) as Arc<dyn OutputSink>);
        pieces.iter().for_each(|piece| output.push(piece));
        drop(output);
        captured.take().into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn lines_are_made_of_pieces_and_the_last_needs_no_end() {
        assert_eq!(written(&[b"on", b"e\ntwo\r\n", b"\nthree"]), ["one", "two", "", "three"]);
    }

    #[test]
    fn many_empty_lines_are_cut_and_counted() {
        let lines = written(&["\n".repeat(10_000).as_bytes(), b"more\n"]);
        assert_eq!(lines.len(), MAX_LINES + 1);
        assert!(lines.last().unwrap().starts_with("[9505 further bytes"), "{:?}", lines.last());
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let lines = written(&[&vec![b'x'; MAX_BYTES], b"more\n", b"and more\n"]);
        assert_eq!(
            lines.last().unwrap(),
            "[14 further bytes of output dropped: an event may write 65536 in 500 lines]"
        );
        assert_eq!(lines.iter().map(String::len).sum::<usize>(), MAX_BYTES + lines.last().unwrap().len());
    }
}
