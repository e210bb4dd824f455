//! Clients: the applications and resource servers of a tenant (RFC 6749 section 2, RFC 7591).
//!
//! ```text
//! (create) -> active <-> disabled -> (delete)
//!               \__________________/
//! ```
//!
//! [`model`] decides which registration documents are legal, [`members`] lists their members once for model
//! and command line, [`redirect`] is narrow about addresses, `secrets` mints and digests, `sql` holds every
//! statement. A change writes state, event and news together; disabling and deleting also write a mark, so
//! that no token of the client outlives the answer to the administrator. Enabling does not revive tokens.
//! Moving a client to the state it has does nothing at all: to enable what is active must not cost anybody a token.
//!
//! Secrets (RFC 6749 section 2.3.1) are 32 random bytes, shown once and kept as SHA-256 digests: with that much
//! entropy there is nothing to stretch. Several live at once; rotation gives the old ones an end, by
//! default a day away, so that a fleet can be switched without a failed request.
//!
//! `audience` is an administrator's right, unique in its tenant under the comparison that tokens use (an
//! empty path and `/` are one resource): two clients can never both be the same resource server.
//!
//! Limits: `SECRETS_MAX` live secrets, those of [`model`], pages of [`PAGE_MAX`] clients.
//! Attacks considered: one tenant naming another's client (each statement takes the tenant, and row-level
//! security holds it too), a re-created `client_id` inheriting tokens (the mark of its deletion), two
//! administrators at once (the client's row is locked while it changes).

pub mod members;
pub mod model;
pub mod redirect;
mod secrets;
mod sql;

use std::fmt;

use serde_json::{Value, json};
use sigid_core::b64;
use sigid_core::ids::{ClientId, TenantId};
use sigid_core::marks::MarkKey;
use sigid_core::secret::Secret;
use sigid_edge::feature::Feature;
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_io::rng;
use sigid_platform::outbox::{Act, Change, Event, Mark, News};

use crate::mark_end_s;
pub use model::{AuthMethod, Client, ClientState, Document, GrantType, Registration, RegistrationFault};

pub const FEATURE: Feature = Feature {
    name: "clients",
    section: None,
    routes: &[],
    jobs: &[],
    events: &[
        "client.created",
        "client.updated",
        "client.disabled",
        "client.enabled",
        "client.deleted",
        "client.secret_rotated",
        "client.tokens_revoked",
    ],
    discovery: &[],
};

/// The most clients that [`list`] gives at once.
pub const PAGE_MAX: i64 = 500;
/// How long old secrets live on after a rotation, where nothing else is said: a day.
pub const GRACE_S: i64 = 86_400;
/// The longest such time: ninety days.
pub const GRACE_MAX_S: i64 = 90 * 86_400;

/// The most secrets of one client that live at once.
const SECRETS_MAX: usize = 8;
/// Rows of one statement.
const ROWS_MAX: usize = 1000;

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    Registration(RegistrationFault),
    /// A client of that id exists, here or in another tenant.
    Exists,
    Unknown,
    UnknownTenant,
    /// Another client of the tenant is this resource server.
    AudienceTaken,
    /// A secret that is handed in must be as long as a generated one.
    WeakSecret,
    /// The client's method has no secret.
    NoSecret,
    TooManySecrets,
    BadGrace,
    /// A mark in the future would kill tokens that do not exist yet.
    Future,
    Database(PgFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Registration(fault) => return fault.fmt(f),
            Self::Database(fault) => return fault.fmt(f),
            Self::Exists => "a client of that id exists",
            Self::Unknown => "no such client",
            Self::UnknownTenant => "no such tenant",
            Self::AudienceTaken => "audience: another client of the tenant is this resource server",
            Self::WeakSecret => "a client secret has at least 32 characters",
            Self::NoSecret => "the client's method has no secret to rotate",
            Self::TooManySecrets => "eight secrets are alive; rotate with a shorter grace, or at once",
            Self::BadGrace => "the grace is 0 seconds to 90 days",
            Self::Future => "tokens can be revoked up to now, not into the future",
        })
    }
}

impl std::error::Error for Fault {}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl From<RegistrationFault> for Fault {
    fn from(fault: RegistrationFault) -> Self {
        Self::Registration(fault)
    }
}

/// What is to be registered.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// None: a random one.
    pub client_id: Option<ClientId>,
    pub registration: Registration,
}

/// A client and, this once, its secret.
#[derive(Debug)]
pub struct Created {
    pub client: Client,
    pub secret: Option<Secret<String>>,
}

/// A live secret, without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretRow {
    pub created_s: i64,
    pub expires_s: Option<i64>,
}

