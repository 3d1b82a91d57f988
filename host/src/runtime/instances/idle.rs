use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Guest, Reuse};
use crate::runtime::{Grant, Machine, Surroundings};

/// All instances of a runtime that wait for an event.
///
/// They hold slots of the pool, which an event never goes without because of them: whoever finds the pool full frees the
/// one that has waited longest. An instance is freed only under the lock of `components`, by who has an event to run and no
/// slot yet, or one by one in the background, so that who sees none waiting sees none being freed either.
pub(in crate::runtime) struct AllIdle {
    /// How many may wait. Without a pool nothing else bounds them.
    most: usize,
    count: AtomicUsize,
    components: Mutex<Vec<Arc<Stack>>>,
    /// Held by who tries a component out: there is one slot beside those that events may have.
    spare: Mutex<()>,
}

/// Those of one component, which alone takes any of them. They are freed with it.
pub(in crate::runtime) struct Idle {
    stack: Arc<Stack>,
    all: Arc<AllIdle>,
}

/// The last to come are the first to go, so that few do all the work and the others age.
struct Stack {
    reuse: Reuse,
    waiting: Mutex<VecDeque<Waiting>>,
}

struct Waiting {
    guest: Guest,
    /// What it sees of the world, which it was made with.
    machine: Arc<dyn Machine>,
    since: Instant,
}

impl AllIdle {
    /// None yet, and never more than so many.
    pub(in crate::runtime) fn new(most: u32) -> Arc<Self> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Arc::new(Self { most, count: AtomicUsize::new(0), components: Mutex::default(), spare: Mutex::default() })
    }

    /// The slot that is there for trying a component out, for who holds this.
    pub(in crate::runtime) fn spare(&self) -> MutexGuard<'_, ()> {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for the instances of one component.
    pub(in crate::runtime) fn place(self: &Arc<Self>, reuse: Reuse) -> Arc<Idle> {
        let stack = Arc::new(Stack { reuse, waiting: Mutex::default() });
        self.components().push(Arc::clone(&stack));
        Arc::new(Idle { stack, all: Arc::clone(self) })
    }

    /// Frees the instance that has waited longest, and says whether there was any.
    pub(in crate::runtime) fn make_room(&self) -> bool {
        let components = self.components();
        loop {
            let longest = components.iter().filter_map(|stack| Some((stack.waiting().front()?.since, stack)));
            let Some((_, stack)) = longest.min_by_key(|(since, _)| *since) else { return false };
            // An event may have taken it meanwhile.
            let oldest = stack.waiting().pop_front();
            if oldest.is_some() {
                self.count.fetch_sub(1, Ordering::Relaxed);
                drop(oldest);
                return true;
            }
        }
    }

    /// Frees one instance that is too old, and says whether there was any. One at a time, so that who makes room meanwhile
    /// waits for one at most.
    pub(in crate::runtime) fn free_aged(&self) -> bool {
        if self.count.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let components = self.components();
        let aged = components.iter().find_map(|stack| stack.take_aged());
        let found = aged.is_some();
        if found {
            self.count.fetch_sub(1, Ordering::Relaxed);
            drop(aged);
        }
        found
    }

    fn components(&self) -> MutexGuard<'_, Vec<Arc<Stack>>> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// An instance that can handle an event with this grant in these surroundings, if one waits.
    pub(in crate::runtime) fn take(&self, grant: &Grant, surroundings: &Surroundings) -> Option<Guest> {
        loop {
            let last = self.stack.waiting().pop_back()?;
            self.all.count.fetch_sub(1, Ordering::Relaxed);
            let Waiting { guest, machine, since: _ } = last;
            let fits = Arc::ptr_eq(&machine, &surroundings.machine) && guest.state().is_of(grant);
            if fits && !guest.is_aged(self.stack.reuse) {
                return Some(guest);
            }
        }
    }

    /// Takes back an instance whose guest has returned, if it may handle another event.
    pub(in crate::runtime) fn put(&self, guest: Guest, surroundings: &Surroundings) {
        let Some(guest) = guest.end(self.stack.reuse) else { return };
        let machine = Arc::clone(&surroundings.machine);
        // Before it can be taken, or the count would fall below none.
        let others = self.all.count.fetch_add(1, Ordering::Relaxed);
        self.stack.waiting().push_back(Waiting { guest, machine, since: Instant::now() });
        if others >= self.all.most {
            self.all.make_room();
        }
    }

    /// How many wait.
    pub(in crate::runtime) fn len(&self) -> usize {
        self.stack.waiting().len()
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        let mut components = self.all.components();
        components.retain(|stack| !Arc::ptr_eq(stack, &self.stack));
        let waiting = std::mem::take(&mut *self.stack.waiting());
        self.all.count.fetch_sub(waiting.len(), Ordering::Relaxed);
        drop(waiting);
    }
}

impl Stack {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_aged(&self) -> Option<Waiting> {
        let mut waiting = self.waiting();
        let aged = waiting.iter().position(|waiting| waiting.guest.is_aged(self.reuse))?;
        waiting.remove(aged)
    }
}
