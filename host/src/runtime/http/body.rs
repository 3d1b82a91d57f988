//! Bodies that end where they have to: too long, too slow, or with a trailer that must not leave.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::hooks::{Places, is_for_metadata};
use super::refusal::Told;

/// The most that a body may have, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Longest(pub(super) usize);

/// The body of a request, up to its longest.
///
/// It ends well only while the instance that wrote it is `alive`: what a deadline cuts off must not look whole.
pub(super) fn outbound(body: WasiBody, longest: Longest, alive: &Arc<()>) -> WasiBody {
    Outbound { body, left: longest.0, longest, alive: Arc::downgrade(alive) }.boxed_unsync()
}

/// The body of an answer, up to its longest and as long as its pieces come in time. It keeps its request's places.
pub(super) fn inbound(body: impl Answer, longest: Longest, silence: Duration, told: Told, places: Places) -> WasiBody {
    Inbound { body, left: longest.0, longest, silence, waiting: None, told, _places: places }.boxed_unsync()
}

impl Longest {
    fn in_bytes(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

struct Outbound {
    body: WasiBody,
    left: usize,
    longest: Longest,
    alive: Weak<()>,
}

impl Body for Outbound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let frame = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(None) if self.alive.strong_count() == 0 => {
                return Poll::Ready(Some(Err(Error::ConnectionTerminated)));
            }
            _ => return polled,
        };
        if let Some(data) = frame.data_ref() {
            match self.left.checked_sub(data.len()) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Some(Err(Error::HttpRequestBodySize(self.longest.in_bytes())))),
            }
        }
        if frame.trailers_ref().is_some_and(|trailers| trailers.keys().any(is_for_metadata)) {
            return Poll::Ready(Some(Err(Error::HttpRequestDenied)));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, whoever gave it.
pub(super) trait Answer: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static {}

impl<B: Body<Data = Bytes, Error = Error> + Send + Unpin + 'static> Answer for B {}

struct Inbound<B> {
    body: B,
    left: usize,
    longest: Longest,
    silence: Duration,
    /// Since when nothing came. A guest that computes meanwhile is not the server's fault.
    waiting: Option<Pin<Box<Sleep>>>,
    told: Told,
    _places: Places,
}

impl<B: Answer> Body for Inbound<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting = None;
                let length = frame.data_ref().map_or(0, Bytes::len);
                match self.left.checked_sub(length) {
                    Some(left) => self.left = left,
                    None => {
                        self.told.cut(self.longest.0);
                        return Poll::Ready(Some(Err(Error::HttpResponseBodySize(self.longest.in_bytes()))));
                    }
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(ended @ (Some(Err(_)) | None)) => Poll::Ready(ended),
            Poll::Pending => {
                let silence = self.silence;
                let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(silence)));
                waiting.as_mut().poll(context).map(|()| Some(Err(Error::ConnectionReadTimeout)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{Empty, Full};
    use hyper::HeaderMap;
    use hyper::header::HeaderName;

    use super::*;

    async fn collected(body: WasiBody, alive: Option<Arc<()>>) -> Result<Bytes, Error> {
        let kept = alive.clone().unwrap_or_default();
        let body = outbound(body, Longest(5), &kept);
        drop(kept);
        let whole = body.collect().await.map(http_body_util::Collected::to_bytes);
        drop(alive);
        whole
    }

    fn full(text: &'static str) -> WasiBody {
        Full::from(text).map_err(|error| match error {}).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_has_its_longest() {
        assert_eq!(collected(full("12345"), Some(Arc::default())).await.unwrap(), "12345");
        let error = collected(full("123456"), Some(Arc::default())).await.unwrap_err();
        assert!(matches!(error, Error::HttpRequestBodySize(Some(5))), "{error}");
    }

    #[tokio::test]
    async fn a_body_whose_instance_is_gone_does_not_end_well() {
        let error = collected(full("123"), None).await.unwrap_err();
        assert!(matches!(error, Error::ConnectionTerminated), "{error}");
    }

    #[tokio::test]
    async fn a_trailer_for_metadata_servers_never_leaves() {
        let trailers = |name: &'static str| {
            let trailers = HeaderMap::from_iter([(HeaderName::from_static(name), "x".parse().unwrap())]);
            let body = Empty::<Bytes>::new().map_err(|error| match error {});
            body.with_trailers(async { Some(Ok(trailers)) }).boxed_unsync()
        };
        assert!(collected(trailers("metadata-flavor"), Some(Arc::default())).await.is_err());
        assert!(collected(trailers("x-checksum"), Some(Arc::default())).await.is_ok());
    }
}
