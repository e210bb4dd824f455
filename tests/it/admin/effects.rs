//! Disable, enable, delete, revoke-before: a running server's caches agree at once and for good.

use crate::support::ask::{Ask, introspect, revoke, token};
use crate::support::connect::Conn;
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::{now_s, until_true};

/// The token dies on every shard, and stays dead.
async fn assert_dies(conns: &[Conn], issued: &str) {
    for conn in conns {
        until_true("the token's end", async || !conn.ask(introspect(&client("api"), issued)).await.is_active()).await;
    }
    for _ in 0..3 {
        for conn in conns {
            let reply = conn.ask(introspect(&client("api"), issued)).await;
            assert_eq!(reply.text(), r#"{"active":false}"#, "dead on one shard, alive again on another");
        }
    }
}

async fn assert_lives(conns: &[Conn], issued: &str, reason: &str) {
    for conn in conns {
        assert!(conn.ask(introspect(&client("api"), issued)).await.is_active(), "{reason}");
    }
}

#[tokio::test]
async fn a_disabled_client_is_refused_everywhere_and_its_tokens_die() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let service = client("service");
    let issued = conns[0].ask(token(&service, &[])).await.token();
    assert_lives(&conns, &issued, "before").await;
    site.admin(&["client", "disable", "service"]).expect(0);
    assert_dies(&conns, &issued).await;
    for conn in &conns {
        for (endpoint, ask) in [
            ("token", token(&service, &[])),
            ("introspect", introspect(&service, &issued)),
            ("revoke", revoke(&service, &issued)),
        ] {
            let reply = conn.ask(ask).await;
            assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "{endpoint}");
        }
    }
    site.admin(&["client", "enable", "service"]).expect(0);
    for conn in &conns {
        let again = conn.ask(token(&service, &[])).await.token();
        assert_lives(&conns, &again, "enabled: at once, on every shard").await;
    }
    assert_dies(&conns, &issued).await;
}

#[tokio::test]
async fn a_disabled_resource_server_learns_nothing() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conns[0].ask(token(&service, &[])).await.token();
    assert_lives(&conns, &issued, "before").await;
    site.admin(&["client", "disable", "api"]).expect(0);
    for conn in &conns {
        until_true("the resource server's end", async || conn.ask(introspect(&api, &issued)).await.status == 401).await;
    }
    assert!(conns[0].ask(introspect(&service, &issued)).await.is_active(), "the token itself lives");
}

#[tokio::test]
async fn a_deleted_client_is_gone_and_its_id_is_born_without_its_past() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let service = client("service");
    let issued = conns[0].ask(token(&service, &[])).await.token();
    assert_lives(&conns, &issued, "before").await;
    site.admin(&["client", "delete", "service"]).expect(0);
    assert_dies(&conns, &issued).await;
    assert_eq!(conns[0].ask(token(&service, &[])).await.status, 401);
    assert_eq!(site.admin(&["client", "show", "service"]).code, 1);
    let flags = ["--grant-type", "client_credentials", "--resource", "https://api.one.example"];
    let create = [&["client", "create", "--tenant", "one", "--client-id", "service"][..], &flags].concat();
    let made = site.admin(&create).json();
    assert_dies(&conns, &issued).await;
    assert_eq!(conns[0].ask(token(&service, &[])).await.status, 401, "the old secret is dead");
    let secret = made["client_secret"].as_str().unwrap().to_owned();
    let reborn = crate::support::seed::Credential { id: "service".into(), secret };
    let again = conns[1].ask(token(&reborn, &[])).await.token();
    assert_lives(&conns, &again, "the new one's token").await;
}

#[tokio::test]
async fn revoke_before_kills_what_was_and_not_what_comes() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let (service, foreign) = (client("service"), client("foreign"));
    let rows: [(&str, &[&str]); 2] = [("a client", &["--client", "service"]), ("a tenant", &["--tenant", "one"])];
    for (reason, whose) in rows {
        let issued = conns[0].ask(token(&service, &[])).await.token();
        let others = conns[0].ask(token(&foreign, &[])).await.token();
        assert_lives(&conns, &issued, reason).await;
        site.admin(&[&["token", "revoke-before"][..], whose].concat()).expect(0);
        assert_dies(&conns, &issued).await;
        // Of the very second of the mark, so that it must not be stillborn.
        for conn in &conns {
            let again = conn.ask(token(&service, &[])).await.token();
            assert_lives(&conns, &again, reason).await;
        }
        assert!(conns[0].ask(introspect(&foreign, &others)).await.is_active(), "{reason}: another tenant's");
    }
}

#[tokio::test]
async fn revoke_before_an_earlier_moment_spares_the_later() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    let service = client("service");
    let issued = conns[0].ask(token(&service, &[])).await.token();
    let hour_ago = (now_s() - 3600).to_string();
    site.admin(&["token", "revoke-before", "--client", "service", "--at", &hour_ago]).expect(0);
    // A later change shows that the earlier one has been read.
    site.admin(&["client", "disable", "spa"]).expect(0);
    let marks = async || server.metrics().await.sum("sigid_table_entries", &["table=\"marks\""]);
    until_true("both marks", async || marks().await >= 2).await;
    assert_lives(&conns, &issued, "issued after the moment").await;
}

#[tokio::test]
async fn what_is_printed_for_people_is_no_json_and_holds_no_secret_twice() {
    let site = Site::new().await;
    let (directory, _) = site.furnish(site.settings());
    let config = directory.join("sigid.toml");
    let human = |arguments: &[&str]| {
        crate::support::cli::run(&[&["admin", "-c", config.to_str().unwrap()][..], arguments].concat(), &[]).expect(0)
    };
    let secret = client("service").secret;
    for arguments in [&["client", "list"][..], &["client", "show", "service"], &["tenant", "list"], &["key", "list"]] {
        let out = human(arguments);
        assert!(serde_json::from_str::<serde_json::Value>(&out).is_err() && !out.contains(&secret), "{out}");
    }
    let server = site.serve().await;
    server.ask(Ask::get("/health/live")).await.expect(200);
}
