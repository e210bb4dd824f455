//! The rows that sign-in, registration and recovery keep: links, registrations, and the account's lock.

use super::links::{Kind, Link};
use super::registration::Registration;
use crate::accounts::UserState;
use serde_json::Value;
use sigid_core::ids::{SessionId, UserId};
use sigid_core::secret::Digest32;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use uuid::Uuid;

pub(super) async fn insert_link(
    tx: &mut Tx<'_>,
    kind: &Kind,
    digest: &Digest32,
    created_s: i64,
    user: Option<UserId>,
    data: &Value,
) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.links (digest, created_at, expires_at, purpose, user_id, data)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        &[
            &digest.as_bytes().as_slice(),
            &system_time(created_s),
            &system_time(created_s.saturating_add(kind.lifetime_s)),
            &kind.name,
            &user.as_ref().map(UserId::as_uuid),
            data,
        ],
    )
    .await
    .map(|_| ())
}

pub(super) async fn find_link(
    tx: &mut Tx<'_>,
    kind: &Kind,
    digest: &Digest32,
    now_s: i64,
) -> Result<Option<Link>, PgFault> {
    let row = tx
        .query_opt(
            "select user_id, data, created_at from auth.links
             where digest = $1 and purpose = $2 and created_at >= $3 and expires_at > $4 and used_at is null",
            &[
                &digest.as_bytes().as_slice(),
                &kind.name,
                &system_time(now_s.saturating_sub(kind.lifetime_s)),
                &system_time(now_s),
            ],
        )
        .await?;
    row.as_ref().map(link).transpose()
}

pub(super) async fn spend_link(
    tx: &mut Tx<'_>,
    kind: &Kind,
    digest: &Digest32,
    now_s: i64,
) -> Result<Option<Link>, PgFault> {
    let row = tx
        .query_opt(
            "update auth.links set used_at = $4
             where digest = $1 and purpose = $2 and created_at >= $3 and expires_at > $4 and used_at is null
             returning user_id, data, created_at",
            &[
                &digest.as_bytes().as_slice(),
                &kind.name,
                &system_time(now_s.saturating_sub(kind.lifetime_s)),
                &system_time(now_s),
            ],
        )
        .await?;
    row.as_ref().map(link).transpose()
}

pub(super) async fn insert_registration(tx: &mut Tx<'_>, new: &Registration, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.registrations (registration_id, created_at, expires_at, email, email_key, password_hash,
                                         display_name, locale, next, browser)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        &[
            &new.id,
            &system_time(now_s),
            &system_time(now_s.saturating_add(super::links::VERIFY.lifetime_s)),
            &new.email,
            &new.email_key,
            &new.password_hash,
            &new.display_name,
            &new.locale,
            &new.next,
            &new.browser.as_bytes().as_slice(),
        ],
    )
    .await
    .map(|_| ())
}

/// The registration of a link.
pub(super) async fn find_registration(
    tx: &mut Tx<'_>,
    registration_id: Uuid,
    created_s: i64,
) -> Result<Option<Registration>, PgFault> {
    let row = tx
        .query_opt(
            "select registration_id, email, email_key, password_hash, display_name, locale, next, browser, created_at
             from auth.registrations where registration_id = $1 and created_at = $2 and used_at is null",
            &[&registration_id, &system_time(created_s)],
        )
        .await?;
    row.as_ref().map(registration).transpose()
}

/// The newest registration of an address by a browser that is not used and not too old.
pub(super) async fn find_own_registration(
    tx: &mut Tx<'_>,
    email_key: &str,
    browser: &Digest32,
    now_s: i64,
) -> Result<Option<Registration>, PgFault> {
    let row = tx
        .query_opt(
            "select registration_id, email, email_key, password_hash, display_name, locale, next, browser, created_at
             from auth.registrations
             where email_key = $1 and browser = $2 and created_at >= $3 and expires_at > $4 and used_at is null
             order by created_at desc limit 1",
            &[
                &email_key,
                &browser.as_bytes().as_slice(),
                &system_time(now_s.saturating_sub(super::links::VERIFY.lifetime_s)),
                &system_time(now_s),
            ],
        )
        .await?;
    row.as_ref().map(registration).transpose()
}

/// Uses the registration; `None` when it was used. What it says of a person goes to the account and stays in no second
/// place.
pub(super) async fn spend_registration(
    tx: &mut Tx<'_>,
    registration_id: Uuid,
    created_s: i64,
    now_s: i64,
) -> Result<Option<Registration>, PgFault> {
    let row = tx
        .query_opt(
            "with found as (
               select * from auth.registrations
               where registration_id = $1 and created_at = $2 and used_at is null for no key update
             )
             update auth.registrations r
             set used_at = $3, email = '', email_key = '', password_hash = '', display_name = '', next = ''
             from found where r.registration_id = found.registration_id and r.created_at = found.created_at
             returning found.registration_id, found.email, found.email_key, found.password_hash, found.display_name,
                       found.locale, found.next, found.browser, found.created_at",
            &[&registration_id, &system_time(created_s), &system_time(now_s)],
        )
        .await?;
    row.as_ref().map(registration).transpose()
}

