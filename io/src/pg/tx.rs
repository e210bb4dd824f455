//! A transaction: its scope, its statements, its end.
//!
//! States: *unsent* (nothing has reached the server), *open*, *failed* (a statement was refused; only ROLLBACK
//! can follow). Dropping it rolls back. If it is dropped while an answer is outstanding, for example because
//! the request it served was cancelled, the connection is closed instead: the next user must not wait for it.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::pool::{Conn, Flags, Manager};
use super::{PgFault, Scope};
use crate::fail::{Point, Strike};

/// An open transaction on a borrowed connection. Statements are prepared once per connection, and each has
/// the pool's deadline.
pub struct Tx<'a> {
    conn: bb8::PooledConnection<'a, Manager>,
    opening: Option<Opening>,
    failed: bool,
    deadline: Duration,
}

/// The values of `app.tenant`, `app.scope` and `app.user`.
#[derive(Default)]
struct Opening {
    tenant: String,
    scope: &'static str,
    user: String,
}

impl<'a> Tx<'a> {
    pub(super) fn new(conn: bb8::PooledConnection<'a, Manager>, scope: Scope, deadline: Duration) -> Self {
        let opening = match scope {
            Scope::Tenant(tenant) => Opening { tenant: tenant.to_string(), ..Opening::default() },
            Scope::System(scope) => Opening { scope, ..Opening::default() },
            Scope::Person(user) => Opening { user: user.to_string(), ..Opening::default() },
        };
        Self { conn, opening: Some(opening), failed: false, deadline }
    }

    pub async fn query(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PgFault> {
        let statement = self.prepare(sql).await?;
        let strike = self.reach(Point::TxQuery);
        let Conn { client, set_scope, flags, .. } = &mut *self.conn;
        let opening = self.opening.take();
        let work = opened(client, set_scope, opening, client.query(&statement, params));
        let answer = in_transaction(flags, self.deadline, strike, work).await;
        self.note(answer)
    }

    /// No row, or one; [`PgFault::Other`] for more.
    pub async fn query_opt(
        &mut self,
        sql: &'static str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, PgFault> {
        let mut rows = self.query(sql, params).await?;
        let row = rows.pop();
        if rows.is_empty() { Ok(row) } else { Err(PgFault::other("more than one row")) }
    }

    /// Exactly one row; [`PgFault::Other`] otherwise.
    pub async fn query_one(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, PgFault> {
        self.query_opt(sql, params).await?.ok_or_else(|| PgFault::other("no row"))
    }

    /// The number of rows changed.
    pub async fn execute(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, PgFault> {
        let statement = self.prepare(sql).await?;
        let strike = self.reach(Point::TxExecute);
        let Conn { client, set_scope, flags, .. } = &mut *self.conn;
        let opening = self.opening.take();
        let work = opened(client, set_scope, opening, client.execute(&statement, params));
        let answer = in_transaction(flags, self.deadline, strike, work).await;
        self.note(answer)
    }

    /// Makes the changes durable. [`PgFault::Timeout`] and [`PgFault::Unreachable`] leave the outcome unknown.
    pub async fn commit(mut self) -> Result<(), PgFault> {
        if self.failed {
            // The server would answer COMMIT with a silent rollback.
            return Err(PgFault::other("a statement of the transaction failed"));
        }
        let strike = self.conn.reach(Point::TxCommit);
        self.end("COMMIT", strike).await?;
        self.conn.fail.reach_within(Point::TxCommitted, self.deadline).await
    }

    pub async fn rollback(mut self) -> Result<(), PgFault> {
        self.end("ROLLBACK", None).await
    }

    async fn end(&mut self, word: &'static str, strike: Option<Strike>) -> Result<(), PgFault> {
        if !self.conn.flags.open {
            return Ok(());
        }
        let Conn { client, flags, .. } = &mut *self.conn;
        in_time(flags, self.deadline, strike, client.batch_execute(word)).await?;
        flags.open = false;
        Ok(())
    }

    async fn prepare(&mut self, sql: &'static str) -> Result<Statement, PgFault> {
        let prepared = self.conn.prepare(sql, self.deadline).await;
        self.note(prepared)
    }

    /// The point of a statement; before the first one also that of BEGIN, which travels with it.
    fn reach(&self, point: Point) -> Option<Strike> {
        let begins = self.opening.as_ref().and_then(|_| self.conn.reach(Point::TxBegin));
        begins.or_else(|| self.conn.reach(point))
    }

    fn note<T>(&mut self, answer: Result<T, PgFault>) -> Result<T, PgFault> {
        self.failed |= answer.is_err();
        answer
    }
}

impl Drop for Tx<'_> {
    fn drop(&mut self) {
        let Conn { client, flags, .. } = &mut *self.conn;
        if flags.open && !flags.busy && is_queued(client.batch_execute("ROLLBACK")) {
            flags.open = false;
        }
    }
}

/// Puts a request in the connection's queue without waiting for its answer: the first poll sends it.
fn is_queued<T>(request: impl Future<Output = Result<T, tokio_postgres::Error>>) -> bool {
    let mut request = std::pin::pin!(request);
    match request.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Pending => true,
        Poll::Ready(answer) => answer.is_ok(),
    }
}

/// `work`, with BEGIN and the scope before it in the same packet if they have not been sent.
async fn opened<T>(
    client: &Client,
    set_scope: &Statement,
    opening: Option<Opening>,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, tokio_postgres::Error> {
    let Some(Opening { tenant, scope, user }) = opening else { return work.await };
    let values: [&(dyn ToSql + Sync); 3] = [&tenant, &scope, &user];
    // In this order: each is queued at its first poll, and the server takes them as they were queued.
    let (begun, scoped, done) =
        tokio::join!(biased; client.batch_execute("BEGIN"), client.query(set_scope, &values), work);
    begun.and(scoped).and(done)
}

async fn in_transaction<T>(
    flags: &mut Flags,
    deadline: Duration,
    strike: Option<Strike>,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, PgFault> {
    flags.open = true;
    in_time(flags, deadline, strike, work).await
}

/// Waits for an answer, and no longer than the deadline. The connection counts as busy until it is there, also
/// when the caller stops waiting.
pub(super) async fn in_time<T>(
    flags: &mut Flags,
    deadline: Duration,
    strike: Option<Strike>,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, PgFault> {
    flags.busy = true;
    if let Some(strike) = strike
        && let Err(fault) = strike.endure_within(deadline).await
    {
        // What stalled is still outstanding.
        flags.busy = fault == PgFault::Timeout;
        flags.spoilt |= fault.spoils();
        return Err(fault);
    }
    let Ok(answer) = tokio::time::timeout(deadline, work).await else { return Err(PgFault::Timeout) };
    flags.busy = false;
    answer.map_err(|error| {
        let fault = PgFault::from(error);
        flags.spoilt |= fault.spoils();
        fault
    })
}
