//! The rows of clients, their secrets and audiences. Every statement but one takes the tenant; the one finds it.

use serde_json::Value;
use sigid_core::ids::{ClientId, TenantId};
use sigid_core::scope::Scope;
use sigid_core::secret::Digest32;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use sigid_io::rng;
use uuid::Builder;

use super::SecretRow;
use super::model::{AuthMethod, Client, ClientState, Document, GrantType, Registration};

pub(super) async fn insert(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    let row = Columns::of(client);
    tx.execute(
        "insert into control.clients (tenant_id, client_id, client_name, state, token_endpoint_auth_method,
             grant_types, scope, resources, redirect_uris, post_logout_redirect_uris, jwks, metadata,
             created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        &[
            client.tenant.as_uuid(),
            &client.client_id.as_str(),
            &row.client_name,
            &client.state.as_str(),
            &client.registration.auth_method.as_str(),
            &row.grant_types,
            &row.scope,
            &client.registration.resources,
            &client.registration.redirect_uris,
            &client.registration.post_logout_redirect_uris,
            &client.registration.jwks,
            &row.metadata,
            &system_time(client.created_s),
            &system_time(client.updated_s),
        ],
    )
    .await
    .map(|_| ())
}

/// Clients like `pattern`, under other ids.
pub(super) async fn insert_many(tx: &mut Tx<'_>, pattern: &Client, ids: &[ClientId]) -> Result<(), PgFault> {
    let row = Columns::of(pattern);
    let ids: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
    tx.execute(
        "insert into control.clients (tenant_id, client_id, client_name, state, token_endpoint_auth_method,
             grant_types, scope, resources, redirect_uris, post_logout_redirect_uris, jwks, metadata,
             created_at, updated_at)
         select $1, client_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14
         from unnest($2::text[]) as client_id",
        &[
            pattern.tenant.as_uuid(),
            &ids,
            &row.client_name,
            &pattern.state.as_str(),
            &pattern.registration.auth_method.as_str(),
            &row.grant_types,
            &row.scope,
            &pattern.registration.resources,
            &pattern.registration.redirect_uris,
            &pattern.registration.post_logout_redirect_uris,
            &pattern.registration.jwks,
            &row.metadata,
            &system_time(pattern.created_s),
            &system_time(pattern.updated_s),
        ],
    )
    .await
    .map(|_| ())
}

/// A secret for each of `ids`, as old as `pattern`.
pub(super) async fn insert_secrets(
    tx: &mut Tx<'_>,
    pattern: &Client,
    ids: &[ClientId],
    digests: &[Digest32],
) -> Result<(), PgFault> {
    let ids: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
    let names: Vec<_> = ids.iter().map(|_| Builder::from_random_bytes(rng::random()).into_uuid()).collect();
    let digests: Vec<&[u8]> = digests.iter().map(|digest| digest.as_bytes().as_slice()).collect();
    tx.execute(
        "insert into control.client_secrets (secret_id, tenant_id, client_id, digest, created_at)
         select secret_id, $1, client_id, digest, $5
         from unnest($2::uuid[], $3::text[], $4::bytea[]) as made (secret_id, client_id, digest)",
        &[pattern.tenant.as_uuid(), &names, &ids, &digests, &system_time(pattern.created_s)],
    )
    .await
    .map(|_| ())
}

pub(super) async fn update(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    let row = Columns::of(client);
    tx.execute(
        "update control.clients set client_name = $3, token_endpoint_auth_method = $4, grant_types = $5,
             scope = $6, resources = $7, redirect_uris = $8, post_logout_redirect_uris = $9, jwks = $10,
             metadata = $11, updated_at = $12
         where tenant_id = $1 and client_id = $2",
        &[
            client.tenant.as_uuid(),
            &client.client_id.as_str(),
            &row.client_name,
            &client.registration.auth_method.as_str(),
            &row.grant_types,
            &row.scope,
            &client.registration.resources,
            &client.registration.redirect_uris,
            &client.registration.post_logout_redirect_uris,
            &client.registration.jwks,
            &row.metadata,
            &system_time(client.updated_s),
        ],
    )
    .await
    .map(|_| ())
}

/// Leaves `former`, or ends the transaction.
pub(super) async fn move_state(tx: &mut Tx<'_>, client: &Client, former: ClientState) -> Result<(), PgFault> {
    let moved = tx
        .execute(
            "update control.clients set state = $3, updated_at = $4
             where tenant_id = $1 and client_id = $2 and state = $5",
            &[
                client.tenant.as_uuid(),
                &client.client_id.as_str(),
                &client.state.as_str(),
                &system_time(client.updated_s),
                &former.as_str(),
            ],
        )
        .await?;
    if moved == 1 { Ok(()) } else { Err(PgFault::Serialization) }
}

