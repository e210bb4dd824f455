//! PostgreSQL: a pool for each plane, transactions that say whose rows they mean, and a doorbell.
//!
//! Everything that touches the database goes through here, so that what must never happen has one place
//! where it is prevented:
//!
//! * **No statement without a deadline.** The server gets `statement_timeout`, `lock_timeout` and
//!   `idle_in_transaction_session_timeout` with the connection's first message; the client keeps its own
//!   clock a moment behind, for a server that does not answer at all.
//! * **No transaction without a scope.** [`Pool::begin`] takes a [`Scope`]; it is sent in one packet with
//!   BEGIN and the first statement, and row-level security shows nothing to a transaction that has none.
//! * **No connection goes back dirty.** A transaction dropped between two statements queues its ROLLBACK; a
//!   connection whose answer is still outstanding is closed, never reused.
//! * **No error text from the server.** [`PgFault`] carries SQLSTATE and constraint names; messages quote
//!   statements and values.
//!
//! A dead database answers [`PgFault::Unreachable`] at once after the first failed attempt and at the latest
//! after `connect_timeout`; attempts are spaced by a growing pause and the pool recovers alone. The feed has a
//! small pool of its own ([`Pools::feed`]), so that no amount of cold work can delay a revocation.
//!
//! Planes that name the same connection string share one pool: `max_connections` is then what the operator
//! wrote, and not four times that.
//!
//! TLS: the certificate and the host name are verified whenever TLS is spoken, whatever `sslmode` says.
//! `require_ssl` refuses a connection without it, except over a unix socket or loopback.
//!
//! Alternatives rejected: `SET ROLE` for each plane in one pool (a second round trip and a role that can
//! become every other), session-level settings (they leak into the next transaction), `deadpool` (no
//! minimum, no fair queue).

mod boot;
mod connect;
mod fault;
mod listen;
mod lock;
mod pool;
mod tx;

use std::sync::Arc;

pub use boot::{Cluster, check_planes, find_cluster};
pub use fault::PgFault;
pub use listen::{listen, notify};
pub use lock::hold_process_lock;
pub use pool::{Pool, PoolState};
pub use tokio_postgres::Row;
pub use tokio_postgres::types::{ToSql, Type};
pub use tx::Tx;

pub use crate::settings::{PgSettings, PgTarget, Plane};

pub(crate) use connect::{Target, Trust, dial, user_of};

/// Whose rows a transaction means. Row-level security reads it from the transaction's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One tenant's rows.
    Tenant(uuid::Uuid),
    /// A duty of the system with its own named policies: `feed`, `jobs`, `authenticate`, `accounts`, `admin`.
    System(&'static str),
    /// One person's own rows.
    Person(uuid::Uuid),
}

/// The pools of one process. Cheap to clone; the last clone closes the connections.
#[derive(Clone)]
pub struct Pools {
    identity: Pool,
    auth: Pool,
    control: Pool,
    async_: Pool,
    feed: Pool,
}

impl Pools {
    /// Builds every pool and opens a connection in those of `planes`; the others stay empty until used. The
    /// feed's pool uses the connection string of the first of `planes` that may read the tables.
    ///
    /// Fails with [`PgFault::Settings`] for an unusable connection string or trust file, otherwise with
    /// what kept the first connection from being made. Must be called inside a tokio runtime.
    pub async fn connect(settings: &PgSettings, planes: &[Plane]) -> Result<Self, PgFault> {
        let pools = Self::build(settings, planes)?;
        for plane in planes {
            pools.pool(*plane).check_answers().await?;
        }
        pools.feed.check_answers().await?;
        Ok(pools)
    }

    pub fn pool(&self, plane: Plane) -> &Pool {
        match plane {
            Plane::Identity => &self.identity,
            Plane::Auth => &self.auth,
            Plane::Control => &self.control,
            Plane::Async => &self.async_,
        }
    }

    /// The reader of the feed: its own few connections, which no request can take.
    pub fn feed(&self) -> &Pool {
        &self.feed
    }

    /// Refuses new work and closes idle connections; one in use closes when it is given back.
    pub async fn close(&self) {
        for pool in [&self.identity, &self.auth, &self.control, &self.async_, &self.feed] {
            pool.close().await;
        }
    }

    fn build(settings: &PgSettings, planes: &[Plane]) -> Result<Self, PgFault> {
        let roots = Arc::new(Trust::new(settings.ca_pem_path.as_deref()));
        let mut built: Vec<(&PgTarget, Pool)> = Vec::new();
        let mut pool_of = |plane: Plane| -> Result<Pool, PgFault> {
            let target = settings.target(plane);
            if let Some((_, pool)) = built.iter().find(|(other, _)| other.url == target.url) {
                return Ok(pool.clone());
            }
            let users = planes.iter().copied().filter(|other| settings.target(*other).url == target.url);
            let users: Vec<Plane> = users.collect();
            let pool = Pool::build(settings, target, pool_name(plane, &users), &roots, !users.is_empty())?;
            built.push((target, pool.clone()));
            Ok(pool)
        };
        let (identity, auth) = (pool_of(Plane::Identity)?, pool_of(Plane::Auth)?);
        let (control, async_) = (pool_of(Plane::Control)?, pool_of(Plane::Async)?);
        let reader = settings.target(reader_of(planes));
        let reader = PgTarget { url: reader.url.clone(), max_connections: FEED_CONNECTIONS_MAX, min_connections: 1 };
        let feed = Pool::build(settings, &reader, "feed", &roots, true)?;
        Ok(Self { identity, auth, control, async_, feed })
    }
}

/// The plane whose role loads the tables: any but the one that knows people only.
fn reader_of(planes: &[Plane]) -> Plane {
    planes.iter().copied().find(|plane| *plane != Plane::Identity).unwrap_or(Plane::Auth)
}

/// Whose pool it is to somebody who looks at the server: the plane that uses it, or `all`. Every process reads
/// identities, so that plane does not count beside another.
fn pool_name(plane: Plane, users: &[Plane]) -> &'static str {
    let mut others = users.iter().filter(|user| **user != Plane::Identity);
    match (others.next(), others.next()) {
        (None, _) => plane.as_str(),
        (Some(only), None) => only.as_str(),
        (Some(_), Some(_)) => "all",
    }
}

/// One reads the window, one reloads what it named.
const FEED_CONNECTIONS_MAX: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_is_named_after_its_users() {
        for (plane, users, expected) in [
            (Plane::Identity, &Plane::ALL[..], "all"),
            (Plane::Auth, &[Plane::Auth], "auth"),
            (Plane::Identity, &[Plane::Identity, Plane::Auth], "auth"),
            (Plane::Identity, &[Plane::Identity], "identity"),
            (Plane::Control, &[], "control"),
        ] {
            assert_eq!(pool_name(plane, users), expected, "{plane:?} {users:?}");
        }
    }

    #[test]
    fn the_feed_is_read_by_a_role_that_may() {
        assert_eq!(reader_of(&Plane::ALL), Plane::Auth);
        assert_eq!(reader_of(&[Plane::Identity, Plane::Async]), Plane::Async);
    }

    #[test]
    fn a_transaction_may_move_between_threads() {
        fn check<T: Send>(_: impl FnOnce(&'static mut Tx<'static>) -> T) {}
        check(|tx| tx.query("", &[]));
        check(|tx| tx.execute("", &[]));
        check(|tx| tx.query_opt("", &[]));
    }
}
