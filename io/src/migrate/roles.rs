//! The roles: groups that carry the grants, and the logins that the planes connect as.
//!
//! Roles belong to the cluster, not to the database: another database's migration may create the same one
//! between our look and our CREATE, which is then as good as ours. An existing login keeps its password and
//! its other memberships. Passwords travel as SCRAM verifiers, so that no server log shows one.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::{MigrateFault, user_of};
use crate::pg::{PgFault, Plane};

/// A login role with its password and its groups.
pub(super) struct Wanted(BTreeMap<String, Login>);

struct Login {
    password: Option<Vec<u8>>,
    planes: Vec<Plane>,
}

impl Wanted {
    pub(super) fn read(planes: &[(Plane, String)]) -> Result<Self, MigrateFault> {
        let mut logins: BTreeMap<String, Login> = BTreeMap::new();
        for (plane, url) in planes {
            let (user, password) = user_of(url).map_err(|fault| {
                MigrateFault::Configuration(format!(
                    "database: the connection string of plane {}: {fault}",
                    plane.as_str()
                ))
            })?;
            if Plane::ALL.iter().any(|group| group_of(*group) == user) {
                return Err(MigrateFault::Configuration(format!(
                    "database: plane {} connects as {user}, which only carries grants; name a login role of its own",
                    plane.as_str()
                )));
            }
            let login = logins.entry(user).or_insert_with(|| Login { password: None, planes: Vec::new() });
            login.password = login.password.take().or(password);
            login.planes.push(*plane);
        }
        Ok(Self(logins))
    }