/// Secrets and audiences go with it.
pub(super) async fn delete(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.clients where tenant_id = $1 and client_id = $2",
        &[client.tenant.as_uuid(), &client.client_id.as_str()],
    )
    .await
    .map(|_| ())
}

/// Holds the client's row until the transaction ends.
pub(super) async fn lock(tx: &mut Tx<'_>, tenant: TenantId, client_id: &ClientId) -> Result<(), PgFault> {
    tx.query_opt(
        "select 1 from control.clients where tenant_id = $1 and client_id = $2 for update",
        &[tenant.as_uuid(), &client_id.as_str()],
    )
    .await
    .map(|_| ())
}

pub(super) async fn find(tx: &mut Tx<'_>, tenant: TenantId, client_id: &ClientId) -> Result<Option<Client>, PgFault> {
    let row = tx
        .query_opt(
            "select c.tenant_id, c.client_id, c.client_name, c.state, c.token_endpoint_auth_method,
                 c.grant_types, c.scope, c.resources, c.redirect_uris, c.post_logout_redirect_uris, c.jwks,
                 c.metadata, c.created_at, c.updated_at,
                 array(select a.audience from control.client_audiences a
                       where a.tenant_id = c.tenant_id and a.client_id = c.client_id order by a.audience)
             from control.clients c where c.tenant_id = $1 and c.client_id = $2",
            &[tenant.as_uuid(), &client_id.as_str()],
        )
        .await?;
    row.as_ref().map(client).transpose()
}

pub(super) async fn load_page(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    after: Option<&ClientId>,
    limit: i64,
) -> Result<Vec<Client>, PgFault> {
    let rows = tx
        .query(
            "select c.tenant_id, c.client_id, c.client_name, c.state, c.token_endpoint_auth_method,
                 c.grant_types, c.scope, c.resources, c.redirect_uris, c.post_logout_redirect_uris, c.jwks,
                 c.metadata, c.created_at, c.updated_at,
                 array(select a.audience from control.client_audiences a
                       where a.tenant_id = c.tenant_id and a.client_id = c.client_id order by a.audience)
             from control.clients c where c.tenant_id = $1 and c.client_id > $2
             order by c.client_id limit $3",
            &[tenant.as_uuid(), &after.map_or("", ClientId::as_str), &limit],
        )
        .await?;
    rows.iter().map(client).collect()
}

pub(super) async fn find_tenant(tx: &mut Tx<'_>, client_id: &ClientId) -> Result<Option<TenantId>, PgFault> {
    let row =
        tx.query_opt("select tenant_id from control.clients where client_id = $1", &[&client_id.as_str()]).await?;
    row.map(|row| Ok(TenantId::from_uuid(row.try_get(0)?))).transpose()
}

pub(super) async fn insert_secret(
    tx: &mut Tx<'_>,
    client: &Client,
    digest: Digest32,
    now_s: i64,
) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.client_secrets (secret_id, tenant_id, client_id, digest, created_at)
         values ($1, $2, $3, $4, $5)",
        &[
            &Builder::from_random_bytes(rng::random()).into_uuid(),
            client.tenant.as_uuid(),
            &client.client_id.as_str(),
            &digest.as_bytes().as_slice(),
            &system_time(now_s),
        ],
    )
    .await
    .map(|_| ())
}

/// Secrets that would live longer end at `end_s`.
pub(super) async fn expire_secrets(tx: &mut Tx<'_>, client: &Client, end_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update control.client_secrets set expires_at = $3
         where tenant_id = $1 and client_id = $2 and (expires_at is null or expires_at > $3)",
        &[client.tenant.as_uuid(), &client.client_id.as_str(), &system_time(end_s)],
    )
    .await
    .map(|_| ())
}

