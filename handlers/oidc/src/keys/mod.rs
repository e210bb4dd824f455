//! Signing keys: made, published, used, retired, forgotten.
//!
//! ```text
//! (generate) -> next -> active -> retired -> (deleted)
//!                 \_______\_________\-> revoked -> (deleted)
//! ```
//!
//! A key is published in the JWKS ([`model::LEAD_S`]) a day before it signs, because verifiers cache key sets;
//! it stays published past the longest life of what it signed. Each algorithm has one key that signs and one
//! that is next; more that sign are legal. `kid` is the RFC 7638 thumbprint, so it cannot be reused for another
//! key. Private keys are sealed blobs in the database ([`seal`]), so that every node signs with the same ones;
//! the private half is destroyed an hour after retirement and at once at revocation.
//!
//! All changes go through [`KeyRoom`]: one at a time on all nodes (an advisory lock), decided by [`model`]
//! from the rows, carried out in one transaction with event and news. The job ([`jobs`]) and the
//! administrator's `key rotate` take the same way.
//!
//! Sealing under a root key that is not the database's would make a key that no node can open, and rotation would
//! then end all signing: whoever seals compares fingerprints first ([`Fault::RootKey`]).
//!
//! Attacks considered: a key past its date that still verifies (CVE-2024-7318: `retired_at` and `removed_at`
//! travel to the tables with the key), a stolen database (blobs are useless without the root key), a blob
//! moved to another row (bound to its `kid`), two nodes that rotate at once (lock, and the state in `WHERE`).

pub mod jobs;
pub mod model;
mod seal;
mod sql;

use std::fmt;

use serde_json::json;
use sigid_core::ids::Kid;
use sigid_core::jwk::{Alg, PublicKey};
use sigid_core::secret::Secret;
use sigid_io::fail::Point;
use sigid_io::pg::{PgFault, Pool, Scope};
use sigid_io::signer::{Algorithm, LocalSigner, SignFault, generate};
use sigid_platform::outbox::{Act, Change, Event, News};

pub use model::{Key, KeyState, Policy, Refusal, Step};
pub use seal::{RootKey, SealFault};

/// The algorithms that keys are kept for.
pub const ALGORITHMS: [Alg; 2] = [Alg::Es256, Alg::EdDsa];

/// Why nothing was done.
#[derive(Debug)]
pub enum Fault {
    Refused(Refusal),
    /// SigID makes no keys of that algorithm.
    Algorithm,
    /// The root key is not the one that sealed the database's keys.
    RootKey,
    Seal(SealFault),
    Sign(SignFault),
    Database(PgFault),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(Refusal::UnknownKid) => f.write_str("no such key"),
            Self::Refused(Refusal::NothingPublished) => f.write_str("no key of that algorithm is published as next"),
            Self::Refused(Refusal::TooYoung { ripe_s }) => {
                write!(f, "the next key is too young: verifiers may not have it before {ripe_s} (Unix time)")
            }
            Self::Algorithm => f.write_str("keys are ES256 or EdDSA"),
            Self::RootKey => f.write_str(
                "security.root_key_path: the file holds another root key than the one that sealed this database's \
                 signing keys; name the file with that root key",
            ),
            Self::Seal(fault) => fault.fmt(f),
            Self::Sign(fault) => fault.fmt(f),
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

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<SealFault> for Fault {
    fn from(fault: SealFault) -> Self {
        Self::Seal(fault)
    }
}

impl From<SignFault> for Fault {
    fn from(fault: SignFault) -> Self {
        Self::Sign(fault)
    }
}

/// What was done to a key: the event's type and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// `key.published`, `key.activated`, `key.retired`, `key.revoked`, `key.destroyed` or `key.deleted`.
    pub event_type: &'static str,
    pub kid: Kid,
}

/// A private key, opened for the signer.
pub struct PrivateKey {
    pub kid: Kid,
    pub alg: Alg,
    pub pkcs8: Secret<Vec<u8>>,
}

/// Where keys are changed.
pub struct KeyRoom<'a> {
    pool: &'a Pool,
    scope: Scope,
    root: &'a RootKey,
    policy: Policy,
}

impl<'a> KeyRoom<'a> {
    /// For an administrator; `pool` is the control plane's.
    pub fn admin(pool: &'a Pool, root: &'a RootKey, policy: Policy) -> Self {
        Self { pool, scope: Scope::System("admin"), root, policy }
    }

    /// For the job; `pool` is the async plane's.
    pub fn job(pool: &'a Pool, root: &'a RootKey, policy: Policy) -> Self {
        Self { pool, scope: Scope::System("jobs"), root, policy }
    }

