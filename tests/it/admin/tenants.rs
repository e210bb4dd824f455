//! `tenant create|list|disable|enable`.

use serde_json::{Value, json};

use crate::support::ask::{introspect, token};
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::until_true;

#[tokio::test]
async fn tenants_are_created_and_listed() {
    let site = Site::new().await;
    let made = site.admin(&["tenant", "create", "three", "--name", "Number three"]).json();
    assert_eq!(
        (&made["slug"], &made["display_name"], &made["state"]),
        (&json!("three"), &json!("Number three"), &json!("active"))
    );
    assert!(made["tenant_id"].as_str().unwrap().len() == 36 && made["created_at"].is_i64());
    let listed = site.admin(&["tenant", "list"]).json();
    let slugs: Vec<&Value> = listed.as_array().unwrap().iter().map(|tenant| &tenant["slug"]).collect();
    assert_eq!(slugs, ["one", "three", "two"]);
    assert!(listed.as_array().unwrap().contains(&made));
}

#[tokio::test]
async fn a_disabled_tenant_is_dead_and_an_enabled_one_starts_anew() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let (service, foreign) = (client("service"), client("foreign"));
    let issued = conns[0].ask(token(&service, &[])).await.token();
    let others = conns[0].ask(token(&foreign, &[])).await.token();
    for conn in &conns {
        assert!(conn.ask(introspect(&service, &issued)).await.is_active());
    }
    site.admin(&["tenant", "disable", "one"]).expect(0);
    for conn in &conns {
        until_true("the tenant's end", async || conn.ask(introspect(&service, &issued)).await.status == 401).await;
        assert_eq!(conn.ask(token(&service, &[])).await.status, 401);
        assert!(conn.ask(introspect(&foreign, &others)).await.is_active(), "the other tenant does not notice");
    }
    site.admin(&["tenant", "enable", "one"]).expect(0);
    for conn in &conns {
        let again = conn.ask(token(&service, &[])).await.token();
        assert!(conn.ask(introspect(&service, &again)).await.is_active(), "enabled: new tokens live");
        assert!(!conn.ask(introspect(&service, &issued)).await.is_active(), "the old ones stay dead");
    }
}
