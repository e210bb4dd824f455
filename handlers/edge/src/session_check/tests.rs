use super::*;
use crate::discovery::Documents;
use crate::dispatch::{self, Router};
use crate::fault::ErrorPages;
use crate::feed::Freshness;
use crate::shard::SharedParts;
use crate::tables::{AuthMethod, Change, KeyEntry, KeyState, Mark, SignInRules, TenantEntry};
use sigid_core::ids::{ClientId, Kid};
use sigid_core::jwk::{Alg, PublicKey};
use sigid_core::marks::MarkKey;
use sigid_core::token::{Access, SubjectType, assemble, signing_input};
use sigid_io::clock::{Clock, monotonic_ms};
use sigid_io::http::Outcome;
use sigid_io::signer::{Algorithm, LocalSigner, generate};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

const ISSUER: &str = "https://auth.example.com";
const SHOP_API: &str = "https://shop.example.com/api";

fn tenants() -> [TenantId; 2] {
    ["018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b", "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2c"].map(|id| id.parse().unwrap())
}

fn client(id: &str, tenant_id: TenantId) -> ClientEntry {
    ClientEntry {
        client_name: id.to_owned(),
        audiences: vec![format!("https://{id}.example.com/api")],
        redirect_origins: vec![format!("https://{id}.example.com"), "https://elsewhere.example".to_owned()],
        ..ClientEntry::new(ClientId::parse(id).unwrap(), tenant_id, AuthMethod::ClientSecretBasic)
    }
}

