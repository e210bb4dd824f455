//! The rows of signing keys. They belong to the issuer, not to a tenant.
//!
//! Every move names the state it leaves and changes exactly one row; otherwise somebody else was faster and
//! the transaction ends. `sealed_private` is read by [`load_sealed`] and by the job alone: the control plane's
//! role may write a private key and never read one.

use sigid_core::ids::Kid;
use sigid_core::jwk::Alg;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};

use super::model::{Key, KeyState};

/// One change to the keys at a time, on all nodes.
pub(super) async fn lock(tx: &mut Tx<'_>) -> Result<(), PgFault> {
    tx.query_one("select pg_advisory_xact_lock(hashtextextended('sigid signing keys', 0))", &[]).await.map(|_| ())
}

pub(super) async fn load_all(tx: &mut Tx<'_>) -> Result<Vec<Key>, PgFault> {
    let rows = tx
        .query(
            "select kid, alg, public_jwk, state, published_at, activated_at, retired_at, removed_at, revoked_at,
                 sealed_by
             from auth.signing_keys order by published_at, kid",
            &[],
        )
        .await?;
    rows.iter().map(key).collect()
}

/// Keys that sign or will, with their sealed halves.
pub(super) async fn load_sealed(tx: &mut Tx<'_>) -> Result<Vec<(Kid, Alg, Vec<u8>)>, PgFault> {
    let rows = tx
        .query(
            "select kid, alg, sealed_private from auth.signing_keys
             where state in ('next', 'active') and sealed_private is not null",
            &[],
        )
        .await?;
    rows.iter().map(|row| Ok((kid(row, 0)?, alg(row, 1)?, row.try_get(2)?))).collect()
}

pub(super) async fn insert(tx: &mut Tx<'_>, key: &Key, sealed_private: &[u8]) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.signing_keys
             (kid, alg, public_jwk, sealed_private, sealed_by, state, published_at, activated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        &[
            &key.kid.as_str(),
            &key.alg.as_str(),
            &key.public_jwk,
            &sealed_private,
            &key.sealed_by,
            &key.state.as_str(),
            &system_time(key.published_s),
            &key.activated_s.map(system_time),
        ],
    )
    .await
    .map(|_| ())
}

pub(super) async fn activate(tx: &mut Tx<'_>, kid: &Kid, now_s: i64) -> Result<(), PgFault> {
    let moved = tx
        .execute(
            "update auth.signing_keys set state = 'active', activated_at = $2 where kid = $1 and state = 'next'",
            &[&kid.as_str(), &system_time(now_s)],
        )
        .await?;
    one(moved)
}

pub(super) async fn retire(tx: &mut Tx<'_>, kid: &Kid, now_s: i64, removed_s: i64) -> Result<(), PgFault> {
    let moved = tx
        .execute(
            "update auth.signing_keys set state = 'retired', retired_at = $2, removed_at = $3
             where kid = $1 and state = 'active'",
            &[&kid.as_str(), &system_time(now_s), &system_time(removed_s)],
        )
        .await?;
    one(moved)
}

pub(super) async fn revoke(tx: &mut Tx<'_>, kid: &Kid, now_s: i64, removed_s: i64) -> Result<(), PgFault> {
    let moved = tx
        .execute(
            "update auth.signing_keys set state = 'revoked', revoked_at = $2, removed_at = $3, sealed_private = null
             where kid = $1 and state in ('next', 'active', 'retired')",
            &[&kid.as_str(), &system_time(now_s), &system_time(removed_s)],
        )
        .await?;
    one(moved)
}

/// Destroys the private halves of keys retired at or before `retired_s`, and names them.
pub(super) async fn destroy(tx: &mut Tx<'_>, retired_s: i64) -> Result<Vec<Kid>, PgFault> {
    let rows = tx
        .query(
            "update auth.signing_keys set sealed_private = null
             where state = 'retired' and retired_at <= $1 and sealed_private is not null returning kid",
            &[&system_time(retired_s)],
        )
        .await?;
    rows.iter().map(|row| kid(row, 0)).collect()
}

pub(super) async fn delete(tx: &mut Tx<'_>, kid: &Kid) -> Result<(), PgFault> {
    let moved = tx
        .execute("delete from auth.signing_keys where kid = $1 and state in ('retired', 'revoked')", &[&kid.as_str()])
        .await?;
    one(moved)
}

fn one(moved: u64) -> Result<(), PgFault> {
    if moved == 1 { Ok(()) } else { Err(PgFault::Serialization) }
}

fn key(row: &Row) -> Result<Key, PgFault> {
    let time = |at: usize| -> Result<Option<i64>, PgFault> { Ok(row.try_get::<_, Option<_>>(at)?.map(unix_s)) };
    Ok(Key {
        kid: kid(row, 0)?,
        alg: alg(row, 1)?,
        public_jwk: row.try_get(2)?,
        state: KeyState::parse(row.try_get(3)?).ok_or_else(unreadable)?,
        published_s: unix_s(row.try_get(4)?),
        activated_s: time(5)?,
        retired_s: time(6)?,
        removed_s: time(7)?,
        revoked_s: time(8)?,
        sealed_by: row.try_get(9)?,
    })
}

fn kid(row: &Row, at: usize) -> Result<Kid, PgFault> {
    Kid::parse(row.try_get(at)?).map_err(|_| unreadable())
}

fn alg(row: &Row, at: usize) -> Result<Alg, PgFault> {
    row.try_get::<_, &str>(at)?.parse().map_err(|_| unreadable())
}

fn unreadable() -> PgFault {
    PgFault::Other("a stored signing key cannot be read".into())
}