pub(super) async fn delete_expired_secrets(tx: &mut Tx<'_>, client: &Client, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.client_secrets where tenant_id = $1 and client_id = $2 and expires_at <= $3",
        &[client.tenant.as_uuid(), &client.client_id.as_str(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

pub(super) async fn delete_secret(tx: &mut Tx<'_>, client: &Client, digest: Digest32) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.client_secrets where tenant_id = $1 and client_id = $2 and digest = $3",
        &[client.tenant.as_uuid(), &client.client_id.as_str(), &digest.as_bytes().as_slice()],
    )
    .await
    .map(|_| ())
}

pub(super) async fn delete_secrets(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.client_secrets where tenant_id = $1 and client_id = $2",
        &[client.tenant.as_uuid(), &client.client_id.as_str()],
    )
    .await
    .map(|_| ())
}

pub(super) async fn load_secrets(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    client_id: &ClientId,
    now_s: i64,
) -> Result<Vec<SecretRow>, PgFault> {
    let rows = tx
        .query(
            "select created_at, expires_at from control.client_secrets
             where tenant_id = $1 and client_id = $2 and (expires_at is null or expires_at > $3)
             order by created_at, secret_id",
            &[tenant.as_uuid(), &client_id.as_str(), &system_time(now_s)],
        )
        .await?;
    let secret = |row: &Row| {
        Ok(SecretRow { created_s: unix_s(row.try_get(0)?), expires_s: row.try_get::<_, Option<_>>(1)?.map(unix_s) })
    };
    rows.iter().map(secret).collect()
}

/// Whoever writes audiences of a tenant waits for the other who does.
pub(super) async fn lock_audiences(tx: &mut Tx<'_>, tenant: TenantId) -> Result<(), PgFault> {
    tx.query_one("select pg_advisory_xact_lock(hashtextextended('audiences ' || $1::text, 0))", &[&tenant.to_string()])
        .await
        .map(|_| ())
}

pub(super) async fn is_audience_taken(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    spellings: &[String],
) -> Result<bool, PgFault> {
    let row = tx
        .query_one(
            "select exists (select from control.client_audiences where tenant_id = $1 and audience = any($2))",
            &[tenant.as_uuid(), &spellings],
        )
        .await?;
    Ok(row.try_get(0)?)
}

pub(super) async fn insert_audiences(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.client_audiences (tenant_id, client_id, audience)
         select $1, $2, audience from unnest($3::text[]) as audience",
        &[client.tenant.as_uuid(), &client.client_id.as_str(), &client.registration.audiences],
    )
    .await
    .map(|_| ())
}

pub(super) async fn delete_audiences(tx: &mut Tx<'_>, client: &Client) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.client_audiences where tenant_id = $1 and client_id = $2",
        &[client.tenant.as_uuid(), &client.client_id.as_str()],
    )
    .await
    .map(|_| ())
}

/// What of a registration has another form in its column.
struct Columns<'a> {
    client_name: &'a str,
    grant_types: Vec<&'static str>,
    scope: Vec<&'a str>,
    metadata: Value,
}

impl<'a> Columns<'a> {
    fn of(client: &'a Client) -> Self {
        let registration = &client.registration;
        Self {
            client_name: registration.client_name.as_deref().unwrap_or_default(),
            grant_types: registration.grant_types.iter().map(|grant| grant.as_str()).collect(),
            scope: registration.scope.iter().collect(),
            metadata: Value::Object(registration.metadata.clone()),
        }
    }
}

fn client(row: &Row) -> Result<Client, PgFault> {
    let name: String = row.try_get(2)?;
    let grant_types: Vec<&str> = row.try_get(5)?;
    let scope: Vec<&str> = row.try_get(6)?;
    let metadata: Value = row.try_get(11)?;
    Ok(Client {
        tenant: TenantId::from_uuid(row.try_get(0)?),
        client_id: ClientId::parse(row.try_get(1)?).map_err(|_| unreadable())?,
        state: ClientState::parse(row.try_get(3)?).ok_or_else(unreadable)?,
        registration: Registration {
            client_name: Some(name).filter(|name| !name.is_empty()),
            auth_method: AuthMethod::parse(row.try_get(4)?).ok_or_else(unreadable)?,
            grant_types: grant_types.into_iter().map(GrantType::parse).collect::<Option<_>>().ok_or_else(unreadable)?,
            scope: Scope::from_tokens(scope).map_err(|_| unreadable())?,
            resources: row.try_get(7)?,
            redirect_uris: row.try_get(8)?,
            post_logout_redirect_uris: row.try_get(9)?,
            jwks: row.try_get(10)?,
            metadata: object(metadata).ok_or_else(unreadable)?,
            audiences: row.try_get(14)?,
        },
        created_s: unix_s(row.try_get(12)?),
        updated_s: unix_s(row.try_get(13)?),
    })
}

fn object(value: Value) -> Option<Document> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn unreadable() -> PgFault {
    PgFault::Other("a stored client cannot be read".into())
}
