use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::{Claim, DedupKey, Lease, Settlement};

/// Fewer than these aren't worth tidying up.
const LEAST_TIDIED: usize = 64;

/// A part of a store in memory. It reads no clock: `now` is an argument, and never goes back.
#[derive(Debug)]
pub(super) struct Shard {
    capacity: usize,
    remember: Duration,
    entries: HashMap<DedupKey, Entry>,
    /// What runs, by the end of its lease. There is as much of it as there are events in flight.
    leased: BTreeSet<(Instant, DedupKey)>,
    /// What doesn't, by the moment since when: the first is the first to be forgotten. Time goes on in one way only, so
    /// who comes belongs to the end. An entry that ran again meanwhile, or is gone, stands here still, under a moment that
    /// is not its own any more; such are passed over.
    idle: VecDeque<(Instant, DedupKey)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    state: State,
    /// When its run ended, or will have ended at the latest.
    idle_from: Instant,
    /// The last grant.
    grant: u64,
    attempt: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Granted. It runs until `idle_from`.
    Leased,
    Open,
    Done,
}

impl Shard {
    pub(super) fn new(capacity: usize, remember: Duration) -> Self {
        Self { capacity, remember, entries: HashMap::new(), leased: BTreeSet::new(), idle: VecDeque::new() }
    }

    pub(super) fn claim(&mut self, key: DedupKey, grant: u64, lease: Duration, now: Instant) -> Claim {
        self.lapse(now);
        self.forget_until(now);
        let attempt = match self.entries.get(&key) {
            Some(Entry { state: State::Done, .. }) => return Claim::Done,
            Some(Entry { state: State::Leased, idle_from, .. }) if *idle_from > now => {
                return Claim::Running { for_at_most: *idle_from - now };
            }
            Some(Entry { attempt, .. }) => attempt.saturating_add(1),
            None => 1,
        };
        self.put(key, Entry { state: State::Leased, idle_from: now + lease, grant, attempt }, now);
        Claim::Granted(Lease { key, grant, attempt })
    }

