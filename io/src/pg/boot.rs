//! What must hold before a server uses its database: the right role, and one database behind all URLs.

use super::{PgFault, Plane, Pool, Pools};

/// Which database a connection reached. A changed `timeline` or `system_identifier` means that what was read
/// before may not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    pub system_identifier: i64,
    pub database: String,
    /// Eight hexadecimal digits; empty on a standby.
    pub timeline: String,
}

/// Refuses a role that row-level security does not bind (superuser, BYPASSRLS, owner of a table, directly or
/// by membership), and planes whose URLs lead to different databases.
pub async fn check_planes(pools: &Pools, planes: &[Plane]) -> Result<(), PgFault> {
    let mut first: Option<Cluster> = None;
    for plane in planes {
        let pool = pools.pool(*plane);
        check_role(pool).await?;
        let cluster = find_cluster(pool).await?;
        match &first {
            None => first = Some(cluster),
            Some(other)
                if other.system_identifier == cluster.system_identifier && other.database == cluster.database => {}
            Some(_) => return Err(PgFault::Settings("the planes' connection strings name different databases")),
        }
    }
    Ok(())
}

pub async fn find_cluster(pool: &Pool) -> Result<Cluster, PgFault> {
    let rows = pool.query_alone(CLUSTER, &[]).await?;
    let row = rows.first().ok_or_else(|| PgFault::other("no row"))?;
    Ok(Cluster { system_identifier: row.try_get(0)?, database: row.try_get(1)?, timeline: row.try_get(2)? })
}

async fn check_role(pool: &Pool) -> Result<(), PgFault> {
    let rows = pool.query_alone(ROLE, &[]).await?;
    let row = rows.first().ok_or_else(|| PgFault::other("no row"))?;
    if row.try_get(0)? {
        return Err(PgFault::Settings("the server's role is a superuser; row-level security would not bind it"));
    }
    if row.try_get(1)? {
        return Err(PgFault::Settings("the server's role has BYPASSRLS; row-level security would not bind it"));
    }
    if row.try_get(2)? {
        return Err(PgFault::Settings("the server's role owns tables of SigID; only the migration's role may"));
    }
    Ok(())
}

const CLUSTER: &str = "select (select system_identifier from pg_control_system()), current_database()::text, \
     case when pg_is_in_recovery() then '' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end";

/// Membership counts: a role that may become the owner is the owner.
const ROLE: &str = "select
    bool_or(r.rolsuper), bool_or(r.rolbypassrls),
    exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where (n.nspname in ('identity', 'auth', 'control', 'async') or c.relname = 'sigid_migrations')
              and c.relkind in ('r', 'p') and pg_has_role(session_user, c.relowner, 'MEMBER'))
    from pg_roles r where pg_has_role(session_user, r.oid, 'MEMBER')";
