//! The state of a login: who is claimed, what was proven, what is still wanted.
//!
//! ```text
//! Identified --prove--> FirstFactor --require--> Complete
//!                                   \-> FurtherRequirements --satisfy--> FurtherRequirements | Complete
//! ```
//!
//! A login is a value that moves forward by transitions that take it, so a step cannot be skipped, repeated or taken in
//! another order: there is no way to a [`Complete`] but through the proofs. Only [`Complete`] can begin a session; the
//! states before it are no session, name no cookie and hold no right. The policy is named once, at the beginning, and
//! goes along: no later step can be held against a kinder one.
//!
//! What is demanded is a [`Policy`], the operator's or, where an application asked, its tenant's. A tenant also decides
//! who may vouch for a person: the account itself, or that tenant ([`Authority`]); it accepts no other tenant's word.
//! A session that was begun under one policy is held against another by [`worth`], with the same rules: what does not
//! count there is as if it had not been proven.
//!
//! Limits: [`FURTHER_S_MAX`] from the first factor to the last. Attacks considered: a second factor without the first
//! (no transition), the same factor twice, or two of one kind (they satisfy nothing), a factor that nobody asked for,
//! one that comes late, a factor that another tenant vouched for.

use serde_json::{Value, json};
use sigid_core::ids::{TenantId, UserId};

/// From the first factor to the last.
pub const FURTHER_S_MAX: i64 = 600;

/// How much an authentication is worth; ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// One factor.
    Single,
    /// Two factors of different kinds, or one that is both.
    Multi,
}

impl Acr {
    /// The value of the claim `acr`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "1",
            Self::Multi => "2",
        }
    }
}

/// What a proof rests on; two of one kind are not two factors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    Knowledge,
    Possession,
    /// Something of each kind, as a key that asks for a finger.
    Both,
}

/// A way to prove who one is: a folder of [`super::methods`] declares one and does the proving.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// In sessions and policies; never changes.
    pub name: &'static str,
    /// Authentication method reference (RFC 8176); several methods may have one.
    pub amr: &'static str,
    pub factor: Factor,
    /// Whether a login may begin with it.
    pub may_begin: bool,
}

/// Who vouches for an authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The account: a credential that is its own.
    Account,
    /// A tenant, whose upstream provider said so.
    Tenant(TenantId),
}

/// One thing that was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    pub method: &'static Method,
    pub authority: Authority,
    pub at_s: i64,
}

/// What a login must reach, and by which ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The methods that count.
    pub methods: Vec<&'static Method>,
    pub acr_min: Acr,
    /// Whose word counts beside the account's.
    pub tenant: Option<TenantId>,
}

impl Policy {
    pub fn offers(&self, method: &Method) -> bool {
        self.methods.contains(&method)
    }

    /// Whether nobody can sign in: no method that counts may begin a login.
    pub fn is_closed(&self) -> bool {
        !self.methods.iter().any(|method| method.may_begin)
    }

    fn allows(&self, proof: &Proof) -> bool {
        let is_heard = match proof.authority {
            Authority::Account => true,
            Authority::Tenant(tenant) => self.tenant == Some(tenant),
        };
        is_heard && self.offers(proof.method)
    }
}

/// Why a step does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepFault {
    /// The policy does not know the method, or not whoever vouched.
    NotAllowed,
    /// A login cannot begin with it.
    NotFirst,
    /// It was proven before.
    Repeated,
    /// The first factor is too old.
    Late,
}

/// Somebody is claimed; nothing is proven.
#[derive(Debug, PartialEq, Eq)]
pub struct Identified {
    user_id: UserId,
    policy: Policy,
}

impl Identified {
    pub fn new(user_id: UserId, policy: Policy) -> Self {
        Self { user_id, policy }
    }

    /// # Errors
    /// The method may not begin a login, or the policy does not allow it.
    pub fn prove(self, proof: Proof) -> Result<FirstFactor, StepFault> {
        let Self { user_id, policy } = self;
        if !policy.allows(&proof) {
            return Err(StepFault::NotAllowed);
        }
        if !proof.method.may_begin {
            return Err(StepFault::NotFirst);
        }
        Ok(FirstFactor(Proven { user_id, policy, proofs: vec![proof] }))
    }
}