    pub(super) fn settle(&mut self, lease: &Lease, end: Settlement, now: Instant) {
        self.lapse(now);
        let Lease { key, grant, attempt } = *lease;
        let current = self.entries.get(&key).filter(|entry| entry.state == State::Leased && entry.grant == grant);
        let state = match (end, current) {
            (Settlement::Done, _) => State::Done,
            (Settlement::Open, Some(_)) => State::Open,
            (Settlement::GivenUp, Some(entry)) => {
                self.leased.remove(&(entry.idle_from, key));
                self.entries.remove(&key);
                return;
            }
            (Settlement::Open | Settlement::GivenUp, None) => return,
        };
        self.put(key, Entry { state, idle_from: now, grant, attempt }, now);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn put(&mut self, key: DedupKey, entry: Entry, now: Instant) {
        if let Some(before) = self.entries.insert(key, entry) {
            self.leased.remove(&(before.idle_from, key));
        }
        match entry.state {
            State::Leased => _ = self.leased.insert((entry.idle_from, key)),
            State::Open | State::Done => self.idle.push_back((entry.idle_from, key)),
        }
        while self.entries.len() > self.capacity && self.forget_first(|idle_from| idle_from < now) {}
        self.tidy();
    }

    /// Sees what is idle since the end of its lease. It comes first of all: whatever is idle later belongs behind it.
    fn lapse(&mut self, now: Instant) {
        while self.leased.first().is_some_and(|(idle_from, _)| *idle_from <= now)
            && let Some(lapsed) = self.leased.pop_first()
        {
            self.idle.push_back(lapsed);
        }
    }

    /// Forgets what has been remembered for long enough.
    fn forget_until(&mut self, now: Instant) {
        let remember = self.remember;
        while self.forget_first(|idle_from| now.saturating_duration_since(idle_from) >= remember) {}
    }

    /// Forgets the entry that has been idle for longest, where `may_go` is true of the moment since when.
    fn forget_first(&mut self, may_go: impl FnOnce(Instant) -> bool) -> bool {
        while let Some((idle_from, key)) = self.idle.front().copied() {
            if self.is_idle_from(idle_from, &key) {
                let goes = may_go(idle_from);
                if goes {
                    self.idle.pop_front();
                    self.entries.remove(&key);
                }
                return goes;
            }
            self.idle.pop_front();
        }
        false
    }

    fn is_idle_from(&self, idle_from: Instant, key: &DedupKey) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.idle_from == idle_from)
    }

    /// Throws out what stands among the idle and isn't, once that is most of them: what is tried again and again would
    /// else add to them each time. So it costs each event next to nothing.
    fn tidy(&mut self) {
        if self.idle.len() > 2 * self.entries.len() + LEAST_TIDIED {
            let mut idle = std::mem::take(&mut self.idle);
            idle.retain(|(idle_from, key)| self.is_idle_from(*idle_from, key));
            self.idle = idle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A shard of three events, which remembers for ten seconds, and a clock that goes on by one with each call.
    struct Fixture {
        shard: Shard,
        now: Instant,
        grants: u64,
    }

    impl Fixture {
        fn new() -> Self {
            Self { shard: Shard::new(3, 10 * SECOND), now: Instant::now(), grants: 0 }
        }

        fn claim(&mut self, id: &str, lease: Duration) -> Claim {
            self.now += SECOND;
            self.grants += 1;
            self.shard.claim(DedupKey::event(id), self.grants, lease, self.now)
        }

        fn run(&mut self, id: &str, lease: Duration) -> Lease {
            match self.claim(id, lease) {
                Claim::Granted(lease) => lease,
                other => panic!("{id} is {other:?}"),
            }
        }

        fn settle(&mut self, lease: &Lease, end: Settlement) {
            self.now += SECOND;
            self.shard.settle(lease, end, self.now);
        }

        fn knows(&self, id: &str) -> bool {
            let Shard { entries, leased, idle, .. } = &self.shard;
            let idle = idle.iter().filter(|(idle_from, key)| self.shard.is_idle_from(*idle_from, key));
            assert_eq!(entries.len(), leased.len() + idle.count());
            self.shard.entries.contains_key(&DedupKey::event(id))
        }
    }

    #[test]
    fn when_full_what_is_idle_for_longest_goes_and_what_runs_stays() {
        let mut f = Fixture::new();
        let running = f.run("running", 100 * SECOND);
        let [first, second] = ["first", "second"].map(|id| f.run(id, 100 * SECOND));
        f.settle(&second, Settlement::Done);
        f.settle(&first, Settlement::Open);
        _ = f.run("third", 100 * SECOND);
        assert!(f.knows("running") && f.knows("first") && f.knows("third") && !f.knows("second"));
        _ = f.run("fourth", 100 * SECOND);
        assert!(f.knows("running") && f.knows("third") && f.knows("fourth") && !f.knows("first"));
        // Nothing is left to forget.
        _ = f.run("fifth", 100 * SECOND);
        assert_eq!(f.shard.entries.len(), 4);
        f.settle(&running, Settlement::Done);
        _ = f.run("sixth", 100 * SECOND);
        assert!(!f.knows("running") && f.shard.entries.len() == 4);
    }

    #[test]
    fn a_lease_that_is_over_is_idle_since_its_end() {
        let mut f = Fixture::new();
        _ = f.run("crashed", 3 * SECOND);
        let done = f.run("done", 100 * SECOND);
        f.settle(&done, Settlement::Done);
        _ = f.run("third", 100 * SECOND);
        // `done` is idle since the third second, `crashed` since the fourth.
        _ = f.run("fourth", 100 * SECOND);
        assert!(f.knows("crashed") && !f.knows("done"));
        assert_eq!(f.run("crashed", 100 * SECOND).attempt(), 2);
    }

    #[test]
    fn what_was_remembered_for_long_enough_goes_without_being_asked_for() {
        let mut f = Fixture::new();
        let done = f.run("done", 100 * SECOND);
        _ = f.run("crashed", SECOND);
        f.settle(&done, Settlement::Done);
        f.now += 8 * SECOND;
        assert!(matches!(f.claim("done", SECOND), Claim::Done));
        let other = f.run("other", 100 * SECOND);
        assert!(!f.knows("done") && !f.knows("crashed"));
        f.settle(&other, Settlement::Open);
        assert_eq!(f.shard.entries.len(), 1);
    }

    /// One that is never done would else stand among the idle once for each attempt.
    #[test]
    fn what_is_tried_for_ever_takes_no_more_room_than_once() {
        let mut f = Fixture::new();
        for _ in 0..10_000 {
            let again = f.run("again", SECOND);
            f.settle(&again, Settlement::Open);
        }
        assert!(f.shard.idle.len() <= LEAST_TIDIED + 3 && f.shard.leased.is_empty(), "{}", f.shard.idle.len());
        assert_eq!(f.run("again", SECOND).attempt(), 10_001);
    }
}
