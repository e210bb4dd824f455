//! A plane's pool: bb8, with its silences filled.
//!
//! bb8 hides why it could not connect behind its own timeout, and asks the server on each checkout whether the
//! connection lives. Here the manager records why, spaces the attempts and wakes everybody who waits when one
//! fails and nothing else is alive; a closed connection is noticed by its driver task without a round trip.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_postgres::{Client, Statement};

use super::tx::{Tx, in_time};
use super::{PgFault, PgSettings, PgTarget, Scope, Target, Trust, dial};
use crate::fail::{Action, Fail, Point, Strike};

/// The connections of one plane. Cheap to clone.
#[derive(Clone)]
pub struct Pool {
    inner: bb8::Pool<Manager>,
    health: Arc<Health>,
    name: &'static str,
    deadline: Duration,
    fail: Fail,
}

/// How a pool stands, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolState {
    pub connections: u32,
    pub idle: u32,
    /// Callers waiting for a connection.
    pub waiting: u32,
    /// Whether the last attempt to connect failed.
    pub failing: bool,
}

impl Pool {
    /// Starts a transaction for `scope`. Nothing is sent yet: BEGIN and the scope travel with the first
    /// statement, in one packet.
    ///
    /// Waits at most `connect_timeout` for a connection; [`PgFault::Timeout`] means that all are in use.
    pub async fn begin(&self, scope: Scope) -> Result<Tx<'_>, PgFault> {
        Ok(Tx::new(self.take().await?, scope, self.deadline))
    }

    /// `auth`, `control` ..., `all` when planes share a connection string, or `feed`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn state(&self) -> PoolState {
        let state = self.inner.state();
        PoolState {
            connections: state.connections,
            idle: state.idle_connections,
            waiting: self.health.waiting.load(Ordering::Relaxed),
            failing: self.health.failing().is_some(),
        }
    }

    /// One round trip.
    pub async fn check_answers(&self) -> Result<(), PgFault> {
        let mut conn = self.take().await?;
        let strike = conn.reach(Point::Alone);
        let Conn { client, flags, .. } = &mut *conn;
        in_time(flags, self.deadline, strike, client.batch_execute("select 1")).await
    }

    pub(super) fn build(
        settings: &PgSettings,
        target: &PgTarget,
        name: &'static str,
        trust: &Arc<Trust>,
        eager: bool,
    ) -> Result<Self, PgFault> {
        let target_max = target.max_connections.max(1);
        let health = Arc::new(Health::new(name));
        let target_of_pool = pool_target(settings, target, name, trust)?;
        let manager = Manager { target: target_of_pool, health: Arc::clone(&health), fail: settings.fail.of(name) };
        let inner = bb8::Pool::builder()
            .max_size(target_max)
            .min_idle(if eager { target.min_connections.min(target_max) } else { 0 })
            .connection_timeout(settings.connect_timeout.max(CONNECT_TIMEOUT_MIN))
            .retry_connection(false)
            .idle_timeout(CONNECTION_IDLE_MAX)
            .max_lifetime(CONNECTION_AGE_MAX)
            .queue_strategy(bb8::QueueStrategy::Lifo)
            .build_unchecked(manager);
        let (fail, deadline) = (settings.fail.of(name), settings.statement_timeout + ANSWER_GRACE);
        Ok(Self { inner, health, name, deadline, fail })
    }

    /// A fail point of what this pool is used for, bounded as its statements are.
    ///
    /// # Errors
    /// It struck.
    pub async fn reach(&self, point: Point) -> Result<(), PgFault> {
        self.fail.reach_within(point, self.deadline).await
    }

    /// The fail points of this pool, for what has other bounds or none.
    pub fn fail(&self) -> &Fail {
        &self.fail
    }

    pub(super) async fn close(&self) {
        self.health.closed.store(true, Ordering::Relaxed);
        self.health.wake();
        // A connection that was taken out of a closed pool is not put back.
        while self.inner.state().idle_connections > 0 && self.inner.get().await.is_ok() {}
    }

    /// A statement outside any transaction and any scope.
    pub(crate) async fn query_alone(
        &self,
        sql: &'static str,
        params: &[&(dyn tokio_postgres::types::ToSql + Sync)],
    ) -> Result<Vec<tokio_postgres::Row>, PgFault> {
        let mut conn = self.take().await?;
        let statement = conn.prepare(sql, self.deadline).await?;
        let strike = conn.reach(Point::Alone);
        let Conn { client, flags, .. } = &mut *conn;
        in_time(flags, self.deadline, strike, client.query(&statement, params)).await
    }

    async fn take(&self) -> Result<bb8::PooledConnection<'_, Manager>, PgFault> {
        let mut failures = self.health.failures.subscribe();
        if let Some(fault) = self.health.refusal(self.is_empty()) {
            return Err(fault);
        }
        let _waiting = Waiting::new(&self.health.waiting);
        self.fail.reach_within(Point::PoolTake, self.deadline).await?;
        let mut taking = std::pin::pin!(self.inner.get());
        loop {
            tokio::select! {
                biased;
                taken = &mut taking => return taken.map_err(|error| self.not_taken(error)),
                _ = failures.changed() => {
                    if self.health.is_closed() {
                        return Err(CLOSED);
                    }
                    if let Some(fault) = self.health.failing().filter(|_| self.is_empty()) {
                        return Err(fault);
                    }
                }
            }
        }
    }

    fn not_taken(&self, error: bb8::RunError<PgFault>) -> PgFault {
        match error {
            bb8::RunError::User(fault) => fault,
            bb8::RunError::TimedOut => self.health.failing().unwrap_or(PgFault::Timeout),
        }
    }

    fn is_empty(&self) -> bool {
        self.inner.state().connections == 0
    }
}

