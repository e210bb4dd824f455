//! Everything the tables are made from.

use super::Window;
use crate::outbox::{self, News};
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::jwk::{JwkSet, PublicKey};
use sigid_core::marks::MarkKey;
use sigid_core::secret::Digest32;
use sigid_edge::brand::TenantBrand;
use sigid_edge::tables::{
    AuthMethod, Change, ClientEntry, KeyEntry, KeyState, Mark, SecretEntry, SignInRules, TenantEntry,
};
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;
use uuid::Uuid;

pub(super) struct FeedRow {
    pub id: i64,
    /// `None`: of a kind that this build does not know.
    pub news: Option<News>,
}

/// Rows to load again.
#[derive(Default)]
pub(super) struct Named {
    pub tenants: Vec<TenantId>,
    pub clients: Vec<ClientId>,
    pub keys: Vec<Kid>,
}

impl Named {
    pub(super) fn is_empty(&self) -> bool {
        self.tenants.is_empty() && self.clients.is_empty() && self.keys.is_empty()
    }
}

/// Where the reader stands, and the database's clock. Part of the origin is when the server last began to count anew,
/// which it does after a crash, and then transaction ids that were seen may be given out again.
pub(super) async fn read_position(tx: &mut Tx<'_>) -> Result<Window, PgFault> {
    let row = tx
        .query_one(
            "select pg_current_snapshot()::text, (select system_identifier from pg_control_system()),
                    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
                        || coalesce('/' || pg_stat_get_bgwriter_stat_reset_time(), ''),
                    (extract(epoch from clock_timestamp()) * 1000)::bigint",
            &[],
        )
        .await?;
    let (cursor, origin) = (row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    Ok(Window { cursor, origin, database_ms: row.try_get(3)?, rows: Vec::new() })
}

/// Cursor, origin, clock and the rows that the cursor's snapshot could not see, in one statement, so in one snapshot. A standby refuses it: it has no
/// current write position, and would know a revocation late.
pub(super) async fn read_window(tx: &mut Tx<'_>, cursor: &str, rows_max: i64) -> Result<Window, PgFault> {
    let rows = tx
        .query(
            "select pg_current_snapshot()::text,
                    (select system_identifier from pg_control_system()),
                    substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)
                        || coalesce('/' || pg_stat_get_bgwriter_stat_reset_time(), ''),
                    (extract(epoch from clock_timestamp()) * 1000)::bigint,
                    f.id, f.kind, f.ref, f.tenant_id, f.at_s, f.expires_s
             from (select 1) as always
             left join (
                 select * from async.feed
                 where xid >= pg_snapshot_xmin($1::text::pg_snapshot)
                   and not pg_visible_in_snapshot(xid, $1::text::pg_snapshot)
                 order by xid, id limit $2
             ) as f on true",
            &[&cursor, &rows_max],
        )
        .await?;
    let first = rows.first().ok_or(PgFault::Unreachable("no row"))?;
    let (cursor, origin, database_ms) = (first.try_get(0)?, (first.try_get(1)?, first.try_get(2)?), first.try_get(3)?);
    let rows = rows.iter().filter_map(|row| feed_row(row).transpose()).collect::<Result<_, _>>()?;
    Ok(Window { cursor, origin, database_ms, rows })
}

fn feed_row(row: &Row) -> Result<Option<FeedRow>, PgFault> {
    let Some(id) = row.try_get::<_, Option<i64>>(4)? else { return Ok(None) };
    let reference: &str = row.try_get(6)?;
    let tenant: Option<Uuid> = row.try_get(7)?;
    let news = outbox::read_news(
        row.try_get(5)?,
        reference,
        tenant.map(TenantId::from_uuid),
        row.try_get(8)?,
        row.try_get(9)?,
    );
    Ok(Some(FeedRow { id, news }))
}

