//! What the hot path knows: tenants, clients, keys and marks, as immutable snapshots.
//!
//! A snapshot is a handful of persistent maps, so that a change costs the path to its entry and a
//! clone costs a few counters; shards, the backend and the feed read the same memory. Only the feed
//! changes tables, and hands the next snapshot out whole.
//!
//! Two versions tell a cache what moved: `entities` (tenants, clients, keys) and `marks`. An entry's
//! `generation` is the entities version that brought it, so "is this still what I saw?" is one
//! comparison. Limits: as many entries as the database has; about 250 bytes a mark, 600 a client.

use crate::brand::TenantBrand;
use rpds::HashTrieMapSync;
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::jwk::{Alg, JwkSet, PublicKey};
use sigid_core::marks::MarkKey;
use sigid_core::secret::Digest32;
use std::sync::Arc;

/// A tenant as the hot path needs it, and the pages of sign-in.
#[derive(Clone, Debug)]
pub struct TenantEntry {
    pub tenant_id: TenantId,
    pub is_active: bool,
    pub sign_in: SignInRules,
    pub brand: Option<Arc<TenantBrand>>,
    pub generation: u64,
}

impl TenantEntry {
    /// One that has decided nothing about sign-in.
    pub fn new(tenant_id: TenantId, is_active: bool) -> Self {
        Self { tenant_id, is_active, sign_in: SignInRules::default(), brand: None, generation: 0 }
    }
}

/// How people come to a tenant's applications. The default is the operator's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInRules {
    /// The names of the methods of sign-in that it accepts; `None`: the operator's. None at all: it is closed.
    pub methods: Option<Vec<String>>,
    /// Whether somebody who was not invited becomes a member by coming.
    pub takes_new: bool,
}

impl SignInRules {
    /// It was said that nobody signs in: what was handed out before opens nothing either.
    pub fn is_closed(&self) -> bool {
        self.methods.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Default for SignInRules {
    fn default() -> Self {
        Self { methods: None, takes_new: true }
    }
}

/// The one method a client authenticates with (`token_endpoint_auth_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    ClientSecretBasic,
    ClientSecretPost,
    PrivateKeyJwt,
    None,
}

impl AuthMethod {
    pub const ALL: [Self; 4] = [Self::ClientSecretBasic, Self::ClientSecretPost, Self::PrivateKeyJwt, Self::None];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::PrivateKeyJwt => "private_key_jwt",
            Self::None => "none",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// Whether a client of this method holds a secret.
    pub const fn has_secret(self) -> bool {
        matches!(self, Self::ClientSecretBasic | Self::ClientSecretPost)
    }
}

/// One live secret: its digest and, while it is being rotated out, its end.
#[derive(Clone, Debug)]
pub struct SecretEntry {
    pub digest: Digest32,
    pub expires_s: Option<i64>,
}

/// A client as the hot path and the token endpoint need it.
#[derive(Clone, Debug)]
pub struct ClientEntry {
    pub client_id: ClientId,
    /// What people are shown; empty: it has no name.
    pub client_name: String,
    pub tenant_id: TenantId,
    pub is_active: bool,
    pub auth_method: AuthMethod,
    pub secrets: Vec<SecretEntry>,
    pub jwks: Option<JwkSet>,
    /// The registered `token_endpoint_auth_signing_alg`; none: any that its keys allow.
    pub assertion_alg: Option<Alg>,
    pub grant_types: Vec<String>,
    pub scope: Vec<String>,
    /// What it may ask for (RFC 8707); the first is the default.
    pub resources: Vec<String>,
    /// What it is, as a resource server.
    pub audiences: Vec<String>,
    /// Origins of its redirect URIs: where a browser may be sent back to, and for a public client who may call (CORS).
    pub redirect_origins: Vec<String>,
    pub generation: u64,
}

impl ClientEntry {
    /// An active one that has no more than its name.
    pub fn new(client_id: ClientId, tenant_id: TenantId, auth_method: AuthMethod) -> Self {
        Self {
            client_id,
            client_name: String::new(),
            tenant_id,
            is_active: true,
            auth_method,
            secrets: Vec::new(),
            jwks: None,
            assertion_alg: None,
            grant_types: Vec::new(),
            scope: Vec::new(),
            resources: Vec::new(),
            audiences: Vec::new(),
            redirect_origins: Vec::new(),
            generation: 0,
        }
    }

