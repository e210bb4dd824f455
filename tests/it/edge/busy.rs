//! A backend that can take no more: it says so at once, and the hot path does not notice.

use crate::support::ask::{Ask, introspect, token};
use crate::support::connect::exchange_over;
use crate::support::relay::{Relay, State};
use crate::support::seed::{Credential, client};
use crate::support::server::Start;
use crate::support::site::Site;
use crate::support::wait::until_true;

#[tokio::test]
async fn a_full_queue_is_refused_and_the_hot_path_goes_on() {
    let site = Site::new().await;
    let relay = Relay::new();
    // Fresh for long, so that a silent database is felt by the backend alone.
    let settings = site
        .through(&relay)
        .set("server.shards", 1)
        .set("edge.max_stale_ms", 60_000)
        .set("edge.poll_ms", 30_000)
        .set("edge.cold_queue_max", 4)
        .set("database.statement_timeout_secs", 10);
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    let server = site.start(settings, &start).await;
    let hot = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = hot.ask(token(&service, &[])).await.token();
    assert!(hot.ask(introspect(&api, &issued)).await.is_active());
    relay.set(State::Silent);
    let stranger = Credential { id: "stranger".into(), secret: "x".into() };
    let conns = [server.connect().await, server.connect().await];
    let authority = format!("localhost:{}", server.address.port());
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..400 {
        let (send, authority) = (conns[at % 2].send.clone(), authority.clone());
        let ask = token(&stranger, &[]);
        tasks.spawn(async move { exchange_over(send, &ask, &authority).await.unwrap() });
    }
    let mut refused = 0;
    until_true("refusals", async || {
        while let Some(reply) = tasks.try_join_next() {
            let reply = reply.unwrap();
            assert_eq!(reply.status, 503, "{}", reply.text());
            assert!(reply.header("retry-after").is_some());
            refused += 1;
        }
        refused >= 100
    })
    .await;
    for _ in 0..20 {
        assert!(hot.ask(introspect(&api, &issued)).await.is_active(), "from memory, beside a backend that is stuck");
        hot.ask(Ask::get("/health/live")).await.expect(200);
    }
    relay.set(State::Whole);
    let rest = tasks.join_all().await;
    assert!(rest.iter().all(|reply| [401, 503].contains(&reply.status)), "what waited is answered");
    hot.ask(token(&service, &[])).await.expect(200);
    assert!(server.metrics().await.sum("sigid_cold_refused_total", &[]) >= 100);
}
