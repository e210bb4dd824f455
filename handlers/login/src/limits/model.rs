//! One counter, and what it allows: pure, the time handed in.
//!
//! Two kinds, one [`Rule`] each:
//!
//! * A **lock** counts up to `max` in a window that begins with the first count; the last one allowed begins the lock.
//!
//!   ```text
//!   clear ──count──> counting (until: the window's end) ──count = max──> locked (until: the lock's end)
//!     ^────────────────────── until is over, or forgiven ──────────────────────┘
//!   ```
//! * A **budget** of `max` units comes back evenly over its window (the generic cell rate algorithm): it is one moment,
//!   at which everything will have come back. What is spent beyond it is debt, and is waited for.
//!
//! What is asked for is first *reserved* and later settled, so that those who ask at once cannot all see the same room.
//! Where only reservations stand in the way, the answer is [`Room::Busy`]: who asks may wait for them.
//!
//! Counters of several nodes are added, never compared ([`Delta`], [`Shared`]): what is known elsewhere can only raise
//! one, unless it was forgiven since.

/// A microsecond of a second.
const US: i64 = 1_000_000;
/// The most that a budget may be in debt, in windows.
const DEBT_WINDOWS_MAX: i64 = 2;
/// A budget's spending is told to other nodes in pieces of this part of it.
const TOLD_PART: u32 = 16;

/// What one counter may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    max: u32,
    window_s: u32,
    /// 0: a budget.
    lock_s: u32,
}

impl Rule {
    /// `max` counts in `window_s`; the last of them locks for `lock_s`.
    pub const fn lock(max: u32, window_s: u32, lock_s: u32) -> Self {
        Self { max: at_least_one(max), window_s: at_least_one(window_s), lock_s: at_least_one(lock_s) }
    }

    /// `max` units in `window_s`, which come back evenly.
    pub const fn budget(max: u32, window_s: u32) -> Self {
        Self { max: at_least_one(max), window_s: at_least_one(window_s), lock_s: 0 }
    }

    pub const fn max(self) -> u32 {
        self.max
    }

    /// The rule of a row; whatever it holds.
    pub fn from_parts(max: i64, window_us: i64, lock_us: i64) -> Self {
        let small = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        let (max, window_s) = (at_least_one(small(max)), at_least_one(small(window_us / US)));
        Self { max, window_s, lock_s: small((lock_us / US).max(0)) }
    }

    pub fn window_us(self) -> i64 {
        i64::from(self.window_s) * US
    }

    pub fn lock_us(self) -> i64 {
        i64::from(self.lock_s) * US
    }

    /// What a unit of a budget takes to come back; 0 for a lock.
    pub fn unit_us(self) -> i64 {
        if self.lock_s == 0 { (self.window_us() / i64::from(self.max)).max(1) } else { 0 }
    }

    /// No counter is ever further ahead: one that is was written under a clock that has been set back.
    fn ahead_us_max(self) -> i64 {
        self.window_us().max(self.lock_us()) * DEBT_WINDOWS_MAX
    }
}

impl Default for Rule {
    /// That of a counter of which nothing is known: it is free.
    fn default() -> Self {
        Self::lock(1, 1, 1)
    }
}

const fn at_least_one(value: u32) -> u32 {
    if value == 0 { 1 } else { value }
}

/// Is there room?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// What was asked for is reserved.
    Reserved,
    /// Only what is not settled stands in the way.
    Busy,
    /// None before this many microseconds.
    Full(i64),
}

/// A counter in memory: 64 bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter {
    /// Which one; 0 is a free place.
    pub key: u128,
    /// See the table `auth.limit_counters`.
    until_us: i64,
    spent: u32,
    /// Counted here and told to nobody.
    untold: u32,
    reserved: u32,
    cleared_s: u32,
    /// When an event last said that it is full (Unix minutes).
    noted_min: u32,
    rule: Rule,
    /// Waits to be told.
    pub is_queued: bool,
}

/// What other nodes must add to theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delta {
    pub key: u128,
    pub spent: u32,
    /// Where a counter that nobody knows begins.
    pub until_us: i64,
    pub cleared_s: u32,
    pub rule: Rule,
}

/// A counter as all nodes together know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    pub key: u128,
    pub spent: u32,
    pub until_us: i64,
    pub cleared_s: u32,
    pub rule: Rule,
}

impl Counter {
    pub fn new(key: u128) -> Self {
        Self { key, ..Self::default() }
    }

    /// What is spent.
    pub fn level(&self, rule: Rule, now_us: i64) -> u32 {
        let ahead_us = self.until_us.saturating_sub(now_us);
        if ahead_us <= 0 || ahead_us > rule.ahead_us_max() {
            return 0;
        }
        match rule.unit_us() {
            0 => self.spent,
            unit_us => u32::try_from((ahead_us + unit_us - 1) / unit_us).unwrap_or(u32::MAX),
        }
    }

    /// Does it hold anything that a later request must find?
    pub fn is_live(&self, now_us: i64) -> bool {
        self.reserved > 0
            || self.is_queued
            || (self.until_us > now_us && self.until_us - now_us <= self.rule.ahead_us_max())
    }

