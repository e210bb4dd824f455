//! The state of a login: who is claimed, what was proven, what is still wanted.
//!
//! ```text
//! Identified --prove--> FirstFactor --require--> Complete
//!                                   \-> FurtherRequirements --satisfy--> FurtherRequirements | Complete
//! ```
//!
//! A login is a value that moves forward by transitions that take it, so a step cannot be skipped, repeated or taken in
//! another order: there is no way to a [`Complete`] but through the proofs. Only [`Complete`] can begin a session; the
//! states before it are no session, name no cookie and hold no right.
//!
//! What is demanded is a [`Policy`], the operator's or, where an application asked, its tenant's. A tenant also decides
//! who may vouch for a person: the account itself, or that tenant ([`Authority`]); it accepts no other tenant's word.
//!
//! Limits: [`FURTHER_S_MAX`] from the first factor to the last. Attacks considered: a second factor without the first
//! (no transition), the same factor twice (it satisfies nothing), a factor that nobody asked for, one that comes late, a
//! factor that another tenant vouched for.

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

/// A way to prove who one is: a folder of [`super::methods`] declares one and does the proving.
#[derive(Debug, PartialEq, Eq)]
pub struct Method {
    /// In sessions and policies; never changes.
    pub name: &'static str,
    /// Authentication method reference (RFC 8176).
    pub amr: &'static str,
    /// What it is worth alone.
    pub acr: Acr,
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
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// Names of the methods that count.
    pub methods: &'a [&'static str],
    pub acr_min: Acr,
    /// Whose word counts beside the account's.
    pub tenant: Option<TenantId>,
}

impl Policy<'_> {
    pub fn allows(&self, proof: &Proof) -> bool {
        let is_heard = match proof.authority {
            Authority::Account => true,
            Authority::Tenant(tenant) => self.tenant == Some(tenant),
        };
        is_heard && self.methods.contains(&proof.method.name)
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
    pub user_id: UserId,
}

impl Identified {
    /// # Errors
    /// The method may not begin a login, or the policy does not allow it.
    pub fn prove(self, proof: Proof, policy: &Policy<'_>) -> Result<FirstFactor, StepFault> {
        if !policy.allows(&proof) {
            return Err(StepFault::NotAllowed);
        }
        if !proof.method.may_begin {
            return Err(StepFault::NotFirst);
        }
        Ok(FirstFactor(Proven { user_id: self.user_id, proofs: vec![proof] }))
    }
}

/// One factor is proven.
#[derive(Debug, PartialEq, Eq)]
pub struct FirstFactor(Proven);

