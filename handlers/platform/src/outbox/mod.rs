//! The unit of work of every change: state, event and news in one transaction, the doorbell after it.
//!
//! A change that somebody else must learn of has up to four parts. They are durable together or not at all:
//!
//! 1. the change itself, by the area's own statements on [`Change::tx`];
//! 2. one row in `async.events` ([`Change::record`]), from which audit log, webhooks and mail are made later
//!    (DESIGN section 4, "Events": nothing is sent from inside a transaction);
//! 3. rows in `async.feed` ([`Change::tell`]), from which every node's tables are brought up to date;
//! 4. where tokens die of it, a mark ([`Change::mark`]): "dead if issued at or before this second".
//!
//! [`Change::commit`] rings `sigid_feed` once, outside the transaction, because NOTIFY serializes commits
//! across the cluster (DESIGN section 3). A ring that fails is no fault: the readers poll as well. It returns
//! the news, so that a cold handler can push them to the shards of its own process before it answers.
//!
//! The moment is handed in ([`Act::now_s`]) and never the database's, so that a test clock moves everything. A change that
//! kills what was issued takes it again once it holds the rows that issuing needs ([`Change::refresh`]): whatever was
//! issued while it waited for them is dead too.
//!
//! Attacks considered: a revocation that is durable while its news is lost (one transaction); news of a
//! change that was rolled back (the same); event data that leaks (callers put identifiers there, never
//! secrets or token text).

mod sql;

use serde_json::Value;
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::marks::MarkKey;
use sigid_io::clock::Clock;
use sigid_io::fail::Point;
use sigid_io::pg::{PgFault, Pool, Scope, Tx, notify};

/// The doorbell of the feed.
pub const FEED_CHANNEL: &str = "sigid_feed";

/// Who does something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// For the event: `admin-cli`, `job`, a client id, later a user.
    pub actor: &'a str,
    pub now_s: i64,
}

/// What happened, for `async.events`.
#[derive(Debug)]
pub struct Event<'a> {
    /// None for what concerns no tenant, such as a signing key.
    pub tenant: Option<TenantId>,
    /// Dotted, past tense: `client.disabled`.
    pub event_type: &'static str,
    /// What it happened to: an id.
    pub subject: &'a str,
    /// Identifiers and settings. Never a secret.
    pub data: Value,
}

/// What every node's tables must learn. A reader loads the named row again; a missing one was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    Tenant(TenantId),
    Client(TenantId, ClientId),
    Key(Kid),
    Mark(Mark),
}

/// "Dead if issued at or before `at_s`", kept until nothing it could concern is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub tenant: TenantId,
    pub key: MarkKey,
    pub at_s: i64,
    pub expires_s: i64,
}

/// A change on its way.
pub struct Change<'p> {
    pool: &'p Pool,
    tx: Tx<'p>,
    act: Act<'p>,
    clock: Option<Clock>,
    news: Vec<News>,
}

impl<'p> Change<'p> {
    /// Begins a transaction in `scope`.
    pub async fn begin(pool: &'p Pool, scope: Scope, act: Act<'p>) -> Result<Self, PgFault> {
        Ok(Self { pool, tx: pool.begin(scope).await?, act, clock: None, news: Vec::new() })
    }

    /// The clock that [`Self::refresh`] reads.
    #[must_use]
    pub fn with_clock(self, clock: &Clock) -> Self {
        Self { clock: Some(clock.clone()), ..self }
    }

    /// Takes the moment again, if a clock was given; it never goes back.
    pub fn refresh(&mut self) {
        let now_s = self.clock.as_ref().map_or(self.act.now_s, Clock::now_s);
        self.act.now_s = self.act.now_s.max(now_s);
    }

    /// The transaction, for the area's own statements.
    pub fn tx(&mut self) -> &mut Tx<'p> {
        &mut self.tx
    }

    pub fn now_s(&self) -> i64 {
        self.act.now_s
    }

    /// Writes the event's row.
    pub async fn record(&mut self, event: &Event<'_>) -> Result<(), PgFault> {
        sql::insert_event(&mut self.tx, self.act, event).await
    }

    /// Writes a row of the feed.
    pub async fn tell(&mut self, news: News) -> Result<(), PgFault> {
        sql::insert_feed(&mut self.tx, &FeedRow::of(&news), self.act.now_s).await?;
        self.news.push(news);
        Ok(())
    }

    /// Writes the same event about many subjects, in one statement.
    pub async fn record_all(
        &mut self,
        tenant: Option<TenantId>,
        event_type: &'static str,
        subjects: &[&str],
        data: &Value,
    ) -> Result<(), PgFault> {
        sql::insert_events(&mut self.tx, self.act, tenant, event_type, subjects, data).await
    }

    /// Writes many rows of the feed, in one statement.
    pub async fn tell_all(&mut self, news: Vec<News>) -> Result<(), PgFault> {
        let rows: Vec<FeedRow> = news.iter().map(FeedRow::of).collect();
        sql::insert_feed_rows(&mut self.tx, &rows, self.act.now_s).await?;
        self.news.extend(news);
        Ok(())
    }

    /// Writes a mark and its row of the feed.
    pub async fn mark(&mut self, mark: Mark) -> Result<(), PgFault> {
        sql::insert_mark(&mut self.tx, &mark).await?;
        self.tell(News::Mark(mark)).await
    }

    /// Makes everything durable, then rings. Gives back what was told.
    pub async fn commit(self) -> Result<Vec<News>, PgFault> {
        self.tx.commit().await?;
        if !self.news.is_empty()
            && let Err(fault) = ring(self.pool).await
        {
            tracing::warn!(error = %fault, "the feed's doorbell was not rung; readers will poll");
        }
        Ok(self.news)
    }
}