fn pool_target(
    settings: &PgSettings,
    target: &PgTarget,
    name: &'static str,
    trust: &Arc<Trust>,
) -> Result<Target, PgFault> {
    let statement_ms = settings.statement_timeout.as_millis().max(1);
    let lock_ms = (statement_ms / 2).max(1);
    let options = format!(
        "-c statement_timeout={statement_ms} -c lock_timeout={lock_ms} \
         -c idle_in_transaction_session_timeout={statement_ms} -c search_path=pg_catalog -c TimeZone=UTC"
    );
    let timeout = settings.connect_timeout.max(CONNECT_TIMEOUT_MIN);
    let fail = settings.fail.of(name);
    Target::new(&target.url, &format!("sigid-{name}"), &options, settings.require_ssl, timeout, trust, fail)
}

/// A connection and what was prepared on it.
pub(super) struct Conn {
    pub(super) client: Client,
    pub(super) set_scope: Statement,
    pub(super) flags: Flags,
    pub(super) fail: Fail,
    statements: HashMap<&'static str, Statement>,
    driver: AbortHandle,
}

/// What must be false for a connection to be used again.
#[derive(Default)]
pub(super) struct Flags {
    /// A request was sent and its answer has not been read.
    pub(super) busy: bool,
    /// BEGIN was sent; neither COMMIT nor ROLLBACK.
    pub(super) open: bool,
    /// A fault said that this connection is no good.
    pub(super) spoilt: bool,
}

impl Conn {
    /// The statement, prepared at its first use on this connection.
    pub(super) async fn prepare(&mut self, sql: &'static str, deadline: Duration) -> Result<Statement, PgFault> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let strike = self.reach(Point::Prepare);
        let statement = in_time(&mut self.flags, deadline, strike, self.client.prepare(sql)).await?;
        if self.statements.len() >= STATEMENTS_MAX {
            self.statements.clear();
        }
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// A fail point on this connection; a strike that breaks it has done so.
    pub(super) fn reach(&self, point: Point) -> Option<Strike> {
        let strike = self.fail.at(point)?;
        if strike.action == Action::DropConnection {
            self.driver.abort();
        }
        Some(strike)
    }

    fn is_broken(&self) -> bool {
        self.client.is_closed() || self.flags.busy || self.flags.open || self.flags.spoilt
    }
}

impl Drop for Conn {
    fn drop(&mut self) {
        // A sound connection says goodbye by itself; another could keep its task until the kernel gives up.
        if self.is_broken() {
            self.driver.abort();
        }
    }
}

/// Makes and judges connections for bb8.
pub(super) struct Manager {
    target: Target,
    health: Arc<Health>,
    fail: Fail,
}

impl Manager {
    async fn open(&self) -> Result<Conn, PgFault> {
        let (client, driver) = dial(&self.target).await?;
        let driver = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(error = %PgFault::from(error), "database connection ended");
            }
        })
        .abort_handle();
        let set_scope = async {
            self.fail.reach(Point::PoolSetup).await?;
            client.prepare(SET_SCOPE).await.map_err(PgFault::from)
        };
        match tokio::time::timeout(PREPARE_DEADLINE, set_scope).await.unwrap_or(Err(PgFault::Timeout)) {
            Ok(set_scope) => {
                let (flags, statements) = (Flags::default(), HashMap::new());
                Ok(Conn { client, set_scope, flags, fail: self.fail.clone(), statements, driver })
            }
            Err(fault) => {
                driver.abort();
                Err(fault)
            }
        }
    }
}

impl bb8::ManageConnection for Manager {
    type Connection = Conn;
    type Error = PgFault;

