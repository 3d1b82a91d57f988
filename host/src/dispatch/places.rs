use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::InFlight;

/// The places in which events run, as many as the engine has instances.
///
/// Half of them are kept for the handlers, in equal shares, so that whatever the others do, each has some; the other half
/// goes to who comes first. No handler has more than its own bound. So one that is slow, or that everything comes for,
/// never has the last place.
#[derive(Debug)]
pub(super) struct Places {
    bounds: InFlight,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    shared: usize,
    by_handler: HashMap<String, OfHandler>,
}

#[derive(Debug, Default)]
struct OfHandler {
    all: usize,
    kept: usize,
}

/// A place that is taken. It is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    taken: Arc<Mutex<Taken>>,
    handler: String,
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
        Self { bounds, taken: Arc::default() }
    }

    /// Whether all are taken at this moment.
    pub(super) fn are_full(&self) -> bool {
        lock(&self.taken).all >= self.bounds.events
    }

    /// Takes a place for a handler, one of `handlers`.
    pub(super) fn take(&self, handler: &str, handlers: usize) -> Result<Place, Full> {
        let InFlight { events, per_handler, .. } = self.bounds;
        let share = events / 2 / handlers.max(1);
        let mut taken = lock(&self.taken);
        if taken.all >= events {
            return Err(Full::All);
        }
        let of_handler = taken.by_handler.get(handler);
        let (all, kept) = of_handler.map_or((0, 0), |of| (of.all, of.kept));
        let is_kept = kept < share;
        let is_shared = taken.shared < events - share * handlers.max(1);
        if all >= per_handler || !(is_kept || is_shared) {
            return Err(Full::Handler { in_flight: all });
        }
        taken.all += 1;
        taken.shared += usize::from(!is_kept);
        // Without an allocation for every handler that has one already.
        if !taken.by_handler.contains_key(handler) {
            taken.by_handler.insert(handler.to_owned(), OfHandler::default());
        }
        if let Some(of) = taken.by_handler.get_mut(handler) {
            of.all += 1;
            of.kept += usize::from(is_kept);
        }
        Ok(Place { taken: Arc::clone(&self.taken), handler: handler.to_owned(), kept: is_kept })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        taken.shared -= usize::from(!self.kept);
        if let Some(of) = taken.by_handler.get_mut(&self.handler) {
            of.all -= 1;
            of.kept -= usize::from(self.kept);
            if of.all == 0 {
                taken.by_handler.remove(&self.handler);
            }
        }
    }
}

/// Nothing panics while it holds the lock, so a poisoned one counts right nevertheless.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        let taken = lock(&places.taken);
        assert_eq!((taken.all, taken.shared, taken.by_handler.len()), (0, 0, 0));
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
