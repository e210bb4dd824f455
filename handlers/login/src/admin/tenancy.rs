//! One membership, and the tokens of a person in every tenant.

use super::people::{lock, record};
use super::{ADMIN, Fault, Who};
use crate::accounts::{self, Membership, MembershipState};
use serde_json::json;
use sigid_core::ids::{TenantId, UserId};
use sigid_core::marks::MarkKey;
use sigid_io::clock::Clock;
use sigid_io::pg::{PgFault, Pool};
use sigid_platform::outbox::{Act, Change, Event, Mark};

/// Keeps the person out of one tenant. Doing it twice is no fault and does nothing.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::NoMember`], [`Fault::Invited`], [`Fault::Removed`], the database.
pub async fn suspend(
    pool: &Pool,
    tenant: TenantId,
    who: &Who,
    life_s: i64,
    clock: &Clock,
    act: Act<'_>,
) -> Result<Membership, Fault> {
    let asked = Asked { to: MembershipState::Suspended, event_type: "membership.suspended", back_s: 0, life_s };
    asked.of(pool, tenant, who, clock, act).await
}

/// Lets a suspended member in again; the old tokens stay dead.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::NoMember`], [`Fault::Invited`], [`Fault::Removed`], the database.
pub async fn activate(
    pool: &Pool,
    tenant: TenantId,
    who: &Who,
    life_s: i64,
    clock: &Clock,
    act: Act<'_>,
) -> Result<Membership, Fault> {
    // What was issued while the suspension was on its way.
    let asked = Asked { to: MembershipState::Active, event_type: "membership.activated", back_s: 1, life_s };
    asked.of(pool, tenant, who, clock, act).await
}

/// Ends the membership for good; the subject is never given to somebody else.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::NoMember`], the database.
pub async fn remove(
    pool: &Pool,
    tenant: TenantId,
    who: &Who,
    life_s: i64,
    clock: &Clock,
    act: Act<'_>,
) -> Result<Membership, Fault> {
    let asked = Asked { to: MembershipState::Removed, event_type: "membership.removed", back_s: 0, life_s };
    asked.of(pool, tenant, who, clock, act).await
}

/// Kills every token of the person, in each tenant, issued at or before `at_s`.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::Future`], the database.
pub async fn revoke_before(pool: &Pool, who: &Who, at_s: i64, life_s: i64, act: Act<'_>) -> Result<UserId, Fault> {
    if at_s > act.now_s {
        return Err(Fault::Future);
    }
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let user = lock(&mut change, who).await?.user_id;
    for membership in accounts::load_memberships(change.tx(), user).await? {
        change.mark(mark(&membership, at_s, act.now_s, life_s)).await?;
    }
    record(&mut change, user, "user.tokens_revoked", json!({ "at_s": at_s })).await?;
    change.commit().await?;
    Ok(user)
}

/// A move that was asked for.
struct Asked {
    to: MembershipState,
    event_type: &'static str,
    /// How long before the move the mark is.
    back_s: i64,
    life_s: i64,
}

impl Asked {
    async fn of(
        self,
        pool: &Pool,
        tenant: TenantId,
        who: &Who,
        clock: &Clock,
        act: Act<'_>,
    ) -> Result<Membership, Fault> {
        let mut change = Change::begin(pool, ADMIN, act).await?.with_clock(clock);
        let user = lock(&mut change, who).await?.user_id;
        let member = accounts::find_membership(change.tx(), tenant, user).await?.ok_or(Fault::NoMember)?;
        if member.state == self.to {
            return Ok(member);
        }
        check_move(member.state, self.to)?;
        let (from, to) = (member.state, self.to);
        if !accounts::move_membership(change.tx(), tenant, user, from, to, act.now_s).await? {
            return Err(PgFault::Serialization.into());
        }
        let mark_s = change.now_s().saturating_sub(self.back_s);
        change.mark(mark(&member, mark_s, act.now_s, self.life_s)).await?;
        let (event_type, subject) = (self.event_type, &member.sub);
        let data = json!({ "user_id": user.to_string(), "from": from.as_str() });
        change.record(&Event { tenant: Some(tenant), event_type, subject, data }).await?;
        change.commit().await?;
        Ok(Membership { state: to, ..member })
    }
}

/// Which move an operator may make. An invitation cannot be suspended: what is suspended can be made active, and only
/// the person accepts.
fn check_move(from: MembershipState, to: MembershipState) -> Result<(), Fault> {
    match (from, to) {
        (_, MembershipState::Removed)
        | (MembershipState::Active, MembershipState::Suspended)
        | (MembershipState::Suspended, MembershipState::Active) => Ok(()),
        (MembershipState::Removed, _) => Err(Fault::Removed),
        _ => Err(Fault::Invited),
    }
}

/// Kept at least as long as anything it could concern, whatever lifetimes were configured before.
fn mark(member: &Membership, at_s: i64, now_s: i64, life_s: i64) -> Mark {
    Mark {
        tenant: member.tenant_id,
        key: MarkKey::subject(member.tenant_id, &member.sub),
        at_s,
        expires_s: now_s.saturating_add(life_s.max(LIFE_MIN_S)),
    }
}

/// Refresh tokens live at most a year.
const LIFE_MIN_S: i64 = 366 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_makes_nobody_a_member() {
        use MembershipState::{Active, Invited, Removed, Suspended};
        for (reason, from, to, may) in [
            ("an active one is kept out", Active, Suspended, true),
            ("an invitation is not suspended, or it could be made active", Invited, Suspended, false),
            ("a suspended one is let in", Suspended, Active, true),
            ("an invitation is the person's to accept", Invited, Active, false),
            ("what was removed stays so", Removed, Active, false),
            ("what was removed is not suspended", Removed, Suspended, false),
            ("everybody can be removed: active", Active, Removed, true),
            ("everybody can be removed: invited", Invited, Removed, true),
            ("everybody can be removed: suspended", Suspended, Removed, true),
        ] {
            assert_eq!(check_move(from, to).is_ok(), may, "{reason}");
        }
    }
}