    async fn connect(&self) -> Result<Conn, PgFault> {
        self.health.pause().await;
        if self.health.is_closed() {
            return Err(CLOSED);
        }
        let opened = self.open().await;
        match &opened {
            Ok(_) => self.health.note_success(),
            Err(fault) => self.health.note_failure(fault),
        }
        opened
    }

    async fn is_valid(&self, conn: &mut Conn) -> Result<(), PgFault> {
        if conn.is_broken() { Err(PgFault::Unreachable("the connection closed")) } else { Ok(()) }
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        conn.is_broken() || self.health.is_closed()
    }
}

/// Counts a caller for as long as it waits; bb8 forgets those who stop waiting.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is known of the server from the attempts to connect.
struct Health {
    name: &'static str,
    closed: AtomicBool,
    waiting: AtomicU32,
    last: Mutex<Last>,
    failures: watch::Sender<u64>,
}

#[derive(Default)]
struct Last {
    fault: Option<PgFault>,
    pause: Duration,
    retry_at: Option<Instant>,
}

impl Health {
    fn new(name: &'static str) -> Self {
        let (failures, _) = watch::channel(0);
        Self { name, closed: AtomicBool::new(false), waiting: AtomicU32::new(0), last: Mutex::default(), failures }
    }

    /// The answer to give without trying: the pool is closed, or nothing is alive and the pause is not over.
    fn refusal(&self, empty: bool) -> Option<PgFault> {
        if self.is_closed() {
            return Some(CLOSED);
        }
        let last = self.last();
        let paused = last.retry_at.is_some_and(|at| at > Instant::now());
        last.fault.clone().filter(|_| empty && paused)
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    fn failing(&self) -> Option<PgFault> {
        self.last().fault.clone()
    }

    async fn pause(&self) {
        let retry_at = self.last().retry_at;
        if let Some(at) = retry_at {
            tokio::time::sleep_until(at).await;
        }
    }

    fn note_success(&self) {
        let before = std::mem::take(&mut *self.last());
        if before.fault.is_some() {
            tracing::info!(pool = self.name, "database reachable again");
        }
    }

    fn note_failure(&self, fault: &PgFault) {
        let first = {
            let mut last = self.last();
            // Attempts made side by side fail together; the pause grows once for all of them.
            if last.retry_at.is_none_or(|at| at <= Instant::now()) {
                last.pause = (last.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
                last.retry_at = Some(Instant::now() + last.pause);
            }
            last.fault.replace(fault.clone()).is_none()
        };
        if first {
            tracing::warn!(pool = self.name, error = %fault, "cannot connect to the database");
        }
        self.wake();
    }

    fn wake(&self) {
        self.failures.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const CLOSED: PgFault = PgFault::Unreachable("the pool is closed");
const SET_SCOPE: &str = "select pg_catalog.set_config('app.tenant', $1, true), \
    pg_catalog.set_config('app.scope', $2, true), pg_catalog.set_config('app.user', $3, true)";
/// Prepared statements kept on one connection; past it they are all forgotten.
const STATEMENTS_MAX: usize = 256;
const CONNECT_TIMEOUT_MIN: Duration = Duration::from_millis(100);
const CONNECTION_IDLE_MAX: Duration = Duration::from_mins(10);
const CONNECTION_AGE_MAX: Duration = Duration::from_mins(30);
/// How much longer than the server's own deadline the client waits for an answer.
const ANSWER_GRACE: Duration = Duration::from_millis(500);
const PREPARE_DEADLINE: Duration = Duration::from_secs(5);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pool_refuses_during_the_pause_only() {
        let refused = PgFault::Unreachable("connection refused");
        let health = Health::new("auth");
        assert_eq!(health.refusal(true), None, "nothing has failed yet");
        health.note_failure(&refused);
        assert_eq!(health.refusal(true), Some(refused.clone()), "nothing is alive and the pause runs");
        assert_eq!(health.refusal(false), None, "a connection is alive");
        health.last().retry_at = Some(Instant::now());
        assert_eq!(health.refusal(true), None, "the pause is over: try");
        assert_eq!(health.failing(), Some(refused));
        health.note_success();
        assert_eq!((health.refusal(true), health.failing()), (None, None), "all is forgotten");
    }

    #[test]
    fn the_pause_grows_once_for_attempts_side_by_side() {
        let health = Health::new("auth");
        let fault = PgFault::Unreachable("connection refused");
        for expected in [50, 100, 200, 400, 800, 1000, 1000] {
            health.note_failure(&fault);
            health.note_failure(&fault);
            assert_eq!(health.last().pause, Duration::from_millis(expected));
            health.last().retry_at = Some(Instant::now());
        }
    }
}
