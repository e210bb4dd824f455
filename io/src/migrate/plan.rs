//! `sigid migrate --plan`: what a run would do, for somebody who has to answer for the traffic meanwhile.
//!
//! For each pending file its statements, and under each which existing tables it locks and how many rows are there. Runs in a
//! read-only transaction; creates nothing.

use tokio_postgres::Client;

use super::roles::{self, Wanted};
use super::split::{Touch, statements, touches};
use super::{MigrateFault, Migration, load_pending};
use crate::pg::PgFault;

pub(super) async fn print(
    client: &Client,
    embedded: &[Migration],
    wanted: &Wanted,
    out: &mut (dyn FnMut(String) + Send),
) -> Result<(), MigrateFault> {
    client.batch_execute("begin transaction isolation level repeatable read read only").await?;
    let pending = load_pending(client, embedded).await?;
    roles::check(client, wanted).await?;
    let roles = roles::missing(client, wanted).await?;
    if pending.is_empty() && roles.is_empty() {
        out("nothing to do: the database is current".to_owned());
    }
    if !roles.is_empty() {
        out("-- roles".to_owned());
    }
    for line in roles {
        out(format!("{line};"));
    }
    for migration in pending {
        out(format!("-- {} (statements: {}, one transaction)", migration.name, statements(migration.sql).len()));
        for statement in statements(migration.sql) {
            out(format!("{statement};"));
            for line in describe(client, statement).await? {
                out(format!("  -- {line}"));
            }
        }
    }
    Ok(client.batch_execute("rollback").await?)
}

async fn describe(client: &Client, statement: &str) -> Result<Vec<String>, PgFault> {
    let Some(touched) = touches(statement) else {
        return Ok(vec!["locks: not known for this kind of statement; read it".to_owned()]);
    };
    let mut lines = Vec::new();
    for Touch { table, lock } in touched {
        // Nobody waits for a table that does not exist yet.
        if let Some(rows) = count(client, &table).await? {
            lines.push(format!("locks {table} ({rows}) {lock}"));
        }
    }
    Ok(lines)
}

/// An exact count of a small table, or the planner's estimate of a large one.
async fn count(client: &Client, table: &str) -> Result<Option<String>, PgFault> {
    let row = client.query_one(SIZE, &[&table]).await?;
    let Some(name) = row.try_get::<_, Option<String>>(0)? else { return Ok(None) };
    let (estimate, bytes, unfiltered): (f64, i64, bool) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
    if unfiltered && bytes <= EXACT_BYTES_MAX {
        let rows: i64 = client.query_one(&format!("select count(*) from {name}"), &[]).await?.try_get(0)?;
        return Ok(Some(format!("{rows} rows")));
    }
    let known = estimate >= 0.0;
    Ok(Some(if known { format!("about {estimate:.0} rows") } else { format!("{bytes} bytes, never analysed") }))
}

/// A count takes well under a second below this.
const EXACT_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// A partitioned table is the sum of its leaves. Counting is only exact for a role that row-level security
/// lets see everything; the owner of a table with FORCE does not.
const SIZE: &str = "with named as (select to_regclass($1) as oid),
       leaves as (select c.oid, c.reltuples from named, pg_class c
                  where c.oid = named.oid and c.relkind in ('r', 'm')
                     or c.oid in (select relid from pg_partition_tree(named.oid) where isleaf))
     select (select named.oid::text from named where exists (select from pg_class c where c.oid = named.oid and c.relkind in ('r', 'p', 'm'))),
       coalesce((select case when bool_or(reltuples < 0) then -1 else sum(reltuples) end from leaves), 0)::float8,
       coalesce((select sum(pg_table_size(oid)) from leaves), 0)::int8,
       (select rolsuper or rolbypassrls from pg_roles where rolname = current_user)";
