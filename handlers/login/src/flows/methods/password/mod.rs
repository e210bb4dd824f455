//! The password: the first method. It is verified against the account's hash, or against none at the same cost, and the
//! verdict becomes a proof only for an account that may sign in.

use crate::accounts::{User, UserState};
use crate::flows::fault::Fault;
use crate::flows::model::{Authority, Complete, Factor, FirstFactor, Identified, Method, Next, Policy, Proof};
use crate::password::{Password, PasswordFault, Passwords, Verdict};
use sigid_pages::FieldFault;

pub static METHOD: Method = Method { name: "password", amr: "pwd", factor: Factor::Knowledge, may_begin: true };

/// A password that is the account's.
pub struct Proven {
    pub user: User,
    pub factor: FirstFactor,
    /// The hash to be stored in place of the one that was verified.
    pub upgrade: Option<String>,
}

/// Asks for the password of `user`; `None` is an account that is not there, and costs the same. Nothing comes back for
/// a wrong password, no account, no password, a disabled account, or where the policy has no passwords.
///
/// # Errors
/// The hash pool is busy or failed.
pub async fn prove(
    passwords: &Passwords,
    user: Option<User>,
    typed: &Password,
    policy: &Policy,
    now_s: i64,
) -> Result<Option<Proven>, Fault> {
    let stored = user.as_ref().and_then(|user| user.password_hash.as_deref());
    let verdict = passwords.verify(stored, typed).await?;
    let Verdict::Match { upgrade } = verdict else { return Ok(None) };
    let Some(user) = user.filter(may_sign_in) else { return Ok(None) };
    let proof = Proof { method: &METHOD, authority: Authority::Account, at_s: now_s };
    let Ok(factor) = Identified::new(user.user_id, policy.clone()).prove(proof) else { return Ok(None) };
    // A busy pool only puts the upgrade off.
    let upgrade = if upgrade { passwords.hash(typed).await.ok() } else { None };
    Ok(Some(Proven { user, factor, upgrade }))
}

/// Someone who deletes their account may still come back to keep it.
fn may_sign_in(user: &User) -> bool {
    match user.state {
        UserState::Active | UserState::Deleting => true,
        UserState::Disabled => false,
    }
}

/// What follows the password under its policy; only a complete login goes on, for no method of this build is a further
/// one.
pub fn complete(factor: FirstFactor) -> Option<Complete> {
    match factor.require() {
        Next::Complete(complete) => Some(complete),
        Next::Further(_) => None,
    }
}

/// What is said beside the field of a new password.
pub fn beside(typed: &Password, fault: PasswordFault) -> FieldFault {
    match fault {
        PasswordFault::TooShort { .. } if typed.expose().is_empty() => FieldFault::Missing,
        PasswordFault::TooShort { min } => FieldFault::TooShort(min),
        PasswordFault::TooLong => FieldFault::TooLong(crate::password::PASSWORD_BYTES_MAX),
        PasswordFault::Common => FieldFault::Common,
        PasswordFault::LikeAddress => FieldFault::Personal,
    }
}