/// The account's state, held until the transaction ends, if its password is still the one that was verified: nobody can
/// disable it or change its password between the proof and the session.
pub(super) async fn hold_account(
    tx: &mut Tx<'_>,
    user: UserId,
    password_hash: &str,
) -> Result<Option<UserState>, PgFault> {
    let row = tx
        .query_opt(
            "select state from identity.users where user_id = $1 and password_hash = $2 for share",
            &[user.as_uuid(), &password_hash],
        )
        .await?;
    row.map_or(Ok(None), |row| Ok(UserState::parse(row.try_get(0)?)))
}

/// Holds an account's row, if it is there, as it is: against whoever changes, locks or erases it.
pub(super) async fn hold_person(tx: &mut Tx<'_>, user: UserId) -> Result<bool, PgFault> {
    let sql = "select 1 from identity.users where user_id = $1 for share";
    Ok(tx.query_opt(sql, &[user.as_uuid()]).await?.is_some())
}

/// Whether a session is alive; it cannot end before the transaction does.
pub(super) async fn hold_session(tx: &mut Tx<'_>, session: SessionId) -> Result<bool, PgFault> {
    let row = tx
        .query_opt(
            "select 1 from auth.sessions where session_id = $1 and created_at = $2 and ended_at is null for share",
            &[session.as_uuid(), &crate::sessions::sql::created_at(session)],
        )
        .await?;
    Ok(row.is_some())
}

/// When the account's last password was set.
pub(super) async fn find_password_changed_s(tx: &mut Tx<'_>, user: UserId) -> Result<Option<i64>, PgFault> {
    let row =
        tx.query_opt("select password_changed_at from identity.users where user_id = $1", &[user.as_uuid()]).await?;
    row.map_or(Ok(None), |row| Ok(row.try_get::<_, Option<_>>(0)?.map(unix_s)))
}

/// Holds an account for a new password: when its last one was set, if it is there.
pub(super) async fn lock_account(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Option<i64>>, PgFault> {
    let row = tx
        .query_opt(
            "select password_changed_at from identity.users where user_id = $1 for no key update",
            &[user.as_uuid()],
        )
        .await?;
    row.map(|row| Ok(row.try_get::<_, Option<_>>(0)?.map(unix_s))).transpose()
}

/// Uses up the account's links of these purposes.
pub(super) async fn burn_links(tx: &mut Tx<'_>, user: UserId, purposes: &[&str], now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update auth.links set used_at = $3 where user_id = $1 and purpose = any($2) and used_at is null",
        &[user.as_uuid(), &purposes, &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Whether a link of the account is out that is good, and bound to this state.
pub(super) async fn has_link(
    tx: &mut Tx<'_>,
    kind: &Kind,
    user: UserId,
    state: &str,
    now_s: i64,
) -> Result<bool, PgFault> {
    let row = tx
        .query_opt(
            "select 1 from auth.links
             where user_id = $1 and purpose = $2 and used_at is null and expires_at > $3 and data->>'state' = $4 limit 1",
            &[user.as_uuid(), &kind.name, &system_time(now_s), &state],
        )
        .await?;
    Ok(row.is_some())
}

/// Whoever used a link of the account's mail has proven its address.
pub(super) async fn prove_email(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update identity.users set email_verified_at = $2 where user_id = $1 and email_verified_at is null",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

fn link(row: &Row) -> Result<Link, PgFault> {
    Ok(Link {
        user_id: row.try_get::<_, Option<Uuid>>(0)?.map(UserId::from_uuid),
        data: row.try_get(1)?,
        created_s: unix_s(row.try_get(2)?),
    })
}

fn registration(row: &Row) -> Result<Registration, PgFault> {
    let browser = Digest32::try_from(row.try_get::<_, &[u8]>(7)?);
    Ok(Registration {
        id: row.try_get(0)?,
        created_s: unix_s(row.try_get(8)?),
        email: row.try_get(1)?,
        email_key: row.try_get(2)?,
        password_hash: row.try_get(3)?,
        display_name: row.try_get(4)?,
        locale: row.try_get(5)?,
        next: row.try_get(6)?,
        browser: browser.map_err(|_| PgFault::Other("a stored registration cannot be read".into()))?,
    })
}
