use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

/// Runs a guest until it is done or has computed for longer than its budget; then the error is the budget.
///
/// What counts is the time that its task holds a thread. A guest that computes is made to give it up at each tick, so
/// that is looked at in time; one that waits doesn't hold any.
pub(super) async fn within<F: Future>(budget: Option<Duration>, guest: F) -> Result<F::Output, Duration> {
    let Some(budget) = budget else { return Ok(guest.await) };
    let mut guest = pin!(guest);
    let mut used = Duration::ZERO;
    poll_fn(|context| {
        let start = Instant::now();
        let polled = guest.as_mut().poll(context);
        used += start.elapsed();
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if used > budget => Poll::Ready(Err(budget)),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Holds its thread for a while, so many times, and gives it up in between.
    async fn computes(times: u32) {
        for _ in 0..times {
            std::thread::sleep(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn computing_counts_and_waiting_does_not() {
        let budget = Duration::from_millis(20);
        assert_eq!(within(Some(budget), computes(u32::MAX)).await, Err(budget));
        assert_eq!(within(Some(budget), tokio::time::sleep(budget * 3)).await, Ok(()));
        assert_eq!(within(None, computes(30)).await, Ok(()));
    }
}
