//! What guessing costs: limits on attempts, in fixed memory, together on all nodes.
//!
//! ```text
//! begin(account, address, device) ──> Refused                       429, Retry-After, the same page whoever is named
//!                                 └─> Attempt ──> succeed           costs one, forgives what was counted
//!                                             ├─> fail, or dropped  costs what a failure costs
//!                                             └─> withdraw          nobody looked at the password: costs one
//! ```
//!
//! | limit | of | full |
//! |---|---|---|
//! | `account` | failures for an identifier, whether it has an account or not | strangers are locked out for a while |
//! | `address` | attempts from an IPv4 address or an IPv6 /64; a failure costs more | until units come back |
//! | `network` | the same for an IPv6 /48, eight times as much | until units come back |
//! | `device` | failures of one device that is known to the account ([`device`]) | it is a stranger again |
//! | `known_devices` | attempts of all known devices of one account | they are strangers again |
//! | `registration`, `registration_network` | registrations and recoveries from an address or /48 | until units come back |
//! | `notices` | letters that tell one mailbox of sign-ins | none is sent for a while |
//! | `guesses` | codes and links, by what they are for and whose they are ([`Guesses`]) | locked for a while |
//!
//! A device that has signed in before is counted apart: strangers can lock the account, and the address, and its person
//! still gets in. Its failures count for the account too, so guesses add up wherever they come from. Ways back for an
//! account: time, a completed recovery or an administrator ([`Limits::clear`]), a known device, and the right password
//! from a stranger who was still let in. Success from a known device forgives strangers nothing: who signs in daily
//! would forgive an attacker daily.
//!
//! An attempt *reserves* its worst case and settles it later, so parallel attempts cannot all see the same room: on one
//! node, not one failure more than allowed passes. Where only open attempts stand in the way, one waits for them
//! ([`BUSY_WAIT_MAX`]) instead of being refused. Nodes count alone and exchange once a second ([`jobs`]): N nodes may let
//! pass N times as much within that second, which is then known to all and, for a budget, is waited for.
//!
//! Attacks considered: which identifiers exist (the counter is under a keyed digest of what was typed, found or not,
//! and a refusal says nothing else); locking a person out (devices); spreading guesses over addresses, devices,
//! spellings and nodes (the account's counter; identifiers are normalized before they come here); an IPv6 holder's
//! endless addresses; memory (fixed tables, see [`table`]); a flood that writes (a good sign-in writes no counter, a
//! failure at most one row version for each counter and second, events are rationed); a flood of mail; a full hash pool
//! that locks accounts (`withdraw`). A node that cannot reach the database goes on with what it knows, says so in
//! `sigid_auth_limit_merge_age_seconds`, and signs nobody in, for that needs the database.
//!
//! Alternatives rejected: a row for each failure (a write for each guess, which is what a flood wants); counters in
//! accounts' rows (unknown identifiers have none, and would take another path); delays instead of refusals (they hold
//! the server's memory and a person's patience).

pub mod device;
mod jobs;
mod kinds;
mod model;
mod sql;
mod table;

pub use jobs::{CHANGED_ROWS_MAX, CLEANUP_ROWS_MAX, DELTAS_MAX, clear_stored};

use crate::limits::device::Device;
use kinds::{Digests, Limit, Tables, network_rule, prefixes, shown};
use model::{Room, Rule};
use serde_json::json;
use sigid_core::secret::Secret;
use sigid_edge::backend::Backend;
use sigid_edge::feature::{Feature, Job};
use sigid_io::pg::Scope;
use sigid_io::settings::Plane;
use sigid_platform::outbox::{Act, Change, Event};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use table::Outcome;
use tokio::sync::Notify;

/// A limit refused somebody.
pub const AUTH_LIMITED: &str = "auth.limited";

pub const FEATURE: Feature = Feature {
    name: "limits",
    section: None,
    routes: &[],
    jobs: &[
        Job { name: "limits-exchange", plane: Plane::Auth, every_s: 1, run: jobs::exchange },
        Job { name: "limits-cleanup", plane: Plane::Async, every_s: 600, run: jobs::clean_up },
    ],
    events: &[AUTH_LIMITED],
    discovery: &[],
};

