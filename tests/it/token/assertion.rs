//! `private_key_jwt` (RFC 7523): good assertions once, and the ways to make a bad one.

use serde_json::{Value, json};

use crate::support::ask::{Ask, Reply};
use crate::support::connect::Conn;
use crate::support::forge::{Pair, encode, sign_hmac, thumb};
use crate::support::place;
use crate::support::seed::{client, signer_key};
use crate::support::site::Site;
use crate::support::wait::now_s;

pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Claims that are good for a minute, and never twice the same.
pub fn claims(audience: &str) -> Value {
    let now_s = now_s();
    let jti = format!("{}-{}", std::process::id(), place::number());
    json!({ "iss": "signer", "sub": "signer", "aud": audience, "iat": now_s, "exp": now_s + 60, "jti": jti })
}

/// A good assertion of `signer`.
pub fn good(audience: &str) -> String {
    sign(&signer_key("ES256"), &claims(audience))
}

fn sign(key: &Pair, claims: &Value) -> String {
    key.sign(&json!({ "alg": key.alg(), "kid": thumb(key) }), claims)
}

fn ask(assertion: &str) -> Ask {
    let fields =
        [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", assertion)];
    Ask::post("/oauth/token").form(&fields)
}

async fn present(conn: &Conn, assertion: &str) -> Reply {
    conn.ask(ask(assertion)).await
}

fn with(base: &Value, members: Value) -> Value {
    let mut all = base.as_object().unwrap().clone();
    for (name, value) in members.as_object().unwrap() {
        match value {
            Value::Null => drop(all.remove(name)),
            value => drop(all.insert(name.clone(), value.clone())),
        }
    }
    Value::Object(all)
}

#[tokio::test]
async fn good_assertions_of_every_kind() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let key = signer_key("ES256");
    let issuer = site.issuer.as_str();
    let endpoint = format!("{issuer}/oauth/token");
    for (reason, assertion) in [
        ("for the issuer", sign(&key, &claims(issuer))),
        ("for the endpoint", sign(&key, &claims(&endpoint))),
        (
            "for several, us among them",
            sign(&key, &with(&claims(issuer), json!({ "aud": ["https://a.example", issuer] }))),
        ),
        ("by the other key", sign(&signer_key("EdDSA"), &claims(issuer))),
        ("without kid", key.sign(&json!({ "alg": "ES256" }), &claims(issuer))),
        ("with typ JWT", key.sign(&json!({ "alg": "ES256", "typ": "JWT" }), &claims(issuer))),
        ("without iat", sign(&key, &with(&claims(issuer), json!({ "iat": null })))),
    ] {
        let reply = present(&conn, &assertion).await;
        assert_eq!(reply.status, 200, "{reason}: {}", reply.text());
    }
}

