//! A number of things that may be taken at once, and no more: counted without a lock, and without a queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many are taken, of how many there are.
#[derive(Debug)]
pub struct Bound {
    taken: AtomicUsize,
    most: usize,
}

/// So many, taken. They are free again when this is dropped.
#[derive(Debug)]
pub struct Taken {
    bound: Arc<Bound>,
    count: usize,
}

impl Bound {
    /// None taken, of `most`.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { taken: AtomicUsize::new(0), most })
    }

    /// Whether none is left at this moment.
    pub(crate) fn is_full(&self) -> bool {
        self.left() == 0
    }

    /// How many are left at this moment.
    pub(crate) fn left(&self) -> usize {
        self.most.saturating_sub(self.taken.load(Ordering::Relaxed))
    }

    /// Takes so many, or none where fewer are left.
    #[must_use]
    pub fn take(self: &Arc<Self>, count: usize) -> Option<Taken> {
        self.add(count).then(|| Taken { bound: Arc::clone(self), count })
    }

    fn add(&self, count: usize) -> bool {
        take(&self.taken, count, self.most)
    }
}

/// Adds to a counter unless it would be more than `most` then, and says whether it did.
///
/// No order of memory comes with it: what is counted is protected by nothing but its number.
pub(crate) fn take(counter: &AtomicUsize, count: usize, most: usize) -> bool {
    let more = |taken: usize| taken.checked_add(count).filter(|taken| *taken <= most);
    counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

impl Taken {
    /// Makes it so many, or leaves it as it is where not enough are left.
    pub(crate) fn grow(&mut self, count: usize) -> bool {
        let missing = count.saturating_sub(self.count);
        let grown = self.bound.add(missing);
        self.count += if grown { missing } else { 0 };
        grown
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.bound.taken.fetch_sub(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_taken_than_there_are_and_all_come_back() {
        let bound = Bound::new(10);
        let mut first = bound.take(4).unwrap();
        assert!(!first.grow(11) && first.grow(7) && first.grow(3));
        assert!(bound.take(4).is_none());
        let rest = bound.take(3).unwrap();
        assert!(bound.is_full() && bound.take(usize::MAX).is_none());
        drop((first, rest));
        assert_eq!(bound.left(), 10);
    }

    #[test]
    fn who_takes_at_once_never_takes_too_many() {
        let bound = Bound::new(3);
        let most = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        if let Some(taken) = bound.take(1) {
                            most.fetch_max(3 - bound.left(), Ordering::Relaxed);
                            drop(taken);
                        }
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert_eq!(bound.left(), 3);
    }
}