    /// Sees to it that each of these algorithms has a key that signs and one that is next. Does nothing
    /// when they have. A root key that did not seal them is refused even so.
    pub async fn ensure(&self, algorithms: &[Alg], act: Act<'_>) -> Result<Vec<Done>, Fault> {
        self.change(act, |keys| {
            check_root_key(self.root, keys)?;
            Ok(algorithms.iter().flat_map(|alg| model::ensure(keys, *alg)).collect())
        })
        .await
    }

    /// Lets the next key of an algorithm sign from now on; `at_once` also when it is younger than the lead
    /// time.
    pub async fn rotate(&self, alg: Alg, at_once: bool, act: Act<'_>) -> Result<Vec<Done>, Fault> {
        self.change(act, |keys| Ok(model::rotate(keys, alg, act.now_s, &self.policy, at_once)?)).await
    }

    /// Declares a key compromised. Doing it twice is no fault.
    pub async fn revoke(&self, kid: &str, act: Act<'_>) -> Result<Vec<Done>, Fault> {
        self.change(act, |keys| Ok(model::revoke(keys, kid, act.now_s, &self.policy)?)).await
    }

    /// Rotates what is due, in every algorithm that has keys.
    pub async fn rotate_due(&self, act: Act<'_>) -> Result<Vec<Done>, Fault> {
        self.change(act, |keys| {
            let used = ALGORITHMS.into_iter().filter(|alg| keys.iter().any(|key| key.alg == *alg));
            Ok(used.flat_map(|alg| model::rotate_due(keys, alg, act.now_s, &self.policy)).collect())
        })
        .await
    }

    /// Destroys private halves that are past their grace, and forgets keys that are past their removal. Only
    /// the job may read what it destroys.
    pub async fn clean(&self, act: Act<'_>) -> Result<Vec<Done>, Fault> {
        let mut done = self.destroy(act).await?;
        done.extend(self.change(act, |keys| Ok(model::forget(keys, act.now_s))).await?);
        Ok(done)
    }

    async fn destroy(&self, act: Act<'_>) -> Result<Vec<Done>, Fault> {
        let mut change = Change::begin(self.pool, self.scope, act).await?;
        sql::lock(change.tx()).await?;
        let destroyed = sql::destroy(change.tx(), act.now_s.saturating_sub(model::DESTROY_AFTER_S)).await?;
        let mut done = Vec::with_capacity(destroyed.len());
        for kid in destroyed {
            done.push(record(&mut change, "key.destroyed", kid).await?);
        }
        change.commit().await?;
        Ok(done)
    }

    /// Locks, decides, carries out: all or nothing.
    async fn change(
        &self,
        act: Act<'_>,
        decide: impl FnOnce(&[Key]) -> Result<Vec<Step>, Fault>,
    ) -> Result<Vec<Done>, Fault> {
        let mut change = Change::begin(self.pool, self.scope, act).await?;
        sql::lock(change.tx()).await?;
        let keys = sql::load_all(change.tx()).await?;
        let steps = decide(&keys)?;
        if steps.iter().any(|step| matches!(step, Step::Generate { .. })) {
            check_root_key(self.root, &keys)?;
        }
        let mut done = Vec::with_capacity(steps.len());
        for step in steps {
            let (event_type, kid) = self.carry_out(&mut change, step).await?;
            done.push(record(&mut change, event_type, kid).await?);
        }
        change.commit().await?;
        Ok(done)
    }

    async fn carry_out(&self, change: &mut Change<'_>, step: Step) -> Result<(&'static str, Kid), Fault> {
        let now_s = change.now_s();
        match step {
            Step::Generate { alg, state } => {
                let (key, sealed) = make(self.root, alg, state, now_s)?;
                sql::insert(change.tx(), &key, &sealed).await?;
                Ok(("key.published", key.kid))
            }
            Step::Activate(kid) => {
                sql::activate(change.tx(), &kid, now_s).await?;
                Ok(("key.activated", kid))
            }
            Step::Retire { kid, removed_s } => {
                sql::retire(change.tx(), &kid, now_s, removed_s).await?;
                Ok(("key.retired", kid))
            }
            Step::Revoke { kid, removed_s } => {
                sql::revoke(change.tx(), &kid, now_s, removed_s).await?;
                Ok(("key.revoked", kid))
            }
            Step::Delete(kid) => {
                sql::delete(change.tx(), &kid).await?;
                Ok(("key.deleted", kid))
            }
        }
    }
}

/// Every key, oldest first, without its private half. `pool` is any plane's that may read keys; `scope` the
/// duty it is read for.
pub async fn load_all(pool: &Pool, scope: Scope) -> Result<Vec<Key>, Fault> {
    let mut tx = pool.begin(scope).await?;
    Ok(sql::load_all(&mut tx).await?)
}

