//! `client create|list|show|update|rotate-secret`: what is printed.

use serde_json::{Value, json};

use crate::support::ask::{introspect, token};
use crate::support::forge;
use crate::support::seed::{Credential, client};
use crate::support::site::Site;
use crate::support::wait::until_true;

fn credential(document: &Value) -> Credential {
    let text = |member: &str| document[member].as_str().unwrap().to_owned();
    Credential { id: text("client_id"), secret: text("client_secret") }
}

const CREATE: [&str; 13] = [
    "client",
    "create",
    "--tenant",
    "one",
    "--client-name",
    "A client",
    "--grant-type",
    "client_credentials",
    "--scope",
    "a b",
    "--scope",
    "c",
    "--resource=https://new.example",
];

#[tokio::test]
async fn a_client_is_created_shown_listed_and_updated() {
    let site = Site::new().await;
    let made = site.admin(&CREATE).json();
    let expected = [
        ("client_name", json!("A client")),
        ("grant_types", json!(["client_credentials"])),
        ("scope", json!("a b c")),
        ("resource", json!(["https://new.example"])),
        ("token_endpoint_auth_method", json!("client_secret_basic")),
        ("client_secret_expires_at", json!(0)),
    ];
    for (member, value) in expected {
        assert_eq!(made[member], value, "{member}");
    }
    assert!(made["client_id_issued_at"].is_i64(), "{made}");
    let made = credential(&made);
    let shown = site.admin(&["client", "show", &made.id]);
    let text = shown.out.clone();
    assert!(!text.contains(&made.secret) && shown.json().get("client_secret").is_none(), "{text}");
    let listed = site.admin(&["client", "list", "--tenant", "one"]);
    assert!(!listed.out.contains(&made.secret));
    let ids = |listed: &Value| -> Vec<String> {
        listed.as_array().unwrap().iter().map(|client| client["client_id"].as_str().unwrap().to_owned()).collect()
    };
    let listed = ids(&listed.json());
    assert!(listed.contains(&made.id) && listed.contains(&"service".to_owned()));
    assert!(!listed.contains(&"foreign".to_owned()), "another tenant's");
    assert!(ids(&site.admin(&["client", "list"]).json()).contains(&"foreign".to_owned()), "all tenants'");
    let updated = site.admin(&["client", "update", &made.id, "--scope", "a", "--client-name", ""]).json();
    assert_eq!(updated["scope"], "a");
    assert_eq!(updated["grant_types"], json!(["client_credentials"]), "what is not named stays");
    assert!(updated.get("client_secret").is_none(), "no new secret");
}

#[tokio::test]
async fn a_client_made_a_moment_ago_works_at_once() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    for turn in 0..6 {
        let made = credential(&site.admin(&CREATE).json());
        // The first request of all asks for a token, or introspects: neither waits for the feed.
        let conn = &conns[turn % 2];
        if turn % 3 == 0 {
            conn.ask(introspect(&made, "x")).await.expect(200);
        }
        let issued = conn.ask(token(&made, &[])).await.token();
        assert!(conn.ask(introspect(&made, &issued)).await.is_active(), "turn {turn}");
    }
}

#[tokio::test]
async fn an_update_reaches_the_token_endpoint() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    site.admin(&["client", "update", "service", "--scope", "read"]).expect(0);
    until_true("the narrower scope", async || {
        let issued = conn.ask(token(&service, &[])).await.token();
        forge::read(&issued).1["scope"] == "read"
    })
    .await;
    assert_eq!(conn.ask(token(&service, &[("scope", "write")])).await.error(), "invalid_scope");
}

#[tokio::test]
async fn secrets_rotate_without_downtime() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let old = client("service");
    let issued = conns[0].ask(token(&old, &[])).await.token();
    for conn in &conns {
        assert!(conn.ask(introspect(&old, &issued)).await.is_active(), "into the connection's memory");
    }
    let new = credential(&site.admin(&["client", "rotate-secret", "service"]).json());
    assert_ne!(new.secret, old.secret);
    for conn in &conns {
        assert!(conn.ask(introspect(&new, &issued)).await.is_active(), "the new one at once");
        assert!(conn.ask(introspect(&old, &issued)).await.is_active(), "the old one still");
        conn.ask(token(&new, &[])).await.expect(200);
        conn.ask(token(&old, &[])).await.expect(200);
    }
    let last = credential(&site.admin(&["client", "rotate-secret", "service", "--now"]).json());
    for conn in &conns {
        assert!(conn.ask(introspect(&last, &issued)).await.is_active(), "the last one at once");
        for dead in [&old, &new] {
            until_true("the old secrets' end", async || conn.ask(introspect(dead, &issued)).await.status == 401).await;
            assert_eq!(conn.ask(token(dead, &[])).await.status, 401);
        }
        assert!(conn.ask(introspect(&last, &issued)).await.is_active());
    }
}

#[tokio::test]
async fn an_old_secret_ends_with_its_grace() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let old = client("poster");
    let ask = |secret: &str| {
        let fields = [("token", "x"), ("client_id", "poster"), ("client_secret", secret)];
        crate::support::ask::Ask::post("/oauth/introspect").form(&fields)
    };
    let basic = client("service");
    conn.ask(introspect(&basic, "x")).await.expect(200);
    for name in ["poster", "service"] {
        site.admin(&["client", "rotate-secret", name, "--grace", "500"]).expect(0);
    }
    conn.ask(ask(&old.secret)).await.expect(200);
    conn.ask(introspect(&basic, "x")).await.expect(200);
    std::fs::write(server.directory.join("clock"), "600").unwrap();
    until_true("the end of the grace", async || conn.ask(ask(&old.secret)).await.status == 401).await;
    assert_eq!(conn.ask(introspect(&basic, "x")).await.status, 401, "the connection's memory of it ends too");
}
