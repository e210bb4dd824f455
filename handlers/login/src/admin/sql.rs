//! The rows that administration reads and writes beside those of [`crate::accounts`].
//!
//! The role of the control plane has no right to read `password_hash`: no statement here names it but to write it.

use super::Who;
use super::export::Exported;
use super::import::Row as Given;
use super::people::{Person, Standing};
use crate::accounts::{MembershipState, UserState, new_user_id};
use crate::flows::links::SETUP;
use serde_json::Value;
use sigid_core::b64;
use sigid_core::ids::{TenantId, UserId};
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use sigid_io::rng;
use uuid::Uuid;

pub(super) async fn find(tx: &mut Tx<'_>, who: &Who) -> Result<Option<Person>, PgFault> {
    match find_id(tx, who).await? {
        Some(user) => find_by_id(tx, user).await,
        None => Ok(None),
    }
}

/// The account, held until the transaction ends.
pub(super) async fn lock(tx: &mut Tx<'_>, who: &Who) -> Result<Option<Person>, PgFault> {
    let Some(user) = find_id(tx, who).await? else { return Ok(None) };
    tx.query("select user_id from identity.users where user_id = $1 for update", &[user.as_uuid()]).await?;
    find_by_id(tx, user).await
}

async fn find_id(tx: &mut Tx<'_>, who: &Who) -> Result<Option<UserId>, PgFault> {
    let key = match who {
        Who::Id(user) => return Ok(Some(*user)),
        Who::Email(key) => key,
    };
    let row = tx.query_opt("select user_id from identity.users where email_key = $1", &[key]).await?;
    row.map(|row| Ok(UserId::from_uuid(row.try_get(0)?))).transpose()
}

pub(super) async fn find_by_id(tx: &mut Tx<'_>, user: UserId) -> Result<Option<Person>, PgFault> {
    let row = tx
        .query_opt(
            "select user_id, email, email_verified_at, password_changed_at, state, claims, locale, deletes_at,
                    created_at, updated_at
             from identity.users where user_id = $1",
            &[user.as_uuid()],
        )
        .await?;
    row.as_ref().map(person).transpose()
}

pub(super) async fn load_standings(tx: &mut Tx<'_>, user: UserId) -> Result<Vec<Standing>, PgFault> {
    let rows = tx
        .query(
            "select m.tenant_id, t.slug, m.sub, m.state, m.consented, m.created_at
             from identity.memberships m join control.tenants t on t.tenant_id = m.tenant_id
             where m.user_id = $1 order by t.slug",
            &[user.as_uuid()],
        )
        .await?;
    rows.iter().map(standing).collect()
}

