//! What is remembered must not change an answer: the connection's credential, both caches, whatever their size; and
//! nothing that is remembered or logged may give a secret away.

use crate::support::ask::{Ask, introspect, revoke, token};
use crate::support::forge;
use crate::support::seed::{Credential, client};
use crate::support::site::Site;

#[tokio::test]
async fn a_connection_s_remembered_credential_vouches_for_itself_only() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let conn = server.connect().await;
    let (service, api, foreign) = (client("service"), client("api"), client("foreign"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let swapped = Credential { id: api.id.clone(), secret: service.secret.clone() };
    let cut = Credential { id: api.id.clone(), secret: api.secret[..api.secret.len() - 1].to_owned() };
    let rows = [
        ("good", &api, 200, true),
        ("another client, good", &foreign, 200, false),
        ("the first again", &api, 200, true),
        ("its id with another's secret", &swapped, 401, false),
        ("the first again", &api, 200, true),
        ("its secret cut short", &cut, 401, false),
        ("the token's own client", &service, 200, true),
        ("another tenant's", &foreign, 200, false),
    ];
    for turn in 0..2 {
        for (reason, caller, status, is_active) in rows {
            let reply = conn.ask(introspect(caller, &issued)).await;
            assert_eq!(reply.status, status, "{reason}, turn {turn}");
            assert_eq!(reply.is_active(), is_active, "{reason}, turn {turn}");
        }
        let reply = conn.ask(Ask::post("/oauth/introspect").form(&[("token", &issued)])).await;
        assert_eq!(reply.status, 401, "without a credential, turn {turn}");
    }
}

#[tokio::test]
async fn caches_of_any_size_give_the_same_answers() {
    let site = Site::new().await;
    let (service, api) = (client("service"), client("api"));
    for entries in [0, 1, 3] {
        let settings =
            site.another_port().set("edge.reply_cache_entries", entries).set("edge.verified_tokens_max", 1024);
        let server = site.serve_with(settings).await;
        let conn = server.connect().await;
        let mut issued = Vec::new();
        for _ in 0..8 {
            issued.push(conn.ask(token(&service, &[])).await.token());
        }
        for _ in 0..2 {
            for token in &issued {
                let reply = conn.ask(introspect(&api, token)).await;
                assert_eq!(reply.json()["jti"], forge::read(token).1["jti"], "{entries} entries");
            }
        }
        conn.ask(revoke(&service, &issued[0])).await.expect(200);
        for (at, token) in issued.iter().enumerate() {
            assert_eq!(conn.ask(introspect(&api, token)).await.is_active(), at != 0, "{entries} entries, token {at}");
        }
    }
}

#[tokio::test]
async fn many_streams_at_once_get_each_its_own_answer() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let mut tasks = tokio::task::JoinSet::new();
    let authority = format!("localhost:{}", server.address.port());
    let exchange = |ask: Ask| {
        let (send, authority) = (conn.send.clone(), authority.clone());
        async move { crate::support::connect::exchange_over(send, &ask, &authority).await.unwrap() }
    };
    for _ in 0..100 {
        tasks.spawn(exchange(token(&service, &[])));
    }
    let issued: Vec<String> = tasks.join_all().await.into_iter().map(crate::support::ask::Reply::token).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for token in issued {
        let asked = exchange(introspect(&api, &token));
        tasks.spawn(async move { (forge::read(&token).1["jti"].clone(), asked.await) });
    }
    for (jti, reply) in tasks.join_all().await {
        assert_eq!(reply.expect(200).json()["jti"], jti);
    }
}

#[tokio::test]
async fn many_revocations_of_one_token_at_once_all_succeed() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let authority = format!("localhost:{}", server.address.port());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let (send, authority, ask) = (conn.send.clone(), authority.clone(), revoke(&service, &issued));
        tasks
            .spawn(async move { crate::support::connect::exchange_over(send, &ask, &authority).await.unwrap().status });
    }
    assert_eq!(tasks.join_all().await, vec![200; 16]);
    assert!(!conn.ask(introspect(&api, &issued)).await.is_active());
}

#[tokio::test]
async fn neither_log_nor_metrics_hold_a_secret() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().text("telemetry.log_level", "debug")).await;
    let conn = server.connect().await;
    let (service, poster) = (client("service"), client("poster"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let assertion = crate::token::assertion::good(&site.issuer);
    let kind = ("client_assertion_type", crate::token::assertion::TYPE);
    let wrong = Credential { id: "service".into(), secret: "a-guess-that-is-wrong".into() };
    let fields = [("grant_type", "client_credentials"), kind, ("client_assertion", &*assertion)];
    for _ in 0..2 {
        conn.ask(Ask::post("/oauth/token").form(&fields)).await;
    }
    let body = [("token", &*issued), ("client_id", &poster.id), ("client_secret", &poster.secret)];
    for path in ["/oauth/introspect", "/oauth/revoke", "/oauth/token", "/nowhere"] {
        conn.ask(Ask::post(path).form(&body)).await;
        conn.ask(Ask::post(path).basic(&wrong).form(&body)).await;
        conn.ask(Ask::post(format!("{path}?token={issued}&client_secret={}", poster.secret)).raw_form("")).await;
    }
    conn.ask(revoke(&service, &issued)).await.expect(200);
    let text = server.log() + &crate::support::metrics::get(server.metrics, "/metrics").await.1;
    for (reason, secret) in [
        ("a token", &*issued),
        ("a token's signature", issued.rsplit('.').next().unwrap()),
        ("an assertion", &assertion),
        ("a secret by basic", &service.secret),
        ("a secret by post", &poster.secret),
        ("a wrong secret", &wrong.secret),
    ] {
        assert!(!text.contains(secret), "{reason}");
    }
}