/// The private keys that sign or will, opened. `pool` is the auth plane's.
///
/// A blob that does not open is passed over, loudly: one key sealed under another root key must not stop the
/// others from signing. When none opens it is the root key that is wrong.
pub async fn load_private(pool: &Pool, root: &RootKey) -> Result<Vec<PrivateKey>, Fault> {
    pool.reach(Point::KeysRead).await?;
    let mut tx = pool.begin(Scope::System("feed")).await?;
    let sealed = sql::load_sealed(&mut tx).await?;
    tx.commit().await?;
    let mut opened = Vec::with_capacity(sealed.len());
    for (kid, alg, blob) in &sealed {
        match root.open(*alg, kid, blob) {
            Ok(pkcs8) => opened.push(PrivateKey { kid: kid.clone(), alg: *alg, pkcs8 }),
            Err(fault) => tracing::error!(%kid, error = %fault, "signing key"),
        }
    }
    if opened.is_empty() && !sealed.is_empty() { Err(Fault::RootKey) } else { Ok(opened) }
}

/// Gives the signer exactly the private keys of the database. For the start, and after news of a key.
pub async fn refresh_signer(pool: &Pool, root: &RootKey, signer: &LocalSigner) -> Result<(), Fault> {
    let keys = load_private(pool, root).await?;
    let pairs = keys
        .iter()
        .map(|key| Ok((key.kid.as_str(), algorithm(key.alg)?, key.pkcs8.expose().as_slice())))
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(signer.replace(pairs)?)
}

/// What this root key seals must be opened by the nodes that opened the others.
fn check_root_key(root: &RootKey, keys: &[Key]) -> Result<(), Fault> {
    let fingerprint = root.fingerprint();
    if keys.iter().any(|key| key.is_foreign(&fingerprint)) { Err(Fault::RootKey) } else { Ok(()) }
}

/// A fresh key and its sealed private half.
fn make(root: &RootKey, alg: Alg, state: KeyState, now_s: i64) -> Result<(Key, Vec<u8>), Fault> {
    let pair = generate(algorithm(alg)?)?;
    let pkcs8 = Secret::new(pair.pkcs8);
    let public = PublicKey::from_raw(alg, &pair.public).map_err(|_| SignFault::BadKey)?;
    let kid = public.kid().ok_or(SignFault::BadKey)?;
    let sealed = root.seal(alg, &kid, &pkcs8)?;
    let key = Key {
        public_jwk: public.to_jwk(&kid),
        kid,
        alg,
        state,
        published_s: now_s,
        activated_s: (state == KeyState::Active).then_some(now_s),
        retired_s: None,
        removed_s: None,
        revoked_s: None,
        sealed_by: Some(root.fingerprint()),
    };
    Ok((key, sealed))
}

async fn record(change: &mut Change<'_>, event_type: &'static str, kid: Kid) -> Result<Done, Fault> {
    let event = Event { tenant: None, event_type, subject: kid.as_str(), data: json!({}) };
    change.record(&event).await?;
    change.tell(News::Key(kid.clone())).await?;
    Ok(Done { event_type, kid })
}

fn algorithm(alg: Alg) -> Result<Algorithm, Fault> {
    match alg {
        Alg::Es256 => Ok(Algorithm::Es256),
        Alg::EdDsa => Ok(Algorithm::EdDsa),
        Alg::Rs256 | Alg::Ps256 | Alg::Es384 => Err(Fault::Algorithm),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_made_key_signs_for_its_jwk() {
        let root = RootKey::from_bytes([3; 32]);
        for alg in ALGORITHMS {
            let (key, sealed) = make(&root, alg, KeyState::Active, 7).unwrap();
            let public = PublicKey::from_jwk(&key.public_jwk).unwrap();
            assert_eq!(public.thumbprint(), key.kid.as_str(), "kid is the thumbprint");
            assert_eq!((key.published_s, key.activated_s), (7, Some(7)));
            let signer = LocalSigner::new();
            let pkcs8 = root.open(alg, &key.kid, &sealed).unwrap();
            signer.replace([(key.kid.as_str(), algorithm(alg).unwrap(), pkcs8.expose().as_slice())]).unwrap();
            let signature = signer.sign_now(key.kid.as_str(), b"input").unwrap();
            assert!(public.verify(alg, b"input", &signature).is_ok(), "{alg}");
        }
    }

    #[test]
    fn another_root_key_seals_nothing_here() {
        let (root, other) = (RootKey::from_bytes([3; 32]), RootKey::from_bytes([4; 32]));
        let (key, _) = make(&root, Alg::Es256, KeyState::Active, 7).unwrap();
        let keys = [key];
        assert!(check_root_key(&root, &keys).is_ok(), "the same");
        let fault = check_root_key(&other, &keys).unwrap_err();
        assert!(matches!(fault, Fault::RootKey), "{fault}");
        assert!(fault.to_string().starts_with("security.root_key_path: "), "names the setting: {fault}");
        assert!(check_root_key(&other, &[]).is_ok(), "an empty database takes any");
    }
}