pub(super) async fn count_sessions(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<i64, PgFault> {
    let row = tx
        .query_one(
            "select count(*) from auth.sessions where user_id = $1 and ended_at is null and expires_at > $2",
            &[user.as_uuid(), &system_time(now_s)],
        )
        .await?;
    Ok(row.try_get(0)?)
}

pub(super) async fn remove_memberships(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update identity.memberships set state = 'removed', consented = '{}', updated_at = $2 where user_id = $1",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Takes what says where and with what somebody signed in, and which addresses they had, out of rows that wait for their
/// partition to be dropped.
pub(super) async fn forget(tx: &mut Tx<'_>, user: UserId) -> Result<(), PgFault> {
    tx.execute("update auth.sessions set user_agent = '', address = '' where user_id = $1", &[user.as_uuid()]).await?;
    tx.execute("update auth.links set data = '{}' where user_id = $1", &[user.as_uuid()]).await.map(|_| ())
}

/// Uses up every link of the account that is still open.
pub(super) async fn burn_links(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update auth.links set used_at = $2 where user_id = $1 and used_at is null",
        &[user.as_uuid(), &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Uses up the account's set-up links.
pub(super) async fn burn_setup_links(tx: &mut Tx<'_>, user: UserId, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "update auth.links set used_at = $3 where user_id = $1 and purpose = $2 and used_at is null",
        &[user.as_uuid(), &SETUP.name, &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

/// Makes the accounts whose address has none, with the ids that are given, and tells how many were made.
pub(super) async fn insert_users(tx: &mut Tx<'_>, ids: &[UserId], given: &[Given], now_s: i64) -> Result<u64, PgFault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
    let emails: Vec<&str> = given.iter().map(|row| row.email.shown.as_str()).collect();
    let keys: Vec<&str> = given.iter().map(|row| row.email.key.as_str()).collect();
    let verified: Vec<bool> = given.iter().map(|row| row.is_email_verified).collect();
    let hashes: Vec<Option<String>> = given.iter().map(Given::hash).collect();
    let claims: Vec<Value> = given.iter().map(|row| Value::Object(row.claims.clone())).collect();
    let locales: Vec<Option<&str>> = given.iter().map(Given::locale).collect();
    tx.execute(
        "insert into identity.users (user_id, email, email_key, email_verified_at, password_hash, password_changed_at,
                                     claims, locale, created_at, updated_at)
         select user_id, email, email_key, case when verified then $8::timestamptz end, hash,
                case when hash is not null then $8 end, claims, locale, $8, $8
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bool[], $5::text[], $6::jsonb[], $7::text[])
              as given (user_id, email, email_key, verified, hash, claims, locale)
         on conflict (email_key) do nothing",
        &[&ids, &emails, &keys, &verified, &hashes, &claims, &locales, &system_time(now_s)],
    )
    .await
}

/// Makes whoever has one of the addresses a member: active where the account was made with the id that is given, else
/// invited. Tells how many became invited.
pub(super) async fn insert_memberships(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    ids: &[UserId],
    given: &[Given],
    now_s: i64,
) -> Result<usize, PgFault> {
    let ids: Vec<Uuid> = ids.iter().map(|id| *id.as_uuid()).collect();
    let keys: Vec<&str> = given.iter().map(|row| row.email.key.as_str()).collect();
    let subs: Vec<String> = given.iter().map(|_| sub()).collect();
    let rows = tx
        .query(
            "insert into identity.memberships (tenant_id, sub, user_id, state, created_at, updated_at)
             select $1, given.sub, u.user_id, case when u.user_id = given.user_id then 'active' else 'invited' end,
                    $5::timestamptz, $5
             from unnest($2::uuid[], $3::text[], $4::text[]) as given (user_id, email_key, sub)
             join identity.users u on u.email_key = given.email_key
             on conflict (user_id, tenant_id) do nothing returning state = 'invited'",
            &[tenant.as_uuid(), &ids, &keys, &subs, &system_time(now_s)],
        )
        .await?;
    let mut invited = 0;
    for row in &rows {
        invited += usize::from(row.try_get::<_, bool>(0)?);
    }
    Ok(invited)
}

/// Ids for accounts that are to be made at once.
pub(super) fn draw_ids(count: usize, now_s: i64) -> Vec<UserId> {
    (0..count).map(|_| new_user_id(now_s)).collect()
}

/// A page of a tenant's members, by subject.
pub(super) async fn load_members(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    after: &str,
    rows_max: i64,
) -> Result<Vec<Exported>, PgFault> {
    let rows = tx
        .query(
            "select m.sub, m.state, u.email, u.email_verified_at is not null, u.state, u.claims, u.created_at,
                    u.password_changed_at is not null
             from identity.memberships m join identity.users u on u.user_id = m.user_id
             where m.tenant_id = $1 and m.sub > $2 and m.state <> 'removed' order by m.sub limit $3",
            &[tenant.as_uuid(), &after, &rows_max],
        )
        .await?;
    rows.iter().map(exported).collect()
}

fn sub() -> String {
    let mut sub = String::with_capacity(22);
    b64::encode_into(&rng::random::<16>(), &mut sub);
    sub
}

fn person(row: &Row) -> Result<Person, PgFault> {
    let Value::Object(claims) = row.try_get(5)? else { return Err(unreadable()) };
    Ok(Person {
        user_id: UserId::from_uuid(row.try_get(0)?),
        email: row.try_get(1)?,
        email_verified_s: row.try_get::<_, Option<_>>(2)?.map(unix_s),
        password_changed_s: row.try_get::<_, Option<_>>(3)?.map(unix_s),
        state: UserState::parse(row.try_get(4)?).ok_or_else(unreadable)?,
        claims,
        locale: row.try_get(6)?,
        deletes_s: row.try_get::<_, Option<_>>(7)?.map(unix_s),
        created_s: unix_s(row.try_get(8)?),
        updated_s: unix_s(row.try_get(9)?),
    })
}

fn standing(row: &Row) -> Result<Standing, PgFault> {
    Ok(Standing {
        tenant_id: TenantId::from_uuid(row.try_get(0)?),
        slug: row.try_get(1)?,
        sub: row.try_get(2)?,
        state: MembershipState::parse(row.try_get(3)?).ok_or_else(unreadable)?,
        consented: row.try_get(4)?,
        since_s: unix_s(row.try_get(5)?),
    })
}

fn exported(row: &Row) -> Result<Exported, PgFault> {
    let Value::Object(claims) = row.try_get(5)? else { return Err(unreadable()) };
    Ok(Exported {
        sub: row.try_get(0)?,
        membership: MembershipState::parse(row.try_get(1)?).ok_or_else(unreadable)?,
        email: row.try_get(2)?,
        is_email_verified: row.try_get(3)?,
        state: UserState::parse(row.try_get(4)?).ok_or_else(unreadable)?,
        claims,
        created_s: unix_s(row.try_get(6)?),
        has_password: row.try_get(7)?,
    })
}

fn unreadable() -> PgFault {
    PgFault::Other("a stored account cannot be read".into())
}
