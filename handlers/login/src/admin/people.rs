//! One account: made, shown, locked, unlocked, given a password, erased.

use super::{ADMIN, Fault, Who, check_not_deleting, sql};
use crate::accounts::{self, MembershipState, NewUser, UserState};
use crate::claims;
use crate::flows::links::{self, SETUP};
use crate::keys::Keys;
use crate::limits;
use serde_json::{Map, Value, json};
use sigid_core::email::Address;
use sigid_core::ids::{TenantId, UserId};
use sigid_core::secret::{Digest32, Secret};
use sigid_io::clock::Clock;
use sigid_io::pg::{PgFault, Pool};
use sigid_io::rng;
use sigid_platform::outbox::{Act, Change, Event};

/// What the nodes count failures under.
pub type LimitsKey = Secret<[u8; 32]>;

/// What an account is made of.
#[derive(Clone, Debug)]
pub struct NewPerson {
    pub email: Address,
    /// Somebody vouches that the address is the person's.
    pub is_email_verified: bool,
    pub claims: Map<String, Value>,
    /// Without one the account waits for its set-up link to be used.
    pub password_hash: Option<Secret<String>>,
    /// Becomes an active member of it.
    pub tenant: Option<TenantId>,
}

/// An account as an operator sees it.
#[derive(Clone, Debug)]
pub struct Person {
    pub user_id: UserId,
    pub email: String,
    pub email_verified_s: Option<i64>,
    /// When there is a password.
    pub password_changed_s: Option<i64>,
    pub state: UserState,
    pub claims: Map<String, Value>,
    pub locale: Option<String>,
    pub deletes_s: Option<i64>,
    pub created_s: i64,
    pub updated_s: i64,
}

/// A person in one tenant.
#[derive(Clone, Debug)]
pub struct Standing {
    pub tenant_id: TenantId,
    pub slug: String,
    pub sub: String,
    pub state: MembershipState,
    pub consented: Vec<String>,
    pub since_s: i64,
}

/// Makes an account, and the membership that is asked for.
///
/// # Errors
/// [`Fault::BadClaim`], [`Fault::Exists`], the database.
pub async fn create(pool: &Pool, new: &NewPerson, act: Act<'_>) -> Result<Person, Fault> {
    let claims = claims::normalize(&new.claims)?;
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let user_id = accounts::new_user_id(act.now_s);
    let user = NewUser {
        user_id,
        email: &new.email.shown,
        email_key: &new.email.key,
        email_verified_s: new.is_email_verified.then_some(act.now_s),
        password_hash: new.password_hash.as_ref().map(|hash| hash.expose().as_str()),
        claims: &claims,
        locale: claims::language(&claims),
    };
    if !accounts::insert_user(change.tx(), &user, act.now_s).await? {
        return Err(Fault::Exists);
    }
    if let Some(tenant) = new.tenant {
        accounts::join(change.tx(), tenant, user_id, MembershipState::Active, act.now_s).await?;
    }
    record(&mut change, user_id, "user.created", json!({ "by": act.actor })).await?;
    let made = sql::find_by_id(change.tx(), user_id).await?.ok_or(Fault::Unknown)?;
    change.commit().await?;
    Ok(made)
}

/// The account of that name, or none.
///
/// # Errors
/// The database.
pub async fn find(pool: &Pool, who: &Who) -> Result<Option<Person>, Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    let found = sql::find(&mut tx, who).await?;
    tx.rollback().await?;
    Ok(found)
}

/// The account, where it is a member, and how many sessions are alive.
///
/// # Errors
/// [`Fault::Unknown`], the database.
pub async fn load(pool: &Pool, who: &Who, now_s: i64) -> Result<(Person, Vec<Standing>, i64), Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    let person = sql::find(&mut tx, who).await?.ok_or(Fault::Unknown)?;
    let standings = sql::load_standings(&mut tx, person.user_id).await?;
    let sessions = sql::count_sessions(&mut tx, person.user_id, now_s).await?;
    tx.rollback().await?;
    Ok((person, standings, sessions))
}

/// Locks the account: no sign-in, and everything that came of one is dead. Doing it twice is no fault and does nothing.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::Deleting`], the database.
pub async fn disable(pool: &Pool, keys: &Keys, who: &Who, clock: &Clock, act: Act<'_>) -> Result<Person, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?.with_clock(clock);
    let person = lock(&mut change, who).await?;
    check_not_deleting(person.state)?;
    if person.state == UserState::Disabled {
        return Ok(person);
    }
    move_state(&mut change, &person, UserState::Disabled).await?;
    let ended = end_access(&mut change, keys, person.user_id).await?;
    record(&mut change, person.user_id, "user.disabled", json!({ "sessions": ended })).await?;
    change.commit().await?;
    Ok(Person { state: UserState::Disabled, updated_s: act.now_s, ..person })
}

/// Unlocks the account. What died stays dead, and so does what a sign-in may have begun while the disabling was on its
/// way.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::Deleting`], the database.
pub async fn enable(pool: &Pool, keys: &Keys, who: &Who, clock: &Clock, act: Act<'_>) -> Result<Person, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?.with_clock(clock);
    let person = lock(&mut change, who).await?;
    check_not_deleting(person.state)?;
    if person.state == UserState::Active {
        return Ok(person);
    }
    move_state(&mut change, &person, UserState::Active).await?;
    end_access(&mut change, keys, person.user_id).await?;
    record(&mut change, person.user_id, "user.enabled", json!({})).await?;
    change.commit().await?;
    Ok(Person { state: UserState::Active, updated_s: act.now_s, ..person })
}

