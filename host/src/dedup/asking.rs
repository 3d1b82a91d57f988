use std::pin::Pin;
use std::task::{Context, Poll};

use super::DedupError;

/// A question to a store, under way. Dropping it leaves open whether it reached the store.
pub struct Asking<'a, T>(Way<'a, T>);

enum Way<'a, T> {
    /// Answered already, or its answer taken.
    Answered(Option<T>),
    /// Somebody else is asked.
    Waiting(Pin<Box<dyn Future<Output = Result<T, DedupError>> + Send + 'a>>),
}

impl<'a, T> Asking<'a, T> {
    /// A question that had its answer at once: one of the process's own memory, which need not wait for anybody.
    #[must_use]
    pub fn answered(answer: T) -> Self {
        Self(Way::Answered(Some(answer)))
    }

    /// A question whose answer comes of this.
    #[must_use]
    pub fn waiting(answer: impl Future<Output = Result<T, DedupError>> + Send + 'a) -> Self {
        Self(Way::Waiting(Box::pin(answer)))
    }
}

// An answer is moved out, and what waits is pinned in its box.
impl<T> Unpin for Asking<'_, T> {}

impl<T> Future for Asking<'_, T> {
    type Output = Result<T, DedupError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Way::Answered(answer) => answer.take().map_or(Poll::Pending, |answer| Poll::Ready(Ok(answer))),
            Way::Waiting(answer) => answer.as_mut().poll(context),
        }
    }
}
