//! What a tenant has decided about sign-in to its applications: which methods count, and whether it takes new people.
//!
//! ```text
//! the operator's (no row) -> some of them -> closed -> the operator's
//! ```
//!
//! A tenant narrows: it can switch methods off, never one on that the operator has not. The set is a list of names that
//! are allowed, so a method that a later build brings is not let in by a tenant that has chosen. To switch the last one
//! off that a login may begin with is refused, because it is more often a slip than a wish; who means it says so, and
//! the tenant is closed: nobody signs in to its applications, and no session counts there.
//!
//! Every node asks the rules of its tables ([`sigid_edge::tables::SignInRules`]), fed like everything else; so they
//! hold everywhere within the bound of the feed. They are asked when a person signs in for an application and when a
//! session is to become its cookie. What was handed out before a method was switched off lives to its end; who wants it
//! dead at once revokes it. Where the tenant is closed, no cookie opens anything.
//!
//! On the second presentation: nothing is done, and nobody is told.

mod sql;

use super::ALL;
use serde_json::json;
use sigid_core::ids::TenantId;
use sigid_edge::tables::SignInRules;
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_platform::outbox::{Act, Change, Event, News};
use std::fmt;

pub(crate) const SIGN_IN_CHANGED: &str = "tenant.sign_in_changed";

/// Whoever decides for a tenant by the command line.
const ADMIN: Scope = Scope::System("admin");

/// What is to be another way; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    pub methods: Option<Methods>,
    pub takes_new: Option<bool>,
}

/// Which methods are to count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Methods {
    /// The operator's, whatever they will be.
    Operators,
    /// Some switched on and some off, from those that count now.
    Switched { on: Vec<String>, off: Vec<String> },
    /// None.
    Closed,
}

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    /// No method of this build has that name.
    UnknownMethod(String),
    /// Nobody could sign in any more, and that was not said.
    NoneLeft,
    Database(PgFault),
}

impl From<PgFault> for Fault {
    fn from(fault: PgFault) -> Self {
        Self::Database(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMethod(name) => {
                let known: Vec<&str> = ALL.iter().map(|method| method.name).collect();
                write!(f, "{name} is no method of sign-in; there is {}", known.join(", "))
            }
            Self::NoneLeft => f.write_str("nobody could sign in any more; --close if that is meant"),
            Self::Database(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for Fault {}

/// The rules of a tenant.
///
/// # Errors
/// The database refused.
pub async fn load(pool: &Pool, tenant: TenantId) -> Result<SignInRules, Fault> {
    let mut tx = pool.begin(ADMIN).await?;
    let found = sql::find(&mut tx, tenant).await?;
    tx.rollback().await?;
    Ok(found.unwrap_or_default())
}

/// Changes the rules of a tenant, and gives them as they are then. Every node knows within the bound of the feed.
///
/// # Errors
/// [`Fault`].
pub async fn change(pool: &Pool, tenant: TenantId, wish: &Wish, act: Act<'_>) -> Result<SignInRules, Fault> {
    let mut change = Change::begin(pool, ADMIN, act).await?;
    // Two administrators at once: the second decides from what the first has left.
    sql::lock_tenant(change.tx(), tenant).await?;
    let former = sql::find(change.tx(), tenant).await?.unwrap_or_default();
    let rules = decide(&former, wish)?;
    if rules == former {
        return Ok(rules);
    }
    sql::put(change.tx(), tenant, &rules, act.now_s).await?;
    change.tell(News::Tenant(tenant)).await?;
    let event = Event {
        tenant: Some(tenant),
        event_type: SIGN_IN_CHANGED,
        subject: &tenant.to_string(),
        data: json!({ "methods": rules.methods, "takes_new": rules.takes_new }),
    };
    change.record(&event).await?;
    change.commit().await?;
    Ok(rules)
}

fn decide(former: &SignInRules, wish: &Wish) -> Result<SignInRules, Fault> {
    let methods = match &wish.methods {
        None => former.methods.clone(),
        Some(Methods::Operators) => None,
        Some(Methods::Closed) => Some(Vec::new()),
        Some(Methods::Switched { on, off }) => Some(switch(former.methods.as_deref(), on, off)?),
    };
    Ok(SignInRules { methods, takes_new: wish.takes_new.unwrap_or(former.takes_new) })
}

fn switch(former: Option<&[String]>, on: &[String], off: &[String]) -> Result<Vec<String>, Fault> {
    if let Some(unknown) = on.iter().chain(off).find(|name| ALL.iter().all(|method| method.name != name.as_str())) {
        return Err(Fault::UnknownMethod(unknown.clone()));
    }
    let is_on = |name: &str| former.is_none_or(|names| names.iter().any(|known| known == name));
    let named = |list: &[String], name: &str| list.iter().any(|known| known == name);
    let counts = |name: &str| (is_on(name) || named(on, name)) && !named(off, name);
    let left: Vec<_> = ALL.iter().filter(|method| counts(method.name)).collect();
    if !left.iter().any(|method| method.may_begin) {
        return Err(Fault::NoneLeft);
    }
    Ok(left.into_iter().map(|method| method.name.to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_tenant_keeps_a_way_in_unless_it_says_otherwise() {
        let operators = || None;
        let closed = || Some(Vec::new());
        let password = || Some(names(&["password"]));
        let switched = |on: &[&str], off: &[&str]| Methods::Switched { on: names(on), off: names(off) };
        for (reason, former, wish, expected) in [
            ("nothing is asked", operators(), None, Some(operators())),
            ("nothing is asked of a closed one", closed(), None, Some(closed())),
            ("chosen by name", operators(), Some(switched(&["password"], &[])), Some(password())),
            ("again", password(), Some(switched(&["password"], &[])), Some(password())),
            ("the last one off", operators(), Some(switched(&[], &["password"])), None),
            ("the last one off of those chosen", password(), Some(switched(&[], &["password"])), None),
            ("on and off is off", operators(), Some(switched(&["password"], &["password"])), None),
            ("one that nobody has", operators(), Some(switched(&["passwort"], &[])), None),
            ("one that nobody has, off", operators(), Some(switched(&[], &["passkey"])), None),
            ("closed, said so", password(), Some(Methods::Closed), Some(closed())),
            ("open again", closed(), Some(switched(&["password"], &[])), Some(password())),
            ("the operator's again", closed(), Some(Methods::Operators), Some(operators())),
        ] {
            let former = SignInRules { methods: former, takes_new: true };
            let decided = decide(&former, &Wish { methods: wish, takes_new: None });
            assert_eq!(decided.ok().map(|rules| rules.methods), expected, "{reason}");
        }
    }

    #[test]
    fn whether_it_takes_new_people_is_another_question() {
        let invited_only = SignInRules { methods: Some(Vec::new()), takes_new: false };
        for (reason, takes_new, expected) in
            [("not asked", None, false), ("yes", Some(true), true), ("no", Some(false), false)]
        {
            let rules = decide(&invited_only, &Wish { methods: None, takes_new }).unwrap();
            assert_eq!(rules, SignInRules { takes_new: expected, ..invited_only.clone() }, "{reason}");
        }
    }
}
