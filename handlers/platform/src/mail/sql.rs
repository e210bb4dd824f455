//! The rows of `async.mail`. A mark carries the number of the attempt, so that one whose lease ran out marks nothing.

use super::{LEASE_S, LETTERS_HOURLY_MAX, Letter, Queued};
use sigid_core::ids::TenantId;
use sigid_io::clock::{system_time, unix_s};
use sigid_io::pg::{PgFault, Row, Tx};
use std::time::SystemTime;
use uuid::Uuid;

/// A letter that is this process's until the lease ends.
pub(super) struct Claimed {
    pub queued: Queued,
    created_at: SystemTime,
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    mail_id: Uuid,
    letter: &Letter<'_>,
    recipient_key: &str,
    now_s: i64,
) -> Result<(), PgFault> {
    tx.execute(
        "insert into async.mail (mail_id, created_at, tenant_id, template, locale, recipient, recipient_key, data, next_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $2)",
        &[
            &mail_id,
            &system_time(now_s),
            &letter.tenant.as_ref().map(TenantId::as_uuid),
            &letter.template,
            &letter.locale,
            &letter.recipient,
            &recipient_key,
            &letter.data,
        ],
    )
    .await
    .map(|_| ())
}

/// Takes at most `count` letters that are due. Of a crowd, those before a letter are those that were taken before it, and
/// those that come first in the order of the queue: ids of one second have none. What was dropped does not count, and is in
/// no index that this reads.
pub(super) async fn claim(tx: &mut Tx<'_>, count: i64, now_s: i64) -> Result<Vec<Claimed>, PgFault> {
    let rows = tx
        .query(
            "with due as (
               select mail_id, created_at from async.mail where state = 'queued' and next_at <= $1
               order by next_at, created_at, mail_id limit $2 for update skip locked
             )
             update async.mail m set attempts = m.attempts + 1, next_at = $3
             from due where m.mail_id = due.mail_id and m.created_at = due.created_at
             returning m.mail_id, m.created_at, m.tenant_id, m.template, m.locale, m.recipient, m.data, m.attempts,
               m.attempts = 1 and m.recipient_key <> '' and $4 <= (select count(*) from (
                 select from async.mail other
                 where other.recipient_key = m.recipient_key and other.template = m.template and other.state <> 'dropped'
                   and other.created_at > m.created_at - interval '1 hour' and other.mail_id <> m.mail_id
                   and (other.attempts > 0 or (other.created_at, other.mail_id) < (m.created_at, m.mail_id))
                 limit $4) as others)",
            &[&system_time(now_s), &count, &system_time(now_s + LEASE_S), &LETTERS_HOURLY_MAX],
        )
        .await?;
    rows.iter().map(|row| read(row, now_s)).collect()
}

fn read(row: &Row, now_s: i64) -> Result<Claimed, PgFault> {
    let created_at: SystemTime = row.try_get(1)?;
    let queued = Queued {
        mail_id: row.try_get(0)?,
        tenant: row.try_get::<_, Option<Uuid>>(2)?.map(TenantId::from_uuid),
        template: row.try_get(3)?,
        locale: row.try_get(4)?,
        recipient: row.try_get(5)?,
        data: row.try_get(6)?,
        created_s: unix_s(created_at),
        attempts: row.try_get(7)?,
        now_s,
        is_crowd: row.try_get(8)?,
    };
    Ok(Claimed { queued, created_at })
}

/// `false` when the claim was no longer ours.
pub(super) async fn retry(tx: &mut Tx<'_>, claimed: &Claimed, next_s: i64, fault: &str) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update async.mail set next_at = $4, fault = $5
             where mail_id = $1 and created_at = $2 and attempts = $3 and state = 'queued'",
            &[&claimed.queued.mail_id, &claimed.created_at, &claimed.queued.attempts, &system_time(next_s), &fault],
        )
        .await?;
    Ok(changed == 1)
}

/// `false` when the claim was no longer ours.
pub(super) async fn finish(
    tx: &mut Tx<'_>,
    claimed: &Claimed,
    state: &'static str,
    sent_s: Option<i64>,
    fault: Option<&str>,
) -> Result<bool, PgFault> {
    let changed = tx
        .execute(
            "update async.mail set state = $4, sent_at = $5, fault = $6
             where mail_id = $1 and created_at = $2 and attempts = $3 and state = 'queued'",
            &[
                &claimed.queued.mail_id,
                &claimed.created_at,
                &claimed.queued.attempts,
                &state,
                &sent_s.map(system_time),
                &fault,
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// How many letters wait; counted up to a bound, so that a look stays cheap.
pub(super) async fn count_waiting(tx: &mut Tx<'_>) -> Result<i64, PgFault> {
    let sql = "select count(*) from (select from async.mail where state = 'queued' limit 10000) as waiting";
    Ok(tx.query_one(sql, &[]).await?.try_get(0)?)
}