/// Registers a client. A client whose method has a secret gets `given`, or a random one.
pub async fn create(
    pool: &Pool,
    tenant: TenantId,
    new: NewClient,
    given: Option<Secret<String>>,
    act: Act<'_>,
) -> Result<Created, Fault> {
    let client = new_client(tenant, new.client_id.unwrap_or_else(random_client_id), new.registration, act);
    let secret = secret_for(client.registration.auth_method, given)?;
    let mut change = begin(pool, tenant, act).await?;
    sql::insert(change.tx(), &client).await.map_err(insert_fault)?;
    write_audiences(&mut change, &client).await?;
    if let Some(secret) = &secret {
        sql::insert_secret(change.tx(), &client, secrets::digest(secret), act.now_s).await?;
    }
    let data = json!({ "token_endpoint_auth_method": client.registration.auth_method.as_str() });
    record(&mut change, &client, "client.created", data).await?;
    change.commit().await?;
    Ok(Created { client, secret })
}

/// Registers `count` clients alike, each with an id and a secret of its own that nobody is told. One transaction.
pub async fn create_many(
    pool: &Pool,
    tenant: TenantId,
    registration: Registration,
    count: usize,
    act: Act<'_>,
) -> Result<(), Fault> {
    // Two clients cannot be one resource server.
    if !registration.audiences.is_empty() {
        return Err(Fault::AudienceTaken);
    }
    let data = json!({ "token_endpoint_auth_method": registration.auth_method.as_str() });
    let pattern = new_client(tenant, random_client_id(), registration, act);
    let ids: Vec<ClientId> = std::iter::repeat_with(random_client_id).take(count).collect();
    let mut change = begin(pool, tenant, act).await?;
    for ids in ids.chunks(ROWS_MAX) {
        sql::insert_many(change.tx(), &pattern, ids).await.map_err(insert_fault)?;
        if pattern.registration.auth_method.has_secret() {
            let digests: Vec<_> = ids.iter().map(|_| secrets::digest(&secrets::mint())).collect();
            sql::insert_secrets(change.tx(), &pattern, ids, &digests).await?;
        }
        change.tell_all(ids.iter().map(|id| News::Client(tenant, id.clone())).collect()).await?;
        let subjects: Vec<&str> = ids.iter().map(ClientId::as_str).collect();
        change.record_all(Some(tenant), "client.created", &subjects, &data).await?;
    }
    change.commit().await?;
    Ok(())
}

/// The client exactly as given, whatever was there before, with `given` among its live secrets. For
/// whoever seeds a database and may do so twice.
pub async fn ensure(
    pool: &Pool,
    tenant: TenantId,
    client_id: ClientId,
    registration: Registration,
    given: Option<Secret<String>>,
    act: Act<'_>,
) -> Result<Client, Fault> {
    let new = NewClient { client_id: Some(client_id.clone()), registration: registration.clone() };
    match create(pool, tenant, new, given.clone(), act).await {
        Err(Fault::Exists) => {}
        created => return created.map(|created| created.client),
    }
    let mut change = begin(pool, tenant, act).await?;
    let mut client = lock(&mut change, tenant, &client_id).await?;
    client.registration = registration;
    write_registration(&mut change, &mut client).await?;
    if let Some(secret) = secret_for(client.registration.auth_method, given)? {
        let digest = secrets::digest(&secret);
        sql::delete_secret(change.tx(), &client, digest).await?;
        sql::insert_secret(change.tx(), &client, digest, act.now_s).await?;
    }
    record(&mut change, &client, "client.updated", json!({})).await?;
    change.commit().await?;
    Ok(client)
}

/// Clients of a tenant by id, those after `after`, at most `limit` of them.
pub async fn list(pool: &Pool, tenant: TenantId, after: Option<&ClientId>, limit: i64) -> Result<Vec<Client>, Fault> {
    let mut tx = pool.begin(Scope::Tenant(*tenant.as_uuid())).await?;
    Ok(sql::load_page(&mut tx, tenant, after, limit.clamp(1, PAGE_MAX)).await?)
}

/// The tenant of a client, for an administrator who names only the client.
pub async fn find_tenant(pool: &Pool, client_id: &ClientId) -> Result<Option<TenantId>, Fault> {
    let mut tx = pool.begin(Scope::System("admin")).await?;
    Ok(sql::find_tenant(&mut tx, client_id).await?)
}

pub async fn load(pool: &Pool, tenant: TenantId, client_id: &ClientId) -> Result<Client, Fault> {
    let mut tx = pool.begin(Scope::Tenant(*tenant.as_uuid())).await?;
    sql::find(&mut tx, tenant, client_id).await?.ok_or(Fault::Unknown)
}

