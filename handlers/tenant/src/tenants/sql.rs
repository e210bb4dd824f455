//! The rows of tenants.

use sigid_core::ids::TenantId;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};

use super::model::{Slug, Tenant, TenantState};

pub(super) async fn insert(tx: &mut Tx<'_>, tenant: &Tenant) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.tenants (tenant_id, slug, display_name, state, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6)",
        &[
            tenant.tenant_id.as_uuid(),
            &tenant.slug.as_str(),
            &tenant.display_name,
            &tenant.state.as_str(),
            &system_time(tenant.created_s),
            &system_time(tenant.updated_s),
        ],
    )
    .await
    .map(|_| ())
}

/// Leaves `former`, or ends the transaction.
pub(super) async fn move_state(tx: &mut Tx<'_>, tenant: &Tenant, former: TenantState) -> Result<(), PgFault> {
    let moved = tx
        .execute(
            "update control.tenants set state = $2, updated_at = $3 where tenant_id = $1 and state = $4",
            &[tenant.tenant_id.as_uuid(), &tenant.state.as_str(), &system_time(tenant.updated_s), &former.as_str()],
        )
        .await?;
    if moved == 1 { Ok(()) } else { Err(PgFault::Serialization) }
}

pub(super) async fn is_control(tx: &mut Tx<'_>) -> Result<bool, PgFault> {
    Ok(tx.query_one("select pg_has_role('sigid_control', 'usage')", &[]).await?.try_get(0)?)
}

pub(super) async fn find(tx: &mut Tx<'_>, slug: &Slug) -> Result<Option<Tenant>, PgFault> {
    let row = tx
        .query_opt(
            "select tenant_id, slug, display_name, state, created_at, updated_at
             from control.tenants where slug = $1",
            &[&slug.as_str()],
        )
        .await?;
    row.as_ref().map(tenant).transpose()
}

pub(super) async fn load_all(tx: &mut Tx<'_>) -> Result<Vec<Tenant>, PgFault> {
    let rows = tx
        .query(
            "select tenant_id, slug, display_name, state, created_at, updated_at
             from control.tenants order by slug",
            &[],
        )
        .await?;
    rows.iter().map(tenant).collect()
}

fn tenant(row: &Row) -> Result<Tenant, PgFault> {
    let unreadable = || PgFault::Other("a stored tenant cannot be read".into());
    Ok(Tenant {
        tenant_id: TenantId::from_uuid(row.try_get(0)?),
        slug: row.try_get::<_, &str>(1)?.parse().map_err(|_| unreadable())?,
        display_name: row.try_get(2)?,
        state: TenantState::parse(row.try_get(3)?).ok_or_else(unreadable)?,
        created_s: unix_s(row.try_get(4)?),
        updated_s: unix_s(row.try_get(5)?),
    })
}
