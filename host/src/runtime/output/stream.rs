use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use super::Journal;

/// Bytes that a guest is told to write at once at most. All are taken: what is too much is dropped by the journal.
const AT_ONCE: usize = 64 << 10;

/// One of a guest's streams. A guest may open it several times; all of them are the same stream.
#[derive(Clone)]
pub(in crate::runtime) struct GuestOutput {
    journal: Arc<Journal>,
    to: fn(&Journal, &[u8]),
}

impl GuestOutput {
    /// Its standard output.
    pub(in crate::runtime) fn stdout(journal: &Arc<Journal>) -> Self {
        Self { journal: Arc::clone(journal), to: Journal::stdout }
    }

    /// Its standard error.
    pub(in crate::runtime) fn stderr(journal: &Arc<Journal>) -> Self {
        Self { journal: Arc::clone(journal), to: Journal::stderr }
    }

    fn push(&self, bytes: &[u8]) {
        (self.to)(&self.journal, bytes);
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
    /// More than it was told is a guest's error, as with any stream: nothing interrupts the host while it looks for secrets.
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > AT_ONCE {
            return Err(StreamError::trap(
                "the guest wrote more at once than the 65536 bytes that `check-write` gives",
            ));
        }
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(AT_ONCE)
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
    use super::super::Captured;
    use super::*;

    #[test]
    fn a_guest_may_write_as_much_at_once_as_it_is_told() {
        let journal = Journal::new(Arc::new(Captured::default()), Arc::default(), 1 << 20, None);
        let mut stream = GuestOutput::stdout(&Arc::new(journal));
        let permit = stream.check_write().unwrap();
        assert!(stream.write(vec![b'x'; permit].into()).is_ok());
        assert!(matches!(stream.write(vec![b'x'; permit + 1].into()), Err(StreamError::Trap(_))));
    }
}
