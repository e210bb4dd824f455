//! Counters in fixed memory: a set-associative table behind one lock, held for nanoseconds and never across an await.
//!
//! The place of a counter comes from a keyed digest, so nobody can aim at one. A full set gives up what is free, then
//! the counter that holds least; one with a reservation is never given up. To make the table forget a guessed account,
//! an attacker must bring as many other counters to the same height as a set has ways, in that set, which takes a
//! multitude of accounts for each address's budget; `sigid_auth_limit_evictions_total` shows it.

use super::model::{Counter, Delta, Room, Rule, Shared};
use sigid_io::metrics::{self, Counter as Metric};
use std::sync::{Mutex, MutexGuard, PoisonError};

const WAYS: usize = 8;

/// The counters of one limit.
pub struct Table {
    pub name: &'static str,
    inner: Mutex<Inner>,
    pub limited: Metric,
    evictions: Metric,
}

struct Inner {
    counters: Box<[Counter]>,
    /// Places whose counter is to be told to other nodes; each is in it once at most.
    queue: Vec<usize>,
}

/// What becomes of a reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// So much is spent.
    Spent(u32),
    /// Everything is forgiven.
    Cleared,
}

impl Table {
    /// `counters_max` rounded up to a power of two.
    pub fn new(name: &'static str, counters_max: usize) -> Self {
        let help = "Counters that were given up although they held something: memory is too small for the attack.";
        let evictions = metrics::counter("sigid_auth_limit_evictions_total", help, &[("limit", name)]);
        let help = "Attempts refused by a limit of sign-in.";
        let limited = metrics::counter("sigid_auth_limited_total", help, &[("limit", name)]);
        let length = counters_max.max(WAYS).next_power_of_two();
        let inner = Inner { counters: vec![Counter::default(); length].into_boxed_slice(), queue: Vec::new() };
        Self { name, inner: Mutex::new(inner), limited, evictions }
    }

    /// Reserves `cost` of the counter `key`.
    pub fn reserve(&self, key: u128, rule: Rule, cost: u32, now_us: i64) -> Room {
        let mut inner = self.lock();
        match inner.find_or_make(key, now_us, &self.evictions) {
            Some(counter) => counter.reserve(rule, cost, now_us),
            None => Room::Busy,
        }
    }

    /// Reserves and spends in one step.
    pub fn spend(&self, key: u128, rule: Rule, cost: u32, is_told: bool, now_us: i64) -> Room {
        let mut inner = self.lock();
        let Some(counter) = inner.find_or_make(key, now_us, &self.evictions) else { return Room::Busy };
        let room = counter.reserve(rule, cost, now_us);
        if room == Room::Reserved {
            counter.release(rule, cost);
            if counter.count(rule, cost, now_us) && is_told {
                inner.enqueue(key);
            }
        }
        room
    }

    /// Ends a reservation of `reserved` (0 for none). `is_told` when other nodes are to know.
    pub fn settle(&self, key: u128, rule: Rule, reserved: u32, outcome: Outcome, is_told: bool, now_us: i64) {
        let mut inner = self.lock();
        let Some(counter) = inner.find_or_make(key, now_us, &self.evictions) else { return };
        counter.release(rule, reserved);
        let is_due = match outcome {
            Outcome::Spent(0) => false,
            Outcome::Spent(cost) => counter.count(rule, cost, now_us),
            Outcome::Cleared => counter.clear(false, now_us),
        };
        if is_due && is_told {
            inner.enqueue(key);
        }
    }

    /// Forgives everything, whatever is known here.
    pub fn clear(&self, key: u128, is_told: bool, now_us: i64) {
        let mut inner = self.lock();
        let Some(counter) = inner.find_or_make(key, now_us, &self.evictions) else { return };
        counter.clear(true, now_us);
        if is_told {
            inner.enqueue(key);
        }
    }

    /// Whether it is time to write down that the counter is full.
    pub fn note(&self, key: u128, now_us: i64) -> bool {
        self.lock().find(key).is_some_and(|counter| counter.note(now_us))
    }

    /// Takes up to `count_max` deltas.
    pub fn take_deltas(&self, count_max: usize, now_us: i64) -> Vec<Delta> {
        let mut inner = self.lock();
        let Inner { counters, queue } = &mut *inner;
        let from = queue.len().saturating_sub(count_max);
        let due = queue.drain(from..).filter_map(|place| {
            let counter = counters.get_mut(place)?;
            Some(counter.take_delta(now_us))
        });
        due.filter(|delta| delta.spent > 0 || delta.cleared_s > 0).collect()
    }

    /// Gives back deltas that could not be told.
    pub fn put_back(&self, deltas: &[Delta]) {
        let mut inner = self.lock();
        for delta in deltas {
            if let Some(counter) = inner.find(delta.key) {
                counter.put_back(delta);
                inner.enqueue(delta.key);
            }
        }
    }