/// The secrets of a client that live at `now_s`, oldest first.
pub async fn load_secrets(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    now_s: i64,
) -> Result<Vec<SecretRow>, Fault> {
    let mut tx = pool.begin(Scope::Tenant(*tenant.as_uuid())).await?;
    Ok(sql::load_secrets(&mut tx, tenant, client_id, now_s).await?)
}

/// Replaces the named members; an empty value takes one away. A client that comes to a method with a secret
/// gets one, a client that leaves it loses its secrets at once.
pub async fn update(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    changes: &Document,
    act: Act<'_>,
) -> Result<Created, Fault> {
    let mut change = begin(pool, tenant, act).await?;
    let mut client = lock(&mut change, tenant, client_id).await?;
    let had_secret = client.registration.auth_method.has_secret();
    client.registration = client.registration.changed(changes)?;
    write_registration(&mut change, &mut client).await?;
    let secret = if had_secret { None } else { secret_for(client.registration.auth_method, None)? };
    if let Some(secret) = &secret {
        sql::insert_secret(change.tx(), &client, secrets::digest(secret), act.now_s).await?;
    }
    let members: Vec<_> = changes.keys().collect();
    record(&mut change, &client, "client.updated", json!({ "members": members })).await?;
    change.commit().await?;
    Ok(Created { client, secret })
}

/// Refuses the client everywhere and kills its tokens. Doing it twice is no fault and does nothing.
pub async fn disable(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    token_life_max_s: i64,
    act: Act<'_>,
) -> Result<Client, Fault> {
    let mut change = begin(pool, tenant, act).await?;
    let (former, client) = move_state(&mut change, tenant, client_id, ClientState::Disabled).await?;
    if former == ClientState::Disabled {
        return Ok(client);
    }
    change.mark(mark(&client, act.now_s, token_life_max_s, act)).await?;
    record(&mut change, &client, "client.disabled", json!({})).await?;
    change.commit().await?;
    Ok(client)
}

/// Accepts the client again. What a node issued while it had not yet learnt of the disabling stays dead. A
/// client that is active keeps its tokens: nothing is done.
pub async fn enable(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    token_life_max_s: i64,
    act: Act<'_>,
) -> Result<Client, Fault> {
    let mut change = begin(pool, tenant, act).await?;
    let (former, client) = move_state(&mut change, tenant, client_id, ClientState::Active).await?;
    if former == ClientState::Active {
        return Ok(client);
    }
    change.mark(mark(&client, act.now_s - 1, token_life_max_s, act)).await?;
    record(&mut change, &client, "client.enabled", json!({})).await?;
    change.commit().await?;
    Ok(client)
}

/// Removes the client with its secrets and audiences, and kills its tokens.
pub async fn delete(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    token_life_max_s: i64,
    act: Act<'_>,
) -> Result<(), Fault> {
    let mut change = begin(pool, tenant, act).await?;
    let client = lock(&mut change, tenant, client_id).await?;
    sql::delete(change.tx(), &client).await?;
    change.mark(mark(&client, act.now_s, token_life_max_s, act)).await?;
    record(&mut change, &client, "client.deleted", json!({})).await?;
    change.commit().await?;
    Ok(())
}

/// Gives the client a new secret; the old ones end `grace_s` from now at the latest, with 0 at once.
pub async fn rotate_secret(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    grace_s: i64,
    act: Act<'_>,
) -> Result<Created, Fault> {
    if !(0..=GRACE_MAX_S).contains(&grace_s) {
        return Err(Fault::BadGrace);
    }
    let mut change = begin(pool, tenant, act).await?;
    let client = lock(&mut change, tenant, client_id).await?;
    let secret = secret_for(client.registration.auth_method, None)?.ok_or(Fault::NoSecret)?;
    sql::expire_secrets(change.tx(), &client, act.now_s.saturating_add(grace_s)).await?;
    sql::delete_expired_secrets(change.tx(), &client, act.now_s).await?;
    let live = sql::load_secrets(change.tx(), tenant, client_id, act.now_s).await?;
    if live.len() >= SECRETS_MAX {
        return Err(Fault::TooManySecrets);
    }
    sql::insert_secret(change.tx(), &client, secrets::digest(&secret), act.now_s).await?;
    record(&mut change, &client, "client.secret_rotated", json!({ "grace_s": grace_s })).await?;
    change.commit().await?;
    Ok(Created { client, secret: Some(secret) })
}

