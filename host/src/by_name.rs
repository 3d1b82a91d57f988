//! What is kept for each handler, by its name: read for every event, added to when a name is first seen.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;

/// A map that is read without a lock and without an allocation. A new name costs a copy of the whole map, of which there
/// is one for each handler that was ever served; nothing is taken out.
#[derive(Debug)]
pub(crate) struct ByName<T>(ArcSwap<HashMap<String, Arc<T>>>);

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self(ArcSwap::default())
    }
}

impl<T> ByName<T> {
    /// What is kept under a name; `make` makes it where there is nothing yet. Of two who come at once with a new name both
    /// get the same.
    pub(crate) fn get(&self, name: &str, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(known) = self.0.load().get(name) {
            return Arc::clone(known);
        }
        let made = Arc::new(make());
        self.0.rcu(|map| {
            let mut map = HashMap::clone(map);
            map.entry(name.to_owned()).or_insert_with(|| Arc::clone(&made));
            map
        });
        // It is there now, whoever put it there.
        self.0.load().get(name).map_or(made, Arc::clone)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_comes_at_once_gets_the_same_whatever_the_others_add() {
        let map = ByName::<AtomicUsize>::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for name in 0..200 {
                        map.get(&name.to_string(), AtomicUsize::default).fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        for name in 0..200 {
            assert_eq!(map.get(&name.to_string(), AtomicUsize::default).load(Ordering::Relaxed), 4, "{name}");
        }
    }
}
