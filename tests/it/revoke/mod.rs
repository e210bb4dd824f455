//! RFC 7009: what is revoked is dead on every shard before the answer is read.

use crate::support::ask::{Ask, introspect, revoke, token};
use crate::support::forge;
use crate::support::seed::client;
use crate::support::site::Site;

#[tokio::test]
async fn a_revoked_token_is_inactive_on_every_shard_at_once() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conns = server.connect_each().await;
    assert_eq!(conns.len(), 2, "two shards are configured");
    let (service, api) = (client("service"), client("api"));
    for turn in 0..10 {
        let issued = conns[0].ask(token(&service, &[])).await.token();
        for conn in &conns {
            assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "turn {turn}: into each shard's cache");
        }
        let reply = conns[turn % 2].ask(revoke(&service, &issued)).await.expect(200);
        assert!(reply.body.is_empty() && reply.header("content-type").is_none(), "an empty answer");
        for conn in &conns {
            assert_eq!(conn.ask(introspect(&api, &issued)).await.text(), r#"{"active":false}"#, "turn {turn}");
        }
    }
    for shard in ["shard=\"0\"", "shard=\"1\""] {
        let served = server.metrics().await.sum("sigid_introspect_inactive_total", &[shard, "reason=\"revoked\""]);
        assert!(served >= 10, "{shard} gave {served} inactive answers");
    }
}

#[tokio::test]
async fn revoking_is_idempotent_and_touches_one_token() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let first = conn.ask(token(&service, &[])).await.token();
    let second = conn.ask(token(&service, &[])).await.token();
    for turn in 0..3 {
        conn.ask(revoke(&service, &first)).await.expect(200);
        assert!(!conn.ask(introspect(&api, &first)).await.is_active(), "{turn}");
    }
    assert!(conn.ask(introspect(&api, &second)).await.is_active(), "its sister lives");
    let later = conn.ask(token(&service, &[])).await.token();
    assert!(conn.ask(introspect(&api, &later)).await.is_active(), "and a later one");
    assert!(!conn.ask(introspect(&api, &first)).await.is_active(), "and the dead one stays dead");
}

#[tokio::test]
async fn what_cannot_be_revoked() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api, foreign) = (client("service"), client("api"), client("foreign"));
    let issued = conn.ask(token(&service, &[])).await.token();
    for (reason, caller) in [("its resource server", &api), ("another tenant's client", &foreign)] {
        let reply = conn.ask(revoke(caller, &issued)).await;
        assert_eq!(reply.status, 400, "{reason}");
        assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "{reason}: it lives");
    }
    let mut broken = issued.clone();
    broken.replace_range(issued.len() - 3.., "AAA");
    for (reason, token) in [("nonsense", "nonsense"), ("a broken token", &broken), ("no ASCII", "ü")] {
        let reply = conn.ask(revoke(&service, token)).await.expect(200);
        assert!(reply.body.is_empty() && reply.header("content-type").is_none(), "{reason}");
    }
    let reply = conn.ask(Ask::post("/oauth/revoke").raw_form("").basic(&service)).await;
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "no token");
    let hint = [("token", &*issued), ("token_type_hint", "refresh_token")];
    conn.ask(Ask::post("/oauth/revoke").form(&hint).basic(&service)).await.expect(200);
    assert!(!conn.ask(introspect(&api, &issued)).await.is_active(), "a wrong hint changes nothing");
}

#[tokio::test]
async fn an_expired_token_may_be_revoked_for_nothing() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let service = client("service");
    let issued = conn.ask(token(&service, &[])).await.token();
    let (_, claims) = forge::read(&issued);
    server.shift_clock(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() + 2).await;
    conn.ask(revoke(&service, &issued)).await.expect(200);
}

#[tokio::test]
async fn a_revocation_outlives_the_process() {
    let site = Site::new().await;
    let (service, api) = (client("service"), client("api"));
    let mut server = site.serve().await;
    let issued = server.ask(token(&service, &[])).await.token();
    let other = server.ask(token(&service, &[])).await.token();
    server.ask(revoke(&service, &issued)).await.expect(200);
    assert!(server.stop().await.success());
    let server = site.serve().await;
    assert!(!server.ask(introspect(&api, &issued)).await.is_active(), "revoked before the restart");
    assert!(server.ask(introspect(&api, &other)).await.is_active(), "the other lives on");
}
