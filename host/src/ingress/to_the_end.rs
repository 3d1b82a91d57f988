use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::runtime::Handle;

use crate::panicked;

/// A future that ends whether somebody waits for it or not: where who waits is gone, a task of its own goes on with it.
///
/// It is run by who waits, since a task for each would cost more than most handlers take.
pub(super) struct ToTheEnd<T: 'static>(Option<Running<T>>);

type Running<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<T: Send + 'static> ToTheEnd<T> {
    /// Runs `future`. A panic is an end too: `on_panic` makes the output of its message, whoever waits for it.
    pub(super) fn new(
        future: impl Future<Output = T> + Send + 'static,
        on_panic: impl FnOnce(String) -> T + Send + 'static,
    ) -> Self {
        // What a panic leaves half changed is this future's alone, or sound in any case: it is dropped.
        let future = AssertUnwindSafe(future).catch_unwind().map(|ended| {
            ended.unwrap_or_else(|panic| on_panic(format!("it panicked: {}", panicked::message(&*panic))))
        });
        Self(Some(Box::pin(future)))
    }
}

impl<T> Future for ToTheEnd<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else { return Poll::Pending };
        let polled = future.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<T> Drop for ToTheEnd<T> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and everything with it.
        if let (Some(future), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(async move { drop(future.await) });
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn it_ends_though_nobody_waits() {
        let (go, gone) = oneshot::channel();
        let (say, said) = oneshot::channel();
        let begun = async move {
            gone.await.unwrap();
            say.send("the end").unwrap();
        };
        let mut begun = ToTheEnd::new(begun, |panic| panic!("{panic}"));
        assert!((&mut begun).now_or_never().is_none());
        drop(begun);
        // Nor need it ever have been begun.
        let (say_too, said_too) = oneshot::channel();
        drop(ToTheEnd::new(async move { say_too.send("the other end").unwrap() }, |panic| panic!("{panic}")));
        go.send(()).unwrap();
        assert_eq!((said.await, said_too.await), (Ok("the end"), Ok("the other end")));
    }

    #[tokio::test]
    async fn a_panic_is_an_end_though_nobody_waits() {
        assert_eq!(
            ToTheEnd::new(async { panic!("at the {}", "disco") }, |message| message).await,
            "it panicked: at the disco"
        );
        let (say, said) = oneshot::channel();
        drop(ToTheEnd::new(async { panic!("at the {}", "disco") }, |message: String| say.send(message).unwrap()));
        assert_eq!(said.await.unwrap(), "it panicked: at the disco");
    }
}