/// Kills every token of the client issued at or before `at_s`.
pub async fn revoke_before(
    pool: &Pool,
    tenant: TenantId,
    client_id: &ClientId,
    at_s: i64,
    token_life_max_s: i64,
    act: Act<'_>,
) -> Result<Client, Fault> {
    if at_s > act.now_s {
        return Err(Fault::Future);
    }
    let mut change = begin(pool, tenant, act).await?;
    let client = lock(&mut change, tenant, client_id).await?;
    change.mark(mark(&client, at_s, token_life_max_s, act)).await?;
    record(&mut change, &client, "client.tokens_revoked", json!({ "at_s": at_s })).await?;
    change.commit().await?;
    Ok(client)
}

fn new_client(tenant: TenantId, client_id: ClientId, registration: Registration, act: Act<'_>) -> Client {
    let (created_s, updated_s) = (act.now_s, act.now_s);
    Client { client_id, tenant, state: ClientState::Active, registration, created_s, updated_s }
}

async fn begin<'p>(pool: &'p Pool, tenant: TenantId, act: Act<'p>) -> Result<Change<'p>, Fault> {
    Ok(Change::begin(pool, Scope::Tenant(*tenant.as_uuid()), act).await?)
}

/// The client, held until the change is over.
async fn lock(change: &mut Change<'_>, tenant: TenantId, client_id: &ClientId) -> Result<Client, Fault> {
    sql::lock(change.tx(), tenant, client_id).await?;
    sql::find(change.tx(), tenant, client_id).await?.ok_or(Fault::Unknown)
}

/// The state the client leaves, and the client; untouched when it is in that state already.
async fn move_state(
    change: &mut Change<'_>,
    tenant: TenantId,
    client_id: &ClientId,
    state: ClientState,
) -> Result<(ClientState, Client), Fault> {
    let mut client = lock(change, tenant, client_id).await?;
    let former = client.state;
    if former != state {
        client.state = state;
        client.updated_s = change.now_s();
        sql::move_state(change.tx(), &client, former).await?;
    }
    Ok((former, client))
}

async fn write_registration(change: &mut Change<'_>, client: &mut Client) -> Result<(), Fault> {
    client.updated_s = change.now_s();
    sql::update(change.tx(), client).await?;
    sql::delete_audiences(change.tx(), client).await?;
    write_audiences(change, client).await?;
    if !client.registration.auth_method.has_secret() {
        sql::delete_secrets(change.tx(), client).await?;
    }
    Ok(())
}

/// The primary key holds equal spellings apart, the look-up the two that name one resource; the lock makes
/// two administrators take turns.
async fn write_audiences(change: &mut Change<'_>, client: &Client) -> Result<(), Fault> {
    let audiences = &client.registration.audiences;
    if audiences.is_empty() {
        return Ok(());
    }
    sql::lock_audiences(change.tx(), client.tenant).await?;
    let spellings: Vec<String> = audiences.iter().flat_map(|uri| model::spellings(uri)).collect();
    if sql::is_audience_taken(change.tx(), client.tenant, &spellings).await? {
        return Err(Fault::AudienceTaken);
    }
    Ok(sql::insert_audiences(change.tx(), client).await?)
}

/// The event and the news of a change to a client.
async fn record(change: &mut Change<'_>, client: &Client, event_type: &'static str, data: Value) -> Result<(), Fault> {
    change.tell(News::Client(client.tenant, client.client_id.clone())).await?;
    let event = Event { tenant: Some(client.tenant), event_type, subject: client.client_id.as_str(), data };
    Ok(change.record(&event).await?)
}

fn mark(client: &Client, at_s: i64, token_life_max_s: i64, act: Act<'_>) -> Mark {
    Mark {
        tenant: client.tenant,
        key: MarkKey::client(&client.client_id),
        at_s,
        expires_s: mark_end_s(act.now_s, token_life_max_s),
    }
}

fn secret_for(method: AuthMethod, given: Option<Secret<String>>) -> Result<Option<Secret<String>>, Fault> {
    match given {
        _ if !method.has_secret() => Ok(None),
        None => Ok(Some(secrets::mint())),
        Some(secret) if secrets::is_strong(&secret) => Ok(Some(secret)),
        Some(_) => Err(Fault::WeakSecret),
    }
}

/// 144 random bits; never begins with a hyphen, which a shell command would read as a flag.
fn random_client_id() -> ClientId {
    loop {
        let text = b64::encode(&rng::random::<18>());
        if let Ok(id) = ClientId::parse(&text)
            && !text.starts_with('-')
        {
            return id;
        }
    }
}

fn insert_fault(fault: PgFault) -> Fault {
    if fault.is_conflict("clients_pkey") {
        Fault::Exists
    } else if fault.is_conflict("clients_tenant_id_fkey") {
        Fault::UnknownTenant
    } else {
        Fault::Database(fault)
    }
}
