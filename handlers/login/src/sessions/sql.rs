//! The rows of sessions. A session's id is its time, which names its partition.

use super::{Listed, Stored};
use serde_json::Value;
use sigid_core::ids::{ClientId, SessionId, TenantId, UserId};
use sigid_core::secret::Digest32;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use uuid::Uuid;

pub(super) async fn insert(tx: &mut Tx<'_>, session: &Stored, digest: &Digest32) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.sessions (session_id, created_at, digest, user_id, authentications, acr, seen_at, expires_at,
                                    user_agent, address, binding)
         values ($1, $2, $3, $4, $5, $6, $2, $7, $8, $9, $10)",
        &[
            session.session_id.as_uuid(),
            &created_at(session.session_id),
            &digest.as_bytes().as_slice(),
            session.user_id.as_uuid(),
            &session.authentications,
            &session.acr,
            &system_time(session.expires_s),
            &session.user_agent,
            &session.address,
            &session.binding.as_ref().map(|binding| binding.as_bytes().as_slice()),
        ],
    )
    .await
    .map(|_| ())
}

/// The session, if it has this digest and has not ended, with its account's state.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    session_id: SessionId,
    digest: &Digest32,
) -> Result<Option<(Stored, String)>, PgFault> {
    let row = tx
        .query_opt(
            "select s.session_id, s.user_id, s.authentications, s.acr, s.seen_at, s.expires_at, s.user_agent, s.address,
                    s.binding, u.state
             from auth.sessions s join identity.users u on u.user_id = s.user_id
             where s.session_id = $1 and s.created_at = $2 and s.digest = $3 and s.ended_at is null",
            &[session_id.as_uuid(), &created_at(session_id), &digest.as_bytes().as_slice()],
        )
        .await?;
    row.as_ref().map(|row| Ok((stored(row)?, row.try_get(9)?))).transpose()
}

/// What a person sees of the sessions that are alive, the newest first.
pub(super) async fn list(
    tx: &mut Tx<'_>,
    user: UserId,
    begun_after_s: i64,
    now_s: i64,
    rows_max: i64,
) -> Result<Vec<Listed>, PgFault> {
    let rows = tx
        .query(
            "select session_id, authentications, seen_at, user_agent, address from auth.sessions
             where user_id = $1 and created_at >= $2 and ended_at is null and expires_at > $3
             order by created_at desc limit $4",
            &[user.as_uuid(), &system_time(begun_after_s), &system_time(now_s), &rows_max],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Listed {
                session_id: SessionId::from_uuid(row.try_get(0)?),
                authentications: row.try_get(1)?,
                seen_s: unix_s(row.try_get(2)?),
                user_agent: row.try_get(3)?,
                address: row.try_get(4)?,
            })
        })
        .collect()
}

/// Whether the person had another session not later than this one, as far as sessions are kept.
pub(super) async fn has_earlier(tx: &mut Tx<'_>, user: UserId, session: SessionId) -> Result<bool, PgFault> {
    let row = tx
        .query_one(
            "select exists (select from auth.sessions where user_id = $1 and created_at <= $3 and session_id <> $2)",
            &[user.as_uuid(), session.as_uuid(), &created_at(session)],
        )
        .await?;
    Ok(row.try_get(0)?)
}

/// Ends one session of the person; false when it is not theirs or over.
pub(super) async fn end(tx: &mut Tx<'_>, user: UserId, session: SessionId, now_s: i64) -> Result<bool, PgFault> {
    let ended = tx
        .execute(
            "update auth.sessions set ended_at = $4
             where session_id = $1 and created_at = $2 and user_id = $3 and ended_at is null",
            &[session.as_uuid(), &created_at(session), user.as_uuid(), &system_time(now_s)],
        )
        .await?;
    Ok(ended == 1)
}

