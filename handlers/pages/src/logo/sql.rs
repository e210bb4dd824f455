//! The logos of all tenants, by their digest.

use super::Logo;
use bytes::Bytes;
use sigid_io::pg::{PgFault, Tx};

/// Two tenants may have the same image: either is it.
pub(super) async fn find(tx: &mut Tx<'_>, digest: &[u8; 32]) -> Result<Option<Logo>, PgFault> {
    let row = tx
        .query_opt(
            "select media_type, content from control.tenant_logos where digest = $1 limit 1",
            &[&digest.as_slice()],
        )
        .await?;
    let Some(row) = row else { return Ok(None) };
    let media_type = match row.try_get(0)? {
        "image/png" => "image/png",
        "image/jpeg" => "image/jpeg",
        "image/webp" => "image/webp",
        _ => return Ok(None),
    };
    Ok(Some(Logo { media_type, content: Bytes::from(row.try_get::<_, Vec<u8>>(1)?) }))
}
