//! Tenants: who owns clients, memberships and everything else that is not a person.
//!
//! ```text
//! (create) -> active <-> disabled
//! ```
//!
//! Disabling is at once and total: the row's state stops every client of the tenant, and a mark kills what
//! was issued, so a tenant that is enabled again starts without the old tokens. Moving a tenant to the state it has
//! does nothing at all: to enable what is active must not cost anybody a token. A tenant is never deleted
//! here; its identifier stands in tokens and audit rows for as long as those are kept.
//!
//! Limits: a slug is a DNS label of at most 63 characters, a display name has 200 bytes.
//! Attacks considered: a look-alike slug (ASCII only), names that break out of a page or a log line (no
//! control and no direction characters), tokens that outlive the tenant (mark and state).

mod model;
mod sql;

use std::fmt;

use serde_json::json;
use sigid_core::ids::TenantId;
use sigid_core::marks::MarkKey;
use sigid_edge::feature::Feature;
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_io::rng;
use sigid_platform::outbox::{Act, Change, Event, Mark, News};
use uuid::Builder;

pub use model::{Slug, Tenant, TenantState};

use crate::mark_end_s;
use model::check_display_name;

pub const FEATURE: Feature = Feature {
    name: "tenants",
    section: None,
    routes: &[],
    jobs: &[],
    events: &[
        BRAND_CHANGED,
        BRAND_CLEARED,
        "tenant.created",
        "tenant.disabled",
        "tenant.enabled",
        "tenant.tokens_revoked",
    ],
    discovery: &[],
};

pub(crate) const BRAND_CHANGED: &str = "tenant.brand_changed";
pub(crate) const BRAND_CLEARED: &str = "tenant.brand_cleared";

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    /// Not `[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?`.
    BadSlug,
    BadDisplayName,
    Exists,
    Unknown,
    /// A mark in the future would kill tokens that do not exist yet.
    Future,
    /// The connection's role is not the control plane's, so row-level security would show it an empty system.
    NotControl,
    Database(PgFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadSlug => f.write_str("a tenant's slug is 1 to 63 of a-z, 0-9 and inner hyphens"),
            Self::BadDisplayName => f.write_str("a display name is 1 to 200 bytes without control characters"),
            Self::Exists => f.write_str("a tenant of that slug exists"),
            Self::Unknown => f.write_str("no such tenant"),
            Self::Future => f.write_str("tokens can be revoked up to now, not into the future"),
            Self::NotControl => f.write_str("the database's role is not the control plane's"),
            Self::Database(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

/// Whether `pool` sees and changes tenants and what is theirs, for a program that would otherwise report nothing
/// where it may see nothing.
pub async fn check_control(pool: &Pool) -> Result<(), Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    if sql::is_control(&mut tx).await? { Ok(()) } else { Err(Fault::NotControl) }
}

/// Creates an active tenant. Without a display name it is called by its slug.
pub async fn create(pool: &Pool, slug: &Slug, display_name: Option<&str>, act: Act<'_>) -> Result<Tenant, Fault> {
    let tenant = Tenant {
        tenant_id: TenantId::from_uuid(Builder::from_random_bytes(rng::random()).into_uuid()),
        slug: slug.clone(),
        display_name: check_display_name(display_name.unwrap_or(slug.as_str()))?,
        state: TenantState::Active,
        created_s: act.now_s,
        updated_s: act.now_s,
    };
    let mut change = Change::begin(pool, ADMIN, act).await?;
    sql::insert(change.tx(), &tenant)
        .await
        .map_err(|fault| if fault.is_conflict("tenants_slug_key") { Fault::Exists } else { Fault::Database(fault) })?;
    change.tell(News::Tenant(tenant.tenant_id)).await?;
    record(&mut change, &tenant, "tenant.created").await?;
    change.commit().await?;
    Ok(tenant)
}

/// The tenant of that slug, made if there is none.
pub async fn ensure(pool: &Pool, slug: &Slug, display_name: Option<&str>, act: Act<'_>) -> Result<Tenant, Fault> {
    match create(pool, slug, display_name, act).await {
        Err(Fault::Exists) => load(pool, slug).await,
        created => created,
    }
}

/// Every tenant, by slug.
pub async fn list(pool: &Pool) -> Result<Vec<Tenant>, Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    Ok(sql::load_all(&mut tx).await?)
}