/// Ends the person's sessions but one, and names them.
pub(crate) async fn end_all(
    tx: &mut Tx<'_>,
    user: UserId,
    but: Option<SessionId>,
    now_s: i64,
) -> Result<Vec<SessionId>, PgFault> {
    let rows = tx
        .query(
            "update auth.sessions set ended_at = $2
             where user_id = $1 and ended_at is null and session_id is distinct from $3 returning session_id",
            &[user.as_uuid(), &system_time(now_s), &but.as_ref().map(SessionId::as_uuid)],
        )
        .await?;
    rows.iter().map(|row| Ok(SessionId::from_uuid(row.try_get(0)?))).collect()
}

/// The tenants to whose applications something was handed in these sessions.
pub(crate) async fn load_handed(
    tx: &mut Tx<'_>,
    sessions: &[SessionId],
) -> Result<Vec<(SessionId, TenantId)>, PgFault> {
    if sessions.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = sessions.iter().map(|session| *session.as_uuid()).collect();
    let times: Vec<SystemTime> = sessions.iter().map(|session| created_at(*session)).collect();
    let rows = tx
        .query(
            "select distinct c.session_id, c.tenant_id
             from unnest($1::uuid[], $2::timestamptz[]) as ended (session_id, created_at)
             join auth.session_clients c on c.session_id = ended.session_id and c.created_at = ended.created_at",
            &[&ids, &times],
        )
        .await?;
    rows.iter().map(|row| Ok((SessionId::from_uuid(row.try_get(0)?), TenantId::from_uuid(row.try_get(1)?)))).collect()
}

/// Remembers that an application was handed something in a session.
pub(super) async fn insert_client(
    tx: &mut Tx<'_>,
    session: SessionId,
    tenant: TenantId,
    client: &ClientId,
    sub: &str,
) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.session_clients (session_id, created_at, client_id, tenant_id, sub)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
        &[session.as_uuid(), &created_at(session), &client.as_str(), tenant.as_uuid(), &sub],
    )
    .await
    .map(|_| ())
}

/// Moves the last-seen times of many sessions at once. One that somebody holds is passed over, so that this, which takes
/// sessions of many people in any order, waits for nobody; it is seen again at its next request.
pub(super) async fn touch(tx: &mut Tx<'_>, seen: &[(SessionId, i64)]) -> Result<(), PgFault> {
    let ids: Vec<Uuid> = seen.iter().map(|(session, _)| *session.as_uuid()).collect();
    let times: Vec<SystemTime> = seen.iter().map(|(session, _)| created_at(*session)).collect();
    let moments: Vec<SystemTime> = seen.iter().map(|(_, at_s)| system_time(*at_s)).collect();
    tx.execute(
        "with free as (
           select s.session_id, s.created_at, seen.seen_at
           from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as seen (session_id, created_at, seen_at)
           join auth.sessions s on s.session_id = seen.session_id and s.created_at = seen.created_at
           where s.seen_at < seen.seen_at for no key update of s skip locked
         )
         update auth.sessions s set seen_at = free.seen_at from free
         where s.session_id = free.session_id and s.created_at = free.created_at",
        &[&ids, &times, &moments],
    )
    .await
    .map(|_| ())
}

/// The moment that a session's id holds.
pub(crate) fn created_at(session: SessionId) -> SystemTime {
    let time = session.as_uuid().get_timestamp().map(|time| time.to_unix());
    let (s, ns) = time.unwrap_or_default();
    UNIX_EPOCH + Duration::new(s, ns)
}

fn stored(row: &Row) -> Result<Stored, PgFault> {
    let binding: Option<&[u8]> = row.try_get(8)?;
    let binding = binding.map(Digest32::try_from).transpose();
    Ok(Stored {
        session_id: SessionId::from_uuid(row.try_get(0)?),
        user_id: UserId::from_uuid(row.try_get(1)?),
        authentications: row.try_get::<_, Value>(2)?,
        acr: row.try_get(3)?,
        seen_s: unix_s(row.try_get(4)?),
        expires_s: unix_s(row.try_get(5)?),
        user_agent: row.try_get(6)?,
        address: row.try_get(7)?,
        binding: binding.map_err(|_| PgFault::Other("a stored session cannot be read".into()))?,
    })
}
