use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Request;
use hyper::body::{Body, Incoming};

use crate::outcome::Refusal;

/// How long a body may still take to arrive once the shutdown has begun.
const TIME_AT_END: Duration = Duration::from_secs(1);

/// How long a body may be, in bytes and in time.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The most bytes.
    pub bytes: usize,
    /// The longest that it may take to arrive.
    pub time: Duration,
}

impl BodyLimits {
    /// Reads a request's body. One that announces too great a length is refused before a byte of it is read, and one
    /// that is not here soon after `shutdown` is given up.
    pub(super) async fn read(
        self,
        request: Request<Incoming>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Bytes, Refusal> {
        let body = request.into_body();
        if body.size_hint().lower() > self.bytes as u64 {
            return Err(Refusal::BodyTooLong(self.bytes));
        }
        let whole = tokio::time::timeout(self.time, Limited::new(body, self.bytes).collect());
        let too_late = async {
            shutdown.await;
            tokio::time::sleep(TIME_AT_END).await;
        };
        let read = tokio::select! {
            biased;
            read = whole => read,
            () = too_late => return Err(Refusal::ShuttingDown),
        };
        match read {
            Err(_) => Err(Refusal::BodyTooSlow(self.time)),
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::BodyTooLong(self.bytes)),
            Ok(Err(error)) => Err(Refusal::BodyCut(error.to_string())),
        }
    }
}
