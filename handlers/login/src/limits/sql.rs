//! The counters that the nodes share.

use super::model::{Delta, Rule, Shared};
use sigid_io::clock::system_time;
use sigid_io::pg::{PgFault, Row, Tx};
use std::time::SystemTime;

/// Adds what this node counted. `names` and `deltas` are of one length; no key is in them twice.
pub(super) async fn add(tx: &mut Tx<'_>, names: &[&str], deltas: &[Delta], now_us: i64) -> Result<(), PgFault> {
    let digests: Vec<Vec<u8>> = deltas.iter().map(|delta| delta.key.to_be_bytes().to_vec()).collect();
    let column = |of: fn(&Delta) -> i64| deltas.iter().map(of).collect::<Vec<i64>>();
    let (spent, until_us) = (column(|delta| i64::from(delta.spent)), column(|delta| delta.until_us));
    let (max, cleared_s) = (column(|delta| i64::from(delta.rule.max())), column(|delta| i64::from(delta.cleared_s)));
    let (window_us, lock_us) = (column(|delta| delta.rule.window_us()), column(|delta| delta.rule.lock_us()));
    let unit_us = column(|delta| delta.rule.unit_us());
    // In the order of the keys, so that two nodes wait for each other and never in a circle. What is held is alive
    // unless its time is over or it was forgiven since; the rest follows `Counter::count`.
    tx.execute(
        "insert into auth.limit_counters as held
           (digest, name, spent, until_us, spent_max, window_us, lock_us, unit_us, cleared_s, changed_at)
         select digest, name, case when unit_us = 0 then spent else 0 end,
                case when unit_us = 0 and spent >= spent_max then greatest(until_us, $10 + lock_us) else until_us end,
                spent_max, window_us, lock_us, unit_us, cleared_s, clock_timestamp()
           from unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[], $9::bigint[])
             as told (digest, name, spent, until_us, spent_max, window_us, lock_us, unit_us, cleared_s)
          order by digest
         on conflict (digest) do update set
           spent = case when held.until_us > $10 and excluded.cleared_s <= held.cleared_s then held.spent else 0 end
                   + excluded.spent,
           until_us = case
             when held.until_us <= $10 or excluded.cleared_s > held.cleared_s then excluded.until_us
             when excluded.unit_us > 0
               then least(held.until_us + excluded.until_us - $10, $10 + 2 * excluded.window_us)
             when held.spent < excluded.spent_max and held.spent + excluded.spent >= excluded.spent_max
               then $10 + excluded.lock_us
             else held.until_us end,
           spent_max = excluded.spent_max, window_us = excluded.window_us, lock_us = excluded.lock_us,
           unit_us = excluded.unit_us, cleared_s = greatest(held.cleared_s, excluded.cleared_s),
           changed_at = clock_timestamp()",
        &[&digests, &names, &spent, &until_us, &max, &window_us, &lock_us, &unit_us, &cleared_s, &now_us],
    )
    .await
    .map(drop)
}

/// What has changed at or after `since`, the oldest first.
pub(super) async fn load_changed(
    tx: &mut Tx<'_>,
    since: SystemTime,
    rows_max: i64,
) -> Result<Vec<(String, Shared, SystemTime)>, PgFault> {
    let rows = tx
        .query(
            "select digest, name, spent, until_us, spent_max, window_us, lock_us, cleared_s, changed_at
               from auth.limit_counters where changed_at >= $1 order by changed_at limit $2",
            &[&since, &rows_max],
        )
        .await?;
    Ok(rows.iter().filter_map(read).collect())
}

/// The table's own check makes it whole.
fn read(row: &Row) -> Option<(String, Shared, SystemTime)> {
    let digest: &[u8] = row.get(0);
    let small = |column: usize| u32::try_from(row.get::<_, i64>(column)).unwrap_or(u32::MAX);
    let shared = Shared {
        key: u128::from_be_bytes(digest.try_into().ok()?),
        spent: small(2),
        until_us: row.get(3),
        cleared_s: small(7),
        rule: Rule::from_parts(row.get(4), row.get(5), row.get(6)),
    };
    Some((row.get(1), shared, row.get(8)))
}

/// Deletes counters that hold nothing any more, at most so many. Gives how many.
pub(super) async fn delete_over(tx: &mut Tx<'_>, before_s: i64, rows_max: i64) -> Result<u64, PgFault> {
    tx.execute(
        "delete from auth.limit_counters where digest in (
           select digest from auth.limit_counters where until_us < $1 and changed_at < $2 limit $3)",
        &[&(before_s * 1_000_000), &system_time(before_s), &rows_max],
    )
    .await
}