/// Forgives failed sign-ins, so that a person whom strangers have locked out gets in; every node knows within a second.
/// `limits_key` is the one the nodes count under.
///
/// # Errors
/// [`Fault::Unknown`], the database.
pub async fn unlock(pool: &Pool, limits_key: &LimitsKey, who: &Who, act: Act<'_>) -> Result<Person, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let person = lock(&mut change, who).await?;
    forgive(&mut change, limits_key, &person).await?;
    record(&mut change, person.user_id, "user.unlocked", json!({})).await?;
    change.commit().await?;
    Ok(person)
}

/// Gives the account another password, ends what came of the old one, and forgives failed sign-ins.
///
/// # Errors
/// [`Fault::Unknown`], the database.
pub async fn set_password(
    pool: &Pool,
    keys: &Keys,
    limits_key: &LimitsKey,
    who: &Who,
    hash: &Secret<String>,
    clock: &Clock,
    act: Act<'_>,
) -> Result<Person, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?.with_clock(clock);
    let person = lock(&mut change, who).await?;
    accounts::set_password(change.tx(), person.user_id, hash.expose(), act.now_s).await?;
    forgive(&mut change, limits_key, &person).await?;
    let ended = end_access(&mut change, keys, person.user_id).await?;
    record(&mut change, person.user_id, "user.password_set", json!({ "sessions": ended })).await?;
    change.commit().await?;
    Ok(Person { password_changed_s: Some(act.now_s), updated_s: act.now_s, ..person })
}

/// Erases the account at once. Its memberships stay as subjects without a person, so that none is given to somebody
/// else; what an operator may still read of it is in the events, which name it by its id.
///
/// # Errors
/// [`Fault::Unknown`], the database.
pub async fn delete(pool: &Pool, keys: &Keys, who: &Who, clock: &Clock, act: Act<'_>) -> Result<Person, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?.with_clock(clock);
    let person = lock(&mut change, who).await?;
    end_access(&mut change, keys, person.user_id).await?;
    sql::remove_memberships(change.tx(), person.user_id, act.now_s).await?;
    sql::forget(change.tx(), person.user_id).await?;
    accounts::delete_user(change.tx(), person.user_id).await?;
    record(&mut change, person.user_id, "user.deleted", json!({ "by": act.actor })).await?;
    change.commit().await?;
    Ok(person)
}

/// A link under which the account's password can be set once, within a day. Links that were made before are worthless
/// from here on.
///
/// # Errors
/// [`Fault::Unknown`], [`Fault::NotActive`], the database.
pub async fn setup_link(
    pool: &Pool,
    keys: &Keys,
    issuer: &str,
    who: &Who,
    act: Act<'_>,
) -> Result<(Person, Secret<String>), Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?;
    let person = lock(&mut change, who).await?;
    if person.state != UserState::Active {
        return Err(Fault::NotActive);
    }
    let value = keys.opaque.mint(SETUP.purpose, rng::random());
    let digest = Digest32::of(value.expose().as_bytes());
    sql::burn_setup_links(change.tx(), person.user_id, act.now_s).await?;
    links::insert(change.tx(), &SETUP, &digest, act.now_s, Some(person.user_id), &json!({})).await?;
    let expires_s = act.now_s.saturating_add(SETUP.lifetime_s);
    record(&mut change, person.user_id, "user.setup_link_made", json!({ "expires_s": expires_s })).await?;
    change.commit().await?;
    Ok((person, links::url(issuer, &SETUP, &value)))
}

/// The account, held against other changes until this one ends.
pub(super) async fn lock(change: &mut Change<'_>, who: &Who) -> Result<Person, Fault> {
    let person = sql::lock(change.tx(), who).await?.ok_or(Fault::Unknown)?;
    // Whoever was handed something meanwhile held the row until now.
    change.refresh();
    Ok(person)
}

pub(super) async fn record(
    change: &mut Change<'_>,
    user: UserId,
    event_type: &'static str,
    data: Value,
) -> Result<(), PgFault> {
    change.record(&Event { tenant: None, event_type, subject: &user.to_string(), data }).await
}

async fn forgive(change: &mut Change<'_>, limits_key: &LimitsKey, person: &Person) -> Result<(), Fault> {
    let account = Address::parse(&person.email)?.key;
    let now_s = change.now_s();
    Ok(limits::clear_stored(change.tx(), limits_key, &account, now_s).await?)
}

async fn move_state(change: &mut Change<'_>, person: &Person, to: UserState) -> Result<(), PgFault> {
    let now_s = change.now_s();
    if accounts::move_state(change.tx(), person.user_id, person.state, to, None, now_s).await? {
        Ok(())
    } else {
        Err(PgFault::Serialization)
    }
}

/// Ends sessions, what was handed out in them, tokens in every tenant, and links that are still open.
async fn end_access(change: &mut Change<'_>, keys: &Keys, user: UserId) -> Result<usize, PgFault> {
    let now_s = change.now_s();
    let ended = accounts::end_sessions(change, keys, user, None).await?;
    accounts::mark_memberships(change, user).await?;
    sql::burn_links(change.tx(), user, now_s).await?;
    Ok(ended)
}