/// Letters in an hour that tell one mailbox of sign-ins from new devices.
pub const NOTICES_PER_HOUR_MAX: u32 = 3;
/// How much more a /48 may spend than a /64.
pub const NETWORK_SHARES_MAX: u32 = 8;
/// The longest an attempt waits for those before it.
pub const BUSY_WAIT_MAX: Duration = Duration::from_secs(3);
/// Attempts that may wait so.
pub const BUSY_WAITERS_MAX: usize = 128;
/// Events about refusals, from one process.
pub const LIMIT_EVENTS_PER_MINUTE_MAX: u32 = 60;
/// Counters kept, of accounts and of each other limit; 64 bytes each.
pub const ACCOUNT_COUNTERS_MAX: usize = 32_768;
pub const OTHER_COUNTERS_MAX: usize = 8192;

const US: i64 = 1_000_000;
const MINUTE_S: u32 = 60;

/// What `[auth]` says of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitSettings {
    /// Failures that lock an account.
    pub brute_force_max_attempts: u32,
    /// For how long; failures further apart do not add up.
    pub brute_force_lockout_s: i64,
    /// Units of an address; a success costs one.
    pub ip_budget_per_minute: u32,
    pub ip_failure_cost: u32,
    /// Registrations and recoveries of an address.
    pub registrations_per_minute: u32,
    /// Nothing is limited: for load and timing runs.
    pub is_off: bool,
}

/// A kind of guess that other features bring: codes, links.
#[derive(Clone, Copy, Debug)]
pub struct Guesses {
    /// Keeps kinds apart.
    pub purpose: &'static str,
    pub failures_max: u32,
    pub window_s: u32,
    pub lockout_s: u32,
}

/// An attempt was refused. What is answered says no more than `retry_after_s`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub limit: &'static str,
    pub retry_after_s: u32,
    /// Whose counter, for the operator: a pseudonym that only this installation can make again ([`Limits::shown`]).
    pub shown: String,
    /// Whether an event is due ([`record`]).
    pub is_news: bool,
}

/// The limits of one process.
pub struct Limits {
    settings: LimitSettings,
    digests: Digests,
    tables: Tables,
    /// Whether counters are told to other nodes.
    is_shared: bool,
    /// Attempts were settled.
    settled: Notify,
    waiters: AtomicUsize,
    /// Minute and number of events.
    noted: Mutex<(i64, u32)>,
    exchange: jobs::Exchange,
}

impl Limits {
    /// `key` is one that all nodes have. `is_shared`: whether there may be other nodes.
    pub fn new(settings: LimitSettings, key: &Secret<[u8; 32]>, is_shared: bool) -> Arc<Self> {
        Arc::new(Self {
            settings,
            digests: Digests::new(key),
            tables: Tables::new(),
            is_shared,
            settled: Notify::new(),
            waiters: AtomicUsize::new(0),
            noted: Mutex::new((0, 0)),
            exchange: jobs::Exchange::new(),
        })
    }

    /// Before a password is looked at. `account` is the normalized identifier, known or unknown alike; `device` what
    /// [`device::Devices::find`] says of its cookie.
    ///
    /// # Errors
    /// A limit is reached.
    pub async fn begin(
        self: &Arc<Self>,
        account: &str,
        address: IpAddr,
        device: Option<&Device>,
        now_s: i64,
    ) -> Result<Attempt, Refused> {
        let known = device.map(|device| self.asks_of_device(account, device));
        self.claim(known, self.asks_of_stranger(account, address), now_s).await
    }

