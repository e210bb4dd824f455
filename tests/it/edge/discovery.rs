//! Both discovery documents and the key set.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::ask::{Ask, token};
use crate::support::forge;
use crate::support::seed::client;
use crate::support::site::Site;

#[tokio::test]
async fn both_documents_say_what_the_server_does() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let openid = conn.ask(Ask::get("/.well-known/openid-configuration")).await.expect(200);
    let oauth = conn.ask(Ask::get("/.well-known/oauth-authorization-server")).await.expect(200);
    assert_eq!(openid.json(), oauth.json());
    assert_eq!(openid.header("content-type"), Some("application/json"));
    assert!(openid.header("cache-control").unwrap().contains("max-age="));
    let said = openid.json();
    assert_eq!(said["issuer"], json!(site.issuer));
    let endpoints = ["token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"];
    for name in endpoints {
        let url = said[name].as_str().unwrap_or_else(|| panic!("{name} is missing"));
        let path = url.strip_prefix(&site.issuer).unwrap_or_else(|| panic!("{name} is not below the issuer"));
        assert_ne!(conn.ask(Ask::get(path)).await.status, 404, "{name}");
    }
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    for name in ["token", "revocation", "introspection"] {
        assert_eq!(said[format!("{name}_endpoint_auth_methods_supported")], methods, "{name}");
        let algorithms = said[format!("{name}_endpoint_auth_signing_alg_values_supported")].as_array().unwrap();
        assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("none")), "{name}");
        assert!(!algorithms.iter().any(|alg| alg.as_str().unwrap().starts_with("HS")), "{name}");
    }
    assert_eq!(said["grant_types_supported"], json!(["client_credentials"]));
    for (name, value) in said.as_object().unwrap() {
        assert_ne!(*value, json!([]), "{name}: what has no element is left out (RFC 8414 section 3.2)");
    }
}

#[tokio::test]
async fn the_key_set_holds_public_halves_only() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let reply = conn.ask(Ask::get("/.well-known/jwks.json")).await.expect(200);
    assert!(reply.header("cache-control").unwrap().contains("max-age="));
    let jwks = reply.json();
    let keys = jwks["keys"].as_array().unwrap();
    let kids: BTreeSet<&str> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!((keys.len(), kids.len()), (4, 4), "one that signs and one that will, of each algorithm");
    for key in keys {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match key["kty"].as_str().unwrap() {
            "EC" => &["alg", "crv", "kid", "kty", "use", "x", "y"],
            _ => &["alg", "crv", "kid", "kty", "use", "x"],
        };
        assert_eq!(members, expected.iter().copied().collect(), "{key}");
        assert_eq!(key["use"], "sig");
    }
    let issued = conn.ask(token(&client("service"), &[])).await.token();
    assert!(forge::verify(&issued, &jwks));
    assert_eq!(forge::read(&issued).0["alg"], "ES256", "the default algorithm");
}

#[tokio::test]
async fn the_algorithm_is_configured() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().text("jwt.default_algorithm", "EdDSA")).await;
    let conn = server.connect().await;
    let issued = conn.ask(token(&client("service"), &[])).await.token();
    let jwks: Value = conn.ask(Ask::get("/.well-known/jwks.json")).await.json();
    assert_eq!(forge::read(&issued).0["alg"], "EdDSA");
    assert!(forge::verify(&issued, &jwks));
    assert!(conn.ask(crate::support::ask::introspect(&client("api"), &issued)).await.is_active());
}

#[tokio::test]
async fn key_set_caching_follows_the_rotation() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("jwt.key_rotation_days", 1)).await;
    let age = async || {
        let reply = server.ask(Ask::get("/.well-known/jwks.json")).await;
        let cache = reply.header("cache-control").unwrap().to_owned();
        cache.split("max-age=").nth(1).unwrap().parse::<i64>().unwrap()
    };
    let far = age().await;
    server.shift_clock(86_400 - 1_000).await;
    let near = age().await;
    assert!(near <= 1_000 && near < far, "{far} s a day ahead, {near} s a quarter of an hour ahead");
}
