use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::bound::{self, Bound, Taken};
use crate::by_name::ByName;
use crate::config::InFlight;

/// The places in which events run, as many as the engine has instances.
///
/// Half of them are kept for the handlers, in equal shares, so that whatever the others do, each has some; the other half
/// goes to who comes first. No handler has more than its own bound. So one that is slow, or that everything comes for,
/// never has the last place.
///
/// Every event takes one and gives it back, so it is all counted without a lock. Where several come at once for the last
/// one, all of them may be refused, and come again.
#[derive(Debug)]
pub(super) struct Places {
    bounds: InFlight,
    all: Arc<Bound>,
    shared: Arc<AtomicUsize>,
    by_handler: ByName<OfHandler>,
}

#[derive(Debug, Default)]
struct OfHandler {
    all: AtomicUsize,
    kept: AtomicUsize,
}

/// A place that is taken. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _one: Taken,
    shared: Arc<AtomicUsize>,
    of: Arc<OfHandler>,
    kept: bool,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// All are taken.
    All,
    /// The handler has as many as it may have.
    Handler {
        /// So many.
        in_flight: usize,
    },
}

impl Places {
    pub(super) fn new(bounds: InFlight) -> Self {
        Self { bounds, all: Bound::new(bounds.events), shared: Arc::default(), by_handler: ByName::default() }
    }

    /// Whether all are taken at this moment.
    pub(super) fn are_full(&self) -> bool {
        self.all.is_full()
    }

    /// Takes a place for a handler, one of `handlers`.
    pub(super) fn take(&self, handler: &str, handlers: usize) -> Result<Place, Full> {
        let InFlight { events, per_handler, .. } = self.bounds;
        let share = events / 2 / handlers.max(1);
        let one = self.all.take(1).ok_or(Full::All)?;
        let of = self.by_handler.get(handler, OfHandler::default);
        let full = || Full::Handler { in_flight: of.all.load(Ordering::Relaxed) };
        if !bound::take(&of.all, 1, per_handler) {
            return Err(full());
        }
        let kept = bound::take(&of.kept, 1, share);
        // More handlers than before make shares smaller than some of them have.
        if !kept && !bound::take(&self.shared, 1, events.saturating_sub(share * handlers.max(1))) {
            of.all.fetch_sub(1, Ordering::Relaxed);
            return Err(full());
        }
        Ok(Place { _one: one, shared: Arc::clone(&self.shared), of, kept })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let second = if self.kept { &self.of.kept } else { &*self.shared };
        for counter in [second, &self.of.all] {
            counter.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(events: usize, per_handler: usize) -> Places {
        Places::new(InFlight { events, per_handler, body_bytes: 0 })
    }

    fn take_all(places: &Places, handler: &str, handlers: usize) -> (Vec<Place>, Full) {
        let mut taken = Vec::new();
        loop {
            match places.take(handler, handlers) {
                Ok(place) => taken.push(place),
                Err(full) => return (taken, full),
            }
        }
    }

    /// However greedy all others are, and in whatever order they come.
    #[test]
    fn each_handler_has_its_share_and_none_more_than_its_bound() {
        let places = places(16, 16);
        let (first, full) = take_all(&places, "a", 4);
        // Its share of two, and the eight that go to who comes first.
        assert_eq!((first.len(), full), (10, Full::Handler { in_flight: 10 }));
        for handler in ["b", "c", "d"] {
            let (taken, _) = take_all(&places, handler, 4);
            assert_eq!(taken.len(), 2, "{handler}");
        }
        let (bounded, full) = take_all(&self::places(16, 3), "a", 1);
        assert_eq!((bounded.len(), full), (3, Full::Handler { in_flight: 3 }));
    }

    #[test]
    fn all_places_can_be_taken_and_come_back() {
        let places = places(5, 5);
        for _ in 0..3 {
            let (taken, full) = take_all(&places, "a", 1);
            assert_eq!((taken.len(), full), (5, Full::All));
            assert!(places.are_full());
            drop(taken);
            assert!(!places.are_full());
        }
        let of = places.by_handler.get("a", OfHandler::default);
        for counter in [&*places.shared, &of.all, &of.kept] {
            assert_eq!(counter.load(Ordering::Relaxed), 0);
        }
    }

    /// More handlers than places: whoever comes first has them.
    #[test]
    fn without_enough_places_for_shares_all_are_shared() {
        let places = places(3, 2);
        let (first, _) = take_all(&places, "a", 10);
        let (second, full) = take_all(&places, "b", 10);
        assert_eq!((first.len(), second.len(), full), (2, 1, Full::All));
    }

    /// Handlers come and go while events are in flight.
    #[test]
    fn a_changed_number_of_handlers_never_makes_more_places() {
        let places = places(8, 8);
        let (first, _) = take_all(&places, "a", 1);
        assert_eq!(first.len(), 8);
        drop(first);
        let (first, _) = take_all(&places, "a", 2);
        let (second, _) = take_all(&places, "b", 4);
        let (third, _) = take_all(&places, "c", 4);
        assert!(first.len() + second.len() + third.len() <= 8);
    }
}
