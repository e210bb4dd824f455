//! Accounts and memberships: who a person is to SigID, and to each tenant.
//!
//! ```text
//! account     (registration proven, imported, or made by an administrator) -> active <-> disabled
//!             active -> deleting (grace period) -> erased;  deleting -> active, when its owner wants it back
//! membership  (none) -> active | invited -> active <-> suspended;  any -> removed
//! ```
//!
//! One account for the whole installation, and for each tenant a membership with a random subject of its own: two
//! tenants cannot tell that they know the same person. A tenant may suspend or remove a membership; it can set nothing
//! of the account. An address is looked up by its one normalized spelling ([`sigid_core::email`]), and belongs to the
//! account that proved it first.
//!
//! Whatever ends access (disabling, a new password, deletion) ends the sessions' rows and writes the marks under which
//! their cookies and tokens die, in the same transaction ([`end_sessions`], [`mark_memberships`]). Marks are dated when the
//! rows are held, not when somebody asked: a hash, a queue or an operator at a prompt may lie between, and what was
//! handed out meanwhile must die too.
//!
//! Attacks considered: a tenant that imports a stranger's address (an invited membership, no credential); an erased
//! account's subject given to somebody else (subjects are random and stay in their row); two registrations of one
//! address in different spellings (one unique key).

mod model;
mod sql;

pub use model::{Membership, MembershipState, NewUser, User, UserState};
pub use sql::{
    delete_user, find_by_email, find_membership, find_user, insert_user, load_due_deletions, load_memberships,
    move_membership, move_state, set_claims, set_email, set_locale, set_password, upgrade_hash,
};

use crate::keys::Keys;
use sigid_core::b64;
use sigid_core::ids::{SessionId, TenantId, UserId};
use sigid_core::marks::MarkKey;
use sigid_io::pg::{PgFault, Tx};
use sigid_io::rng;
use sigid_platform::outbox::{Change, Mark};
use uuid::Builder;

/// A new account's id.
pub fn new_user_id(now_s: i64) -> UserId {
    let now_ms = u64::try_from(now_s).unwrap_or(0).saturating_mul(1000);
    UserId::from_uuid(Builder::from_unix_timestamp_millis(now_ms, &rng::random()).into_uuid())
}

/// The membership of a person in a tenant, made with a fresh subject if there is none.
///
/// # Errors
/// The database refused.
pub async fn join(
    tx: &mut Tx<'_>,
    tenant: TenantId,
    user: UserId,
    state: MembershipState,
    now_s: i64,
) -> Result<Membership, PgFault> {
    let mut sub = String::with_capacity(22);
    b64::encode_into(&rng::random::<16>(), &mut sub);
    sql::insert_membership(tx, tenant, user, &sub, state, now_s).await?;
    find_membership(tx, tenant, user).await?.ok_or(PgFault::Serialization)
}

/// Ends the sessions of a person, but one, with everything that was handed out in them. Gives how many ended.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn end_sessions(
    change: &mut Change<'_>,
    keys: &Keys,
    user: UserId,
    but: Option<SessionId>,
) -> Result<usize, PgFault> {
    let now_s = change.now_s();
    let ended = crate::sessions::sql::end_all(change.tx(), user, but, now_s).await?;
    // Who was handed something in one of them held its row until now.
    change.refresh();
    let handed = crate::sessions::sql::load_handed(change.tx(), &ended).await?;
    mark_sessions(change, keys, handed).await?;
    Ok(ended.len())
}

/// Kills what was handed to applications in these sessions.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn mark_sessions(
    change: &mut Change<'_>,
    keys: &Keys,
    mut handed: Vec<(SessionId, TenantId)>,
) -> Result<(), PgFault> {
    handed.sort_unstable();
    handed.dedup();
    for (session, tenant) in handed {
        let key = MarkKey::session(tenant, &keys.shown_session(session, tenant));
        change.mark(mark(tenant, key, change.now_s())).await?;
    }
    Ok(())
}

/// Kills every token and cookie of a person, in each tenant.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn mark_memberships(change: &mut Change<'_>, user: UserId) -> Result<(), PgFault> {
    for membership in load_memberships(change.tx(), user).await? {
        let key = MarkKey::subject(membership.tenant_id, &membership.sub);
        change.mark(mark(membership.tenant_id, key, change.now_s())).await?;
    }
    Ok(())
}

fn mark(tenant: TenantId, key: MarkKey, now_s: i64) -> Mark {
    Mark { tenant, key, at_s: now_s, expires_s: now_s.saturating_add(MARK_LIFE_S) }
}

/// Marks outlive everything that was issued to a person: refresh tokens live at most a year.
const MARK_LIFE_S: i64 = 366 * 86_400;
