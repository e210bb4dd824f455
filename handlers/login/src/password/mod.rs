//! Passwords: what a new one must be, how it is kept, and whether one that is presented is it.
//!
//! A new password is checked by [`Policy`], prepared (`prepare`) and hashed with Argon2id under a salt of its own, on the
//! threads of [`HashPool`]. What is stored is a PHC string: parameters, salt, hash. A login verifies against whatever
//! is stored, ours or another system's ([`StoredHash`]), and says whether it should be stored anew: when the parameters
//! of `[auth]` have changed since, or another system made it. The password is at hand in that moment and in no other.
//!
//! **Who does not exist costs the same.** Without an account, without a password, or with a hash that cannot be verified,
//! a hash is made with the parameters of today, of which nothing is used. A full queue answers before anybody knows which
//! case it is. What remains: an imported hash that has not been upgraded yet takes the time of its own parameters, so a
//! wrong password for it may take longer or shorter than for an unknown address. That tells who was imported and never came back,
//! and ends with the first login; making every answer as slow as the slowest import would be worse.
//!
//! Specifications: NIST SP 800-63B section 3.1.1 (length, lists, no composition rules), RFC 9106, RFC 8265 section 4.2.2,
//! the PHC string format.
//!
//! Limits: `[auth]`; [`PASSWORD_BYTES_MAX`] before anything is hashed; [`STORED_TEXT_BYTES_MAX`]; those of the pool for the
//! parameters of a stored hash.
//!
//! Attacks considered: a login storm (the pool's queue, [`HashFault::is_busy`]); megabytes of password (cut off
//! before hashing, for known and unknown alike); a stored hash that wants gigabytes or minutes (refused, and then the account
//! is as one without password); a stored hash so short that guesses meet it (not taken); a time that
//! tells who has an account (above); passwords and hashes in logs (neither type prints).
//!
//! Rejected: a pepper (it would make hashes worthless to whoever steals only the database, and all accounts worthless
//! to whoever loses the key; the database is already useless without guessing); wrapping imported hashes in Argon2id
//! at import (a second chain of formats forever, for hashes that one login replaces); wasting on unknown addresses what
//! imported hashes cost, in their share (who has signed in since would stand out instead, and a storm at addresses that
//! nobody has would cost what the dearest import does).

mod foreign;
mod policy;
mod prepare;
mod stored;
mod text;

pub use policy::{LENGTH_FLOOR, PasswordFault, Policy};
pub use sigid_io::hash_pool::{Cost, HashFault, PASSWORD_BYTES_MAX, Password};
pub use stored::{SALT_BYTES, STORED_OUTPUT_BYTES_MIN, STORED_TEXT_BYTES_MAX, StoredFault, StoredHash};

use prepare::{Forms, prepare};
use sigid_core::email::Address;
use sigid_edge::feature::Feature;
use sigid_io::hash_pool::HashPool;
use sigid_io::metrics::{self, Counter};
use sigid_io::rng;
use std::sync::Arc;

pub const FEATURE: Feature =
    Feature { name: "passwords", section: Some("auth"), routes: &[], jobs: &[], events: &[], discovery: &[] };

/// What a presented password is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the one. With `upgrade`, whoever asked hashes it anew and stores that.
    Match {
        upgrade: bool,
    },
    Mismatch,
}

/// The service; in the settings of every process that serves sign-in.
pub struct Passwords {
    pool: Arc<HashPool>,
    cost: Cost,
    policy: Policy,
    unusable: Counter,
}

impl Passwords {
    /// New hashes cost `cost`; new passwords have `length_min` characters.
    pub fn new(pool: Arc<HashPool>, cost: Cost, length_min: usize) -> Self {
        let unusable = metrics::counter(
            "sigid_password_hashes_unusable_total",
            "Logins against a stored hash that is malformed or past the limits of the hash pool.",
            &[],
        );
        Self { pool, cost, policy: Policy::new(length_min), unusable }
    }

    /// Whether this may be the new password of the account of this address.
    ///
    /// # Errors
    /// Each [`PasswordFault`].
    pub fn check(&self, password: &Password, address: &Address) -> Result<(), PasswordFault> {
        self.policy.check(password, address)
    }

    /// What is stored of a new password.
    ///
    /// # Errors
    /// Each [`HashFault`]; [`HashFault::BadInput`] for one that [`Self::check`] would call too long.
    pub async fn hash(&self, password: &Password) -> Result<String, HashFault> {
        let prepared = prepare(password).ok_or(HashFault::BadInput)?;
        let salt = rng::random::<SALT_BYTES>();
        let hashed = self.pool.hash(prepared, &salt, self.cost).await?;
        Ok(StoredHash::of(self.cost, &salt, &hashed.output).to_phc())
    }

    /// Whether this is the password of which `stored` is the hash; `None` for an account without one, or no account.
    /// Costs a hash in every case.
    ///
    /// # Errors
    /// The faults of a busy pool, and [`HashFault::Failed`]: each as likely with an account as without.
    pub async fn verify(&self, stored: Option<&str>, password: &Password) -> Result<Verdict, HashFault> {
        // Longer than any password of any account.
        let Some(forms) = Forms::of(password) else { return Ok(Verdict::Mismatch) };
        let stored = stored.and_then(|text| self.read(text));
        let Some(stored) = stored else {
            self.waste(forms).await?;
            return Ok(Verdict::Mismatch);
        };
        let (first, second) = in_turn(forms, stored.may_be_prepared());
        if self.is_match(&stored, first).await? {
            return Ok(Verdict::Match { upgrade: !stored.is_current(self.cost) });
        }
        let Some(second) = second else { return Ok(Verdict::Mismatch) };
        // It was hashed in another form than ours would be.
        let is_match = self.is_match(&stored, second).await?;
        Ok(if is_match { Verdict::Match { upgrade: true } } else { Verdict::Mismatch })
    }

    fn read(&self, text: &str) -> Option<StoredHash> {
        let stored =
            StoredHash::parse(text).ok().filter(|stored| stored.check(self.pool.settings().memory_kib_max).is_ok());
        if stored.is_none() {
            self.unusable.inc();
            tracing::warn!("a stored password hash cannot be verified: it is malformed, or dearer than [auth] allows");
        }
        stored
    }

    async fn is_match(&self, stored: &StoredHash, form: Password) -> Result<bool, HashFault> {
        if form.expose().len() > stored.recipe.password_bytes_max() {
            // Longer than any password that this recipe was ever given.
            self.pool.hash(form, &rng::random::<SALT_BYTES>(), self.cost).await?;
            return Ok(false);
        }
        let verified = self.pool.verify(form, &stored.salt, &stored.output, stored.recipe.clone()).await?;
        Ok(verified.is_match)
    }

    /// What a wrong password would cost.
    async fn waste(&self, forms: Forms) -> Result<(), HashFault> {
        for form in [Some(forms.prepared), forms.sent].into_iter().flatten() {
            self.pool.hash(form, &rng::random::<SALT_BYTES>(), self.cost).await?;
        }
        Ok(())
    }
}

/// Both forms, the likelier first.
fn in_turn(forms: Forms, is_prepared: bool) -> (Password, Option<Password>) {
    match forms.sent {
        Some(sent) if is_prepared => (forms.prepared, Some(sent)),
        Some(sent) => (sent, Some(forms.prepared)),
        None => (forms.prepared, None),
    }
}

#[cfg(test)]
mod tests;
