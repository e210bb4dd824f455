//! The rows of accounts and memberships.

use super::model::{Membership, MembershipState, NewUser, User, UserState};
use serde_json::{Map, Value};
use sigid_core::ids::{TenantId, UserId};
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};

/// The account of a normalized address.
pub async fn find_by_email(tx: &mut Tx<'_>, email_key: &str) -> Result<Option<User>, PgFault> {
    let row = tx
        .query_opt(
            "select user_id, email, email_key, email_verified_at, password_hash, state, claims, locale, deletes_at,
                    created_at, updated_at, password_changed_at
             from identity.users where email_key = $1",
            &[&email_key],
        )
        .await?;
    row.as_ref().map(user).transpose()
}

pub async fn find_user(tx: &mut Tx<'_>, user_id: UserId) -> Result<Option<User>, PgFault> {
    let row = tx
        .query_opt(
            "select user_id, email, email_key, email_verified_at, password_hash, state, claims, locale, deletes_at,
                    created_at, updated_at, password_changed_at
             from identity.users where user_id = $1",
            &[user_id.as_uuid()],
        )
        .await?;
    row.as_ref().map(user).transpose()
}

/// False when the address has an account.
pub async fn insert_user(tx: &mut Tx<'_>, new: &NewUser<'_>, now_s: i64) -> Result<bool, PgFault> {
    let now = system_time(now_s);
    let inserted = tx
        .execute(
            "insert into identity.users (user_id, email, email_key, email_verified_at, password_hash,
                                         password_changed_at, claims, locale, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9) on conflict (email_key) do nothing",
            &[
                new.user_id.as_uuid(),
                &new.email,
                &new.email_key,
                &new.email_verified_s.map(system_time),
                &new.password_hash,
                &new.password_hash.map(|_| now),
                &Value::Object(new.claims.clone()),
                &new.locale,
                &now,
            ],
        )
        .await?;
    Ok(inserted == 1)
}

/// A password of the person's or an administrator's choice.
pub async fn set_password(tx: &mut Tx<'_>, user_id: UserId, hash: &str, now_s: i64) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update identity.users set password_hash = $2, password_changed_at = $3, updated_at = $3
             where user_id = $1",
            &[user_id.as_uuid(), &hash, &system_time(now_s)],
        )
        .await?;
    Ok(changed == 1)
}

/// The same password under newer parameters; nothing happens when it was changed meanwhile.
pub async fn upgrade_hash(tx: &mut Tx<'_>, user_id: UserId, old: &str, new: &str) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update identity.users set password_hash = $3 where user_id = $1 and password_hash = $2",
            &[user_id.as_uuid(), &old, &new],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn set_claims(
    tx: &mut Tx<'_>,
    user_id: UserId,
    claims: &Map<String, Value>,
    now_s: i64,
) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update identity.users set claims = $2, updated_at = $3 where user_id = $1",
            &[user_id.as_uuid(), &Value::Object(claims.clone()), &system_time(now_s)],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn set_locale(tx: &mut Tx<'_>, user_id: UserId, locale: &str, now_s: i64) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update identity.users set locale = $2, updated_at = $3 where user_id = $1",
            &[user_id.as_uuid(), &locale, &system_time(now_s)],
        )
        .await?;
    Ok(changed == 1)
}

/// Gives the account another address, proven at `now_s`, if it still has the old one. [`PgFault::Conflict`] on
/// `users_email_key_key`: somebody else has the new one.
pub async fn set_email(
    tx: &mut Tx<'_>,
    user_id: UserId,
    old_key: &str,
    email: &str,
    email_key: &str,
    now_s: i64,
) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update identity.users set email = $3, email_key = $4, email_verified_at = $5, updated_at = $5
             where user_id = $1 and email_key = $2",
            &[user_id.as_uuid(), &old_key, &email, &email_key, &system_time(now_s)],
        )
        .await?;
    Ok(changed == 1)
}

