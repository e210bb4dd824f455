//! What self-service asks of the database beside the accounts' own statements.

use serde_json::Value;
use sigid_core::ids::UserId;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Tx};
use sigid_login::accounts::UserState;

/// An account's row, held.
pub(crate) struct Held {
    pub email_key: String,
    pub password_hash: Option<String>,
    pub state: UserState,
}

/// Holds an account until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Held>, PgFault> {
    let row = tx
        .query_opt(
            "select email_key, password_hash, state from identity.users where user_id = $1 for no key update",
            &[user.as_uuid()],
        )
        .await?;
    row.map(|row| {
        let state = UserState::parse(row.try_get(2)?)
            .ok_or_else(|| PgFault::Other("a stored account cannot be read".into()))?;
        Ok(Held { email_key: row.try_get(0)?, password_hash: row.try_get(1)?, state })
    })
    .transpose()
}

/// Takes the password from an account: only recovery opens it.
pub(crate) async fn clear_password(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update identity.users set password_hash = null, password_changed_at = $2, updated_at = $2 where user_id = $1",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Uses up the account's links of these purposes.
pub(crate) async fn kill_links(tx: &mut Tx<'_>, user: UserId, purposes: &[&str], now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update auth.links set used_at = $3 where user_id = $1 and purpose = any($2) and used_at is null",
        &[user.as_uuid(), &purposes, &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Uses up the account's links of a purpose that were made at that second or after it.
pub(crate) async fn kill_links_since(
    tx: &mut Tx<'_>,
    user: UserId,
    purpose: &str,
    since_s: i64,
    now_s: i64,
) -> Result<(), PgFault> {
    tx.execute(
        "update auth.links set used_at = $4
         where user_id = $1 and purpose = $2 and created_at >= $3 and used_at is null",
        &[user.as_uuid(), &purpose, &system_time(since_s), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// When the account's newest link of a purpose was made, used or not.
pub(crate) async fn find_newest_link_s(tx: &mut Tx<'_>, user: UserId, purpose: &str) -> Result<Option<i64>, PgFault> {
    let row = tx
        .query_one(
            "select max(created_at) from auth.links where user_id = $1 and purpose = $2",
            &[user.as_uuid(), &purpose],
        )
        .await?;
    Ok(row.try_get::<_, Option<_>>(0)?.map(unix_s))
}

/// The data of the newest link of a purpose that is still good.
pub(crate) async fn find_link_data(
    tx: &mut Tx<'_>,
    user: UserId,
    purpose: &str,
    now_s: i64,
) -> Result<Option<Value>, PgFault> {
    let row = tx
        .query_opt(
            "select data from auth.links
             where user_id = $1 and purpose = $2 and used_at is null and expires_at > $3
             order by created_at desc limit 1",
            &[user.as_uuid(), &purpose, &system_time(now_s)],
        )
        .await?;
    row.map(|row| row.try_get(0).map_err(PgFault::from)).transpose()
}

/// How many links of a purpose an account asked for since, used or not.
pub(crate) async fn count_links(tx: &mut Tx<'_>, user: UserId, purpose: &str, since_s: i64) -> Result<i64, PgFault> {
    let row = tx
        .query_one(
            "select count(*) from auth.links where user_id = $1 and purpose = $2 and created_at > $3",
            &[user.as_uuid(), &purpose, &system_time(since_s)],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Holds an account whose time is over, if nobody else does: its address and the language of its letters.
pub(crate) async fn hold_due(
    tx: &mut Tx<'_>,
    user: UserId,
    now_s: i64,
) -> Result<Option<(String, Option<String>)>, PgFault> {
    let row = tx
        .query_opt(
            "select email, locale from identity.users
             where user_id = $1 and state = 'deleting' and deletes_at <= $2 for update skip locked",
            &[user.as_uuid(), &system_time(now_s)],
        )
        .await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).transpose()
}

/// Leaves every tenant: the subjects stay, and are nobody's once the account's row is gone.
pub(crate) async fn leave_tenants(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update identity.memberships set state = 'removed', consented = '{}', updated_at = $2 where user_id = $1",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// What sessions and links still say of a person goes before their partitions do.
pub(crate) async fn forget(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update auth.sessions set ended_at = coalesce(ended_at, $2), user_agent = '', address = '' where user_id = $1",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await?;
    tx.execute(
        "update auth.links set used_at = coalesce(used_at, $2), data = '{}' where user_id = $1",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}