/// One factor is proven.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstFactor(Proven);

impl FirstFactor {
    /// What the policy makes of it.
    pub fn require(self) -> Next {
        self.0.next()
    }
}

/// What follows a factor.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Further(FurtherRequirements),
    Complete(Complete),
}

/// Proven, and not enough: half-authenticated.
#[derive(Debug, PartialEq, Eq)]
pub struct FurtherRequirements(Proven);

impl FurtherRequirements {
    /// # Errors
    /// The proof is no further one, is not allowed, or comes late.
    pub fn satisfy(self, proof: Proof) -> Result<Next, StepFault> {
        let Self(mut proven) = self;
        if !proven.policy.allows(&proof) {
            return Err(StepFault::NotAllowed);
        }
        if proven.proofs.iter().any(|known| known.method == proof.method) {
            return Err(StepFault::Repeated);
        }
        if proof.at_s.saturating_sub(proven.began_s()) > FURTHER_S_MAX {
            return Err(StepFault::Late);
        }
        proven.proofs.push(proof);
        Ok(proven.next())
    }
}

/// All that was wanted is proven: a session may begin.
#[derive(Debug, PartialEq, Eq)]
pub struct Complete(Proven);

impl Complete {
    pub fn user_id(&self) -> UserId {
        self.0.user_id
    }

    pub fn acr(&self) -> Acr {
        acr(&self.0.proofs)
    }

    /// For the session's row.
    pub fn authentications(&self) -> Value {
        self.0.proofs.iter().map(told).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Proven {
    user_id: UserId,
    policy: Policy,
    proofs: Vec<Proof>,
}

impl Proven {
    fn next(self) -> Next {
        if acr(&self.proofs) >= self.policy.acr_min {
            Next::Complete(Complete(self))
        } else {
            Next::Further(FurtherRequirements(self))
        }
    }

    fn began_s(&self) -> i64 {
        self.proofs.first().map_or(i64::MIN, |proof| proof.at_s)
    }
}

fn acr(proofs: &[Proof]) -> Acr {
    let has = |factor| proofs.iter().any(|proof| proof.method.factor == factor);
    let is_multi = has(Factor::Both) || (has(Factor::Knowledge) && has(Factor::Possession));
    if is_multi { Acr::Multi } else { Acr::Single }
}

/// A proof as a session's row keeps it: `{"method":"pwd","name":"password","authority":"account","at":1700000000}`, whose
/// `method` is the reference of RFC 8176.
pub fn told(proof: &Proof) -> Value {
    let authority = match proof.authority {
        Authority::Account => ACCOUNT.to_owned(),
        Authority::Tenant(tenant) => tenant.to_string(),
    };
    json!({ "method": proof.method.amr, "name": proof.method.name, "authority": authority, "at": proof.at_s })
}

/// What the authentications of a session are worth under a policy; `None` when no login under it could have been made of
/// those that count. `known` are the methods of this build; what another build wrote of others does not count.
pub fn worth(authentications: &Value, known: &[&'static Method], policy: &Policy) -> Option<Acr> {
    let all = authentications.as_array().into_iter().flatten();
    let counted: Vec<Proof> = all.filter_map(|one| read(one, known)).filter(|proof| policy.allows(proof)).collect();
    let reached = acr(&counted);
    let has_begun = counted.iter().any(|proof| proof.method.may_begin);
    (has_begun && reached >= policy.acr_min).then_some(reached)
}

/// [`told`], read back. A row without a name is of a time when no two methods had one reference.
fn read(one: &Value, known: &[&'static Method]) -> Option<Proof> {
    let text = |name: &str| one.get(name)?.as_str();
    let method = match text("name") {
        Some(name) => known.iter().find(|method| method.name == name),
        None => known.iter().find(|method| Some(method.amr) == text("method")),
    };
    let authority = match text("authority")? {
        ACCOUNT => Authority::Account,
        tenant => Authority::Tenant(tenant.parse().ok()?),
    };
    Some(Proof { method: *method?, authority, at_s: one.get("at")?.as_i64()? })
}

const ACCOUNT: &str = "account";

#[cfg(test)]
mod tests;