    pub fn is_reserved(&self) -> bool {
        self.reserved > 0
    }

    /// What is given up first: the free, then what holds little, then what ends soon.
    pub fn rank(&self, now_us: i64) -> (bool, u32, i64) {
        (self.is_live(now_us), self.spent, self.until_us)
    }

    /// Reserves `cost` if there is room for it.
    pub fn reserve(&mut self, rule: Rule, cost: u32, now_us: i64) -> Room {
        self.rule = rule;
        let cost = cost.min(rule.max);
        let level = self.level(rule, now_us);
        let wanted = level.saturating_add(cost);
        if wanted > rule.max {
            return Room::Full(self.wait_us(rule, cost, now_us));
        }
        if wanted.saturating_add(self.reserved) > rule.max {
            return Room::Busy;
        }
        self.reserved += cost;
        Room::Reserved
    }

    /// Gives back what was reserved with the same rule and cost.
    pub fn release(&mut self, rule: Rule, cost: u32) {
        self.reserved = self.reserved.saturating_sub(cost.min(rule.max));
    }

    /// Counts `cost`, whether there is room or not. `true` when others must be told of it.
    pub fn count(&mut self, rule: Rule, cost: u32, now_us: i64) -> bool {
        self.rule = rule;
        if self.level(rule, now_us) == 0 {
            (self.spent, self.untold, self.until_us) = (0, 0, now_us);
        }
        let unit_us = rule.unit_us();
        if unit_us > 0 {
            let debt_us_max = rule.window_us() * DEBT_WINDOWS_MAX;
            self.until_us = (self.until_us + i64::from(cost) * unit_us).min(now_us + debt_us_max);
        } else {
            self.count_to_lock(rule, cost, now_us);
        }
        self.untold = self.untold.saturating_add(cost);
        unit_us == 0 || self.untold >= (rule.max / TOLD_PART).max(1)
    }

    fn count_to_lock(&mut self, rule: Rule, cost: u32, now_us: i64) {
        let before = self.spent;
        self.spent = self.spent.saturating_add(cost);
        if before == 0 {
            self.until_us = now_us + rule.window_us();
        }
        if before < rule.max && self.spent >= rule.max {
            self.until_us = now_us + rule.lock_us();
        }
    }

    /// Forgives everything; with `is_ordered` also what only other nodes may know. `true` when others must be told.
    pub fn clear(&mut self, is_ordered: bool, now_us: i64) -> bool {
        let is_due = is_ordered || self.until_us > now_us;
        if is_due {
            let now_s = u32::try_from(now_us / US).unwrap_or(0);
            (self.spent, self.untold, self.until_us) = (0, 0, 0);
            self.cleared_s = now_s.max(self.cleared_s.saturating_add(1));
        }
        is_due
    }

    /// Is it time to write down that it is full? At most once a minute.
    pub fn note(&mut self, now_us: i64) -> bool {
        let minute = u32::try_from(now_us / (60 * US)).unwrap_or(0);
        let is_news = self.noted_min != minute;
        self.noted_min = minute;
        is_news
    }

    /// What is to be told, which then counts as told.
    pub fn take_delta(&mut self, now_us: i64) -> Delta {
        let spent = std::mem::take(&mut self.untold);
        self.is_queued = false;
        let until_us = match self.rule.unit_us() {
            0 => self.until_us,
            unit_us => now_us + i64::from(spent) * unit_us,
        };
        Delta { key: self.key, spent, until_us, cleared_s: self.cleared_s, rule: self.rule }
    }

    /// The telling failed: it is still to be told.
    pub fn put_back(&mut self, delta: &Delta) {
        self.rule = delta.rule;
        if delta.cleared_s >= self.cleared_s {
            self.untold = self.untold.saturating_add(delta.spent);
        }
    }

    /// Takes in what all nodes know.
    pub fn merge(&mut self, shared: &Shared, now_us: i64) {
        if shared.cleared_s < self.cleared_s {
            return;
        }
        if self.until_us <= now_us {
            (self.spent, self.untold) = (0, 0);
        }
        if shared.cleared_s > self.cleared_s {
            self.forgive_told(now_us);
            self.cleared_s = shared.cleared_s;
        }
        if shared.until_us <= now_us {
            return;
        }
        self.rule = shared.rule;
        let unit_us = self.rule.unit_us();
        if unit_us == 0 {
            self.spent = self.spent.max(shared.spent.saturating_add(self.untold));
        }
        self.until_us = self.until_us.max(shared.until_us + i64::from(self.untold) * unit_us);
    }

    /// Forgiven elsewhere: what was counted here since the last telling may have come after it, and stays.
    fn forgive_told(&mut self, now_us: i64) {
        self.spent = self.untold;
        self.until_us = if self.untold == 0 { 0 } else { self.until_us.min(now_us + self.rule.window_us()) };
    }

    /// Until `cost` fits.
    fn wait_us(&self, rule: Rule, cost: u32, now_us: i64) -> i64 {
        let room_us = i64::from(rule.max - cost) * rule.unit_us();
        (self.until_us - now_us - room_us).max(1)
    }
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
