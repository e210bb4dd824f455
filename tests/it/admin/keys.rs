//! `key list|rotate|revoke`.

use serde_json::{Value, json};

use crate::support::ask::{Ask, introspect, token};
use crate::support::cli;
use crate::support::connect::Conn;
use crate::support::forge;
use crate::support::seed::client;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until_true;

fn states(listed: &Value, alg: &str) -> Vec<String> {
    let mut states: Vec<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|key| key["alg"] == alg)
        .map(|key| key["state"].as_str().unwrap().to_owned())
        .collect();
    states.sort();
    states
}

async fn kids(conn: &Conn) -> Vec<Value> {
    let jwks = conn.ask(Ask::get("/.well-known/jwks.json")).await.expect(200).json();
    jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
}

#[tokio::test]
async fn rotation_promotes_the_published_key_and_publishes_another() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let listed = site.admin(&["key", "list"]).json();
    assert_eq!(states(&listed, "ES256"), ["active", "next"]);
    let text = listed.to_string();
    assert!(!text.contains("sealed") && !text.contains("\"d\":"), "no private half: {text}");
    let next = listed.as_array().unwrap().iter().find(|key| key["alg"] == "ES256" && key["state"] == "next").unwrap();
    let old = conn.ask(token(&service, &[])).await.token();
    assert!(conn.ask(introspect(&api, &old)).await.is_active());
    let ended = site.admin(&["key", "rotate"]);
    assert_eq!(ended.code, 1, "younger than its lead time");
    assert!(ended.err.contains("--now"), "{}", ended.err);
    site.admin(&["key", "rotate", "--now"]).expect(0);
    assert_eq!(states(&site.admin(&["key", "list"]).json(), "ES256"), ["active", "next", "retired"]);
    assert_eq!(states(&site.admin(&["key", "list"]).json(), "EdDSA"), ["active", "next"], "the other is left alone");
    let mut new = String::new();
    until_true("a token by the promoted key", async || {
        new = conn.ask(token(&service, &[])).await.token();
        forge::read(&new).0["kid"] == next["kid"]
    })
    .await;
    for (reason, token) in [("the old key's", &old), ("the new key's", &new)] {
        assert!(conn.ask(introspect(&api, token)).await.is_active(), "{reason} token");
    }
    assert_eq!(kids(&conn).await.len(), 5, "the old one stays published, another is");
}

#[tokio::test]
async fn a_ripe_key_is_promoted_without_ado() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let clock = directory.join("clock");
    std::fs::write(&clock, (86_400 + 60).to_string()).unwrap();
    let rotate = ["key", "rotate", "--clock-offset-file", clock.to_str().unwrap()];
    cli::admin(&directory.join("sigid.toml"), &rotate).expect(0);
    let ended = cli::admin(&directory.join("sigid.toml"), &rotate);
    assert_eq!(ended.code, 1, "and its successor is young again: {}", ended.out);
}

#[tokio::test]
async fn a_revoked_key_vouches_for_nothing_and_is_replaced() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conns[0].ask(token(&service, &[])).await.token();
    for conn in &conns {
        assert!(conn.ask(introspect(&api, &issued)).await.is_active());
    }
    let kid = forge::read(&issued).0["kid"].clone();
    site.admin(&["key", "revoke", kid.as_str().unwrap()]).expect(0);
    for conn in &conns {
        until_true("the end of what it signed", async || !conn.ask(introspect(&api, &issued)).await.is_active()).await;
        assert!(!kids(conn).await.contains(&kid), "no longer published");
        let again = conn.ask(token(&service, &[])).await.token();
        assert_ne!(forge::read(&again).0["kid"], kid);
        assert!(conn.ask(introspect(&api, &again)).await.is_active());
        assert!(!conn.ask(introspect(&api, &issued)).await.is_active());
    }
    let listed = site.admin(&["key", "list"]).json();
    assert_eq!(states(&listed, "ES256"), ["active", "next", "revoked"]);
    assert_eq!(site.admin(&["key", "revoke", kid.as_str().unwrap()]).json(), json!([]), "twice is as good as once");
}

#[tokio::test]
async fn keys_rotate_by_themselves_when_due() {
    let site = Site::new().await;
    let settings = site.settings().set("jwt.key_rotation_days", 2);
    let mut server = site.serve_with(settings.clone()).await;
    let before = forge::read(&server.ask(token(&client("service"), &[])).await.token()).0["kid"].clone();
    assert!(server.stop().await.success());
    let (directory, settings) = site.furnish(settings);
    std::fs::write(directory.join("clock"), (2 * 86_400 + 60).to_string()).unwrap();
    let address = format!("{}:{}", settings.find("server.host"), settings.find("server.port")).parse().unwrap();
    let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
    let server = Server::start(directory, address, metrics, site.issuer.clone(), &Start::default()).await;
    until_true("the rotation", async || {
        let issued = server.ask(token(&client("service"), &[])).await.token();
        forge::read(&issued).0["kid"] != before
    })
    .await;
    assert_eq!(states(&site.admin(&["key", "list"]).json(), "ES256"), ["active", "next", "retired"]);
}