pub(super) async fn load_named(tx: &mut Tx<'_>, named: &Named) -> Result<Vec<Change>, PgFault> {
    let mut changes: HashMap<String, Change> = HashMap::new();
    for tenant in &named.tenants {
        changes.insert(format!("t{tenant}"), Change::Tenant(*tenant, None));
    }
    for client in &named.clients {
        changes.insert(format!("c{client}"), Change::Client(client.clone(), None));
    }
    for kid in &named.keys {
        changes.insert(format!("k{kid}"), Change::Key(kid.clone(), None));
    }
    let tenants: Vec<&Uuid> = named.tenants.iter().map(TenantId::as_uuid).collect();
    let clients: Vec<&str> = named.clients.iter().map(ClientId::as_str).collect();
    let keys: Vec<&str> = named.keys.iter().map(Kid::as_str).collect();
    if !tenants.is_empty() {
        let rows = tx
            .query(
                "select t.tenant_id, t.state, s.methods, s.takes_new,
                        b.name, b.accent, encode(b.logo_digest, 'hex'), b.privacy_uri, b.terms_uri, b.is_operator
                 from control.tenants t left join control.tenant_sign_in s on s.tenant_id = t.tenant_id
                 left join control.tenant_brands b on b.tenant_id = t.tenant_id
                 where t.tenant_id = any($1)",
                &[&tenants],
            )
            .await?;
        for change in rows.iter().map(tenant_of) {
            let change = change?;
            if let Change::Tenant(id, _) = &change {
                changes.insert(format!("t{id}"), change);
            }
        }
    }
    if !clients.is_empty() {
        let secrets = secrets_of(
            tx.query(
                "select client_id, digest, expires_at from control.client_secrets where client_id = any($1)",
                &[&clients],
            )
            .await?,
        )?;
        let audiences = audiences_of(
            tx.query(
                "select client_id, audience from control.client_audiences where client_id = any($1) order by audience",
                &[&clients],
            )
            .await?,
        )?;
        let rows = tx
            .query(
                "select client_id, tenant_id, state, token_endpoint_auth_method, grant_types, scope, resources, redirect_uris, jwks,
                        metadata->>'token_endpoint_auth_signing_alg', client_name
                 from control.clients where client_id = any($1)",
                &[&clients],
            )
            .await?;
        for change in clients_of(rows, secrets, audiences)? {
            if let Change::Client(id, _) = &change {
                changes.insert(format!("c{id}"), change);
            }
        }
    }
    if !keys.is_empty() {
        let rows = tx
            .query(
                "select kid, public_jwk, state, published_at, activated_at, retired_at, removed_at
                 from auth.signing_keys where kid = any($1)",
                &[&keys],
            )
            .await?;
        for change in rows.iter().filter_map(key_of) {
            if let Change::Key(kid, _) = &change {
                changes.insert(format!("k{kid}"), change);
            }
        }
    }
    Ok(changes.into_values().collect())
}

/// Everything alive.
pub(super) async fn load_all(tx: &mut Tx<'_>, now_s: i64) -> Result<Vec<Change>, PgFault> {
    let mut changes = Vec::new();
    let rows = tx
        .query(
            "select t.tenant_id, t.state, s.methods, s.takes_new,
                    b.name, b.accent, encode(b.logo_digest, 'hex'), b.privacy_uri, b.terms_uri, b.is_operator
             from control.tenants t left join control.tenant_sign_in s on s.tenant_id = t.tenant_id
             left join control.tenant_brands b on b.tenant_id = t.tenant_id",
            &[],
        )
        .await?;
    for row in &rows {
        changes.push(tenant_of(row)?);
    }
    let secrets = secrets_of(tx.query("select client_id, digest, expires_at from control.client_secrets", &[]).await?)?;
    let audiences = audiences_of(
        tx.query("select client_id, audience from control.client_audiences order by audience", &[]).await?,
    )?;
    let rows = tx
        .query(
            "select client_id, tenant_id, state, token_endpoint_auth_method, grant_types, scope, resources, redirect_uris, jwks,
                        metadata->>'token_endpoint_auth_signing_alg', client_name
             from control.clients",
            &[],
        )
        .await?;
    changes.extend(clients_of(rows, secrets, audiences)?);
    let rows = tx
        .query(
            "select kid, public_jwk, state, published_at, activated_at, retired_at, removed_at from auth.signing_keys",
            &[],
        )
        .await?;
    changes.extend(rows.iter().filter_map(key_of));
    for row in tx
        .query("select mark_key, at_s, expires_at from auth.marks where expires_at > $1", &[&system_time(now_s)])
        .await?
    {
        let key: &[u8] = row.try_get(0)?;
        let Ok(key) = <[u8; 16]>::try_from(key) else { continue };
        let mark = Mark { at_s: row.try_get(1)?, expires_s: unix_s(row.try_get(2)?) };
        changes.push(Change::Mark(MarkKey::from_bytes(key), mark));
    }
    Ok(changes)
}

fn tenant_of(row: &Row) -> Result<Change, PgFault> {
    let tenant_id = TenantId::from_uuid(row.try_get(0)?);
    let state: &str = row.try_get(1)?;
    // No row: it has decided nothing.
    let sign_in = match row.try_get::<_, Option<bool>>(3)? {
        Some(takes_new) => SignInRules { methods: row.try_get(2)?, takes_new },
        None => SignInRules::default(),
    };
    let brand = brand_of(row)?;
    Ok(Change::Tenant(
        tenant_id,
        Some(TenantEntry { sign_in, brand, ..TenantEntry::new(tenant_id, state == "active") }),
    ))
}