    /// Before a code or a link of `subject` is looked at.
    ///
    /// # Errors
    /// The limit of this kind is reached.
    pub async fn begin_guess(
        self: &Arc<Self>,
        guesses: &Guesses,
        subject: &str,
        now_s: i64,
    ) -> Result<Attempt, Refused> {
        let rule = Rule::lock(guesses.failures_max, guesses.window_s, guesses.lockout_s);
        let key = self.digests.of(&[b"guesses", guesses.purpose.as_bytes(), subject.as_bytes()]);
        self.claim(None, vec![Ask::lock(Limit::Guesses, key, rule)], now_s).await
    }

    /// Before a registration or a recovery is looked at.
    ///
    /// # Errors
    /// The budget of the address is spent.
    pub fn begin_registration(&self, address: IpAddr, now_s: i64) -> Result<(), Refused> {
        let per_minute = self.settings.registrations_per_minute;
        let (near, far) = prefixes(address);
        let near = (Limit::Registration, Rule::budget(per_minute, MINUTE_S), Some(near));
        let far = (Limit::RegistrationNetwork, network_rule(per_minute), far);
        [near, far]
            .into_iter()
            .filter_map(|(limit, rule, prefix)| Some((limit, rule, prefix?)))
            .try_for_each(|(limit, rule, prefix)| self.spend(limit, self.key(limit, &prefix), rule, now_s))
    }

    /// Before a letter that tells of a sign-in. When it is refused, send nothing: the mailbox knows already. Whoever
    /// could have it refused has been told of to its owner as often. Limited also where budgets are off, for nobody asked
    /// for the letter.
    ///
    /// # Errors
    /// The mailbox had [`NOTICES_PER_HOUR_MAX`] such letters.
    pub fn begin_notice(&self, email_key: &str, now_s: i64) -> Result<(), Refused> {
        let rule = Rule::lock(NOTICES_PER_HOUR_MAX, 60 * MINUTE_S, 60 * MINUTE_S);
        self.take(Limit::Notices, self.key(Limit::Notices, email_key.as_bytes()), rule, now_s)
    }

    /// Forgives an account's failures, on all nodes: after a recovery, or because an administrator says so.
    pub fn clear(&self, account: &str, now_s: i64) {
        let key = self.key(Limit::Account, account.as_bytes());
        self.exchange.wake();
        self.tables.of(Limit::Account).clear(key, self.is_shared, now_s * US);
        self.settled.notify_waiters();
    }

    /// The pseudonym of an account in events.
    pub fn shown(&self, account: &str) -> String {
        shown(self.key(Limit::Account, account.as_bytes()))
    }