/// One shard, two tenants, three applications and a signing key.
pub(crate) struct World {
    pub(crate) shard: EdgeShard,
    signer: LocalSigner,
    kid: Kid,
    now_s: i64,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_error_pages(ErrorPages::none(), 0)
    }

    pub(crate) fn with_error_pages(error_pages: ErrorPages, failed_requests_per_minute: u32) -> Self {
        let clock = Clock::new();
        let now_s = clock.now_s();
        let made = generate(Algorithm::Es256).unwrap();
        let public = PublicKey::from_raw(Alg::Es256, &made.public).unwrap();
        let kid = public.kid().unwrap();
        let signer = LocalSigner::new();
        signer.replace([(kid.as_str(), Algorithm::Es256, made.pkcs8.as_slice())]).unwrap();
        let freshness = Freshness::new(i64::MAX / 4);
        freshness.set_read(monotonic_ms());
        let features: &[&'static Feature] = &[&FEATURE, &crate::health::FEATURE];
        let shared = Shared::new(SharedParts {
            clock,
            freshness,
            digest_key: [1, 2, 3, 4],
            verified_tokens_max: 64,
            router: Router::new(features, &[Plane::Auth]),
            trusted_proxies: Vec::new(),
            allowed_hosts: vec!["auth.example.com".into()],
            cors_allowed_origins: Vec::new(),
            reply_cache_entries: 64,
            failed_requests_per_minute,
            unknown_client_budget_per_minute: 2,
            documents: Documents::build(ISSUER, features, 86_400),
        })
        .with_edge_cookies(EdgeCookies::new(&[1; 32], "example.com", ISSUER))
        .with_error_pages(error_pages);
        let shard = EdgeShard::new(0, Arc::new(shared), Arc::new(crate::tables::Tables::new(ISSUER)));
        let world = Self { shard, signer, kid: kid.clone(), now_s };
        let [one, other] = tenants();
        let key = KeyEntry {
            kid: kid.clone(),
            alg: Alg::Es256,
            public,
            state: KeyState::Active,
            published_s: now_s,
            activated_s: Some(now_s),
            retired_s: None,
            removed_s: None,
            generation: 0,
        };
        world.apply([Change::Key(kid, Some(Box::new(key)))]);
        for tenant in [one, other] {
            world.set_tenant(tenant, true);
        }
        for (id, tenant) in [("shop", one), ("shop2", one), ("foreign", other)] {
            world.set_client(client(id, tenant));
        }
        world
    }

    fn apply(&self, changes: impl IntoIterator<Item = Change>) {
        let mut tables = crate::tables::Tables::clone(&self.shard.tables.borrow());
        tables.apply(changes);
        *self.shard.tables.borrow_mut() = Arc::new(tables);
    }

    fn set_tenant(&self, tenant_id: TenantId, is_active: bool) {
        self.apply([Change::Tenant(tenant_id, Some(TenantEntry::new(tenant_id, is_active)))]);
    }

    fn set_client(&self, entry: ClientEntry) {
        self.apply([Change::Client(entry.client_id.clone(), Some(Box::new(entry)))]);
    }

    fn mark(&self, key: MarkKey) {
        self.apply([Change::Mark(key, Mark { at_s: self.now_s, expires_s: self.now_s + 1000 })]);
    }

    /// `name=value`, as the browser sends it.
    fn cookie(&self, id: &str, cookie: &EdgeCookie) -> String {
        let client = ClientId::parse(id).unwrap();
        let set = self.shard.shared.edge_cookies.seal_for(&client, cookie, self.now_s).unwrap();
        set.to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    fn person(&self) -> EdgeCookie {
        EdgeCookie {
            tenant_id: tenants()[0],
            session: [9; 16],
            sub: "pT3lJb2".into(),
            acr: "aal1".into(),
            email: Some("ada@example.com".into()),
            issued_s: self.now_s,
            expires_s: self.now_s + 900,
        }
    }

    fn access(&self) -> Access {
        Access {
            iss: ISSUER.into(),
            sub: "service".into(),
            aud: vec![SHOP_API.into()],
            client_id: ClientId::parse("shop2").unwrap(),
            scope: String::new(),
            iat_s: self.now_s,
            nbf_s: self.now_s,
            exp_s: self.now_s + 300,
            jti: "eW3AuxXCXVw9CJCEMfkTcg".into(),
            tenant_id: tenants()[0],
            subject_type: SubjectType::Service,
            extra: serde_json::Map::new(),
        }
    }

    fn token(&self, access: &Access) -> String {
        let input = signing_input(Alg::Es256, &self.kid, access);
        let signature = self.signer.sign_now(self.kid.as_str(), input.as_bytes()).unwrap();
        assemble(input, &signature)
    }

    fn ask_path(&self, method: &Method, path: &str, query: &str, headers: &HeaderMap) -> Outcome {
        let request = Request {
            method,
            path,
            query: Some(query),
            authority: "auth.example.com",
            headers,
            body: b"",
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        dispatch::hot(&self.shard, &request, &mut Memo::default())
    }

    fn ask(&self, id: &str, rows: &[(&'static str, &str)]) -> Reply {
        reply(self.ask_path(&Method::GET, "/session/check", &format!("client_id={id}"), &headers(rows)))
    }

    fn status(&self, id: &str, rows: &[(&'static str, &str)]) -> u16 {
        self.ask(id, rows).status.as_u16()
    }
}

fn reply(outcome: Outcome) -> Reply {
    match outcome {
        Outcome::Reply(reply) => reply,
        Outcome::Cold(_) => panic!("went cold"),
    }
}

fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in rows {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn shown(reply: &Reply, name: &str) -> Option<String> {
    let kept = reply.block.to_headers();
    let value = reply.headers.get(name).or_else(|| kept.get(name));
    value.map(|value| value.to_str().unwrap().to_owned())
}

#[test]
fn a_cookie_says_who_it_is() {
    let world = World::new();
    let cookie = world.cookie("shop", &world.person());
    for round in ["opened", "from the cache"] {
        let reply = world.ask("shop", &[("cookie", &cookie), ("x-auth-subject", "root"), ("x-auth-role", "root")]);
        assert_eq!(reply.status, 200, "{round}");
        let names = ["x-auth-subject", "x-auth-tenant", "x-auth-session", "x-auth-acr", "x-auth-email", "x-auth-role"];
        let expected = [
            Some("pT3lJb2"),
            Some("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b"),
            Some("CQkJCQkJCQkJCQkJCQkJCQ"),
            Some("aal1"),
            Some("ada@example.com"),
            None,
        ];
        assert_eq!(names.map(|name| shown(&reply, name)), expected.map(|value| value.map(str::to_owned)), "{round}");
        assert_eq!(shown(&reply, "cache-control").as_deref(), Some("no-store"), "{round}");
        assert!(reply.body.is_empty(), "{round}");
    }
}

#[test]
fn a_yes_says_no_more_than_who_it_is() {
    let world = World::new();
    let cookie = world.cookie("shop", &world.person());
    let forwarded =
        [("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example.com"), ("x-forwarded-uri", "/")];
    for round in ["opened", "from the cache"] {
        let reply = world.ask("shop", &[&[("cookie", cookie.as_str())][..], &forwarded].concat());
        let mut names: Vec<String> = reply.block.to_headers().keys().map(ToString::to_string).collect();
        names.extend(reply.headers.keys().map(ToString::to_string));
        names.sort();
        let expected =
            ["cache-control", "x-auth-acr", "x-auth-email", "x-auth-session", "x-auth-subject", "x-auth-tenant"];
        assert_eq!(names, expected, "{round}");
    }
}

#[test]
fn what_is_too_much_opens_nothing() {
    let world = World::new();
    let good = world.cookie("shop", &world.person());
    let filler = |bytes: usize| format!("filler={}", "x".repeat(bytes));
    let room = cookie::COOKIES_BYTES_MAX - good.len() - "filler=".len();
    let long = format!("{COOKIE_PREFIX}shop={}", "A".repeat(8000));
    for (reason, rows, status) in [
        ("as many as there may be", vec![filler(room), good.clone()], 200),
        ("one byte more", vec![filler(room + 1), good.clone()], 401),
        ("a cookie that no seal makes so long", vec![long], 401),
        ("beside one of its name", vec![good.clone(), format!("{COOKIE_PREFIX}shop=x")], 401),
        ("beside an empty one of its name", vec![good, format!("{COOKIE_PREFIX}shop")], 401),
    ] {
        let rows: Vec<(&'static str, &str)> = rows.iter().map(|value| ("cookie", value.as_str())).collect();
        assert_eq!(world.status("shop", &rows), status, "{reason}");
    }
}

#[test]
fn clocks_may_differ_by_seconds() {
    let world = World::new();
    for (reason, ahead_s, status) in [("a node that is ahead", 4, 200), ("by too much", 60, 401)] {
        let person = EdgeCookie { issued_s: world.now_s + ahead_s, ..world.person() };
        assert_eq!(world.status("shop", &[("cookie", &world.cookie("shop", &person))]), status, "{reason}");
    }
}

#[test]
fn whoever_is_refused_is_shown_the_way() {
    let world = World::new();
    let person = world.person();
    let good = world.cookie("shop", &person);
    let stale = world.cookie("shop", &EdgeCookie { expires_s: world.now_s, ..person.clone() });
    let ended = world.cookie("shop", &EdgeCookie { session: [8; 16], ..person });
    world.mark(MarkKey::session(tenants()[0], "CAgICAgICAgICAgICAgICA"));
    let doubled = format!("{good}; {good}");
    let to_shop = [("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example.com"), ("x-forwarded-uri", "/")];
    let way = "https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2Fshop.example.com%2F";
    let challenge = Some("Bearer realm=\"sigid\"");
    for (reason, cookie) in [
        ("nobody yet", "a=b"),
        ("stale", &stale),
        ("of a session that has ended", &ended),
        ("twice", &doubled),
        ("another application's", &good.replace("shop", "shop2")),
        ("no cookie of ours", "__Secure-sigid-shop=x"),
    ] {
        for method in ["GET", "HEAD", "POST", "OPTIONS"] {
            let rows = headers(&[&[("cookie", cookie)][..], &to_shop].concat());
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let seen = reply(world.ask_path(&method, "/session/check", "client_id=shop", &rows));
            assert_eq!(seen.status, 401, "{reason} {method}");
            assert_eq!(shown(&seen, "location").as_deref(), Some(way), "{reason} {method}");
            assert_eq!(shown(&seen, "www-authenticate").as_deref(), challenge, "{reason} {method}");
            assert_eq!(shown(&seen, "cache-control").as_deref(), Some("no-store"), "{reason} {method}");
            assert_eq!(shown(&seen, "set-cookie"), None, "{reason} {method}");
            assert!(seen.body.is_empty(), "{reason} {method}");
        }
    }
    let bearer = world.ask("shop", &[&[("authorization", "Bearer x")][..], &to_shop].concat());
    let said = shown(&bearer, "www-authenticate");
    assert_eq!(said.as_deref(), Some("Bearer realm=\"sigid\", error=\"invalid_token\""), "a token was sent");
}

#[test]
fn a_proxy_may_say_the_path_behind_ours() {
    let world = World::new();
    let host = [("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example.com")];
    let uri = |uri| [&host[..], &[("x-forwarded-uri", uri)]].concat();
    let back = |path: &str| {
        format!("https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2Fshop.example.com{path}")
    };
    for (reason, path, rows, expected) in [
        ("nothing behind it", "/session/check", host.to_vec(), Some(back("%2F"))),
        ("a path", "/session/check/orders/1", host.to_vec(), Some(back("%2Forders%2F1"))),
        ("a slash", "/session/check/", host.to_vec(), Some(back("%2F"))),
        ("the header decides", "/session/check/orders", uri("/a?b=1"), Some(back("%2Fa%3Fb%3D1"))),
        ("a header that is none", "/session/check/orders", uri("orders"), None),
        ("two headers", "/session/check/orders", [uri("/a"), uri("/a")].concat(), None),
        ("no host", "/session/check/orders", vec![], None),
    ] {
        let seen = reply(world.ask_path(&Method::GET, path, "client_id=shop", &headers(&rows)));
        assert_eq!(shown(&seen, "location"), expected, "{reason}");
    }
}

#[test]
fn a_cookie_opens_one_application_while_it_lives() {
    let world = World::new();
    let person = world.person();
    let good = world.cookie("shop", &person);
    let value = good.split_once('=').unwrap().1;
    let expired = world.cookie("shop", &EdgeCookie { expires_s: world.now_s, ..person.clone() });
    let foreign = world.cookie("shop", &EdgeCookie { tenant_id: tenants()[1], ..person.clone() });
    let hostile = world.cookie("shop", &EdgeCookie { sub: "a\r\nx-auth-subject: root".into(), ..person.clone() });
    let nameless = world.cookie("shop", &EdgeCookie { email: None, ..person });
    let other_key = EdgeCookies::new(&[2; 32], "example.com", ISSUER);
    let forged = other_key.seal_for(&ClientId::parse("shop").unwrap(), &world.person(), world.now_s).unwrap();
    let forged = forged.to_str().unwrap().split(';').next().unwrap();
    for (reason, id, rows, status) in [
        ("its own", "shop", vec![("cookie", good.as_str())], 200),
        ("among others", "shop", vec![("cookie", "a=b"), ("cookie", &good)], 200),
        ("the application's own Authorization", "shop", vec![("cookie", &good), ("authorization", "Basic eDp5")], 200),
        ("without an address", "shop", vec![("cookie", &nameless)], 200),
        ("no cookie", "shop", vec![], 401),
        ("another application", "shop2", vec![("cookie", &good)], 401),
        ("renamed for another application", "shop2", vec![("cookie", &good.replace("shop", "shop2"))], 401),
        (
            "another application's for this one",
            "shop",
            vec![("cookie", &world.cookie("shop2", &world.person()).replace("shop2", "shop"))],
            401,
        ),
        ("another tenant's application", "foreign", vec![("cookie", &good.replace("shop", "foreign"))], 401),
        ("a cookie of another tenant", "shop", vec![("cookie", &foreign)], 401),
        ("twice", "shop", vec![("cookie", &good), ("cookie", &good)], 401),
        ("at its expiry", "shop", vec![("cookie", &expired)], 401),
        ("another key", "shop", vec![("cookie", forged)], 401),
        ("a subject with line breaks", "shop", vec![("cookie", &hostile)], 401),
        ("as a bearer token", "shop", vec![("authorization", &format!("Bearer {value}"))], 401),
        ("beside a bad bearer token", "shop", vec![("cookie", &good), ("authorization", "Bearer x")], 401),
        (
            "beside two Authorization headers",
            "shop",
            vec![("cookie", &good), ("authorization", "a"), ("authorization", "b")],
            401,
        ),
    ] {
        assert_eq!(world.status(id, &rows), status, "{reason}");
        assert_eq!(world.status(id, &rows), status, "{reason}, again");
    }
    let reply = world.ask("shop", &[("cookie", &nameless)]);
    assert_eq!(shown(&reply, "x-auth-email"), None, "only where it was consented to");
}

type Act = fn(&World, TenantId);

#[test]
fn what_is_revoked_is_refused_from_the_cache_too() {
    let [tenant, _] = tenants();
    let acts: [(&str, Act); 9] = [
        ("the tenant's mark", |world, tenant| world.mark(MarkKey::tenant(tenant))),
        ("the application's mark", |world, _| world.mark(MarkKey::client(&ClientId::parse("shop").unwrap()))),
        ("the person's mark", |world, tenant| world.mark(MarkKey::subject(tenant, "pT3lJb2"))),
        ("the session's mark", |world, tenant| world.mark(MarkKey::session(tenant, "CQkJCQkJCQkJCQkJCQkJCQ"))),
        ("the tenant is disabled", |world, tenant| world.set_tenant(tenant, false)),
        ("the tenant is closed", |world, tenant| {
            let sign_in = SignInRules { methods: Some(Vec::new()), takes_new: true };
            let entry = TenantEntry { sign_in, ..TenantEntry::new(tenant, true) };
            world.apply([Change::Tenant(tenant, Some(entry))]);
        }),
        ("the application is disabled", |world, tenant| {
            world.set_client(ClientEntry { is_active: false, ..client("shop", tenant) });
        }),
        ("the application is deleted", |world, _| {
            world.apply([Change::Client(ClientId::parse("shop").unwrap(), None)]);
        }),
        ("the application moved to another tenant", |world, _| world.set_client(client("shop", tenants()[1]))),
    ];
    for (reason, act) in acts {
        let world = World::new();
        let cookie = world.cookie("shop", &world.person());
        assert_eq!(world.status("shop", &[("cookie", &cookie)]), 200, "{reason}: before");
        act(&world, tenant);
        let is_yes = |outcome| matches!(outcome, Outcome::Reply(reply) if reply.status == 200);
        for _ in 0..4 {
            let headers = headers(&[("cookie", &cookie)]);
            assert!(!is_yes(world.ask_path(&Method::GET, "/session/check", "client_id=shop", &headers)), "{reason}");
        }
    }
    let world = World::new();
    let cookie = world.cookie("shop", &world.person());
    assert_eq!(world.status("shop", &[("cookie", &cookie)]), 200);
    world.mark(MarkKey::session(tenant, "another"));
    world.set_client(client("shop2", tenant));
    assert_eq!(world.status("shop", &[("cookie", &cookie)]), 200, "others' news changes nothing");
    let sign_in = SignInRules { methods: Some(vec!["passkey".into()]), takes_new: false };
    world.apply([Change::Tenant(tenant, Some(TenantEntry { sign_in, ..TenantEntry::new(tenant, true) }))]);
    assert_eq!(world.status("shop", &[("cookie", &cookie)]), 200, "methods are asked when a cookie is made");
}

#[test]
fn a_token_must_be_meant_for_the_application() {
    let world = World::new();
    let access = world.access();
    let with = |name: &str, value: serde_json::Value| {
        let extra = serde_json::Map::from_iter([(name.to_owned(), value)]);
        world.token(&Access { extra, ..access.clone() })
    };
    let token = world.token(&access);
    let bearer = format!("Bearer {token}");
    let other_aud = world.token(&Access { aud: vec!["https://shop2.example.com/api".into()], ..access.clone() });
    let several = world.token(&Access { aud: vec!["urn:other".into(), SHOP_API.into()], ..access.clone() });
    let expired = world.token(&Access { iat_s: 1, nbf_s: 1, exp_s: world.now_s, ..access.clone() });
    for (reason, id, value, status) in [
        ("meant for it", "shop", bearer.clone(), 200),
        ("in another case", "shop", format!("bearer {token}"), 200),
        ("among other audiences", "shop", format!("Bearer {several}"), 200),
        ("the issuing client is no audience", "shop2", bearer.clone(), 401),
        ("meant for another", "shop", format!("Bearer {other_aud}"), 401),
        ("another tenant", "foreign", bearer.clone(), 401),
        ("expired", "shop", format!("Bearer {expired}"), 401),
        ("bound to a key", "shop", format!("Bearer {}", with("cnf", serde_json::json!({"jkt": "x"}))), 401),
        ("cut short", "shop", bearer[..bearer.len() - 2].to_owned(), 401),
        ("nothing", "shop", "Bearer".to_owned(), 401),
        ("blanks", "shop", "Bearer   ".to_owned(), 401),
        ("another scheme", "shop", format!("DPoP {token}"), 401),
    ] {
        for round in ["first", "again"] {
            assert_eq!(world.status(id, &[("authorization", &value)]), status, "{reason}, {round}");
        }
    }
    let reply = world.ask("shop", &[("authorization", &format!("Bearer {}", with("acr", "aal2".into())))]);
    assert_eq!(shown(&reply, "x-auth-subject").as_deref(), Some("service"));
    assert_eq!(shown(&reply, "x-auth-acr").as_deref(), Some("aal2"));
    assert_eq!(shown(&reply, "x-auth-session"), None);
    let cookie = format!("{COOKIE_PREFIX}shop={token}");
    assert_eq!(world.status("shop", &[("cookie", &cookie)]), 401, "a token is no cookie");
    world.mark(MarkKey::token(tenants()[0], &access.jti));
    assert_eq!(world.status("shop", &[("authorization", &bearer)]), 401, "revoked, though it is in the cache");
}

#[test]
fn a_resource_that_is_taken_away_lets_nobody_in() {
    let world = World::new();
    let bearer = format!("Bearer {}", world.token(&world.access()));
    assert_eq!(world.status("shop", &[("authorization", &bearer)]), 200);
    world.set_client(ClientEntry { audiences: Vec::new(), ..client("shop", tenants()[0]) });
    assert_eq!(world.status("shop", &[("authorization", &bearer)]), 401);
}

#[test]
fn every_method_and_what_is_below_the_path() {
    let world = World::new();
    let cookie = world.cookie("shop", &world.person());
    let preflight = headers(&[("origin", "https://shop.example.com"), ("access-control-request-method", "GET")]);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let ask =
            |path, headers: &HeaderMap| reply(world.ask_path(&method, path, "client_id=shop", headers)).status.as_u16();
        assert_eq!(ask("/session/check", &headers(&[("cookie", &cookie)])), 200, "{method}");
        assert_eq!(ask("/session/check", &preflight), 401, "{method}: a preflight is no yes");
        for (path, status) in [
            ("/session/check/", 200),
            ("/session/check/orders/1", 200),
            ("/session/check/../../health/live", 200),
            ("/session/checks", 404),
            ("/session/chec", 404),
            ("/session", 404),
            ("/Session/check", 404),
            ("/session/check%2f", 404),
            ("//session/check", 404),
        ] {
            assert_eq!(ask(path, &headers(&[("cookie", &cookie)])), status, "{method} {path}");
        }
    }
}

#[test]
fn the_proxy_alone_names_the_application() {
    let world = World::new();
    let cookie = world.cookie("shop", &world.person());
    let headers = headers(&[("cookie", &cookie)]);
    for (reason, query, status) in [
        ("alone", "client_id=shop", 200),
        ("with the visitor's query", "client_id=shop&path=/orders?id=1&x=%zz", 200),
        ("after it", "id=1&client_id=shop", 200),
        ("other names", "client_id=shop&client_ids=shop2&xclient_id=shop2&Client_id=shop2", 200),
        ("none", "", 400),
        ("empty", "client_id=", 400),
        ("no value", "client_id", 400),
        ("twice", "client_id=shop&client_id=shop", 400),
        ("twice, differing", "client_id=shop&client_id=shop2", 400),
        ("twice, one empty", "client_id=shop&client_id=", 400),
        ("twice, one escaped", "client_id=shop&client%5fid=shop2", 400),
        ("twice, all escaped", "%63%6c%69%65%6E%74%5F%69%64=shop2&client_id=shop", 400),
    ] {
        assert_eq!(reply(world.ask_path(&Method::GET, "/session/check", query, &headers)).status, status, "{reason}");
    }
}

#[test]
fn an_unknown_application_is_asked_about_within_the_budget() {
    let world = World::new();
    let ask = || world.ask_path(&Method::GET, "/session/check", "client_id=nobody", &headers(&[]));
    assert!(matches!(ask(), Outcome::Cold(_)));
    assert!(matches!(ask(), Outcome::Cold(_)));
    let refused = reply(ask());
    assert_eq!(refused.status, 401);
    assert_eq!(shown(&refused, "location"), None);
}

#[test]
fn a_browser_is_sent_to_sign_in_and_back_to_its_application_only() {
    let world = World::new();
    let location = |rows: &[(&'static str, &str)]| shown(&world.ask("shop", rows), "location");
    let forwarded =
        |proto, host, uri| vec![("x-forwarded-proto", proto), ("x-forwarded-host", host), ("x-forwarded-uri", uri)];
    let orders = "https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2Fshop.example.com%2Forders%3Fa%3D1%26b%3D2";
    let root = "https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2Fshop.example.com%2F";
    let with_port =
        "https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2Fshop.example.com%3A443%2F";
    for (reason, rows, expected) in [
        ("as Caddy and Traefik say it", forwarded("https", "shop.example.com", "/orders?a=1&b=2"), Some(orders)),
        ("as nginx says it", vec![("x-original-url", "https://shop.example.com/orders?a=1&b=2")], Some(orders)),
        ("nobody says it", vec![], None),
        ("no host", vec![("x-forwarded-proto", "https"), ("x-forwarded-uri", "/")], None),
        (
            "twice",
            [forwarded("https", "shop.example.com", "/"), vec![("x-forwarded-host", "evil.example")]].concat(),
            None,
        ),
        (
            "twice by nginx",
            vec![("x-original-url", "https://shop.example.com/"), ("x-original-url", "https://shop.example.com/")],
            None,
        ),
        ("several hosts", forwarded("https", "shop.example.com, evil.example", "/"), None),
        ("another host", forwarded("https", "evil.example", "/"), None),
        ("another scheme", forwarded("http", "shop.example.com", "/"), None),
        ("another port", forwarded("https", "shop.example.com:8443", "/"), None),
        (
            "the default port, which some proxies write",
            forwarded("https", "shop.example.com:443", "/"),
            Some(with_port),
        ),
        ("userinfo", forwarded("https", "shop.example.com@evil.example", "/"), None),
        ("a suffix host", forwarded("https", "shop.example.com.evil.example", "/"), None),
        ("a uri that goes on with the host", forwarded("https", "shop.example.com", ".evil.example/"), None),
        ("a backslash", vec![("x-original-url", "https://shop.example.com\\@evil.example/")], None),
        ("a script", vec![("x-original-url", "javascript://shop.example.com/%0aalert(1)")], None),
        ("registered, but no cookie gets there", forwarded("https", "elsewhere.example", "/"), None),
        (
            "a bearer token is no browser",
            [forwarded("https", "shop.example.com", "/"), vec![("authorization", "Bearer x")]].concat(),
            None,
        ),
        (
            "in another case",
            forwarded("https", "SHOP.example.com", "/"),
            Some("https://auth.example.com/session/start?client_id=shop&return_to=https%3A%2F%2FSHOP.example.com%2F"),
        ),
        ("a bare root", forwarded("https", "shop.example.com", "/"), Some(root)),
    ] {
        assert_eq!(location(&rows).as_deref(), expected, "{reason}");
    }
    let long = format!("/{}", "a".repeat(RETURN_BYTES_MAX));
    assert_eq!(location(&forwarded("https", "shop.example.com", &long)), None, "too long");
}

#[test]
fn a_page_leads_on_where_a_proxy_hands_the_401_through() {
    let world = World::new();
    let original = ("x-original-url", "https://shop.example.com/a?b=1&c=<script>");
    for (reason, rows, has_page) in [
        ("a navigation", vec![original, ("accept", "text/html,*/*;q=0.8")], true),
        ("a script's request", vec![original, ("accept", "application/json")], false),
        ("anything", vec![original], false),
        ("nowhere to go", vec![("accept", "text/html")], false),
    ] {
        let reply = world.ask("shop", &rows);
        let body = std::str::from_utf8(&reply.body).unwrap();
        assert_eq!(reply.status, 401, "{reason}");
        assert_eq!(!body.is_empty(), has_page, "{reason}");
        assert!(!body.contains("<script"), "{reason}");
        assert_eq!(shown(&reply, "content-security-policy").is_some(), has_page, "{reason}");
    }
}

#[test]
fn addresses_are_escaped() {
    for (reason, email, expected) in [
        ("plain", "ada@example.com", "ada@example.com"),
        ("UTF-8", "ad\u{e4}@example.com", "ad%C3%A4@example.com"),
        ("an escape of its own", "a%41@example.com", "a%2541@example.com"),
        ("a line break", "a\r\nb@example.com", "a%0D%0Ab@example.com"),
    ] {
        assert_eq!(escape_email(email), expected, "{reason}");
    }
}

#[test]
fn cookies_go_to_their_hosts() {
    let client = ClientId::parse("shop").unwrap();
    let cookie = World::new().person();
    for (reason, base_domain, issuer, domain) in [
        ("a domain above", "example.com", ISSUER, "; Domain=example.com"),
        ("the issuer's own host", "auth.example.com", ISSUER, ""),
        ("one label", "localhost", "https://localhost:8443", ""),
        ("one label above", "localhost", "https://auth.localhost:8443", ""),
    ] {
        let cookies = EdgeCookies::new(&[1; 32], base_domain, issuer);
        let set = cookies.seal_for(&client, &cookie, cookie.issued_s).unwrap();
        let attributes = set.to_str().unwrap().split_once("; ").unwrap().1;
        assert_eq!(attributes, format!("Path=/{domain}; Max-Age=900; Secure; HttpOnly; SameSite=Lax"), "{reason}");
    }
    let cleared = EdgeCookies::new(&[1; 32], "example.com", ISSUER).clear_for(&client).unwrap();
    assert!(cleared.to_str().unwrap().starts_with("__Secure-sigid-shop=; Path=/; Domain=example.com; Max-Age=0;"));
}
