//! Many people from elsewhere: lines of JSON, or a table of comma-separated values.
//!
//! ```text
//! line -> row -> (account made, active member)            the address had no account
//!             -> (membership invited, hash dropped)       the address has one: it belongs to whoever proved it
//!             -> (nothing)                                a member already
//!      -> refused, with its reason
//! ```
//!
//! **A tenant that names another's customer gets nothing of them.** The account is left as it is, the hash that came
//! with the row is dropped, and the membership is an invitation that only the person accepts. Addresses are unverified
//! unless the operator vouches for the file. So whoever can write an import file can make accounts for addresses that
//! have none, and their true owner takes such an account over by recovery, which ends every session.
//!
//! A row is named by its address and made in one statement for the whole batch with "do nothing" on conflict, so the
//! same file can be loaded again, from anywhere, any number of times, by several programs at once. A batch is one
//! transaction: its rows are all there or none is.
//!
//! Passwords in the clear are refused: a file of them would outlive the import. Hashes are taken in the formats of
//! [`crate::password`], kept in one of them, and upgraded at the next sign-in. One that no sign-in could verify, because it
//! costs too much time or more memory than a hash thread has, is refused here, where somebody can still do something
//! about it.
//!
//! Limits: [`BATCH_ROWS_MAX`], [`LINE_BYTES_MAX`], a claim's own. Attacks considered: a file that is not what it seems
//! (every row is checked before any is written; a refusal names line and reason and repeats no value), a hash that asks
//! for gigabytes or minutes (refused with what it may cost at most), another spelling of somebody's address (one key).

pub mod csv;
mod row;

pub use row::{Columns, HeaderFault, Row, RowFault};

use super::{ADMIN, Fault, sql};
use serde_json::json;
use sigid_core::ids::TenantId;
use sigid_io::pg::Pool;
use sigid_platform::outbox::{Act, Change, Event};

/// Rows of one transaction.
pub const BATCH_ROWS_MAX: usize = 1000;
/// The longest line, and the longest record of a table.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Accounts made, with an active membership.
    pub created: u64,
    /// Addresses that had an account, now invited.
    pub invited: u64,
    /// Members already.
    pub present: u64,
}

/// Brings a batch in. The rows have different addresses; at most [`BATCH_ROWS_MAX`].
///
/// # Errors
/// The database; [`sigid_io::pg::PgFault::Serialization`] may be tried again.
pub async fn load(pool: &Pool, tenant: TenantId, mut rows: Vec<Row>, act: Act<'_>) -> Result<Tally, Fault> {
    // In one order for everybody, so that two imports never wait for each other.
    rows.sort_by(|a, b| a.email.key.cmp(&b.email.key));
    let ids = sql::draw_ids(rows.len(), act.now_s);
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let created = sql::insert_users(change.tx(), &ids, &rows, act.now_s).await?;
    let invited = sql::insert_memberships(change.tx(), tenant, &ids, &rows, act.now_s).await? as u64;
    let present = (rows.len() as u64).saturating_sub(created + invited);
    if created + invited > 0 {
        let data = json!({ "created": created, "invited": invited, "present": present });
        let subject = tenant.to_string();
        let event = Event { tenant: Some(tenant), event_type: "user.imported", subject: &subject, data };
        change.record(&event).await?;
    }
    change.commit().await?;
    Ok(Tally { created, invited, present })
}
