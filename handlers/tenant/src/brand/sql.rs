//! The rows of brands and logos.

use sigid_core::ids::TenantId;
use sigid_core::secret::Digest32;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Tx};
use uuid::Uuid;

use super::{Brand, Logo, LogoRow};

/// One change of a tenant's brand at a time.
pub(super) async fn hold(tx: &mut Tx<'_>, tenant: TenantId) -> Result<(), PgFault> {
    tx.query_one("select 1 from control.tenants where tenant_id = $1 for no key update", &[tenant.as_uuid()])
        .await
        .map(|_| ())
}

pub(super) async fn find(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<Brand>, PgFault> {
    let row = tx
        .query_opt(
            "select b.name, b.accent, b.privacy_uri, b.terms_uri, b.is_operator, b.updated_at,
                    encode(l.digest, 'hex'), l.media_type, octet_length(l.content), l.width, l.height
             from control.tenant_brands b
             left join control.tenant_logos l on l.digest = b.logo_digest and l.tenant_id = b.tenant_id
             where b.tenant_id = $1",
            &[tenant.as_uuid()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let logo = match row.try_get::<_, Option<String>>(6)? {
        Some(digest) => Some(LogoRow {
            digest,
            media_type: row.try_get(7)?,
            bytes: row.try_get(8)?,
            width: row.try_get(9)?,
            height: row.try_get(10)?,
        }),
        None => None,
    };
    Ok(Some(Brand {
        name: row.try_get(0)?,
        accent: row.try_get(1)?,
        logo,
        privacy_uri: row.try_get(2)?,
        terms_uri: row.try_get(3)?,
        is_operator: row.try_get(4)?,
        updated_s: unix_s(row.try_get(5)?),
    }))
}

/// Another tenant's brand is the operator's no more; which tenant's it was.
pub(super) async fn give_up_operator(tx: &mut Tx<'_>, heir: TenantId) -> Result<Option<TenantId>, PgFault> {
    let row = tx
        .query_opt(
            "update control.tenant_brands set is_operator = false where is_operator and tenant_id <> $1
             returning tenant_id",
            &[heir.as_uuid()],
        )
        .await?;
    Ok(row.map(|row| row.try_get::<_, Uuid>(0)).transpose()?.map(TenantId::from_uuid))
}

pub(super) async fn upsert(tx: &mut Tx<'_>, tenant: TenantId, brand: &Brand) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.tenant_brands
           (tenant_id, name, accent, logo_digest, privacy_uri, terms_uri, is_operator, updated_at)
         values ($1, $2, $3, decode($4, 'hex'), $5, $6, $7, $8)
         on conflict (tenant_id) do update set name = excluded.name, accent = excluded.accent,
           logo_digest = excluded.logo_digest, privacy_uri = excluded.privacy_uri, terms_uri = excluded.terms_uri,
           is_operator = excluded.is_operator, updated_at = excluded.updated_at",
        &[
            tenant.as_uuid(),
            &brand.name,
            &brand.accent,
            &brand.logo.as_ref().map(|logo| logo.digest.as_str()),
            &brand.privacy_uri,
            &brand.terms_uri,
            &brand.is_operator,
            &system_time(brand.updated_s),
        ],
    )
    .await
    .map(|_| ())
}

/// The same image again is the youngest again.
pub(super) async fn insert_logo(tx: &mut Tx<'_>, tenant: TenantId, logo: &Logo, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "insert into control.tenant_logos (tenant_id, digest, media_type, width, height, content, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (digest, tenant_id) do update set created_at = excluded.created_at",
        &[
            tenant.as_uuid(),
            &logo.digest().as_bytes().as_slice(),
            &logo.media_type(),
            &(logo.width() as i32),
            &(logo.height() as i32),
            &logo.content(),
            &system_time(now_s),
        ],
    )
    .await
    .map(|_| ())
}

/// All but the present one and the youngest of the others.
pub(super) async fn delete_old_logos(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    present: &Digest32,
    kept: i64,
) -> Result<(), PgFault> {
    tx.execute(
        "delete from control.tenant_logos where tenant_id = $1 and digest in (
           select digest from control.tenant_logos where tenant_id = $1 and digest <> $2
           order by created_at desc, digest offset $3)",
        &[tenant.as_uuid(), &present.as_bytes().as_slice(), &kept],
    )
    .await
    .map(|_| ())
}

/// `true` when there were some.
pub(super) async fn delete_logos(tx: &mut Tx<'_>, tenant: TenantId) -> Result<bool, PgFault> {
    let deleted = tx.execute("delete from control.tenant_logos where tenant_id = $1", &[tenant.as_uuid()]).await?;
    Ok(deleted > 0)
}

/// `true` when there was one.
pub(super) async fn delete(tx: &mut Tx<'_>, tenant: TenantId) -> Result<bool, PgFault> {
    let deleted = tx.execute("delete from control.tenant_brands where tenant_id = $1", &[tenant.as_uuid()]).await?;
    Ok(deleted == 1)
}