fn brand_of(row: &Row) -> Result<Option<Arc<TenantBrand>>, PgFault> {
    let Some(name) = row.try_get::<_, Option<String>>(4)? else { return Ok(None) };
    Ok(Some(Arc::new(TenantBrand {
        name,
        accent: row.try_get(5)?,
        logo: row.try_get(6)?,
        privacy_uri: row.try_get(7)?,
        terms_uri: row.try_get(8)?,
        is_operator: row.try_get(9)?,
    })))
}

fn secrets_of(rows: Vec<Row>) -> Result<HashMap<String, Vec<SecretEntry>>, PgFault> {
    let mut secrets: HashMap<String, Vec<SecretEntry>> = HashMap::new();
    for row in rows {
        let digest: &[u8] = row.try_get(1)?;
        let Ok(digest) = <[u8; 32]>::try_from(digest) else { continue };
        let expires_at: Option<SystemTime> = row.try_get(2)?;
        let entry = SecretEntry { digest: Digest32::from_bytes(digest), expires_s: expires_at.map(unix_s) };
        secrets.entry(row.try_get(0)?).or_default().push(entry);
    }
    Ok(secrets)
}

fn audiences_of(rows: Vec<Row>) -> Result<HashMap<String, Vec<String>>, PgFault> {
    let mut audiences: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows {
        audiences.entry(row.try_get(0)?).or_default().push(row.try_get(1)?);
    }
    Ok(audiences)
}

fn clients_of(
    rows: Vec<Row>,
    mut secrets: HashMap<String, Vec<SecretEntry>>,
    mut audiences: HashMap<String, Vec<String>>,
) -> Result<Vec<Change>, PgFault> {
    let mut changes = Vec::with_capacity(rows.len());
    for row in rows {
        let id: String = row.try_get(0)?;
        let (Ok(client_id), Some(auth_method)) = (ClientId::parse(&id), AuthMethod::parse(row.try_get(3)?)) else {
            tracing::error!(client = id, "a stored client cannot be read");
            continue;
        };
        let state: &str = row.try_get(2)?;
        let redirect_uris: Vec<String> = row.try_get(7)?;
        let jwks: Option<serde_json::Value> = row.try_get(8)?;
        let entry = ClientEntry {
            client_id: client_id.clone(),
            client_name: row.try_get(10)?,
            tenant_id: TenantId::from_uuid(row.try_get(1)?),
            is_active: state == "active",
            auth_method,
            secrets: secrets.remove(&id).unwrap_or_default(),
            assertion_alg: row.try_get::<_, Option<&str>>(9)?.and_then(|alg| alg.parse().ok()),
            jwks: jwks.as_ref().and_then(|jwks| JwkSet::from_value(jwks).ok()),
            grant_types: row.try_get(4)?,
            scope: row.try_get(5)?,
            resources: row.try_get(6)?,
            audiences: audiences.remove(&id).unwrap_or_default(),
            redirect_origins: redirect_uris.iter().filter_map(|uri| origin_of(uri)).collect(),
            generation: 0,
        };
        changes.push(Change::Client(client_id, Some(Box::new(entry))));
    }
    Ok(changes)
}

/// Scheme, host and port of an http or https URI, as browsers write an origin.
fn origin_of(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once("://")?;
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    Some(format!("{scheme}://{}", authority.strip_suffix(default_port).unwrap_or(&authority)))
}

fn key_of(row: &Row) -> Option<Change> {
    let read = || -> Result<Option<KeyEntry>, PgFault> {
        let jwk: serde_json::Value = row.try_get(1)?;
        let (Ok(kid), Ok(public)) = (Kid::parse(row.try_get(0)?), PublicKey::from_jwk(&jwk)) else { return Ok(None) };
        let Some(state) = KeyState::parse(row.try_get(2)?) else { return Ok(None) };
        let time = |at: Option<SystemTime>| at.map(unix_s);
        Ok(Some(KeyEntry {
            alg: public.alg(),
            kid,
            public,
            state,
            published_s: unix_s(row.try_get(3)?),
            activated_s: time(row.try_get(4)?),
            retired_s: time(row.try_get(5)?),
            removed_s: time(row.try_get(6)?),
            generation: 0,
        }))
    };
    if let Ok(Some(entry)) = read() {
        Some(Change::Key(entry.kid.clone(), Some(Box::new(entry))))
    } else {
        tracing::error!("a stored signing key cannot be read");
        None
    }
}
