//! The ways to prove who one is. A method is a folder that declares its [`Method`] and does its proving; a new one is a
//! folder and a line in [`ALL`].

pub mod password;

use super::model::{Acr, Method, Policy};
use sigid_core::ids::TenantId;

/// Every method of this build, sorted by name.
pub static ALL: &[&Method] = &[&password::METHOD];

const NAMES: &[&str] = &[password::METHOD.name];

/// What a login must reach where no tenant asks for more.
pub const fn policy(tenant: Option<TenantId>) -> Policy<'static> {
    Policy { methods: NAMES, acr_min: Acr::Single, tenant }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_names_of_their_own_and_one_may_begin() {
        let names: Vec<&str> = ALL.iter().map(|method| method.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "sorted, each once");
        assert_eq!(names, NAMES, "the policy knows each");
        assert!(ALL.iter().any(|method| method.may_begin));
    }
}
