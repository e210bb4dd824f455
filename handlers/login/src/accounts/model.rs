//! What an account and a membership are.

use serde_json::{Map, Value};
use sigid_core::ids::{TenantId, UserId};
use std::fmt;

/// The state of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserState {
    Active,
    /// By an administrator.
    Disabled,
    /// By its owner; erased when the grace period ends.
    Deleting,
}

impl UserState {
    pub const ALL: [Self; 3] = [Self::Active, Self::Disabled, Self::Deleting];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Deleting => "deleting",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// An account. `password_hash` is there only where the role may read it.
#[derive(Clone)]
pub struct User {
    pub user_id: UserId,
    /// As its owner wrote it.
    pub email: String,
    /// As it is looked up.
    pub email_key: String,
    pub email_verified_s: Option<i64>,
    pub password_hash: Option<String>,
    /// When a person or an administrator last set it.
    pub password_changed_s: Option<i64>,
    pub state: UserState,
    /// Standard claims (OpenID Connect Core 5.1), but `sub`, `email` and `updated_at`.
    pub claims: Map<String, Value>,
    pub locale: Option<String>,
    pub deletes_s: Option<i64>,
    pub created_s: i64,
    pub updated_s: i64,
}

/// Names no hash.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("user_id", &self.user_id).field("state", &self.state).finish_non_exhaustive()
    }
}

/// What an account begins with.
pub struct NewUser<'a> {
    pub user_id: UserId,
    pub email: &'a str,
    pub email_key: &'a str,
    pub email_verified_s: Option<i64>,
    pub password_hash: Option<&'a str>,
    pub claims: &'a Map<String, Value>,
    pub locale: Option<&'a str>,
}

/// The state of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MembershipState {
    Invited,
    Active,
    Suspended,
    Removed,
}

impl MembershipState {
    pub const ALL: [Self; 4] = [Self::Invited, Self::Active, Self::Suspended, Self::Removed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A person as one tenant knows them.
#[derive(Clone, Debug)]
pub struct Membership {
    pub tenant_id: TenantId,
    /// Random, of this tenant only, never given to somebody else.
    pub sub: String,
    pub state: MembershipState,
    /// What the tenant may see beside the subject: names of scopes such as `email`.
    pub consented: Vec<String>,
}
