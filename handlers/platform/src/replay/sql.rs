//! One row per assertion, until its partition is dropped.

use sigid_core::secret::Digest32;
use sigid_io::clock::system_time;
use sigid_io::pg::{PgFault, Tx};

/// `true` when no live row had the digest. The lock makes parallel presentations take turns, so that the second sees
/// the first's row even when it names another end and so another partition.
pub(super) async fn insert_assertion(
    tx: &mut Tx<'_>,
    digest: &Digest32,
    expires_s: i64,
    now_s: i64,
) -> Result<bool, PgFault> {
    let bytes = digest.as_bytes().as_slice();
    tx.query("select pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 7240115938463))", &[&bytes]).await?;
    let inserted = tx
        .execute(
            "insert into auth.assertion_replays (digest, expires_at)
             select $1, $2 where not exists (select from auth.assertion_replays where digest = $1 and expires_at > $3)",
            &[&bytes, &system_time(expires_s), &system_time(now_s)],
        )
        .await?;
    Ok(inserted == 1)
}
