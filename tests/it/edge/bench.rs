//! Work on request for load runs: only where it is asked for, and then the real thing.

use std::collections::BTreeSet;

use crate::support::ask::{Ask, Reply, introspect, token};
use crate::support::cluster::OWNER;
use crate::support::connect::{Conn, exchange_over};
use crate::support::seed::{Credential, client};
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until_true;

const PATHS: [&str; 3] = ["/bench/clients", "/bench/hash", "/bench/mint"];

async fn serve(site: &Site) -> Server {
    let start = Start { arguments: vec!["--bench"], ..Start::default() };
    site.start(site.settings(), &start).await
}

fn bench(path: &str, caller: &Credential, form: &str) -> Ask {
    Ask::post(path).basic(caller).raw_form(form)
}

async fn tokens(conn: &Conn, caller: &Credential, form: &str) -> (u64, Vec<String>) {
    let body = conn.ask(bench("/bench/mint", caller, form)).await.expect(200).json();
    let tokens = body["tokens"].as_array().unwrap().iter().map(|token| token.as_str().unwrap().to_owned()).collect();
    (body["minted"].as_u64().unwrap(), tokens)
}

#[tokio::test]
async fn without_its_flag_there_is_nothing_at_the_bench_paths() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    for path in PATHS {
        conn.ask(bench(path, &client("service"), "count=1")).await.expect(404);
    }
}

#[tokio::test]
async fn the_log_warns_of_the_bench_flag() {
    let site = Site::new().await;
    let server = serve(&site).await;
    until_true("the warning", async || {
        let is_warning =
            |line: &serde_json::Value| line["level"] == "WARN" && line.to_string().contains("bench routes are mounted");
        server.log_lines().iter().any(is_warning)
    })
    .await;
}

#[tokio::test]
async fn only_a_client_with_a_credential_gets_work() {
    let site = Site::new().await;
    let server = serve(&site).await;
    let conn = server.connect().await;
    let service = client("service");
    let wrong = Credential { id: "service".into(), secret: "wrong".into() };
    for path in PATHS {
        for (reason, ask, status) in [
            ("nobody", Ask::post(path).raw_form("count=1"), 401),
            ("a wrong secret", bench(path, &wrong, "count=1"), 401),
            ("a public client", Ask::post(path).raw_form("count=1&client_id=spa"), 400),
            ("no form", Ask::post(path).basic(&service).body("count=1"), 400),
            ("doubled parameters", bench(path, &service, "count=1&count=1"), 400),
            ("another method", Ask::get(path), 405),
        ] {
            let reply = conn.ask(ask).await;
            assert_eq!(reply.status, status, "{path}: {reason}: {}", reply.text());
        }
    }
    for (path, form, reason) in [
        ("/bench/mint", "", "no count"),
        ("/bench/mint", "count=0", "none"),
        ("/bench/mint", "count=50001", "too many"),
        ("/bench/mint", "count=2&sample=3", "a sample larger than the whole"),
        ("/bench/clients", "count=0", "none"),
        ("/bench/clients", "count=10001", "too many"),
        ("/bench/clients", "count=-1", "a negative count"),
    ] {
        let reply = conn.ask(bench(path, &service, form)).await.expect(400);
        assert_eq!(reply.error(), "invalid_request", "{path}: {reason}");
    }
    let reply = conn.ask(bench("/bench/mint", &client("api"), "count=1")).await.expect(400);
    assert_eq!(reply.error(), "unauthorized_client", "a client that may not have tokens");
}

#[tokio::test]
async fn minted_tokens_are_active_and_known_to_the_process() {
    let site = Site::new().await;
    let server = serve(&site).await;
    let conn = server.connect().await;
    let (minted, sample) = tokens(&conn, &client("service"), "count=100&sample=10").await;
    let distinct: BTreeSet<&String> = sample.iter().collect();
    assert_eq!((minted, sample.len(), distinct.len()), (100, 10, 10));
    for token in &sample {
        let said = conn.ask(introspect(&client("api"), token)).await.expect(200).json();
        assert_eq!(
            (&said["active"], &said["client_id"], &said["scope"]),
            (&true.into(), &"service".into(), &"read write".into())
        );
    }
    let metrics = server.metrics().await;
    assert_eq!(
        metrics.sum("sigid_introspect_active_total", &["by=\"verified_digest\""]),
        10,
        "no signature was checked"
    );
    assert_eq!(metrics.sum("sigid_tokens_issued_total", &[]), 100);
    assert_eq!(tokens(&conn, &client("service"), "count=3").await, (3, Vec::new()), "no sample asked for");
    let (_, narrow) = tokens(&conn, &client("service"), "count=1&sample=1&scope=read").await;
    let said = conn.ask(introspect(&client("api"), &narrow[0])).await.json();
    assert_eq!(said["scope"], "read", "scope narrows as at the token endpoint");
}

