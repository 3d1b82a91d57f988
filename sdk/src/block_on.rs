//! Runs an async handler where the feature `http` is off, and with it the runtime that waits for the host.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use crate::Failure;

/// Polls a handler to its end.
///
/// There is one thread and no reactor, so a future that wakes itself is polled again, and one that doesn't never ends.
///
/// # Errors
/// What the handler answers, or a retry where it waits for what nothing can wake.
pub(crate) fn block_on(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut context) {
            return answer;
        }
        if !woken.0.swap(false, Ordering::Relaxed) {
            return Err(Failure::retry(
                "the handler waits for what nothing in it can wake: to wait for the host, turn on the feature `http` of \
                 tidemill-sdk in its Cargo.toml",
            ));
        }
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_nothing_to_wait_for_ends() {
        assert_eq!(block_on(async { Err(Failure::reject("no")) }), Err(Failure::reject("no")));
    }

    #[test]
    fn what_wakes_itself_is_polled_again() {
        let mut left = 3;
        let countdown = std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            left -= 1;
            if left == 0 { Poll::Ready(Ok(())) } else { Poll::Pending }
        });
        assert_eq!(block_on(countdown), Ok(()));
        assert_eq!(left, 0);
    }

    #[test]
    fn what_nothing_wakes_is_a_retry_and_no_hang() {
        let failure = block_on(std::future::pending()).unwrap_err();
        assert!(failure.reason().contains("feature `http`"), "{failure}");
    }
}
