//! The ways to prove who one is. A method is a folder that declares its [`Method`] and does its proving; a new one is a
//! folder and a line in [`ALL`]. What of them counts is asked here, tenant by tenant ([`policy`]); how a tenant decides
//! is [`rules`].

pub mod password;
pub mod rules;

use super::model::{Acr, Method, Policy};
use sigid_edge::tables::TenantEntry;

/// Every method of this build, sorted by name.
pub static ALL: &[&Method] = &[&password::METHOD];

/// What a login must reach: the operator's policy, or that of the tenant whose application asks. A tenant narrows; it
/// has no method that the operator has not.
pub fn policy(asking: Option<&TenantEntry>) -> Policy {
    let chosen = asking.and_then(|tenant| tenant.sign_in.methods.as_ref());
    let counts = |method: &&Method| chosen.is_none_or(|names| names.iter().any(|name| name == method.name));
    Policy {
        methods: ALL.iter().copied().filter(counts).collect(),
        acr_min: Acr::Single,
        tenant: asking.map(|tenant| tenant.tenant_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigid_edge::tables::SignInRules;

    #[test]
    fn methods_have_names_of_their_own_and_one_may_begin() {
        let names: Vec<&str> = ALL.iter().map(|method| method.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "sorted, each once");
        assert!(!policy(None).is_closed());
    }

    #[test]
    fn a_tenant_narrows_what_the_operator_has() {
        let tenant_id = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        for (reason, methods, offered, is_closed) in [
            ("nothing decided", None, true, false),
            ("the password", Some(vec!["password"]), true, false),
            ("closed", Some(vec![]), false, true),
            ("only what this build has not", Some(vec!["passkey"]), false, true),
            ("that beside the password", Some(vec!["passkey", "password"]), true, false),
        ] {
            let methods = methods.map(|names| names.into_iter().map(str::to_owned).collect());
            let sign_in = SignInRules { methods, takes_new: true };
            let policy = policy(Some(&TenantEntry { sign_in, ..TenantEntry::new(tenant_id, true) }));
            assert_eq!(policy.offers(&password::METHOD), offered, "{reason}");
            assert_eq!(policy.is_closed(), is_closed, "{reason}");
            assert_eq!(policy.tenant, Some(tenant_id), "{reason}");
        }
        assert_eq!(policy(None).tenant, None);
    }
}