    /// Takes in what all nodes know.
    pub fn merge(&self, shared: &Shared, now_us: i64) {
        let mut inner = self.lock();
        let is_live = shared.until_us > now_us;
        let counter =
            if is_live { inner.find_or_make(shared.key, now_us, &self.evictions) } else { inner.find(shared.key) };
        if let Some(counter) = counter {
            counter.merge(shared, now_us);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn set(&self, key: u128) -> std::ops::Range<usize> {
        let sets = (self.counters.len() / WAYS).max(1);
        let first = (key as usize & (sets - 1)) * WAYS;
        first..first + WAYS
    }

    fn find_place(&self, key: u128) -> Option<usize> {
        let set = self.set(key);
        let first = set.start;
        self.counters.get(set)?.iter().position(|counter| counter.key == key).map(|at| first + at)
    }

    fn find(&mut self, key: u128) -> Option<&mut Counter> {
        let place = self.find_place(key)?;
        self.counters.get_mut(place)
    }

    /// `None` when every place of its set is reserved.
    fn find_or_make(&mut self, key: u128, now_us: i64, evictions: &Metric) -> Option<&mut Counter> {
        if let Some(place) = self.find_place(key) {
            return self.counters.get_mut(place);
        }
        let set = self.set(key);
        let free = self.counters.get_mut(set)?.iter_mut().filter(|counter| !counter.is_reserved());
        let counter = free.min_by_key(|counter| counter.rank(now_us))?;
        if counter.is_live(now_us) {
            evictions.inc();
        }
        // The place stays in the queue if it is there.
        let is_queued = counter.is_queued;
        *counter = Counter::new(key);
        counter.is_queued = is_queued;
        Some(counter)
    }

    fn enqueue(&mut self, key: u128) {
        let Some(place) = self.find_place(key) else { return };
        let Some(counter) = self.counters.get_mut(place) else { return };
        if !counter.is_queued {
            counter.is_queued = true;
            self.queue.push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule::lock(3, 900, 900);
    const NOW_US: i64 = 1_700_000_000_000_000;

    fn fail(table: &Table, key: u128) {
        table.settle(key, RULE, 0, Outcome::Spent(1), true, NOW_US);
    }

    #[test]
    fn a_full_set_gives_up_what_holds_least_and_never_a_reservation() {
        let table = Table::new("test", WAYS);
        for _ in 0..2 {
            fail(&table, 1);
        }
        assert_eq!(table.reserve(2, RULE, 1, NOW_US), Room::Reserved);
        for key in 100..10_000 {
            fail(&table, key);
        }
        fail(&table, 1);
        assert!(matches!(table.reserve(1, RULE, 1, NOW_US), Room::Full(_)), "two failures outlive a flood of ones");
        table.settle(2, RULE, 1, Outcome::Spent(1), true, NOW_US);
        for key in 3..3 + WAYS as u128 - 1 {
            assert_eq!(table.reserve(key, RULE, 1, NOW_US), Room::Reserved, "{key}");
        }
        assert!(matches!(table.reserve(1, RULE, 1, NOW_US), Room::Full(_)), "what is locked goes last");
        assert_eq!(table.reserve(99, RULE, 1, NOW_US), Room::Reserved, "and goes");
        assert_eq!(table.reserve(1, RULE, 1, NOW_US), Room::Busy, "all are reserved: the next one waits");
    }

    #[test]
    fn a_place_is_queued_once_and_told_once() {
        let table = Table::new("test", 64);
        for _ in 0..5 {
            fail(&table, 7);
        }
        let deltas = table.take_deltas(10, NOW_US);
        assert_eq!(deltas.iter().map(|delta| (delta.key, delta.spent)).collect::<Vec<_>>(), [(7, 5)]);
        assert!(table.take_deltas(10, NOW_US).is_empty(), "told once");
        table.put_back(&deltas);
        fail(&table, 7);
        assert_eq!(table.take_deltas(10, NOW_US).first().map(|delta| delta.spent), Some(6), "failed: told again");
        table.settle(8, RULE, 0, Outcome::Spent(1), false, NOW_US);
        assert!(table.take_deltas(10, NOW_US).is_empty(), "what is not shared is told to nobody");
    }

    #[test]
    fn what_is_known_elsewhere_is_taken_in() {
        let table = Table::new("test", 64);
        let shared = Shared { key: 9, spent: 3, until_us: NOW_US + 5_000_000, cleared_s: 0, rule: RULE };
        table.merge(&shared, NOW_US);
        assert_eq!(table.reserve(9, RULE, 1, NOW_US), Room::Full(5_000_000), "locked by another node");
        table.merge(&Shared { spent: 0, until_us: 0, cleared_s: 1_700_000_000, ..shared }, NOW_US);
        assert_eq!(table.reserve(9, RULE, 1, NOW_US), Room::Reserved, "forgiven by another node");
    }
}
