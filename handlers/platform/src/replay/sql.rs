//! One row per assertion, until its partition is dropped.

use sigid_core::secret::Digest32;
use sigid_io::clock::system_time;
use sigid_io::pg::{PgFault, Tx};

pub(super) async fn insert_assertion(tx: &mut Tx<'_>, digest: &Digest32, expires_s: i64) -> Result<bool, PgFault> {
    let inserted = tx
        .execute(
            "insert into auth.assertion_replays (digest, expires_at) values ($1, $2) on conflict do nothing",
            &[&digest.as_bytes().as_slice(), &system_time(expires_s)],
        )
        .await?;
    Ok(inserted == 1)
}