#[tokio::test]
async fn created_clients_are_registered_recorded_and_known_at_once() {
    let site = Site::new().await;
    let server = serve(&site).await;
    let conn = server.connect().await;
    let clients = async || server.metrics().await.sum("sigid_table_entries", &["table=\"clients\""]);
    let before = clients().await;
    // More than one statement's rows.
    let reply = conn.ask(bench("/bench/clients", &client("service"), "count=1205")).await.expect(200);
    assert_eq!(reply.json()["created"], 1205);
    assert_eq!(clients().await - before, 1205);
    let listed =
        |tenant| site.admin(&["client", "list", "--tenant", tenant]).json().to_string().contains("Bench client");
    assert!(listed("one") && !listed("two"), "in the caller's tenant alone");
    let database = site.database.connect(OWNER).await;
    let count = async |sql: &str| database.query_one(sql, &[]).await.unwrap().get::<_, i64>(0);
    for (what, sql) in [
        ("clients", "select count(*) from control.clients where client_name = 'Bench client'"),
        (
            "secrets",
            "select count(*) from control.client_secrets join control.clients using (client_id) where client_name = 'Bench client'",
        ),
        (
            "events",
            "select count(distinct event_id) from async.events where event_type = 'client.created' and actor = 'service'",
        ),
        (
            "news",
            "select count(*) from async.feed join control.clients on ref = client_id where client_name = 'Bench client'",
        ),
    ] {
        assert_eq!(count(sql).await, 1205, "{what}");
    }
}

#[tokio::test]
async fn a_saturated_hash_pool_refuses_at_once_and_introspection_goes_on() {
    let site = Site::new().await;
    let server = serve(&site).await;
    let hot = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = hot.ask(token(&service, &[])).await.token();
    assert!(hot.ask(introspect(&api, &issued)).await.is_active());
    let conns = [server.connect().await, server.connect().await];
    let authority = format!("localhost:{}", server.address.port());
    let mut tasks = tokio::task::JoinSet::new();
    for at in 0..400 {
        let (send, authority) = (conns[at % 2].send.clone(), authority.clone());
        let ask = bench("/bench/hash", &service, "");
        tasks.spawn(async move { exchange_over(send, &ask, &authority).await.unwrap() });
    }
    let mut replies: Vec<Reply> = Vec::new();
    until_true("a refusal", async || {
        while let Some(reply) = tasks.try_join_next() {
            replies.push(reply.unwrap());
        }
        replies.iter().any(|reply| reply.status == 503)
    })
    .await;
    for _ in 0..20 {
        assert!(hot.ask(introspect(&api, &issued)).await.is_active(), "from memory, beside a full pool");
        hot.ask(token(&service, &[])).await.expect(200);
    }
    replies.extend(tasks.join_all().await);
    assert_eq!(replies.len(), 400, "everybody has an answer");
    let (done, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 200);
    for reply in &done {
        let spent = reply.json();
        assert!(spent["ms"].is_u64() && spent["queued_ms"].is_u64(), "{spent}");
    }
    for reply in &refused {
        assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"), "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
    }
    let jobs =
        async |outcome: &str| server.metrics().await.sum("sigid_hash_jobs_total", &[&format!("outcome=\"{outcome}\"")]);
    // A hash is counted once its asker has it.
    until_true("each hash counted", async || jobs("done").await == done.len() as i64).await;
    assert!(jobs("full").await > 0);
    // The hash threads have only what nobody else on this machine wants, so it may take more than one try.
    until_true("a hash", async || hot.ask(bench("/bench/hash", &service, "")).await.status == 200).await;
}
