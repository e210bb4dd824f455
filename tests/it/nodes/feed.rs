//! What one node does, the other honours within the bound; nothing that is open elsewhere delays it.

use std::time::Instant;

use sigid_core::ids::ClientId;
use sigid_core::marks::MarkKey;

use super::BOUND;
use crate::support::ask::{Ask, hex, introspect, revoke, token};
use crate::support::cluster::OWNER;
use crate::support::connect::Conn;
use crate::support::forge;
use crate::support::seed::{Credential, client};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::{now_s, until_true};

async fn two() -> (Site, Server, Server) {
    let site = Site::new().await;
    let first = site.serve().await;
    let second = site.serve_with(site.another_port()).await;
    (site, first, second)
}

/// Dead on every connection, within the bound counted from `began`.
async fn assert_dies(conns: &[Conn], issued: &str, began: Instant, reason: &str) {
    for conn in conns {
        until_true(reason, async || !conn.ask(introspect(&client("api"), issued)).await.is_active()).await;
    }
    assert!(began.elapsed() < BOUND, "{reason}: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_token_of_one_node_is_good_at_the_other_at_once_and_dies_there_within_the_bound() {
    let (_site, first, second) = two().await;
    let (service, api) = (client("service"), client("api"));
    let (here, there) = (first.connect().await, second.connect_each().await);
    for _ in 0..5 {
        let issued = here.ask(token(&service, &[])).await.token();
        for conn in &there {
            assert!(conn.ask(introspect(&api, &issued)).await.is_active());
        }
        here.ask(revoke(&service, &issued)).await.expect(200);
        let began = Instant::now();
        assert!(!here.ask(introspect(&api, &issued)).await.is_active());
        assert_dies(&there, &issued, began, "a revocation elsewhere").await;
    }
}

#[tokio::test]
async fn changes_reach_every_node() {
    let (site, first, second) = two().await;
    let (service, api) = (client("service"), client("api"));
    let mut conns = first.connect_each().await;
    conns.extend(second.connect_each().await);
    let issued = conns[0].ask(token(&service, &[])).await.token();
    for conn in &conns {
        assert!(conn.ask(introspect(&api, &issued)).await.is_active());
    }
    site.admin(&["client", "disable", "service"]).expect(0);
    let began = Instant::now();
    assert_dies(&conns, &issued, began, "a disabled client").await;
    site.admin(&["client", "enable", "service"]).expect(0);
    site.admin(&["key", "rotate", "--now"]).expect(0);
    let old = forge::read(&issued).0["kid"].clone();
    let mut rotated = String::new();
    until_true("a token by the new key", async || {
        rotated = conns[0].ask(token(&service, &[])).await.token();
        forge::read(&rotated).0["kid"] != old
    })
    .await;
    for conn in &conns {
        assert!(conn.ask(introspect(&api, &rotated)).await.is_active(), "by a key that this node may not know yet");
        let jwks = conn.ask(Ask::get("/.well-known/jwks.json")).await.json();
        assert!(forge::verify(&rotated, &jwks));
    }
}

#[tokio::test]
async fn a_client_created_elsewhere_works_at_once() {
    let (site, first, second) = two().await;
    for turn in 0..4 {
        let create = ["client", "create", "--tenant", "one", "--grant-type", "client_credentials"];
        let made = site.admin(&create).json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        let made = Credential { id: text("client_id"), secret: text("client_secret") };
        let (a, b) = if turn % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let issued = a.ask(token(&made, &[])).await.token();
        assert!(b.ask(introspect(&made, &issued)).await.is_active(), "turn {turn}");
    }
}

#[tokio::test]
async fn an_open_write_transaction_delays_nothing_and_loses_nothing() {
    let (site, first, second) = two().await;
    let (service, api) = (client("service"), client("api"));
    // Another database of the cluster, and this one: both hold back the oldest running transaction id.
    let mut open = Vec::new();
    for database in ["postgres", &site.database.name] {
        let idle = crate::support::cluster::connect(database, OWNER).await;
        idle.batch_execute("begin; select pg_current_xact_id()").await.unwrap();
        open.push(idle);
    }
    let (here, there) = (first.connect().await, second.connect_each().await);
    let mut dead = Vec::new();
    for _ in 0..20 {
        let issued = here.ask(token(&service, &[])).await.token();
        for conn in &there {
            assert!(conn.ask(introspect(&api, &issued)).await.is_active());
        }
        here.ask(revoke(&service, &issued)).await.expect(200);
        assert_dies(&there, &issued, Instant::now(), "a revocation beside an open transaction").await;
        dead.push(issued);
    }
    for idle in open {
        idle.batch_execute("rollback").await.unwrap();
    }
    for issued in dead {
        for conn in &there {
            assert!(!conn.ask(introspect(&api, &issued)).await.is_active(), "none comes back");
        }
    }
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_passed_over() {
    let (site, first, second) = two().await;
    let (service, foreign, api) = (client("service"), client("foreign"), client("api"));
    let mut conns = first.connect_each().await;
    conns.extend(second.connect_each().await);
    let victim = conns[0].ask(token(&foreign, &[])).await.token();
    // A mark on another client, by a transaction that begins first and commits last.
    let late = site.database.connect(OWNER).await;
    let tenant: String = forge::read(&victim).1["tenant_id"].as_str().unwrap().to_owned();
    let mark = MarkKey::client(&ClientId::parse("foreign").unwrap());
    let hex = hex(&mark.to_bytes(), "");
    let (at_s, expires_s) = (now_s() + 1, now_s() + 3600);
    late.batch_execute(&format!(
        "begin; insert into async.feed (kind, ref, tenant_id, at_s, expires_s, created_at) \
         values (4, '{hex}', '{tenant}', {at_s}, {expires_s}, now())"
    ))
    .await
    .unwrap();
    for _ in 0..5 {
        let issued = conns[0].ask(token(&service, &[])).await.token();
        conns[0].ask(revoke(&service, &issued)).await.expect(200);
        assert_dies(&conns, &issued, Instant::now(), "a revocation that begins later").await;
        for conn in &conns {
            assert!(conn.ask(introspect(&foreign, &victim)).await.is_active(), "not committed, not true");
        }
    }
    late.batch_execute("commit").await.unwrap();
    let began = Instant::now();
    for conn in &conns {
        until_true("the late mark", async || !conn.ask(introspect(&foreign, &victim)).await.is_active()).await;
    }
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    conns[0].ask(introspect(&api, "x")).await.expect(200);
}
