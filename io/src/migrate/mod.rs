//! Migrations: SQL files compiled into the program, applied once each, in the order of their names.
//!
//! A step of its own, with a connection of its own: the role that owns the tables is not one the server may
//! use, because row-level security does not hold an owner for certain. One run:
//!
//! 1. one advisory lock, so that two runs follow each other;
//! 2. what the database has is compared with what the program has. A database that is ahead, or a released
//!    file that changed, is refused before anything is written;
//! 3. the group roles that the grants name are created if missing (cluster-wide, so another database's run
//!    may create them at the same moment);
//! 4. each pending file in one transaction together with its row in `public.sigid_migrations`;
//! 5. the login roles of the planes' connection strings, and their memberships.
//!
//! Run again it changes nothing. `--plan` reads, and prints: see `plan`. A file that fails leaves the ones
//! before it applied and itself absent. Deadlines: locks are waited for briefly, so that a migration never
//! makes the traffic queue behind it; a statement may take an hour, since an index may.

mod plan;
mod roles;
mod split;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_postgres::error::ErrorPosition;

use crate::fail::Fail;
use crate::pg::{PgFault, Plane, Pool, Target, Trust, dial, user_of};

/// One file of `migrations/`: its name without `.sql`, and its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Migration {
    pub name: &'static str,
    pub sql: &'static str,
}

/// Where to migrate, and which roles to leave behind.
#[derive(Clone)]
pub struct Migrator {
    /// The owner's connection string.
    pub url: String,
    /// The connection string that the server will use in each plane; equal ones are one role.
    pub planes: Vec<(Plane, String)>,
    pub connect_timeout: Duration,
    pub require_ssl: bool,
    pub ca_pem_path: Option<PathBuf>,
}

/// What a run did; empty when there was nothing to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub applied: Vec<&'static str>,
    pub roles_created: Vec<String>,
}

/// How a database stands to the migrations of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Level {
    Current,
    /// These have not been applied.
    Behind(Vec<&'static str>),
    /// These were applied by a later program.
    Ahead(Vec<String>),
    /// These were applied with another text.
    Changed(Vec<String>),
}

/// Why a run ended.
#[derive(Debug)]
pub enum MigrateFault {
    /// The operator's to cure: what is wrong; what would be right.
    Configuration(String),
    /// The database is ahead, or a released file changed.
    Level(Level),
    /// Another run holds the lock.
    Busy,
    /// A file was refused; nothing of it remains. The message is the server's about our own statement.
    Refused {
        name: &'static str,
        line: Option<usize>,
        state: String,
        message: String,
    },
    Database(PgFault),
}

impl Migrator {
    pub fn new(url: &str, planes: &[(Plane, &str)]) -> Self {
        Self {
            url: url.to_owned(),
            planes: planes.iter().map(|(plane, url)| (*plane, (*url).to_owned())).collect(),
            connect_timeout: CONNECT_TIMEOUT,
            require_ssl: false,
            ca_pem_path: None,
        }
    }

    /// Brings the database to the level of `embedded`, or with `plan` says what that would do. `out` gets one
    /// or more lines at a time, as they become true.
    pub async fn run(
        &self,
        embedded: &[Migration],
        plan: bool,
        out: &mut (dyn FnMut(String) + Send),
    ) -> Result<Report, MigrateFault> {
        let session = self.connect().await?;
        let wanted = roles::Wanted::read(&self.planes)?;
        if plan {
            plan::print(&session.client, embedded, &wanted, out).await?;
            return Ok(Report::default());
        }
        lock(&session.client).await?;
        let pending = load_pending(&session.client, embedded).await?;
        roles::check(&session.client, &wanted).await?;
        let mut report = Report { roles_created: roles::create_groups(&session.client).await?, ..Report::default() };
        session.client.batch_execute(LEDGER).await?;
        for migration in pending {
            apply(&session.client, migration).await?;
            out(format!("applied {}", migration.name));
            report.applied.push(migration.name);
        }
        report.roles_created.extend(roles::create_logins(&session.client, &wanted).await?);
        for role in &report.roles_created {
            out(format!("created role {role}"));
        }
        if report == Report::default() {
            out("nothing to do: the database is current".to_owned());
        }
        Ok(report)
    }