/// Leaves `from` for `to`; `deletes_s` goes with [`UserState::Deleting`] alone. False when it was in another state.
pub async fn move_state(
    tx: &mut Tx<'_>,
    user_id: UserId,
    from: UserState,
    to: UserState,
    deletes_s: Option<i64>,
    now_s: i64,
) -> Result<bool, PgFault> {
    let moved = tx
        .execute(
            "update identity.users set state = $3, deletes_at = $4, updated_at = $5
             where user_id = $1 and state = $2",
            &[user_id.as_uuid(), &from.as_str(), &to.as_str(), &deletes_s.map(system_time), &system_time(now_s)],
        )
        .await?;
    Ok(moved == 1)
}

/// Erases an account; its memberships stay as subjects without a person.
pub async fn delete_user(tx: &mut Tx<'_>, user_id: UserId) -> Result<bool, PgFault> {
    Ok(tx.execute("delete from identity.users where user_id = $1", &[user_id.as_uuid()]).await? == 1)
}

/// Accounts whose grace period is over, at most `rows_max`.
pub async fn load_due_deletions(tx: &mut Tx<'_>, now_s: i64, rows_max: i64) -> Result<Vec<UserId>, PgFault> {
    let rows = tx
        .query(
            "select user_id from identity.users where deletes_at <= $1 order by deletes_at limit $2
             for update skip locked",
            &[&system_time(now_s), &rows_max],
        )
        .await?;
    rows.iter().map(|row| Ok(UserId::from_uuid(row.try_get(0)?))).collect()
}

pub(super) async fn insert_membership(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    user: UserId,
    sub: &str,
    state: MembershipState,
    now_s: i64,
) -> Result<(), PgFault> {
    tx.execute(
        "insert into identity.memberships (tenant_id, sub, user_id, state, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $5) on conflict (user_id, tenant_id) do nothing",
        &[tenant.as_uuid(), &sub, user.as_uuid(), &state.as_str(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

pub async fn find_membership(tx: &mut Tx<'_>, tenant: TenantId, user: UserId) -> Result<Option<Membership>, PgFault> {
    let row = tx
        .query_opt(
            "select tenant_id, sub, state, consented from identity.memberships where tenant_id = $1 and user_id = $2",
            &[tenant.as_uuid(), user.as_uuid()],
        )
        .await?;
    row.as_ref().map(membership).transpose()
}

pub async fn load_memberships(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Membership>, PgFault> {
    let rows = tx
        .query(
            "select tenant_id, sub, state, consented from identity.memberships where user_id = $1",
            &[user.as_uuid()],
        )
        .await?;
    rows.iter().map(membership).collect()
}

/// False when it was in another state.
pub async fn move_membership(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    user: UserId,
    from: MembershipState,
    to: MembershipState,
    now_s: i64,
) -> Result<bool, PgFault> {
    let moved = tx
        .execute(
            "update identity.memberships set state = $4, updated_at = $5
             where tenant_id = $1 and user_id = $2 and state = $3",
            &[tenant.as_uuid(), user.as_uuid(), &from.as_str(), &to.as_str(), &system_time(now_s)],
        )
        .await?;
    Ok(moved == 1)
}

fn user(row: &Row) -> Result<User, PgFault> {
    let Value::Object(claims) = row.try_get(6)? else { return Err(unreadable()) };
    Ok(User {
        user_id: UserId::from_uuid(row.try_get(0)?),
        email: row.try_get(1)?,
        email_key: row.try_get(2)?,
        email_verified_s: row.try_get::<_, Option<_>>(3)?.map(unix_s),
        password_hash: row.try_get(4)?,
        state: UserState::parse(row.try_get(5)?).ok_or_else(unreadable)?,
        claims,
        locale: row.try_get(7)?,
        deletes_s: row.try_get::<_, Option<_>>(8)?.map(unix_s),
        created_s: unix_s(row.try_get(9)?),
        updated_s: unix_s(row.try_get(10)?),
        password_changed_s: row.try_get::<_, Option<_>>(11)?.map(unix_s),
    })
}

fn membership(row: &Row) -> Result<Membership, PgFault> {
    Ok(Membership {
        tenant_id: TenantId::from_uuid(row.try_get(0)?),
        sub: row.try_get(1)?,
        state: MembershipState::parse(row.try_get(2)?).ok_or_else(unreadable)?,
        consented: row.try_get(3)?,
    })
}

fn unreadable() -> PgFault {
    PgFault::Other("a stored account cannot be read".into())
}