    /// Waits while only open attempts stand in the way.
    async fn claim(
        self: &Arc<Self>,
        known: Option<Vec<Ask>>,
        stranger: Vec<Ask>,
        now_s: i64,
    ) -> Result<Attempt, Refused> {
        let now_us = now_s * US;
        if self.settings.is_off {
            return Ok(Attempt { limits: self.clone(), holds: Vec::new(), now_us });
        }
        self.exchange.wake();
        let mut waiter = None;
        let patience = tokio::time::sleep(BUSY_WAIT_MAX);
        let mut patience = pin!(patience);
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            let busy = match self.reserve_either(known.as_deref(), &stranger, now_us) {
                Claim::Held(holds) => return Ok(Attempt { limits: self.clone(), holds, now_us }),
                Claim::Full(ask, wait_us) => {
                    // What it held for a moment may have been in somebody's way.
                    self.settled.notify_waiters();
                    return Err(self.refuse(ask.limit, ask.key, wait_us, now_us));
                }
                Claim::Busy(ask) => ask,
            };
            waiter = waiter.or_else(|| Waiter::enter(self));
            if waiter.is_none() {
                return Err(self.refuse(busy.limit, busy.key, US, now_us));
            }
            tokio::select! {
                () = settled => {}
                () = &mut patience => return Err(self.refuse(busy.limit, busy.key, US, now_us)),
            }
        }
    }

    /// As a known device if that has room, else as anybody.
    fn reserve_either(&self, known: Option<&[Ask]>, stranger: &[Ask], now_us: i64) -> Claim {
        match known.map(|asks| self.reserve_all(asks, now_us)) {
            Some(claim @ (Claim::Held(_) | Claim::Busy(_))) => claim,
            Some(Claim::Full(ask, _)) => {
                self.tables.of(ask.limit).limited.inc();
                self.reserve_all(stranger, now_us)
            }
            None => self.reserve_all(stranger, now_us),
        }
    }

    /// All or none.
    fn reserve_all(&self, asks: &[Ask], now_us: i64) -> Claim {
        for (n, ask) in asks.iter().enumerate() {
            let room = match ask.reserved {
                0 => Room::Reserved,
                cost => self.tables.of(ask.limit).reserve(ask.key, ask.rule, cost, now_us),
            };
            let claim = match room {
                Room::Reserved => continue,
                Room::Busy => Claim::Busy(*ask),
                Room::Full(wait_us) => Claim::Full(*ask, wait_us),
            };
            for held in asks.iter().take(n) {
                self.settle(held, Outcome::Spent(0), now_us);
            }
            return claim;
        }
        Claim::Held(asks.to_vec())
    }

    fn settle(&self, ask: &Ask, outcome: Outcome, now_us: i64) {
        let table = self.tables.of(ask.limit);
        table.settle(ask.key, ask.rule, ask.reserved, outcome, self.is_shared, now_us);
    }

    fn spend(&self, limit: Limit, key: u128, rule: Rule, now_s: i64) -> Result<(), Refused> {
        if self.settings.is_off { Ok(()) } else { self.take(limit, key, rule, now_s) }
    }

    fn take(&self, limit: Limit, key: u128, rule: Rule, now_s: i64) -> Result<(), Refused> {
        self.exchange.wake();
        let now_us = now_s * US;
        match self.tables.of(limit).spend(key, rule, 1, self.is_shared, now_us) {
            Room::Reserved => Ok(()),
            Room::Busy => Err(self.refuse(limit, key, US, now_us)),
            Room::Full(wait_us) => Err(self.refuse(limit, key, wait_us, now_us)),
        }
    }

    fn refuse(&self, limit: Limit, key: u128, wait_us: i64, now_us: i64) -> Refused {
        let table = self.tables.of(limit);
        table.limited.inc();
        Refused {
            limit: table.name,
            retry_after_s: u32::try_from((wait_us + US - 1) / US).unwrap_or(u32::MAX).max(1),
            shown: shown(key),
            is_news: table.note(key, now_us) && self.may_note(now_us),
        }
    }

    /// Strangers' requests write no more events than this.
    fn may_note(&self, now_us: i64) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now_us / (i64::from(MINUTE_S) * US);
        if noted.0 != minute {
            *noted = (minute, 0);
        }
        noted.1 += 1;
        noted.1 <= LIMIT_EVENTS_PER_MINUTE_MAX
    }

    fn asks_of_stranger(&self, account: &str, address: IpAddr) -> Vec<Ask> {
        let per_minute = self.settings.ip_budget_per_minute;
        let (near, far) = prefixes(address);
        let mut asks = vec![
            Ask::lock(Limit::Account, self.key(Limit::Account, account.as_bytes()), self.lock_rule()),
            self.budget(Limit::Address, &near, Rule::budget(per_minute, MINUTE_S)),
        ];
        if let Some(far) = far {
            asks.push(self.budget(Limit::Network, &far, network_rule(per_minute)));
        }
        asks
    }

    fn asks_of_device(&self, account: &str, device: &Device) -> Vec<Ask> {
        let name = Limit::Device.name().as_bytes();
        let key = self.digests.of(&[name, device.id(), account.as_bytes()]);
        let rule = Rule::budget(self.settings.ip_budget_per_minute, MINUTE_S);
        let account_key = self.key(Limit::Account, account.as_bytes());
        // It is no stranger: the account's lock does not stop it, and its success forgives strangers nothing.
        let also = Ask {
            reserved: 0,
            on_success: Outcome::Spent(0),
            ..Ask::lock(Limit::Account, account_key, self.lock_rule())
        };
        vec![
            Ask::lock(Limit::Device, key, self.lock_rule()),
            self.budget(Limit::KnownDevices, account.as_bytes(), rule),
            also,
        ]
    }

    fn budget(&self, limit: Limit, subject: &[u8], rule: Rule) -> Ask {
        Ask {
            limit,
            key: self.key(limit, subject),
            rule,
            reserved: self.settings.ip_failure_cost.max(1),
            on_success: Outcome::Spent(1),
            on_failure: self.settings.ip_failure_cost.max(1),
            on_withdrawal: 1,
        }
    }

    fn lock_rule(&self) -> Rule {
        let lockout_s = u32::try_from(self.settings.brute_force_lockout_s).unwrap_or(1);
        Rule::lock(self.settings.brute_force_max_attempts, lockout_s, lockout_s)
    }

    fn key(&self, limit: Limit, subject: &[u8]) -> u128 {
        self.digests.of(&[limit.name().as_bytes(), subject])
    }
}