    async fn connect(&self) -> Result<Session, PgFault> {
        let trust = Arc::new(Trust::new(self.ca_pem_path.as_deref()));
        let (timeout, fail) = (self.connect_timeout, Fail::default());
        let target = Target::new(&self.url, "sigid-migrate", OPTIONS, self.require_ssl, timeout, &trust, fail)?;
        let (client, driver) = dial(&target).await?;
        let driver = tokio::spawn(async move {
            let _ = driver.await;
        });
        Ok(Session { client, driver })
    }
}

/// Compares a database with `embedded`, over a plane's own pool.
pub async fn check_level(pool: &Pool, embedded: &[Migration]) -> Result<Level, PgFault> {
    match pool.query_alone(APPLIED, &[]).await {
        Ok(rows) => Ok(level(&applied(&rows)?, embedded)),
        Err(PgFault::Other(state)) if &*state == UNDEFINED_TABLE => Ok(Level::Behind(names(embedded))),
        Err(fault) => Err(fault),
    }
}

/// The owner's connection; closed when dropped, and with it the lock is gone.
struct Session {
    client: Client,
    driver: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A row of the ledger: name and SHA-256.
type Applied = (String, String);

async fn lock(client: &Client) -> Result<(), MigrateFault> {
    client.batch_execute(&format!("set lock_timeout = {LOCK_WAIT_MS}")).await?;
    match client.batch_execute(&format!("select pg_advisory_lock({LOCK_KEY})")).await.map_err(PgFault::from) {
        Ok(()) => {}
        Err(PgFault::Timeout) => return Err(MigrateFault::Busy),
        Err(fault) => return Err(fault.into()),
    }
    Ok(client.batch_execute("reset lock_timeout").await?)
}

async fn load_pending<'m>(client: &Client, embedded: &'m [Migration]) -> Result<Vec<&'m Migration>, MigrateFault> {
    let applied = load_applied(client).await?;
    match level(&applied, embedded) {
        Level::Current => Ok(Vec::new()),
        Level::Behind(behind) => Ok(embedded.iter().filter(|migration| behind.contains(&migration.name)).collect()),
        refused @ (Level::Ahead(_) | Level::Changed(_)) => Err(MigrateFault::Level(refused)),
    }
}

async fn load_applied(client: &Client) -> Result<Vec<Applied>, PgFault> {
    let ledger = client.query_one("select to_regclass('public.sigid_migrations') is not null", &[]).await?;
    if ledger.try_get(0)? { applied(&client.query(APPLIED, &[]).await?) } else { Ok(Vec::new()) }
}

fn applied(rows: &[tokio_postgres::Row]) -> Result<Vec<Applied>, PgFault> {
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Ahead is said before changed: a later program may rightly know another text.
fn level(applied: &[Applied], embedded: &[Migration]) -> Level {
    let find = |name: &str| embedded.iter().find(|migration| migration.name == name);
    let ahead: Vec<_> = applied.iter().filter(|(name, _)| find(name).is_none()).map(|(name, _)| name.clone()).collect();
    if !ahead.is_empty() {
        return Level::Ahead(ahead);
    }
    let is_changed = |(name, digest): &&Applied| find(name).is_some_and(|migration| digest_of(migration) != *digest);
    let changed: Vec<_> = applied.iter().filter(is_changed).map(|(name, _)| name.clone()).collect();
    if !changed.is_empty() {
        return Level::Changed(changed);
    }
    let mut behind = names(embedded);
    behind.retain(|name| !applied.iter().any(|(other, _)| other == name));
    if behind.is_empty() { Level::Current } else { Level::Behind(behind) }
}

fn names(embedded: &[Migration]) -> Vec<&'static str> {
    let mut names: Vec<_> = embedded.iter().map(|migration| migration.name).collect();
    names.sort_unstable();
    names
}

async fn apply(client: &Client, migration: &Migration) -> Result<(), MigrateFault> {
    client.batch_execute("begin").await?;
    let work = async {
        client.batch_execute(migration.sql).await.map_err(|error| refused(migration, error))?;
        let row: [&(dyn tokio_postgres::types::ToSql + Sync); 2] = [&migration.name, &digest_of(migration)];
        client.execute(RECORD, &row).await?;
        Ok(client.batch_execute("commit").await?)
    };
    let done = work.await;
    if done.is_err() {
        // The connection may be gone; the server has rolled back then.
        let _ = client.batch_execute("rollback").await;
    }
    done
}