    /// Origins whose pages may call for this client: those of a public one.
    fn cors_origins(&self) -> &[String] {
        if self.auth_method == AuthMethod::None { &self.redirect_origins } else { &[] }
    }
}

/// Where a signing key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, signs nothing yet.
    Next,
    /// Signs.
    Active,
    /// Signs no more; what it signed is still good.
    Retired,
    /// Compromised: nothing it signed is good.
    Revoked,
}

impl KeyState {
    pub const ALL: [Self; 4] = [Self::Next, Self::Active, Self::Retired, Self::Revoked];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A verification key.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    pub kid: Kid,
    pub alg: Alg,
    pub public: PublicKey,
    pub state: KeyState,
    pub published_s: i64,
    pub activated_s: Option<i64>,
    pub retired_s: Option<i64>,
    pub removed_s: Option<i64>,
    pub generation: u64,
}

impl KeyEntry {
    /// The latest `iat` this key may vouch for; `None`: no bound. A node that has not yet heard of the
    /// rotation may sign with the old key a little longer.
    pub fn issued_max_s(&self) -> Option<i64> {
        self.retired_s.map(|retired_s| retired_s + ROTATION_GRACE_S)
    }

    pub fn is_published(&self, now_s: i64) -> bool {
        self.state != KeyState::Revoked && self.removed_s.is_none_or(|removed_s| now_s < removed_s)
    }
}

/// How long after its retirement another node may still sign with a key: the longest staleness bound and a little more.
pub const ROTATION_GRACE_S: i64 = 65;

/// "Dead if issued at or before `at_s`"; kept until `expires_s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at_s: i64,
    pub expires_s: i64,
}

/// One thing that became known. A missing entry is a deleted one.
#[derive(Clone, Debug)]
pub enum Change {
    Tenant(TenantId, Option<TenantEntry>),
    Client(ClientId, Option<Box<ClientEntry>>),
    Key(Kid, Option<Box<KeyEntry>>),
    Mark(MarkKey, Mark),
}

/// A snapshot.
#[derive(Clone)]
pub struct Tables {
    pub entities_version: u64,
    pub marks_version: u64,
    pub issuer: Arc<str>,
    /// The JWKS document, as served.
    pub jwks: bytes::Bytes,
    clients: HashTrieMapSync<ClientId, Arc<ClientEntry>>,
    tenants: HashTrieMapSync<TenantId, Arc<TenantEntry>>,
    keys: HashTrieMapSync<Kid, Arc<KeyEntry>>,
    marks: HashTrieMapSync<MarkKey, Mark>,
    /// Origins of public clients, with how many clients name each.
    origins: HashTrieMapSync<String, usize>,
    /// The tenant whose brand is the operator's.
    operator: Option<TenantId>,
}

impl Tables {
    pub fn new(issuer: &str) -> Self {
        Self {
            entities_version: 1,
            marks_version: 1,
            issuer: Arc::from(issuer),
            jwks: crate::discovery::jwks([]),
            clients: HashTrieMapSync::default(),
            tenants: HashTrieMapSync::default(),
            keys: HashTrieMapSync::default(),
            marks: HashTrieMapSync::default(),
            origins: HashTrieMapSync::default(),
            operator: None,
        }
    }

    pub fn find_client(&self, client_id: &str) -> Option<&Arc<ClientEntry>> {
        self.clients.get(client_id)
    }

    pub fn find_tenant(&self, tenant_id: TenantId) -> Option<&Arc<TenantEntry>> {
        self.tenants.get(&tenant_id)
    }

    /// The brand of a tenant, or the operator's where it has none.
    pub fn find_brand(&self, tenant: Option<TenantId>) -> Option<&TenantBrand> {
        let own = tenant.and_then(|tenant| self.tenants.get(&tenant)).and_then(|entry| entry.brand.as_deref());
        own.or_else(|| self.tenants.get(&self.operator?)?.brand.as_deref())
    }