/// The tenant of that slug.
pub async fn load(pool: &Pool, slug: &Slug) -> Result<Tenant, Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    sql::find(&mut tx, slug).await?.ok_or(Fault::Unknown)
}

/// Disables a tenant: its clients are refused everywhere, its tokens are dead. Doing it twice is no fault and
/// does nothing.
pub async fn disable(pool: &Pool, slug: &Slug, token_life_max_s: i64, act: Act<'_>) -> Result<Tenant, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let (former, tenant) = move_state(&mut change, slug, TenantState::Disabled).await?;
    if former == TenantState::Disabled {
        return Ok(tenant);
    }
    change.mark(mark(&tenant, act.now_s, token_life_max_s, act)).await?;
    record(&mut change, &tenant, "tenant.disabled").await?;
    change.commit().await?;
    Ok(tenant)
}

/// Enables a tenant. What a node issued while it had not yet learnt of the disabling stays dead. A tenant that
/// is active keeps its tokens: nothing is done.
pub async fn enable(pool: &Pool, slug: &Slug, token_life_max_s: i64, act: Act<'_>) -> Result<Tenant, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let (former, tenant) = move_state(&mut change, slug, TenantState::Active).await?;
    if former == TenantState::Active {
        return Ok(tenant);
    }
    change.mark(mark(&tenant, act.now_s - 1, token_life_max_s, act)).await?;
    record(&mut change, &tenant, "tenant.enabled").await?;
    change.commit().await?;
    Ok(tenant)
}

/// Kills every token of the tenant issued at or before `at_s`.
pub async fn revoke_before(
    pool: &Pool,
    slug: &Slug,
    at_s: i64,
    token_life_max_s: i64,
    act: Act<'_>,
) -> Result<Tenant, Fault> {
    if at_s > act.now_s {
        return Err(Fault::Future);
    }
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let tenant = sql::find(change.tx(), slug).await?.ok_or(Fault::Unknown)?;
    change.mark(mark(&tenant, at_s, token_life_max_s, act)).await?;
    let event = Event {
        tenant: Some(tenant.tenant_id),
        event_type: "tenant.tokens_revoked",
        subject: &tenant.tenant_id.to_string(),
        data: json!({ "at_s": at_s }),
    };
    change.record(&event).await?;
    change.commit().await?;
    Ok(tenant)
}

/// The state the tenant leaves, and the tenant; untouched when it is in that state already.
async fn move_state(change: &mut Change<'_>, slug: &Slug, state: TenantState) -> Result<(TenantState, Tenant), Fault> {
    let now_s = change.now_s();
    let found = sql::find(change.tx(), slug).await?.ok_or(Fault::Unknown)?;
    let former = found.state;
    if former == state {
        return Ok((former, found));
    }
    let tenant = Tenant { state, updated_s: now_s, ..found };
    sql::move_state(change.tx(), &tenant, former).await?;
    change.tell(News::Tenant(tenant.tenant_id)).await?;
    Ok((former, tenant))
}

async fn record(change: &mut Change<'_>, tenant: &Tenant, event_type: &'static str) -> Result<(), Fault> {
    let event = Event {
        tenant: Some(tenant.tenant_id),
        event_type,
        subject: &tenant.tenant_id.to_string(),
        data: json!({ "slug": tenant.slug.as_str() }),
    };
    Ok(change.record(&event).await?)
}

fn mark(tenant: &Tenant, at_s: i64, token_life_max_s: i64, act: Act<'_>) -> Mark {
    Mark {
        tenant: tenant.tenant_id,
        key: MarkKey::tenant(tenant.tenant_id),
        at_s,
        expires_s: mark_end_s(act.now_s, token_life_max_s),
    }
}

/// Whoever makes or names tenants is above them.
const ADMIN: Scope = Scope::System("admin");