fn refused(migration: &Migration, error: tokio_postgres::Error) -> MigrateFault {
    let Some(database) = error.as_db_error() else { return PgFault::from(error).into() };
    let line = match database.position() {
        Some(ErrorPosition::Original(position)) => Some(line_at(migration.sql, *position as usize)),
        _ => None,
    };
    MigrateFault::Refused {
        name: migration.name,
        line,
        state: database.code().code().to_owned(),
        message: database.message().to_owned(),
    }
}

/// `position` counts characters, from one.
fn line_at(sql: &str, position: usize) -> usize {
    sql.chars().take(position.saturating_sub(1)).filter(|character| *character == '\n').count() + 1
}

fn digest_of(migration: &Migration) -> String {
    use std::fmt::Write as _;
    let digest = ring::digest::digest(&ring::digest::SHA256, migration.sql.as_bytes());
    digest.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

impl From<PgFault> for MigrateFault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl From<tokio_postgres::Error> for MigrateFault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error.into())
    }
}

impl fmt::Display for MigrateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(what) => f.write_str(what),
            Self::Level(level) => level.fmt(f),
            Self::Busy => f.write_str("another migration is running; try again when it has ended"),
            Self::Refused { name, line, state, message } => {
                let line = line.map(|line| format!(" line {line}")).unwrap_or_default();
                write!(f, "migrations/{name}.sql{line}: {message} ({state}); nothing of this file was applied")
            }
            Self::Database(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for MigrateFault {}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Current => f.write_str("the database is current"),
            Self::Behind(names) => {
                write!(f, "the database is behind this program; run `sigid migrate` to apply {}", names.join(", "))
            }
            Self::Ahead(names) => write!(
                f,
                "the database is ahead of this program, which does not know {}; install the release that does",
                names.join(", ")
            ),
            Self::Changed(names) => write!(
                f,
                "the database was migrated with another text of {}; a released migration never changes",
                names.join(", ")
            ),
        }
    }
}

/// Milliseconds, unless a unit is named.
const OPTIONS: &str = "-c statement_timeout=1h -c lock_timeout=5s -c idle_in_transaction_session_timeout=1min \
     -c search_path=pg_catalog -c TimeZone=UTC -c client_min_messages=warning";
const LEDGER: &str = "create table if not exists public.sigid_migrations (
       name text primary key, sha256 text not null, applied_at timestamptz not null default now());
     grant select on public.sigid_migrations to sigid_identity, sigid_auth, sigid_control, sigid_async;";
const APPLIED: &str = "select name, sha256 from public.sigid_migrations order by name";
const RECORD: &str = "insert into public.sigid_migrations (name, sha256) values ($1, $2)";
const UNDEFINED_TABLE: &str = "42P01";
const LOCK_KEY: i64 = 7_240_115_938_460;
const LOCK_WAIT_MS: u32 = 60_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Migration = Migration { name: "1_one", sql: "select 1" };
    const TWO: Migration = Migration { name: "2_two", sql: "select 2" };

    #[test]
    fn level_compares_names_and_texts() {
        let row = |migration: &Migration| (migration.name.to_owned(), digest_of(migration));
        let foreign = ("3_three".to_owned(), String::new());
        let changed = ("1_one".to_owned(), digest_of(&TWO));
        for (applied, expected, why) in [
            (vec![], Level::Behind(vec!["1_one", "2_two"]), "an empty database"),
            (vec![row(&ONE)], Level::Behind(vec!["2_two"]), "one is missing"),
            (vec![row(&TWO)], Level::Behind(vec!["1_one"]), "a file that came in late is still applied"),
            (vec![row(&ONE), row(&TWO)], Level::Current, "all there"),
            (vec![row(&ONE), foreign.clone()], Level::Ahead(vec!["3_three".to_owned()]), "an unknown name"),
            (vec![changed.clone()], Level::Changed(vec!["1_one".to_owned()]), "another text"),
            (vec![changed, foreign], Level::Ahead(vec!["3_three".to_owned()]), "ahead comes first"),
        ] {
            assert_eq!(level(&applied, &[ONE, TWO]), expected, "{why}");
        }
    }

    #[test]
    fn a_position_has_a_line() {
        for (position, line) in [(0, 1), (1, 1), (2, 1), (3, 2), (5, 3), (99, 3)] {
            assert_eq!(line_at("ä\nb\nc", position), line, "position {position}");
        }
    }

    #[test]
    fn digest_is_sha_256_in_hex() {
        assert_eq!(
            digest_of(&Migration { name: "", sql: "abc" }),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