/// An attempt under way. Dropped without a word it has failed.
pub struct Attempt {
    limits: Arc<Limits>,
    holds: Vec<Ask>,
    now_us: i64,
}

impl Attempt {
    /// The password was right.
    pub fn succeed(mut self) {
        self.settle(|ask| ask.on_success);
    }

    /// It was wrong.
    pub fn fail(mut self) {
        self.settle(|ask| Outcome::Spent(ask.on_failure));
    }

    /// Nobody looked: the hash pool was full, or the database away.
    pub fn withdraw(mut self) {
        self.settle(|ask| Outcome::Spent(ask.on_withdrawal));
    }

    fn settle(&mut self, outcome: fn(&Ask) -> Outcome) {
        let holds = std::mem::take(&mut self.holds);
        for ask in &holds {
            self.limits.settle(ask, outcome(ask), self.now_us);
        }
        if !holds.is_empty() {
            self.limits.settled.notify_waiters();
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.settle(|ask| Outcome::Spent(ask.on_failure));
    }
}

/// Writes the event of a refusal that is news. What cannot be written is logged: the refusal stands.
pub async fn record(backend: &Backend, refused: &Refused, address: IpAddr, now_s: i64) {
    if !refused.is_news {
        return;
    }
    let recorded = async {
        let act = Act { actor: "sign-in", now_s };
        let mut change = Change::begin(backend.pools.pool(Plane::Identity), Scope::System("accounts"), act).await?;
        let data = json!({
            "limit": refused.limit,
            "address": address.to_canonical().to_string(),
            "retry_after_s": refused.retry_after_s,
        });
        let event = Event { tenant: None, event_type: AUTH_LIMITED, subject: &refused.shown, data };
        change.record(&event).await?;
        change.commit().await
    };
    let recorded: Result<_, sigid_io::pg::PgFault> = recorded.await;
    if let Err(error) = recorded {
        tracing::warn!(%error, limit = refused.limit, "a refusal could not be recorded");
    }
}

/// One counter that an attempt stands before, and what it will cost.
#[derive(Clone, Copy, Debug)]
struct Ask {
    limit: Limit,
    key: u128,
    rule: Rule,
    reserved: u32,
    on_success: Outcome,
    on_failure: u32,
    on_withdrawal: u32,
}

impl Ask {
    fn lock(limit: Limit, key: u128, rule: Rule) -> Self {
        Self { limit, key, rule, reserved: 1, on_success: Outcome::Cleared, on_failure: 1, on_withdrawal: 0 }
    }
}

enum Claim {
    Held(Vec<Ask>),
    Busy(Ask),
    Full(Ask, i64),
}

/// A place among those who wait.
struct Waiter<'l>(&'l Limits);

impl<'l> Waiter<'l> {
    fn enter(limits: &'l Limits) -> Option<Self> {
        let before = limits.waiters.fetch_add(1, Relaxed);
        let waiter = Self(limits);
        (before < BUSY_WAITERS_MAX).then_some(waiter)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.waiters.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests;
