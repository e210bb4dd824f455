//! The signing keys of this process, kept in step with the tables.
//!
//! The tables say which key signs; the private halves are read from the database, opened by the root
//! key, whenever the tables' keys change. All of them are held, the next one too, so that a promotion
//! needs no reading. A key that the tables name and this process does not hold yet is read at once by
//! whoever needs it.

use crate::config::Jwt;
use crate::keys::{self, Fault, KeyRoom, Policy, RootKey, jobs};
use sigid_core::token::SubjectType;
use sigid_edge::backend::Backend;
use sigid_edge::feature::{Feature, Job, JobFault};
use sigid_edge::feed::Feed;
use sigid_edge::tables::Tables;
use sigid_io::backend::BoxFuture;
use sigid_io::metrics::{self, Counter};
use sigid_io::pg::Pools;
use sigid_io::settings::Plane;
use sigid_io::signer::LocalSigner;
use sigid_platform::outbox::Act;
use std::sync::Arc;
use std::time::Duration;

pub const FEATURE: Feature = Feature {
    name: "signing-keys",
    section: Some("jwt"),
    routes: &[],
    jobs: &[Job { name: "key-rotation", plane: Plane::Async, every_s: jobs::EVERY_S, run: rotate }],
    events: &["key.published", "key.activated", "key.retired", "key.revoked", "key.destroyed", "key.deleted"],
    discovery: &[],
};

/// Between two attempts to read the private halves.
const RETRY: Duration = Duration::from_secs(1);
/// Who acts when a job does.
const ACTOR: &str = "job";

/// Root key, signer and policy of this process.
pub struct Keyring {
    pub root: RootKey,
    pub signer: Arc<LocalSigner>,
    pub policy: Policy,
    pub issued: Issued,
}

/// Access tokens issued, by subject type; registered at boot.
pub struct Issued([(SubjectType, Counter); 3]);

impl Default for Issued {
    fn default() -> Self {
        let counter = |subject_type: SubjectType| {
            let labels = [("subject_type", subject_type.as_str())];
            (subject_type, metrics::counter("sigid_tokens_issued_total", "Access tokens issued.", &labels))
        };
        Self([SubjectType::Human, SubjectType::Agent, SubjectType::Service].map(counter))
    }
}

impl Issued {
    pub fn inc(&self, subject_type: SubjectType) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == subject_type) {
            counter.inc();
        }
    }
}

impl Keyring {
    pub fn new(root: RootKey, jwt: &Jwt) -> Self {
        Self { root, signer: Arc::new(LocalSigner::new()), policy: policy(jwt), issued: Issued::default() }
    }

    /// First start of an installation: a key that signs and one that is next, for each algorithm.
    ///
    /// # Errors
    /// The database or the root key refused.
    pub async fn ensure(&self, pools: &Pools, now_s: i64) -> Result<(), Fault> {
        let room = KeyRoom::job(pools.pool(Plane::Async), &self.root, self.policy);
        room.ensure(&keys::ALGORITHMS, Act { actor: ACTOR, now_s }).await.map(|_| ())
    }

    /// Reads the private halves again.
    ///
    /// # Errors
    /// The database or the root key refused.
    pub async fn refresh(&self, pools: &Pools) -> Result<(), Fault> {
        keys::refresh_signer(pools.pool(Plane::Auth), &self.root, &self.signer).await
    }
}

/// When keys rotate and how long they stay published.
pub fn policy(jwt: &Jwt) -> Policy {
    Policy {
        rotation_s: i64::from(jwt.key_rotation_days) * 86_400,
        token_life_max_s: i64::from(jwt.access_token_lifetime_max_secs()),
    }
}

/// Reads the private halves whenever the tables' keys change. Ends with the feed.
pub async fn follow(keyring: Arc<Keyring>, pools: Pools, feed: Feed) {
    let mut snapshots = feed.subscribe();
    let mut held = names(&feed.tables());
    while snapshots.changed().await.is_ok() {
        let named = names(&snapshots.borrow_and_update().clone());
        if named == held {
            continue;
        }
        while let Err(error) = keyring.refresh(&pools).await {
            tracing::warn!(%error, "the signing keys could not be read");
            tokio::time::sleep(RETRY).await;
        }
        held = named;
    }
}

fn names(tables: &Tables) -> Vec<(String, u64)> {
    let mut names: Vec<_> = tables.keys().map(|key| (key.kid.to_string(), key.generation)).collect();
    names.sort();
    names
}

fn rotate(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let keyring = backend.settings.find::<Arc<Keyring>>().ok_or_else(|| JobFault("no keyring".to_owned()))?;
        let room = KeyRoom::job(backend.pools.pool(Plane::Async), &keyring.root, keyring.policy);
        let act = Act { actor: ACTOR, now_s: backend.shared.clock.now_s() };
        let done = jobs::tick(&room, act).await.map_err(|error| JobFault(error.to_string()))?;
        for done in &done {
            tracing::info!(event = done.event_type, kid = done.kid.as_str(), "signing keys");
        }
        if !done.is_empty() {
            backend.feed.refresh().await.map_err(|_| JobFault("the tables were not read again".to_owned()))?;
        }
        Ok(())
    })
}
