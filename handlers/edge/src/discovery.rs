//! Discovery (OIDC Discovery 1.0, RFC 8414) and the JWKS (RFC 7517): public, prebuilt, hot.
//!
//! Both discovery documents say the same, put together once at boot from what the features declare.
//! The JWKS is rebuilt when a key changes. It may be cached for as long as the rotation schedule
//! keeps the next key published ahead of its use.

use crate::feature::{Cors, Feature, Hot, Member, Route, Serve};
use crate::shard::{EdgeShard, Memo};
use crate::tables::{KeyEntry, KeyState, Tables};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};
use sigid_io::http::{Reply, Request};
use sigid_io::settings::Plane;

pub const JWKS_PATH: &str = "/.well-known/jwks.json";

/// Longest and shortest time a JWKS may be cached. The longest is half of the 24 h that a key is
/// published ahead of its use.
pub const JWKS_AGE_S_MAX: i64 = 12 * 3600;
pub const JWKS_AGE_S_MIN: i64 = 60;
const DISCOVERY_CACHE: &str = "public, max-age=300";

pub const FEATURE: Feature = Feature {
    name: "discovery",
    section: None,
    routes: &[
        public("/.well-known/openid-configuration", document, "OpenID Provider metadata"),
        public("/.well-known/oauth-authorization-server", document, "Authorization server metadata (RFC 8414)"),
        public(JWKS_PATH, jwks_document, "Verification keys"),
    ],
    jobs: &[],
    events: &[],
    discovery: &[
        ("jwks_uri", Member::Path(JWKS_PATH)),
        ("id_token_signing_alg_values_supported", Member::Strings(&["ES256", "EdDSA"])),
        ("subject_types_supported", Member::Strings(&["public"])),
    ],
};

const fn public(path: &'static str, hot: crate::feature::HotFn, doc: &'static str) -> Route {
    Route {
        methods: &["GET", "HEAD"],
        path,
        plane: Plane::Auth,
        serve: Serve::Hot(hot),
        body_bytes_max: 0,
        cors: Cors::Any,
        doc,
    }
}

/// The prebuilt discovery document and the schedule its key set follows.
pub struct Documents {
    metadata: Bytes,
    key_rotation_s: i64,
}

impl Documents {
    /// Joins what the features declare, for one issuer.
    pub fn build(issuer: &str, features: &[&Feature], key_rotation_s: i64) -> Self {
        let mut metadata = Map::new();
        metadata.insert("issuer".to_owned(), json!(issuer));
        for (name, member) in features.iter().flat_map(|feature| feature.discovery) {
            match member {
                Member::Path(path) => drop(metadata.insert((*name).to_owned(), json!(format!("{issuer}{path}")))),
                Member::Bool(value) => drop(metadata.insert((*name).to_owned(), json!(value))),
                // RFC 8414 section 3.2: a member with no element is left out.
                Member::Strings([]) => {}
                Member::Strings(values) => join(metadata.entry(*name).or_insert_with(|| json!([])), values),
            }
        }
        Self { metadata: Value::Object(metadata).to_string().into(), key_rotation_s }
    }
}

fn join(list: &mut Value, values: &[&str]) {
    if let Value::Array(list) = list {
        for value in values {
            if !list.iter().any(|known| known == value) {
                list.push(json!(value));
            }
        }
    }
}

/// The key set of all published keys: the active first, then the next, then the retired.
pub fn jwks<'a>(keys: impl IntoIterator<Item = &'a KeyEntry>) -> Bytes {
    let mut keys: Vec<&KeyEntry> = keys.into_iter().filter(|key| key.state != KeyState::Revoked).collect();
    let rank = |state| match state {
        KeyState::Active => 0,
        KeyState::Next => 1,
        KeyState::Retired | KeyState::Revoked => 2,
    };
    keys.sort_by_key(|key| (rank(key.state), key.published_s, key.kid.clone()));
    let keys: Vec<Value> = keys.into_iter().map(|key| key.public.to_jwk(&key.kid)).collect();
    json!({ "keys": keys }).to_string().into()
}

fn document(shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    Hot::Reply(json_reply(shard.shared.documents.metadata.clone(), HeaderValue::from_static(DISCOVERY_CACHE)))
}

fn jwks_document(shard: &EdgeShard, _request: &Request<'_>, _memo: &mut Memo) -> Hot {
    let tables = shard.tables.borrow();
    let age_s = jwks_age_s(&tables, shard.shared.documents.key_rotation_s, shard.shared.clock.coarse_now_s());
    let cache =
        HeaderValue::from_str(&format!("public, max-age={age_s}")).unwrap_or(HeaderValue::from_static("no-cache"));
    Hot::Reply(json_reply(tables.jwks.clone(), cache))
}

/// Until the next scheduled rotation, when another key is published; never longer than half the lead.
fn jwks_age_s(tables: &Tables, key_rotation_s: i64, now_s: i64) -> i64 {
    let active = tables.keys().filter(|key| key.state == KeyState::Active);
    let rotation_s = active.filter_map(|key| key.activated_s).map(|activated_s| activated_s + key_rotation_s).min();
    rotation_s.map_or(JWKS_AGE_S_MIN, |rotation_s| rotation_s - now_s).clamp(JWKS_AGE_S_MIN, JWKS_AGE_S_MAX)
}

fn json_reply(body: Bytes, cache: HeaderValue) -> Reply {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, cache);
    Reply { headers, body, ..Reply::empty(StatusCode::OK) }
}