impl FirstFactor {
    /// What the policy makes of it.
    pub fn require(self, policy: &Policy<'_>) -> Next {
        self.0.next(policy)
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
    pub fn satisfy(self, proof: Proof, policy: &Policy<'_>) -> Result<Next, StepFault> {
        if !policy.allows(&proof) {
            return Err(StepFault::NotAllowed);
        }
        if self.0.proofs.iter().any(|known| known.method == proof.method) {
            return Err(StepFault::Repeated);
        }
        if proof.at_s.saturating_sub(self.0.began_s()) > FURTHER_S_MAX {
            return Err(StepFault::Late);
        }
        let Self(mut proven) = self;
        proven.proofs.push(proof);
        Ok(proven.next(policy))
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
        self.0.acr()
    }

    /// For the session's row: `[{"method":"pwd","authority":"account","at":1700000000}]`.
    pub fn authentications(&self) -> Value {
        self.0.proofs.iter().map(shown).collect()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Proven {
    user_id: UserId,
    proofs: Vec<Proof>,
}

impl Proven {
    fn next(self, policy: &Policy<'_>) -> Next {
        if self.acr() >= policy.acr_min {
            Next::Complete(Complete(self))
        } else {
            Next::Further(FurtherRequirements(self))
        }
    }

    fn acr(&self) -> Acr {
        let best = self.proofs.iter().map(|proof| proof.method.acr).max();
        if self.proofs.len() > 1 { Acr::Multi } else { best.unwrap_or(Acr::Single) }
    }

    fn began_s(&self) -> i64 {
        self.proofs.first().map_or(i64::MIN, |proof| proof.at_s)
    }
}

fn shown(proof: &Proof) -> Value {
    let authority = match proof.authority {
        Authority::Account => ACCOUNT.to_owned(),
        Authority::Tenant(tenant) => tenant.to_string(),
    };
    json!({ "method": proof.method.amr, "authority": authority, "at": proof.at_s })
}

/// Whether a tenant takes a session as its own person's: some authentication in it is the account's or this tenant's.
pub fn is_accepted(authentications: &Value, tenant: TenantId) -> bool {
    let tenant = tenant.to_string();
    let authorities = authentications.as_array().into_iter().flatten();
    authorities
        .filter_map(|one| one.get("authority")?.as_str())
        .any(|authority| authority == ACCOUNT || authority == tenant)
}

const ACCOUNT: &str = "account";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    static FIRST: Method = Method { name: "first", amr: "pwd", acr: Acr::Single, may_begin: true };
    static SECOND: Method = Method { name: "second", amr: "otp", acr: Acr::Single, may_begin: false };
    static BOTH: Method = Method { name: "both", amr: "mfa", acr: Acr::Multi, may_begin: true };
    const ALL: &[&str] = &["first", "second", "both"];

    fn user() -> UserId {
        "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap()
    }

    fn tenant(last: char) -> TenantId {
        format!("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2{last}").parse().unwrap()
    }

    fn proof(method: &'static Method, at_s: i64) -> Proof {
        Proof { method, authority: Authority::Account, at_s }
    }

    fn policy(acr_min: Acr) -> Policy<'static> {
        Policy { methods: ALL, acr_min, tenant: None }
    }

    fn begun(acr_min: Acr) -> Next {
        let policy = policy(acr_min);
        Identified { user_id: user() }.prove(proof(&FIRST, 100), &policy).unwrap().require(&policy)
    }

    #[test]
    fn a_login_begins_only_as_the_policy_lets_it() {
        let ours = Policy { tenant: Some(tenant('c')), ..policy(Acr::Single) };
        let few = Policy { methods: &["both"], ..policy(Acr::Single) };
        let vouched = |tenant| Proof { authority: Authority::Tenant(tenant), ..proof(&FIRST, 100) };
        for (reason, proof, policy, expected) in [
            ("a first factor", proof(&FIRST, 100), policy(Acr::Single), Ok(())),
            ("a second factor without the first", proof(&SECOND, 100), policy(Acr::Single), Err(StepFault::NotFirst)),
            ("a method that is switched off", proof(&FIRST, 100), few, Err(StepFault::NotAllowed)),
            ("a tenant's word where none asked", vouched(tenant('c')), policy(Acr::Single), Err(StepFault::NotAllowed)),
            ("the asking tenant's word", vouched(tenant('c')), ours, Ok(())),
            ("another tenant's word", vouched(tenant('d')), ours, Err(StepFault::NotAllowed)),
        ] {
            let proven = Identified { user_id: user() }.prove(proof, &policy);
            assert_eq!(proven.map(|_| ()), expected, "{reason}");
        }
    }

    #[test]
    fn one_factor_is_enough_where_one_is_asked() {
        let Next::Complete(complete) = begun(Acr::Single) else { panic!("more was asked") };
        assert_eq!((complete.user_id(), complete.acr()), (user(), Acr::Single));
        assert_eq!(complete.authentications(), json!([{ "method": "pwd", "authority": "account", "at": 100 }]),);
        let strong = policy(Acr::Multi);
        let both = Identified { user_id: user() }.prove(proof(&BOTH, 1), &strong).unwrap().require(&strong);
        assert!(matches!(both, Next::Complete(_)), "a method that is both factors");
    }

    #[test]
    fn a_further_factor_is_another_one_in_time() {
        for (reason, proof, expected) in [
            ("another factor", proof(&SECOND, 100 + FURTHER_S_MAX), Ok(Acr::Multi)),
            ("the same again", proof(&FIRST, 101), Err(StepFault::Repeated)),
            ("too late", proof(&SECOND, 101 + FURTHER_S_MAX), Err(StepFault::Late)),
            (
                "another authority's",
                Proof { authority: Authority::Tenant(tenant('c')), ..proof(&SECOND, 101) },
                Err(StepFault::NotAllowed),
            ),
        ] {
            let Next::Further(further) = begun(Acr::Multi) else { panic!("one factor was enough") };
            let next = further.satisfy(proof, &policy(Acr::Multi));
            let reached = next.map(|next| match next {
                Next::Complete(complete) => complete.acr(),
                Next::Further(_) => panic!("{reason}: still not enough"),
            });
            assert_eq!(reached, expected, "{reason}");
        }
    }

    #[test]
    fn a_tenant_takes_the_accounts_word_and_its_own() {
        let said = |authority: &str| json!([{ "method": "pwd", "authority": authority, "at": 1 }]);
        for (reason, authentications, expected) in [
            ("the account's", said("account"), true),
            ("its own", said(&tenant('c').to_string()), true),
            ("another's", said(&tenant('d').to_string()), false),
            (
                "another's and the account's",
                json!([{ "authority": tenant('d').to_string() }, { "authority": "account" }]),
                true,
            ),
            ("nobody's", json!([]), false),
            ("nonsense", json!({ "authority": "account" }), false),
        ] {
            assert_eq!(is_accepted(&authentications, tenant('c')), expected, "{reason}");
        }
    }
}
