//! One shard with everything in memory: a tenant, a service with a token, a resource server that asks about it.

#![allow(dead_code, reason = "each bench uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a bench stops at the first surprise")]

use http::{HeaderMap, HeaderValue, Method, header};
use sigid_core::cookie::edge::EdgeCookie;
use sigid_core::ids::{ClientId, Kid, TenantId};
use sigid_core::jwk::{Alg, PublicKey};
use sigid_core::marks::{MarkKey, MarkKind};
use sigid_core::secret::Digest32;
use sigid_core::token::{self, Access, KeyView, Keys, SubjectType};
use sigid_edge::discovery::Documents;
use sigid_edge::dispatch::{self, Router};
use sigid_edge::feature::Feature;
use sigid_edge::feed::Freshness;
use sigid_edge::shard::{EdgeShard, Memo, Shared, SharedParts};
use sigid_edge::tables::{AuthMethod, Change, ClientEntry, KeyEntry, KeyState, Mark, SecretEntry, Tables, TenantEntry};
use sigid_edge::verified::TokenDigest;
use sigid_io::clock::{Clock, monotonic_ms};
use sigid_io::http::{Outcome, Request};
use sigid_io::settings::Plane;
use sigid_io::signer::{Algorithm, LocalSigner, generate};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

pub const ISSUER: &str = "https://auth.example.com";
const AUDIENCE: &str = "https://api.example.com";
const SECRET: &str = "a-secret-of-thirty-two-characters-or-more";
/// Marks in the table, as after a busy quarter of an hour.
const MARKS: usize = 10_000;