    pub fn find_key(&self, kid: &str) -> Option<&Arc<KeyEntry>> {
        self.keys.get(kid)
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.keys.values()
    }

    pub fn find_mark(&self, key: MarkKey) -> Option<i64> {
        self.marks.get(&key).map(|mark| mark.at_s)
    }

    pub fn is_public_origin(&self, origin: &str) -> bool {
        self.origins.contains_key(origin)
    }

    /// Entries, for the metrics: clients, tenants, keys, marks.
    pub fn sizes(&self) -> [(&'static str, usize); 4] {
        [
            ("clients", self.clients.size()),
            ("tenants", self.tenants.size()),
            ("keys", self.keys.size()),
            ("marks", self.marks.size()),
        ]
    }

    /// Applies changes; applying one twice is the same as once. `true` when a cache must look again.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) -> bool {
        let (entities, marks) = (self.entities_version + 1, self.marks_version + 1);
        let mut keys_moved = false;
        for change in changes {
            match change {
                Change::Tenant(id, entry) => {
                    self.entities_version = entities;
                    self.note_operator(id, entry.as_ref());
                    match entry {
                        Some(entry) => {
                            self.tenants.insert_mut(id, Arc::new(TenantEntry { generation: entities, ..entry }));
                        }
                        None => drop(self.tenants.remove_mut(&id)),
                    }
                }
                Change::Client(id, entry) => {
                    self.entities_version = entities;
                    self.apply_client(id, entry, entities);
                }
                Change::Key(kid, entry) => {
                    self.entities_version = entities;
                    keys_moved = true;
                    match entry {
                        Some(entry) => self.keys.insert_mut(kid, Arc::new(KeyEntry { generation: entities, ..*entry })),
                        None => drop(self.keys.remove_mut(&kid)),
                    }
                }
                Change::Mark(key, mark) => {
                    if self.apply_mark(key, mark) {
                        self.marks_version = marks;
                    }
                }
            }
        }
        if keys_moved {
            self.jwks = crate::discovery::jwks(self.keys.values().map(|key| &**key));
        }
        self.entities_version == entities || self.marks_version == marks
    }

    /// News of two tenants, one of which gave the operator's brand to the other, may come in either order.
    fn note_operator(&mut self, id: TenantId, entry: Option<&TenantEntry>) {
        if entry.and_then(|entry| entry.brand.as_ref()).is_some_and(|brand| brand.is_operator) {
            self.operator = Some(id);
        } else if self.operator == Some(id) {
            self.operator = None;
        }
    }

    fn apply_client(&mut self, id: ClientId, entry: Option<Box<ClientEntry>>, generation: u64) {
        if let Some(old) = self.clients.get(&id).cloned() {
            for origin in old.cors_origins() {
                match self.origins.get(origin).copied() {
                    Some(count) if count > 1 => self.origins.insert_mut(origin.clone(), count - 1),
                    _ => drop(self.origins.remove_mut(origin)),
                }
            }
        }
        let Some(entry) = entry else {
            self.clients.remove_mut(&id);
            return;
        };
        for origin in entry.cors_origins() {
            let count = self.origins.get(origin).copied().unwrap_or(0);
            self.origins.insert_mut(origin.clone(), count + 1);
        }
        self.clients.insert_mut(id, Arc::new(ClientEntry { generation, ..*entry }));
    }

    /// Keeps the later of two marks of one key; `true` when it moved.
    fn apply_mark(&mut self, key: MarkKey, mark: Mark) -> bool {
        let known = self.marks.get(&key).copied();
        if known.is_some_and(|known| known.at_s >= mark.at_s && known.expires_s >= mark.expires_s) {
            return false;
        }
        let merged = Mark {
            at_s: known.map_or(mark.at_s, |known| known.at_s.max(mark.at_s)),
            expires_s: known.map_or(mark.expires_s, |known| known.expires_s.max(mark.expires_s)),
        };
        self.marks.insert_mut(key, merged);
        true
    }