    fn users(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

/// What would be created or granted, for `--plan`.
pub(super) async fn missing(client: &Client, wanted: &Wanted) -> Result<Vec<String>, PgFault> {
    let mut lines = Vec::new();
    for group in missing_groups(client).await? {
        lines.push(format!("create role {group} nologin"));
    }
    for (user, login) in &wanted.0 {
        if !exists(client, user).await? {
            lines.push(format!("create role {} login", quoted(user)));
        }
        for plane in &login.planes {
            if !is_member(client, user, group_of(*plane)).await? {
                lines.push(format!("grant {} to {}", group_of(*plane), quoted(user)));
            }
        }
    }
    Ok(lines)
}

/// Refuses logins that row-level security would not hold.
pub(super) async fn check(client: &Client, wanted: &Wanted) -> Result<(), MigrateFault> {
    for row in client.query(CHECK, &[&wanted.users()]).await? {
        let user: String = row.try_get(0)?;
        let is = |column: usize| row.try_get::<_, bool>(column);
        let wrong = if is(1)? {
            "is the role that migrates, and would own the tables"
        } else if is(2)? {
            "is a superuser"
        } else if is(3)? {
            "has BYPASSRLS"
        } else if is(4)? {
            "is a member of the role that migrates"
        } else if !is(5)? {
            "may not log in"
        } else {
            continue;
        };
        return Err(MigrateFault::Configuration(format!(
            "database: the server would connect as {user}, which {wrong}; name a role of its own in the planes' \
             connection strings (it is created if missing) and keep this one for database.migration_url"
        )));
    }
    Ok(())
}

/// Creates the missing groups and names them.
pub(super) async fn create_groups(client: &Client) -> Result<Vec<String>, MigrateFault> {
    let missing = missing_groups(client).await?;
    let mut created = Vec::new();
    for group in &missing {
        match tolerant(client, &format!("create role {group} nologin")).await {
            Ok(true) => created.push((*group).to_owned()),
            Ok(false) => {}
            Err(fault) => return Err(may_not_create(fault, &missing)),
        }
    }
    Ok(created)
}

/// Creates the missing logins, gives each its groups, and names the created.
pub(super) async fn create_logins(client: &Client, wanted: &Wanted) -> Result<Vec<String>, MigrateFault> {
    let mut created = Vec::new();
    for (user, login) in &wanted.0 {
        if !exists(client, user).await? && create_login(client, user, login.password.as_deref()).await? {
            created.push(user.clone());
        }
        for plane in &login.planes {
            let group = group_of(*plane);
            if !is_member(client, user, group).await? {
                tolerant(client, &format!("grant {group} to {}", quoted(user))).await?;
            }
        }
        grant_connect(client, user).await?;
    }
    Ok(created)
}

async fn create_login(client: &Client, user: &str, password: Option<&[u8]>) -> Result<bool, MigrateFault> {
    // A verifier has no quote: base64 and punctuation.
    let password = password.map(postgres_protocol::password::scram_sha_256);
    let password = password.map(|verifier| format!(" password '{verifier}'")).unwrap_or_default();
    let statement = format!("create role {} login{password}", quoted(user));
    tolerant(client, &statement).await.map_err(|fault| may_not_create(fault, &[user]))
}

/// PUBLIC may connect by default; where that was revoked, the role needs it.
async fn grant_connect(client: &Client, user: &str) -> Result<(), PgFault> {
    let row = client
        .query_one(
            "select has_database_privilege($1, current_database(), 'CONNECT'), quote_ident(current_database())",
            &[&user],
        )
        .await?;
    if !row.try_get::<_, bool>(0)? {
        let database: String = row.try_get(1)?;
        tolerant(client, &format!("grant connect on database {database} to {}", quoted(user))).await?;
    }
    Ok(())
}

async fn missing_groups(client: &Client) -> Result<Vec<&'static str>, PgFault> {
    let mut missing = Vec::new();
    for plane in Plane::ALL {
        if !exists(client, group_of(plane)).await? {
            missing.push(group_of(plane));
        }
    }
    Ok(missing)
}

async fn exists(client: &Client, role: &str) -> Result<bool, PgFault> {
    let row = client.query_one("select exists (select from pg_roles where rolname = $1)", &[&role]).await?;
    Ok(row.try_get(0)?)
}

async fn is_member(client: &Client, user: &str, group: &str) -> Result<bool, PgFault> {
    Ok(client.query_one(MEMBER, &[&user, &group]).await?.try_get(0)?)
}

/// Runs a statement about a role; `false` when another run did the same thing first.
async fn tolerant(client: &Client, statement: &str) -> Result<bool, PgFault> {
    for _ in 0..CONCURRENT_TRIES_MAX {
        let Err(error) = client.batch_execute(statement).await else { return Ok(true) };
        match error.code() {
            Some(code) if [SqlState::DUPLICATE_OBJECT, SqlState::UNIQUE_VIOLATION].contains(code) => return Ok(false),
            // "tuple concurrently updated": the catalogue row was in another run's hands.
            Some(code) if *code == SqlState::INTERNAL_ERROR => {}
            _ => return Err(error.into()),
        }
    }
    Err(PgFault::Serialization)
}

fn may_not_create(fault: PgFault, roles: &[&str]) -> MigrateFault {
    match fault {
        PgFault::Other(state) if &*state == SqlState::INSUFFICIENT_PRIVILEGE.code() => {
            MigrateFault::Configuration(format!(
                "database.migration_url: its role may not create roles; give it CREATEROLE, or create {} beforehand",
                roles.join(", ")
            ))
        }
        fault => fault.into(),
    }
}

pub(super) fn group_of(plane: Plane) -> &'static str {
    match plane {
        Plane::Identity => "sigid_identity",
        Plane::Auth => "sigid_auth",
        Plane::Control => "sigid_control",
        Plane::Async => "sigid_async",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const CONCURRENT_TRIES_MAX: usize = 10;
const MEMBER: &str = "select exists (select from pg_auth_members m
       join pg_roles u on u.oid = m.member join pg_roles g on g.oid = m.roleid
       where u.rolname = $1 and g.rolname = $2)";
const CHECK: &str = "select rolname::text, rolname in (session_user, current_user), rolsuper, rolbypassrls,
       pg_has_role(oid, current_user, 'MEMBER'), rolcanlogin
     from pg_roles where rolname = any($1) order by rolname";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_users_are_one_login_with_every_group() {
        let planes = Plane::ALL.map(|plane| (plane, "postgres://app:secret@localhost/d".to_owned()));
        let wanted = Wanted::read(&planes).unwrap();
        assert_eq!(wanted.users(), ["app"]);
        assert_eq!(wanted.0["app"].planes, Plane::ALL);
        assert_eq!(wanted.0["app"].password.as_deref(), Some(&b"secret"[..]));
    }

    #[test]
    fn a_group_is_not_a_login() {
        let planes = [(Plane::Auth, "postgres://sigid_auth@localhost/d".to_owned())];
        assert!(matches!(Wanted::read(&planes), Err(MigrateFault::Configuration(_))));
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
    }
}