#[tokio::test]
async fn bad_assertions_are_refused_alike() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    let key = signer_key("ES256");
    let base = || claims(&site.issuer);
    let now_s = now_s();
    let (own, _) = Pair::generate("ES256");
    let header = json!({ "alg": "ES256", "kid": thumb(&key) });
    let changed = |members: Value| sign(&key, &with(&base(), members));
    let hs256 = json!({ "alg": "HS256", "kid": thumb(&key) });
    let jwk = key.jwk(&thumb(&key)).to_string();
    let none = format!("{}.{}.", encode(json!({ "alg": "none" }).to_string()), encode(base().to_string()));
    let doubled = |member: &str| {
        let text = base().to_string();
        key.sign_text(&header.to_string(), &format!("{{{member},{}", &text[1..]))
    };
    for (reason, assertion) in [
        ("no exp", changed(json!({ "exp": null }))),
        ("exp past", changed(json!({ "exp": now_s - 1 }))),
        ("exp far away", changed(json!({ "exp": now_s + 86_400 }))),
        ("exp as text", changed(json!({ "exp": (now_s + 60).to_string() }))),
        ("iat in the future", changed(json!({ "iat": now_s + 120, "exp": now_s + 180 }))),
        ("nbf in the future", changed(json!({ "nbf": now_s + 50 }))),
        ("no jti", changed(json!({ "jti": null }))),
        ("jti empty", changed(json!({ "jti": "" }))),
        ("jti long", changed(json!({ "jti": "a".repeat(1000) }))),
        ("another aud", changed(json!({ "aud": "https://evil.example" }))),
        ("no aud", changed(json!({ "aud": null }))),
        ("aud like ours", changed(json!({ "aud": format!("{}/evil", site.issuer) }))),
        ("another endpoint of ours", changed(json!({ "aud": format!("{}/oauth/introspect", site.issuer) }))),
        ("another iss", changed(json!({ "iss": "service" }))),
        ("another sub", changed(json!({ "sub": "service" }))),
        ("no iss", changed(json!({ "iss": null }))),
        ("both another client, with our key", changed(json!({ "iss": "service", "sub": "service" }))),
        ("a client that is not", changed(json!({ "iss": "nobody", "sub": "nobody" }))),
        ("HS256 under the public key", sign_hmac(jwk.as_bytes(), &hs256, &base())),
        ("none", none),
        ("another's key under our kid", own.sign(&header, &base())),
        ("another's key, brought along", own.sign(&json!({ "alg": "ES256", "jwk": own.jwk("x") }), &base())),
        ("an unknown kid", key.sign(&json!({ "alg": "ES256", "kid": "other" }), &base())),
        ("the algorithm of another key", key.sign(&json!({ "alg": "EdDSA", "kid": thumb(&key) }), &base())),
        ("RS256 for an EC key", key.sign(&json!({ "alg": "RS256", "kid": thumb(&key) }), &base())),
        ("crit", key.sign(&json!({ "alg": "ES256", "kid": thumb(&key), "crit": ["exp"] }), &base())),
        ("jku", key.sign(&json!({ "alg": "ES256", "kid": thumb(&key), "jku": "https://evil.example" }), &base())),
        ("typ of an access token", key.sign(&json!({ "alg": "ES256", "kid": thumb(&key), "typ": "at+jwt" }), &base())),
        ("doubled sub", doubled(r#""sub":"service""#)),
        ("doubled exp", doubled(r#""exp":9999999999"#)),
    ] {
        let reply = present(&conn, &assertion).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "{reason}: {}", reply.text());
    }
    let id = ("client_id", "service");
    let fields = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), id];
    let good = good(&site.issuer);
    let reply = conn.ask(Ask::post("/oauth/token").form(&[&fields[..], &[("client_assertion", &good)]].concat())).await;
    assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "another client_id beside it");
    // That refusal used nothing up.
    present(&conn, &good).await.expect(200);
    let (service, key) = (client("service"), [("token", "x")]);
    conn.ask(Ask::post("/oauth/introspect").basic(&service).form(&key)).await.expect(200);
}

#[tokio::test]
async fn an_assertion_authenticates_once() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let assertion = good(&site.issuer);
    present(&conn, &assertion).await.expect(200);
    for turn in 0..3 {
        let reply = present(&conn, &assertion).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "use {turn} after the first");
    }
    let revoke = [("token", "x"), ("client_assertion_type", TYPE), ("client_assertion", &*assertion)];
    let reply = conn.ask(Ask::post("/oauth/revoke").form(&revoke)).await;
    assert_eq!(reply.status, 401, "nor at another endpoint");
    let reply = conn.ask(Ask::post("/oauth/introspect").form(&revoke)).await;
    assert_eq!(reply.status, 401, "nor at introspection");
}

#[tokio::test]
async fn of_many_uses_at_once_one_wins() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let assertion = good(&site.issuer);
    let uses: Vec<_> = (0..24).map(|at| conns[at % conns.len()].send.clone()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for send in uses {
        let (ask, authority) = (ask(&assertion), format!("localhost:{}", server.address.port()));
        tasks
            .spawn(async move { crate::support::connect::exchange_over(send, &ask, &authority).await.unwrap().status });
    }
    let statuses = tasks.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401].contains(status)), "{statuses:?}");
}

#[tokio::test]
async fn an_assertion_authenticates_once_across_nodes() {
    let site = Site::new().await;
    let first = site.serve().await;
    let second = site.serve_with(site.another_port()).await;
    for turn in 0..5 {
        let assertion = good(&site.issuer);
        let (a, b) = (first.connect().await, second.connect().await);
        let (a, b) = tokio::join!(present(&a, &assertion), present(&b, &assertion));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "turn {turn}");
    }
}