    /// Forgets a mark that can concern nothing alive.
    pub fn forget_mark(&mut self, key: MarkKey, now_s: i64) {
        if self.marks.get(&key).is_some_and(|mark| mark.expires_s <= now_s) {
            self.marks.remove_mut(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_only_grows_and_is_forgotten_at_its_end() {
        let mut tables = Tables::new("https://localhost");
        let key = MarkKey::from_bytes([7; 16]);
        let mark = |at_s, expires_s| Change::Mark(key, Mark { at_s, expires_s });
        for (reason, change, moved, at_s) in [
            ("a new mark", mark(10, 100), true, 10),
            ("the same again", mark(10, 100), false, 10),
            ("an earlier one changes nothing", mark(5, 50), false, 10),
            ("a later one moves it", mark(20, 90), true, 20),
        ] {
            let version = tables.marks_version;
            assert_eq!(tables.apply([change]), moved, "{reason}");
            assert_eq!(tables.marks_version != version, moved, "{reason}");
            assert_eq!(tables.find_mark(key), Some(at_s), "{reason}");
        }
        tables.forget_mark(key, 99);
        assert_eq!(tables.find_mark(key), Some(20), "the longer life of the two holds");
        tables.forget_mark(key, 100);
        assert_eq!(tables.find_mark(key), None);
    }

    #[test]
    fn only_public_clients_have_origins_that_may_call() {
        let client_id = ClientId::parse("shop").unwrap();
        let client = |auth_method| ClientEntry {
            redirect_origins: vec!["https://shop.example.com".into()],
            ..ClientEntry::new(client_id.clone(), "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap(), auth_method)
        };
        let mut tables = Tables::new("https://localhost");
        for (reason, entry, may_call) in [
            ("a public client", Some(client(AuthMethod::None)), true),
            ("it becomes confidential", Some(client(AuthMethod::PrivateKeyJwt)), false),
            ("public again", Some(client(AuthMethod::None)), true),
            ("it is deleted", None, false),
        ] {
            tables.apply([Change::Client(client_id.clone(), entry.map(Box::new))]);
            assert_eq!(tables.is_public_origin("https://shop.example.com"), may_call, "{reason}");
        }
    }

    #[test]
    fn a_tenant_without_a_brand_has_the_operators() {
        let ids = [1, 2, 3].map(|n| format!("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2{n}").parse::<TenantId>().unwrap());
        let brand = |name: &str, is_operator| {
            let (accent, logo, privacy_uri, terms_uri) = (None, None, None, None);
            let brand = TenantBrand { name: name.into(), accent, logo, privacy_uri, terms_uri, is_operator };
            Some(Arc::new(brand))
        };
        let tell = |id, brand| Change::Tenant(id, Some(TenantEntry { brand, ..TenantEntry::new(id, true) }));
        let [one, two, three] = ids;
        let mut tables = Tables::new("https://localhost");
        for (reason, changes, named) in [
            ("no brand at all", vec![tell(one, None), tell(two, None)], [None, None, None, None]),
            ("one's own", vec![tell(one, brand("One", false))], [Some("One"), None, None, None]),
            (
                "an operator's",
                vec![tell(two, brand("Two", true))],
                [Some("One"), Some("Two"), Some("Two"), Some("Two")],
            ),
            (
                "given to another, the news of the new one first",
                vec![tell(one, brand("One", true)), tell(two, brand("Two", false))],
                [Some("One"), Some("Two"), Some("One"), Some("One")],
            ),
            (
                "and back, the news of the old one first",
                vec![tell(one, brand("One", false)), tell(two, brand("Two", true))],
                [Some("One"), Some("Two"), Some("Two"), Some("Two")],
            ),
            ("taken away", vec![tell(two, None)], [Some("One"), None, None, None]),
            ("deleted", vec![Change::Tenant(one, None)], [None, None, None, None]),
        ] {
            tables.apply(changes);
            let found = [Some(one), Some(two), Some(three), None].map(|id| tables.find_brand(id).map(|it| &*it.name));
            assert_eq!(found, named, "{reason}");
        }
    }

    #[test]
    fn a_snapshot_does_not_see_what_comes_later() {
        let mut tables = Tables::new("https://localhost");
        let before = tables.clone();
        tables.apply([Change::Mark(MarkKey::from_bytes([1; 16]), Mark { at_s: 1, expires_s: 2 })]);
        assert_eq!(before.find_mark(MarkKey::from_bytes([1; 16])), None);
    }
}
