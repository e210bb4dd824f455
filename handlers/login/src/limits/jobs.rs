//! The exchange of counters between nodes, and the removal of those that are over.
//!
//! Once a second each node adds what it counted to the shared rows and reads those that changed since it last looked,
//! with an overlap for transactions that commit late; reading a row again changes nothing. What could not be added is
//! kept and added later; if the answer to a commit was lost it may be added twice, which locks early and never late.
//! A node that nobody has asked for a while neither tells nor hears; it does again within a second of being asked.
//! With one process only (`deployment.coordination = "local"`) nothing is added, but what an administrator forgave by
//! command line is still read.

use super::kinds::{Digests, Limit};
use super::model::{Delta, Rule};
use super::{Limits, US, sql};
use sigid_core::secret::Secret;
use sigid_edge::backend::Backend;
use sigid_edge::feature::JobFault;
use sigid_io::backend::BoxFuture;
use sigid_io::clock;
use sigid_io::metrics::{self, Counter, Gauge};
use sigid_io::pg::{PgFault, Pool, Scope, Tx};
use sigid_io::settings::Plane;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Counters that a node tells in one turn; the others wait for the next.
pub const DELTAS_MAX: usize = 2000;
/// Counters that a node hears of in one turn.
pub const CHANGED_ROWS_MAX: i64 = 10_000;
/// Rows that one statement of the cleanup deletes.
pub const CLEANUP_ROWS_MAX: i64 = 5000;
/// A transaction may commit so much later than it says.
const OVERLAP: Duration = Duration::from_secs(5);
/// A node that was not asked for so long has nothing to tell, and need not hear.
const AWAKE: Duration = Duration::from_mins(10);
/// A counter that is over is kept for so long: that it was forgiven must reach everybody.
const KEPT_S: i64 = 3600;

/// Where the last exchange ended.
pub(super) struct Exchange {
    position: Mutex<Position>,
    asked_ms: AtomicI64,
    done_ms: AtomicI64,
    is_failing: AtomicBool,
    done: Counter,
    failed: Counter,
    age: Gauge,
}

struct Position {
    /// Rows changed from here on are read next.
    since: SystemTime,
    /// The latest change read, and when it was first seen.
    last: SystemTime,
    seen_ms: i64,
}

impl Position {
    fn new() -> Self {
        Self { since: SystemTime::UNIX_EPOCH, last: SystemTime::UNIX_EPOCH, seen_ms: 0 }
    }

    /// A full page goes on at its end. Otherwise a little is read again, until nothing can come late any more.
    fn advance(&mut self, last: SystemTime, is_full: bool, now_ms: i64) {
        if last != self.last {
            (self.last, self.seen_ms) = (last, now_ms);
        }
        let since = if is_full {
            last
        } else if now_ms - self.seen_ms > OVERLAP.as_millis() as i64 {
            last + Duration::from_micros(1)
        } else {
            last.checked_sub(OVERLAP).unwrap_or(last)
        };
        self.since = since.max(self.since);
    }
}

impl Exchange {
    pub(super) fn new() -> Self {
        let help = "Exchanges of the limits' counters with other nodes.";
        let counter = |outcome| metrics::counter("sigid_auth_limit_merges_total", help, &[("outcome", outcome)]);
        let help = "Time since counters were last exchanged; limits are each node's own meanwhile.";
        Self {
            position: Mutex::new(Position::new()),
            asked_ms: AtomicI64::new(i64::MIN),
            done_ms: AtomicI64::new(clock::monotonic_ms()),
            is_failing: AtomicBool::new(false),
            done: counter("ok"),
            failed: counter("failed"),
            age: metrics::gauge("sigid_auth_limit_merge_age_seconds", help, &[]),
        }
    }

    /// Somebody makes an attempt here.
    pub(super) fn wake(&self) {
        self.asked_ms.store(clock::monotonic_ms(), Relaxed);
    }

    /// Whether an exchange is due. The age begins anew with the first after a rest.
    fn is_awake(&self) -> bool {
        let now_ms = clock::monotonic_ms();
        let is_awake = now_ms.saturating_sub(self.asked_ms.load(Relaxed)) < AWAKE.as_millis() as i64;
        if !is_awake {
            self.done_ms.store(now_ms, Relaxed);
            self.age.set(0);
        }
        is_awake
    }

