//! The rows of a change that are not the area's own.

use serde_json::Value;
use sigid_core::ids::TenantId;
use sigid_io::clock::system_time;
use sigid_io::pg::{PgFault, Tx};
use sigid_io::rng;
use uuid::{Builder, Uuid};

use super::{Act, Event, FeedRow, Mark};

pub(super) async fn insert_event(tx: &mut Tx<'_>, act: Act<'_>, event: &Event<'_>) -> Result<(), PgFault> {
    tx.execute(
        "insert into async.events (event_id, tenant_id, event_type, actor, subject, data, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        &[
            &event_id(act.now_s),
            &event.tenant.as_ref().map(TenantId::as_uuid),
            &event.event_type,
            &act.actor,
            &event.subject,
            &event.data,
            &system_time(act.now_s),
        ],
    )
    .await
    .map(|_| ())
}

pub(super) async fn insert_feed(tx: &mut Tx<'_>, row: &FeedRow, now_s: i64) -> Result<(), PgFault> {
    tx.execute(
        "insert into async.feed (kind, ref, tenant_id, at_s, expires_s, created_at)
         values ($1, $2, $3, $4, $5, $6)",
        &[
            &row.kind,
            &row.reference,
            &row.tenant.as_ref().map(TenantId::as_uuid),
            &row.at_s,
            &row.expires_s,
            &system_time(now_s),
        ],
    )
    .await
    .map(|_| ())
}

pub(super) async fn insert_events(
    tx: &mut Tx<'_>,
    act: Act<'_>,
    tenant: Option<TenantId>,
    event_type: &'static str,
    subjects: &[&str],
    data: &Value,
) -> Result<(), PgFault> {
    let ids: Vec<Uuid> = subjects.iter().map(|_| event_id(act.now_s)).collect();
    tx.execute(
        "insert into async.events (event_id, tenant_id, event_type, actor, subject, data, created_at)
         select event_id, $2, $3, $4, subject, $6, $7
         from unnest($1::uuid[], $5::text[]) as made (event_id, subject)",
        &[
            &ids,
            &tenant.as_ref().map(TenantId::as_uuid),
            &event_type,
            &act.actor,
            &subjects,
            &data,
            &system_time(act.now_s),
        ],
    )
    .await
    .map(|_| ())
}

pub(super) async fn insert_feed_rows(tx: &mut Tx<'_>, rows: &[FeedRow], now_s: i64) -> Result<(), PgFault> {
    let kinds: Vec<i16> = rows.iter().map(|row| row.kind).collect();
    let references: Vec<&str> = rows.iter().map(|row| row.reference.as_str()).collect();
    let tenants: Vec<Option<&Uuid>> = rows.iter().map(|row| row.tenant.as_ref().map(TenantId::as_uuid)).collect();
    let at_s: Vec<Option<i64>> = rows.iter().map(|row| row.at_s).collect();
    let expires_s: Vec<Option<i64>> = rows.iter().map(|row| row.expires_s).collect();
    tx.execute(
        "insert into async.feed (kind, ref, tenant_id, at_s, expires_s, created_at)
         select kind, ref, tenant_id, at_s, expires_s, $6
         from unnest($1::smallint[], $2::text[], $3::uuid[], $4::bigint[], $5::bigint[])
             as told (kind, ref, tenant_id, at_s, expires_s)",
        &[&kinds, &references, &tenants, &at_s, &expires_s, &system_time(now_s)],
    )
    .await
    .map(|_| ())
}

pub(super) async fn insert_mark(tx: &mut Tx<'_>, mark: &Mark) -> Result<(), PgFault> {
    tx.execute(
        "insert into auth.marks (mark_key, tenant_id, at_s, expires_at)
         values ($1, $2, $3, $4) on conflict do nothing",
        &[&mark.key.to_bytes().as_slice(), mark.tenant.as_uuid(), &mark.at_s, &system_time(mark.expires_s)],
    )
    .await
    .map(|_| ())
}

pub(super) async fn maintain_partitions(
    tx: &mut Tx<'_>,
    now: std::time::SystemTime,
    family: &str,
) -> Result<(), PgFault> {
    tx.query("select created, dropped, skipped from async.maintain_partitions($1, $2)", &[&now, &family])
        .await
        .map(|_| ())
}

pub(super) async fn load_database_ms(tx: &mut Tx<'_>) -> Result<i64, PgFault> {
    let row = tx.query_one("select (extract(epoch from clock_timestamp()) * 1000)::bigint", &[]).await?;
    Ok(row.try_get(0)?)
}

/// UUID version 7: ordered by the change's time, unguessable within it.
fn event_id(now_s: i64) -> Uuid {
    let now_ms = u64::try_from(now_s).unwrap_or(0).saturating_mul(1000);
    Builder::from_unix_timestamp_millis(now_ms, &rng::random()).into_uuid()
}
