//! The row of a tenant's decisions about sign-in.

use sigid_core::ids::TenantId;
use sigid_edge::tables::SignInRules;
use sigid_io::clock::system_time;
use sigid_io::pg::{PgFault, Tx};

/// Whoever decides for the tenant waits for whoever does already.
pub(super) async fn lock_tenant(tx: &mut Tx<'_>, tenant: TenantId) -> Result<(), PgFault> {
    tx.query_one("select 1 from control.tenants where tenant_id = $1 for no key update", &[tenant.as_uuid()])
        .await
        .map(|_| ())
}

pub(super) async fn find(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<SignInRules>, PgFault> {
    let row = tx
        .query_opt("select methods, takes_new from control.tenant_sign_in where tenant_id = $1", &[tenant.as_uuid()])
        .await?;
    row.map(|row| Ok(SignInRules { methods: row.try_get(0)?, takes_new: row.try_get(1)? })).transpose()
}

pub(super) async fn put(tx: &mut Tx<'_>, tenant: TenantId, rules: &SignInRules, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.tenant_sign_in (tenant_id, methods, takes_new, updated_at) values ($1, $2, $3, $4)
         on conflict (tenant_id) do update set methods = $2, takes_new = $3, updated_at = $4",
        &[tenant.as_uuid(), &rules.methods, &rules.takes_new, &system_time(now_s)],
    )
    .await
    .map(|_| ())
}
