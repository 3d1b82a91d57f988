use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use crate::bound::{Bound, Taken};
use crate::outcome::Refusal;

/// How long a body may still take to arrive once the shutdown has begun.
const TIME_AT_END: Duration = Duration::from_secs(1);

/// How long a body may be, in bytes and in time, and how much of all bodies is held at once.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// The most bytes of one.
    pub bytes: usize,
    /// The longest that one may take to arrive.
    pub time: Duration,
    /// The most bytes of all that are in flight.
    pub in_flight: usize,
}

/// Reads bodies within their limits.
pub(super) struct Bodies {
    limits: BodyLimits,
    room: Arc<Bound>,
}

/// A whole body.
pub(super) enum Whole {
    /// In the one piece that it came in, which may lie beside other things.
    Piece(Bytes),
    /// Put together of several, and nobody else's.
    Own(Vec<u8>),
}

/// The room that a body takes. It is free again when this is dropped.
pub(super) struct Room(Option<Taken>);

impl Bodies {
    pub(super) fn new(limits: BodyLimits) -> Self {
        Self { limits, room: Bound::new(limits.in_flight) }
    }

    /// Reads a body. One that announces too great a length, or more than there is room for, is refused before a byte of
    /// it is read, and one that is not here soon after `shutdown` is given up.
    ///
    /// Room is taken as the bytes come, so that who announces much and sends nothing takes none.
    pub(super) async fn read(
        &self,
        body: Incoming,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(Whole, Room), Refusal> {
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > self.limits.bytes {
            return Err(Refusal::BodyTooLong(self.limits.bytes));
        }
        if announced > self.room.left() {
            return Err(Refusal::BodiesOverloaded(self.limits.in_flight));
        }
        let too_late = async {
            shutdown.await;
            tokio::time::sleep(TIME_AT_END).await;
        };
        tokio::select! {
            biased;
            read = tokio::time::timeout(self.limits.time, self.collect(body, announced)) => {
                read.unwrap_or(Err(Refusal::BodyTooSlow(self.limits.time)))
            }
            () = too_late => Err(Refusal::ShuttingDown),
        }
    }

    async fn collect(&self, mut body: Incoming, announced: usize) -> Result<(Whole, Room), Refusal> {
        let (mut whole, mut room) = (Vec::new(), Room(None));
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::BodyCut(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue };
            let length = whole.len() + data.len();
            if length > self.limits.bytes {
                return Err(Refusal::BodyTooLong(self.limits.bytes));
            }
            self.widen(&mut room, length)?;
            // Most bodies come in one piece, which needs no copy.
            if whole.is_empty() && body.is_end_stream() {
                return Ok((Whole::Piece(data), room));
            }
            // What is announced may never come, and there may not be so much: that ends this request, not the process.
            let more = announced.max(length) - whole.len();
            whole.try_reserve(more).map_err(|_| Refusal::BodiesOverloaded(self.limits.in_flight))?;
            whole.extend_from_slice(&data);
        }
        Ok((Whole::Own(whole), room))
    }

    /// Makes the room fit so many bytes.
    fn widen(&self, room: &mut Room, bytes: usize) -> Result<(), Refusal> {
        let fits = match &mut room.0 {
            Some(taken) => taken.grow(bytes),
            none => {
                *none = self.room.take(bytes);
                none.is_some()
            }
        };
        if fits { Ok(()) } else { Err(Refusal::BodiesOverloaded(self.limits.in_flight)) }
    }
}
