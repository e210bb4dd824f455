//! A node that is cut off from the database: it answers from memory up to the bound, then not at all, and recovers.

use std::time::Instant;

use crate::support::ask::{Ask, introspect, revoke, token};
use crate::support::relay::{Relay, State};
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::until_true;

/// Both ways to lose a database look the same from outside.
async fn a_lost_node(state: State) {
    let site = Site::new().await;
    let relay = Relay::new();
    let settings = site.through(&relay).set("edge.max_stale_ms", 1000).set("edge.poll_ms", 100);
    let lost = site.serve_with(settings.set("server.port", crate::support::place::port())).await;
    let other = site.serve().await;
    let (service, api) = (client("service"), client("api"));
    let conns = lost.connect_each().await;
    let issued = other.ask(token(&service, &[])).await.token();
    let kept = other.ask(token(&service, &[])).await.token();
    for conn in &conns {
        assert!(conn.ask(introspect(&api, &issued)).await.is_active());
        assert!(conn.ask(introspect(&api, &kept)).await.is_active());
    }
    assert!(lost.is_ready().await);
    relay.set(state);
    let cut = Instant::now();
    other.ask(revoke(&service, &issued)).await.expect(200);
    // Up to the bound it may still say what it last knew; from then on it must say nothing.
    let mut answered_s = 0.0;
    for conn in &conns {
        until_true("the bound", async || {
            let reply = conn.ask(introspect(&api, &issued)).await;
            if reply.is_active() {
                answered_s = cut.elapsed().as_secs_f64();
            }
            reply.status == 503
        })
        .await;
    }
    assert!(answered_s < 1.5, "active {answered_s} s after the cut, with a bound of 1 s");
    for conn in &conns {
        let reply = conn.ask(introspect(&api, &kept)).await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").is_some(), "says when to come again");
        assert_eq!(conn.ask(token(&service, &[])).await.status, 503);
        assert_eq!(conn.ask(revoke(&service, &kept)).await.status, 503);
        assert_eq!(conn.ask(Ask::get("/health/ready")).await.status, 503);
        conn.ask(Ask::get("/health/live")).await.expect(200);
    }
    assert!(!lost.is_ready().await, "readiness follows");
    relay.set(State::Whole);
    until_true("readiness", async || lost.is_ready().await).await;
    for conn in &conns {
        until_true("the recovery", async || conn.ask(introspect(&api, &kept)).await.is_active()).await;
        assert!(!conn.ask(introspect(&api, &issued)).await.is_active(), "revoked while it was away");
        conn.ask(token(&service, &[])).await.expect(200);
        conn.ask(revoke(&service, "x")).await.expect(200);
    }
}

#[tokio::test]
async fn a_node_whose_database_is_down_answers_nothing_from_memory() {
    a_lost_node(State::Cut).await;
}

#[tokio::test]
async fn a_node_whose_database_is_silent_answers_nothing_from_memory() {
    a_lost_node(State::Silent).await;
}

#[tokio::test]
async fn broken_connections_alone_are_not_noticed() {
    let site = Site::new().await;
    let server = site.serve().await;
    let owner = site.database.connect(crate::support::cluster::OWNER).await;
    for _ in 0..3 {
        let kill = "select pg_terminate_backend(pid) from pg_stat_activity \
                    where datname = current_database() and usename = 'sigid_app'";
        owner.batch_execute(kill).await.unwrap();
        until_true("a fresh connection", async || {
            let issued = server.ask(token(&client("service"), &[])).await.token();
            server.ask(revoke(&client("service"), &issued)).await.status == 200
        })
        .await;
    }
    until_true("readiness", async || server.is_ready().await).await;
}