async fn ring(pool: &Pool) -> Result<(), PgFault> {
    pool.reach(Point::OutboxBell).await?;
    notify(pool, FEED_CHANNEL).await
}

/// The database's wall clock in Unix milliseconds, for a program that acts once and has measured nothing.
pub async fn load_database_ms(pool: &Pool) -> Result<i64, PgFault> {
    let mut tx = pool.begin(Scope::System("admin")).await?;
    sql::load_database_ms(&mut tx).await
}

/// A row of `async.feed`.
#[derive(Debug, PartialEq, Eq)]
struct FeedRow {
    kind: i16,
    reference: String,
    tenant: Option<TenantId>,
    at_s: Option<i64>,
    expires_s: Option<i64>,
}

impl FeedRow {
    fn of(news: &News) -> Self {
        let row = |kind, reference, tenant| Self { kind, reference, tenant, at_s: None, expires_s: None };
        match news {
            News::Tenant(tenant) => row(KIND_TENANT, tenant.to_string(), Some(*tenant)),
            News::Client(tenant, client) => row(KIND_CLIENT, client.to_string(), Some(*tenant)),
            News::Key(kid) => row(KIND_KEY, kid.to_string(), None),
            News::Mark(mark) => Self {
                at_s: Some(mark.at_s),
                expires_s: Some(mark.expires_s),
                ..row(KIND_MARK, mark.key.to_string(), Some(mark.tenant))
            },
        }
    }
}

/// Creates the day partitions ahead of `now` and drops those that are over: one transaction for each family, so that
/// no lock is held for long, and one family's fault does not stop the others.
pub(crate) async fn maintain_partitions(pool: &Pool, now: std::time::SystemTime) -> Result<(), PgFault> {
    let mut outcome = Ok(());
    for family in PARTITIONED {
        outcome = maintain_family(pool, now, family).await.and(outcome);
    }
    outcome
}

async fn maintain_family(pool: &Pool, now: std::time::SystemTime, family: &str) -> Result<(), PgFault> {
    let mut tx = pool.begin(Scope::System("jobs")).await?;
    sql::maintain_partitions(&mut tx, now, family).await?;
    tx.commit().await
}

/// The tables that are partitioned by day.
const PARTITIONED: [&str; 9] =
    ["marks", "assertion_replays", "sessions", "session_clients", "registrations", "links", "mail", "feed", "events"];

/// Reads a row of `async.feed` back; `None` for a kind or reference that this build does not know.
pub(crate) fn read_news(
    kind: i16,
    reference: &str,
    tenant: Option<TenantId>,
    at_s: Option<i64>,
    expires_s: Option<i64>,
) -> Option<News> {
    match kind {
        KIND_TENANT => reference.parse().ok().map(News::Tenant),
        KIND_CLIENT => Some(News::Client(tenant?, ClientId::parse(reference).ok()?)),
        KIND_KEY => Kid::parse(reference).ok().map(News::Key),
        KIND_MARK => {
            Some(News::Mark(Mark { tenant: tenant?, key: reference.parse().ok()?, at_s: at_s?, expires_s: expires_s? }))
        }
        _ => None,
    }
}

const KIND_TENANT: i16 = 1;
const KIND_CLIENT: i16 = 2;
const KIND_KEY: i16 = 3;
const KIND_MARK: i16 = 4;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn news_become_rows() {
        let tenant: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        let client = FeedRow::of(&News::Client(tenant, ClientId::parse("web").unwrap()));
        assert_eq!((client.kind, client.reference.as_str(), client.tenant), (2, "web", Some(tenant)));
        let key = FeedRow::of(&News::Key(Kid::parse("abc").unwrap()));
        assert_eq!((key.kind, key.reference.as_str(), key.tenant), (3, "abc", None));
        let tenants = FeedRow::of(&News::Tenant(tenant));
        assert_eq!((tenants.kind, tenants.reference), (1, tenant.to_string()));
        let mark = Mark { tenant, key: MarkKey::from_bytes([0xab; 16]), at_s: 7, expires_s: 9 };
        let mark = FeedRow::of(&News::Mark(mark));
        assert_eq!((mark.kind, mark.at_s, mark.expires_s), (4, Some(7), Some(9)));
        assert_eq!(mark.reference, "ab".repeat(16));
    }
}