    fn end(&self, outcome: Result<(), PgFault>) {
        let now_ms = clock::monotonic_ms();
        let is_failing = outcome.is_err();
        let was_failing = self.is_failing.swap(is_failing, Relaxed);
        match outcome {
            Ok(()) => {
                self.done.inc();
                self.done_ms.store(now_ms, Relaxed);
            }
            Err(error) => {
                self.failed.inc();
                if !was_failing {
                    tracing::warn!(%error, "limits are not exchanged; this node goes on with its own counters");
                }
            }
        }
        self.age.set_ms(now_ms - self.done_ms.load(Relaxed));
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells and hears.
pub(super) fn exchange(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        if let Some(limits) = backend.settings.find::<Arc<Limits>>()
            && limits.exchange.is_awake()
        {
            let now_us = backend.shared.clock.now_s() * US;
            let outcome = limits.exchange_once(backend.pools.pool(Plane::Identity), now_us).await;
            limits.exchange.end(outcome);
        }
        Ok(())
    })
}

/// Deletes what is over, in small pieces.
pub(super) fn clean_up(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let before_s = backend.shared.clock.now_s() - KEPT_S;
        delete_over(backend.pools.pool(Plane::Async), before_s).await.map_err(|error| JobFault(error.to_string()))
    })
}

async fn delete_over(pool: &Pool, before_s: i64) -> Result<(), PgFault> {
    loop {
        let mut tx = pool.begin(Scope::System("jobs")).await?;
        let deleted = sql::delete_over(&mut tx, before_s, CLEANUP_ROWS_MAX).await?;
        tx.commit().await?;
        if deleted < CLEANUP_ROWS_MAX as u64 {
            return Ok(());
        }
    }
}

/// Forgives an account's failures from outside of the server; the nodes read it within a second. `key` is the one the
/// nodes have.
pub async fn clear_stored(tx: &mut Tx<'_>, key: &Secret<[u8; 32]>, account: &str, now_s: i64) -> Result<(), PgFault> {
    let key = Digests::new(key).of(&[Limit::Account.name().as_bytes(), account.as_bytes()]);
    let cleared_s = u32::try_from(now_s).unwrap_or(0);
    let delta = Delta { key, spent: 0, until_us: 0, cleared_s, rule: Rule::default() };
    sql::add(tx, &[Limit::Account.name()], &[delta], now_s * US).await
}

impl Limits {
    async fn exchange_once(&self, pool: &Pool, now_us: i64) -> Result<(), PgFault> {
        let (names, deltas) = self.take_deltas(now_us);
        let outcome = self.tell_and_hear(pool, &names, &deltas, now_us).await;
        if outcome.is_err() {
            self.put_back(&names, &deltas);
        }
        outcome
    }

    async fn tell_and_hear(&self, pool: &Pool, names: &[&str], deltas: &[Delta], now_us: i64) -> Result<(), PgFault> {
        let mut tx = pool.begin(Scope::System("accounts")).await?;
        if !deltas.is_empty() {
            sql::add(&mut tx, names, deltas, now_us).await?;
        }
        let since = self.exchange.position().since;
        let rows = sql::load_changed(&mut tx, since, CHANGED_ROWS_MAX).await?;
        tx.commit().await?;
        for (name, shared, _) in &rows {
            if let Some(table) = self.tables.all().into_iter().find(|table| table.name == name) {
                table.merge(shared, now_us);
            }
        }
        if let Some((_, _, last)) = rows.last() {
            let is_full = rows.len() as i64 >= CHANGED_ROWS_MAX;
            self.exchange.position().advance(*last, is_full, clock::monotonic_ms());
        }
        Ok(())
    }

    fn take_deltas(&self, now_us: i64) -> (Vec<&'static str>, Vec<Delta>) {
        let (mut names, mut deltas) = (Vec::new(), Vec::new());
        for table in self.tables.all() {
            let taken = table.take_deltas(DELTAS_MAX.saturating_sub(deltas.len()), now_us);
            names.extend(taken.iter().map(|_| table.name));
            deltas.extend(taken);
        }
        (names, deltas)
    }

    fn put_back(&self, names: &[&str], deltas: &[Delta]) {
        for table in self.tables.all() {
            let own = names.iter().zip(deltas).filter(|(name, _)| **name == table.name);
            table.put_back(&own.map(|(_, delta)| *delta).collect::<Vec<_>>());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_may_come_late_are_looked_for_again_and_no_others() {
        let at = |s: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(s);
        let mut position = Position::new();
        let mut look = |last, is_full, now_ms| {
            position.advance(at(last), is_full, now_ms);
            position.since
        };
        assert_eq!(look(1000, true, 0), at(1000), "a full page goes on at its end");
        assert_eq!(look(1003, false, 100), at(1000), "never back");
        assert_eq!(look(1010, false, 200), at(1005), "a little is read again");
        assert_eq!(look(1010, false, 5200), at(1005), "while something may still come");
        assert_eq!(look(1010, false, 5201), at(1010) + Duration::from_micros(1), "and then no more");
        assert_eq!(look(1011, false, 6000), at(1010) + Duration::from_micros(1), "never back");
    }
}
