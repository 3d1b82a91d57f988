use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

/// Runs a guest until it is done or has computed for longer than its budget; then the error is the budget.
///
/// What counts is the time that its task holds a thread. A guest that computes is made to give it up at each tick, so
/// that is looked at in time; one that waits doesn't hold any.
pub(super) fn within<F: Future>(budget: Option<Duration>, guest: F) -> Within<F> {
    Within { budget, used: Duration::ZERO, guest }
}

pin_project! {
    /// See [`within`]. A guest's future is large, and an async function would hold it several times.
    pub(super) struct Within<F> {
        budget: Option<Duration>,
        used: Duration,
        #[pin]
        guest: F,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = Result<F::Output, Duration>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(budget) = *this.budget else { return Poll::Ready(Ok(ready!(this.guest.poll(context)))) };
        let start = Instant::now();
        if let Poll::Ready(output) = this.guest.poll(context) {
            return Poll::Ready(Ok(output));
        }
        *this.used += start.elapsed();
        if *this.used > budget { Poll::Ready(Err(budget)) } else { Poll::Pending }
    }
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