/// Everything a bench asks about.
pub struct World {
    pub shard: EdgeShard,
    pub tables: Arc<Tables>,
    pub signer: LocalSigner,
    pub kid: Kid,
    pub public: PublicKey,
    /// The public half as ring takes it.
    pub point: Vec<u8>,
    pub access: Access,
    pub token: String,
    pub digest: TokenDigest,
    pub body: Vec<u8>,
    pub headers: HeaderMap,
    pub basic: HeaderValue,
    /// A browser's request to the application, as its proxy asks about it.
    pub browser: HeaderMap,
    pub now_s: i64,
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::new();
        let now_s = clock.now_s();
        let made = generate(Algorithm::Es256).unwrap();
        let public = PublicKey::from_raw(Alg::Es256, &made.public).unwrap();
        let kid = public.kid().unwrap();
        let signer = LocalSigner::new();
        signer.replace([(kid.as_str(), Algorithm::Es256, made.pkcs8.as_slice())]).unwrap();
        let tenant: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        let access = access(tenant, now_s);
        let token = mint(&signer, &kid, &access);
        let tables = Arc::new(tables(tenant, &kid, &public, now_s));
        let shared = Arc::new(shared(clock));
        let basic = basic("resource-server");
        let browser = browser(&shared, tenant, now_s);
        Self {
            digest: shared.hasher.digest(token.as_bytes()),
            shard: EdgeShard::new(0, shared, tables.clone()),
            body: format!("token={token}").into_bytes(),
            headers: headers(&basic),
            tables,
            signer,
            kid,
            public,
            point: made.public,
            access,
            token,
            basic,
            browser,
            now_s,
        }
    }

    /// The whole way of a request on its shard but for TLS and framing.
    pub fn ask(&self, memo: &mut Memo) -> Outcome {
        let request = Request {
            method: &Method::POST,
            path: "/oauth/introspect",
            query: None,
            authority: "auth.example.com",
            headers: &self.headers,
            body: &self.body,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        dispatch::hot(&self.shard, &request, memo)
    }

    /// [`Self::ask`], which must have said that the token is live.
    pub fn ask_live(&self, memo: &mut Memo) {
        match self.ask(memo) {
            Outcome::Reply(reply) if reply.body.starts_with(br#"{"active":true"#) => {}
            Outcome::Reply(reply) => panic!("{} {:?}", reply.status, reply.body),
            Outcome::Cold(_) => panic!("went cold"),
        }
    }

    /// The whole way of a session check on its shard but for TLS and framing.
    pub fn check(&self) -> Outcome {
        let request = Request {
            method: &Method::GET,
            path: "/session/check",
            query: Some("client_id=resource-server"),
            authority: "auth.example.com",
            headers: &self.browser,
            body: b"",
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        dispatch::hot(&self.shard, &request, &mut Memo::default())
    }

    /// [`Self::check`], which must have let the person in.
    pub fn check_live(&self) {
        match self.check() {
            Outcome::Reply(reply) if reply.block.to_headers().contains_key("x-auth-subject") => {}
            Outcome::Reply(reply) => panic!("{} {:?}", reply.status, reply.body),
            Outcome::Cold(_) => panic!("went cold"),
        }
    }

    pub fn mint(&self) -> String {
        mint(&self.signer, &self.kid, &self.access)
    }
}

/// What verification asks of a node, with one key.
impl Keys for World {
    fn key(&self, kid: &str) -> Option<KeyView<'_>> {
        (kid == self.kid.as_str()).then_some(KeyView {
            alg: Alg::Es256,
            key: &self.public,
            iat_max_s: None,
            revoked: false,
        })
    }

    fn is_issuer(&self, iss: &str) -> bool {
        iss == ISSUER
    }
}

fn mint(signer: &LocalSigner, kid: &Kid, access: &Access) -> String {
    let input = token::signing_input(Alg::Es256, kid, access);
    let signature = signer.sign_now(kid.as_str(), input.as_bytes()).unwrap();
    token::assemble(input, &signature)
}

fn access(tenant: TenantId, now_s: i64) -> Access {
    Access {
        iss: ISSUER.into(),
        sub: "service".into(),
        aud: vec![AUDIENCE.into()],
        client_id: ClientId::parse("service").unwrap(),
        scope: "orders:read orders:write".into(),
        iat_s: now_s,
        nbf_s: now_s,
        exp_s: now_s + 86_400,
        jti: "eW3AuxXCXVw9CJCEMfkTcg".into(),
        tenant_id: tenant,
        subject_type: SubjectType::Service,
        extra: serde_json::Map::new(),
    }
}

fn tables(tenant_id: TenantId, kid: &Kid, public: &PublicKey, now_s: i64) -> Tables {
    let mut tables = Tables::new(ISSUER);
    let key = KeyEntry {
        kid: kid.clone(),
        alg: Alg::Es256,
        public: public.clone(),
        state: KeyState::Active,
        published_s: now_s,
        activated_s: Some(now_s),
        retired_s: None,
        removed_s: None,
        generation: 0,
    };
    let service = client(tenant_id, "service", &[]);
    let resource_server = client(tenant_id, "resource-server", &[AUDIENCE]);
    let mut changes = vec![
        Change::Tenant(tenant_id, Some(TenantEntry::new(tenant_id, true))),
        Change::Client(service.client_id.clone(), Some(Box::new(service))),
        Change::Client(resource_server.client_id.clone(), Some(Box::new(resource_server))),
        Change::Key(kid.clone(), Some(Box::new(key))),
    ];
    let mark = Mark { at_s: now_s, expires_s: now_s + 86_400 };
    changes.extend((0..MARKS).map(|n| Change::Mark(MarkKey::of(MarkKind::Token, &n.to_be_bytes()), mark)));
    tables.apply(changes);
    tables
}

fn client(tenant_id: TenantId, id: &str, audiences: &[&str]) -> ClientEntry {
    ClientEntry {
        client_id: ClientId::parse(id).unwrap(),
        client_name: id.to_owned(),
        tenant_id,
        is_active: true,
        auth_method: AuthMethod::ClientSecretBasic,
        secrets: vec![SecretEntry { digest: Digest32::of(SECRET.as_bytes()), expires_s: None }],
        jwks: None,
        assertion_alg: None,
        grant_types: vec!["client_credentials".into()],
        scope: vec!["orders:read".into(), "orders:write".into()],
        resources: vec![AUDIENCE.into()],
        audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
        redirect_origins: Vec::new(),
        generation: 0,
    }
}

fn shared(clock: Clock) -> Shared {
    let features: &[&'static Feature] = &[
        &sigid_edge::discovery::FEATURE,
        &sigid_edge::health::FEATURE,
        &sigid_edge::introspect::FEATURE,
        &sigid_edge::session_check::FEATURE,
    ];
    let freshness = Freshness::new(i64::MAX / 4);
    freshness.set_read(monotonic_ms());
    Shared::new(SharedParts {
        clock,
        freshness,
        digest_key: [1, 2, 3, 4],
        verified_tokens_max: 65_536,
        router: Router::new(features, &[Plane::Auth]),
        trusted_proxies: Vec::new(),
        allowed_hosts: vec!["auth.example.com".into()],
        cors_allowed_origins: Vec::new(),
        reply_cache_entries: 65_536,
        failed_requests_per_minute: 0,
        unknown_client_budget_per_minute: 60,
        documents: Documents::build(ISSUER, features, 30 * 86_400),
    })
}

/// What a proxy sends of a browser's request, the edge cookie among others.
fn browser(shared: &Shared, tenant_id: TenantId, now_s: i64) -> HeaderMap {
    let person = EdgeCookie {
        tenant_id,
        session: [7; 16],
        sub: "pT3lJb2xQ0u6mZ1v9s8Kfg".into(),
        acr: "aal1".into(),
        email: Some("ada@example.com".into()),
        issued_s: now_s,
        expires_s: now_s + 86_400,
    };
    let client = ClientId::parse("resource-server").unwrap();
    let set = shared.edge_cookies.seal_for(&client, &person, now_s).unwrap();
    let pair = set.to_str().unwrap().split(';').next().unwrap().to_owned();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("cookie", format!("theme=dark; lang=en; {pair}")),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-forwarded-host", "shop.example.com".to_owned()),
        ("x-forwarded-uri", "/orders/1".to_owned()),
        ("x-forwarded-method", "GET".to_owned()),
    ] {
        headers.insert(name, HeaderValue::from_str(&value).unwrap());
    }
    headers
}

fn basic(client_id: &str) -> HeaderValue {
    use base64::Engine as _;
    let credentials = base64::engine::general_purpose::STANDARD.encode(format!("{client_id}:{SECRET}"));
    HeaderValue::from_str(&format!("Basic {credentials}")).unwrap()
}

fn headers(basic: &HeaderValue) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::AUTHORIZATION, basic.clone());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("bench"));
    headers
}
