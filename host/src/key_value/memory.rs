use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use super::step::{self, Step, Write, account};
use super::{Asking, Key, KeyValue, KeyValueError, PAGE, Page, Space, Value};

/// A store in this process, which ends with it: no other instance sees what is in it.
///
/// Each handler has its quota, so it has at most so many times the number of handlers.
pub struct MemoryStore {
    quota: u64,
    handlers: Mutex<HashMap<String, Handler>>,
}

/// What one handler keeps.
#[derive(Default)]
struct Handler {
    used: u64,
    stores: HashMap<String, BTreeMap<String, Vec<u8>>>,
}

impl MemoryStore {
    /// An empty store, in which each handler may keep `quota` bytes: keys, values, and [`super::ENTRY_COST`] for each.
    #[must_use]
    pub fn new(quota: u64) -> Self {
        Self { quota, handlers: Mutex::default() }
    }

    /// Looks at a store, which is empty where nothing is in it.
    fn look<T>(&self, space: &Space, look: impl FnOnce(&BTreeMap<String, Vec<u8>>) -> T) -> T {
        let handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        match handlers.get(space.handler()).and_then(|handler| handler.stores.get(space.store())) {
            Some(store) => look(store),
            None => look(&BTreeMap::new()),
        }
    }

    fn change<T: Send + 'static>(
        &self,
        space: &Space,
        key: &Key,
        step: impl FnOnce(Option<&[u8]>) -> Result<Step<T>, KeyValueError>,
    ) -> Asking<'static, T> {
        Box::pin(ready(self.changed(space, key, step)))
    }

    fn changed<T>(
        &self,
        space: &Space,
        key: &Key,
        step: impl FnOnce(Option<&[u8]>) -> Result<Step<T>, KeyValueError>,
    ) -> Result<T, KeyValueError> {
        let mut handlers = self.handlers.lock().unwrap_or_else(PoisonError::into_inner);
        let Handler { used, stores } = handlers.entry(space.handler().to_owned()).or_default();
        let store = stores.entry(space.store().to_owned()).or_default();
        let old = store.get(key.as_str()).map(Vec::as_slice);
        let Step { write, answer } = step(old)?;
        match write {
            Write::Nothing => {}
            Write::Put(value) => {
                *used = account(*used, self.quota, key, old.map(<[u8]>::len), Some(value.len()))?;
                store.insert(key.as_str().to_owned(), value);
            }
            Write::Remove => {
                *used = account(*used, self.quota, key, old.map(<[u8]>::len), None)?;
                store.remove(key.as_str());
            }
        }
        Ok(answer)
    }
}

impl KeyValue for MemoryStore {
    fn get<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, Option<Vec<u8>>> {
        Box::pin(ready(Ok(self.look(space, |store| store.get(key.as_str()).cloned()))))
    }

    fn exists<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, bool> {
        Box::pin(ready(Ok(self.look(space, |store| store.contains_key(key.as_str())))))
    }

    fn keys<'a>(&'a self, space: &'a Space, after: Option<&'a str>) -> Asking<'a, Page> {
        // No key is empty, so all of them come after the empty one.
        let after = (Bound::Excluded(after.unwrap_or_default()), Bound::Unbounded);
        let keys = self.look(space, |store| {
            store.range::<str, _>(after).map(|(key, _)| key.clone()).take(PAGE.saturating_add(1)).collect()
        });
        Box::pin(ready(Ok(Page::of(keys))))
    }

    fn set<'a>(&'a self, space: &'a Space, key: &'a Key, value: Value) -> Asking<'a, ()> {
        self.change(space, key, step::set(value))
    }

    fn delete<'a>(&'a self, space: &'a Space, key: &'a Key) -> Asking<'a, ()> {
        self.change(space, key, step::delete())
    }

    fn increment<'a>(&'a self, space: &'a Space, key: &'a Key, delta: i64) -> Asking<'a, i64> {
        self.change(space, key, step::increment(delta))
    }

    fn swap<'a>(&'a self, space: &'a Space, key: &'a Key, expected: Option<Vec<u8>>, value: Value) -> Asking<'a, bool> {
        self.change(space, key, step::swap(expected, value))
    }
}
