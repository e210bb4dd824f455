//! Administration of people: what an operator's command does to accounts and memberships.
//!
//! ```text
//! account     create -> active <-> disabled;  any -> erased
//! membership  active <-> suspended;  any -> removed
//! ```
//!
//! An operator is above the tenants and is bound all the same: the role of the control plane cannot read a password's
//! hash, it can only replace it; nothing here gives a session to anybody. A person who has no password gets one by a
//! set-up link, which is printed once, is good for a day, and works once.
//!
//! Every change is one transaction of state, event and marks ([`sigid_platform::outbox`]). What takes access away
//! (disable, delete, a new password) ends the sessions' rows, kills what was handed to applications in them and the
//! subjects of the memberships, and makes the links that were still open worthless. Enabling revives nothing: it ends
//! what a sign-in may have begun while the disabling was on its way. Suspending or removing a membership kills the one
//! subject, and leaves the account and the other tenants alone.
//!
//! [`import`] brings many people from elsewhere, [`export`] hands them out; [`bootstrap`] makes the first
//! administrator of an installation that has nobody.
//!
//! Limits: [`import::BATCH_ROWS_MAX`], [`import::LINE_BYTES_MAX`], [`export::PAGE_ROWS_MAX`]; a claim is bounded in
//! [`crate::claims`], a link's life in [`crate::flows::links`].
//! Attacks considered: an operator's typing mistake (an account is named whole, by address or id); a tenant's file that
//! names another's customer ([`import`]); a set-up link that outlives its purpose (a new password, disabling and
//! deletion burn it); a hash in a terminal's scrollback (it is never read).

pub mod bootstrap;
pub mod config;
pub mod export;
pub mod import;
mod people;
mod sql;
mod tenancy;

pub use people::{
    LimitsKey, NewPerson, Person, Standing, create, delete, disable, enable, find, load, set_password, setup_link,
    unlock,
};
pub use tenancy::{activate, remove, revoke_before, suspend};

use crate::accounts::UserState;
use crate::claims::ClaimFault;
use sigid_core::email::{Address, AddressFault};
use sigid_core::ids::UserId;
use sigid_edge::feature::Feature;
use sigid_io::pg::{PgFault, Scope};
use std::fmt;

pub const FEATURE: Feature = Feature {
    name: "users",
    section: Some("admin"),
    routes: &[],
    jobs: &[],
    events: &[
        "membership.activated",
        "membership.removed",
        "membership.suspended",
        "user.created",
        "user.deleted",
        "user.disabled",
        "user.enabled",
        "user.imported",
        "user.password_set",
        "user.setup_link_made",
        "user.tokens_revoked",
        "user.unlocked",
    ],
    discovery: &[],
};

/// Whom an operator names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The normalized address.
    Email(String),
    Id(UserId),
}

impl Who {
    /// An address in any spelling, or an id.
    ///
    /// # Errors
    /// [`Fault::Unknown`]: nobody is called so.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if let Ok(id) = text.parse() {
            return Ok(Self::Id(id));
        }
        Address::parse(text).map(|address| Self::Email(address.key)).map_err(|_| Fault::Unknown)
    }
}

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    BadAddress(AddressFault),
    BadClaim(ClaimFault),
    /// The address has an account.
    Exists,
    Unknown,
    /// The person is no member of the tenant.
    NoMember,
    /// The person leaves, and may still come back.
    Deleting,
    /// A set-up link is for accounts that are active.
    NotActive,
    /// An invitation is accepted by the person.
    Invited,
    /// What was removed stays so.
    Removed,
    /// A mark in the future would kill tokens that do not exist yet.
    Future,
    Database(PgFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAddress(fault) => fault.fmt(f),
            Self::BadClaim(fault) => fault.fmt(f),
            Self::Exists => f.write_str("the address has an account"),
            Self::Unknown => f.write_str("no such user"),
            Self::NoMember => f.write_str("the user is no member of that tenant"),
            Self::Deleting => {
                f.write_str("the user is deleting the account, which signing in may undo; user delete erases it now")
            }
            Self::NotActive => f.write_str("the account is not active"),
            Self::Invited => f.write_str("the user has not accepted the invitation; user remove takes it back"),
            Self::Removed => f.write_str("the membership was removed"),
            Self::Future => f.write_str("tokens can be revoked up to now, not into the future"),
            Self::Database(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl From<AddressFault> for Fault {
    fn from(fault: AddressFault) -> Self {
        Self::BadAddress(fault)
    }
}

impl From<ClaimFault> for Fault {
    fn from(fault: ClaimFault) -> Self {
        Self::BadClaim(fault)
    }
}

/// The state an operator may move an account from.
fn check_not_deleting(state: UserState) -> Result<(), Fault> {
    if state == UserState::Deleting { Err(Fault::Deleting) } else { Ok(()) }
}

/// Whoever administers accounts is above the tenants.
const ADMIN: Scope = Scope::System("admin");

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_by_address_or_id() {
        let id = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b";
        for (reason, text, who) in [
            ("an address", "ann@example.com", Some(Who::Email("ann@example.com".into()))),
            ("the same in another spelling", " ANN@Example.COM. ", Some(Who::Email("ann@example.com".into()))),
            ("an id", id, Some(Who::Id(id.parse().unwrap()))),
            ("a name", "ann", None),
            ("nothing", "", None),
            ("two addresses", "a@example.com,b@example.com", None),
        ] {
            assert_eq!(Who::parse(text).ok(), who, "{reason}");
        }
    }
}
