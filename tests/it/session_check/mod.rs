//! `/session/check` as a proxy uses it: alone, and behind real proxies that run the recipes of
//! docs/features/session-check.md, word for word but for names and files.

mod proxies;
mod proxy;

use crate::account::people::{Browser, PASSWORD, leads_to, make};
use crate::support::ask::{Ask, Reply, escape, token};
use crate::support::relay::{Relay, State};
use crate::support::seed::client;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until_true;

/// Two applications of two tenants, on ports of the issuer's own host.
pub fn make_applications(site: &Site, ports: [u16; 2]) {
    for (id, tenant, port) in [("shop", "one", ports[0]), ("bank", "two", ports[1])] {
        let uri = format!("https://localhost:{port}/callback");
        let method = ["--token-endpoint-auth-method", "none"];
        let arguments = ["client", "create", "--tenant", tenant, "--client-id", id, "--redirect-uri", &uri];
        site.admin(&[&arguments[..], &method].concat()).expect(0);
    }
}

pub fn start(client: &str, return_to: &str) -> String {
    format!("/session/start?client_id={client}&return_to={}", escape(return_to))
}

/// The edge cookie of one application, for a browser that has signed in.
pub async fn edge_cookie(browser: &mut Browser, client: &str, port: u16) -> String {
    let back = format!("https://localhost:{port}/");
    let reply = browser.get(&start(client, &back)).await;
    leads_to(&reply, &back);
    let set = reply.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let found = set.into_iter().find(|set| set.starts_with("__Secure-sigid-"));
    found.unwrap_or_else(|| panic!("{:?}", reply.headers)).split(';').next().unwrap().to_owned()
}

async fn check(server: &Server, client: &str, cookie: &str) -> Reply {
    server.ask(Ask::get(format!("/session/check?client_id={client}")).header("cookie", cookie)).await
}

#[tokio::test]
async fn every_way_to_ask_has_one_answer() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    make_applications(&site, [9443, 9444]);
    let server = site.serve_unbudgeted().await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let cookie = edge_cookie(&mut ann, "shop", 9443).await;
    let conn = server.connect().await;
    let session = format!("__Host-sigid={}", ann.session().unwrap());
    for (method, target, status) in [
        ("GET", "/session/check?client_id=shop", 200),
        ("POST", "/session/check?client_id=shop", 200),
        ("OPTIONS", "/session/check?client_id=shop", 200),
        ("HEAD", "/session/check/orders/1?client_id=shop&x=%zz", 200),
        ("PROPFIND", "/session/check/../../health/live?client_id=shop", 200),
        ("GET", "/session/check?client_id=bank", 401),
        ("GET", "/session/check?client_id=nobody", 401),
        ("GET", "/session/check", 400),
        ("GET", "/session/check?client_id=shop&client%5Fid=bank", 400),
        ("GET", "/session/checks?client_id=shop", 404),
    ] {
        let seen = conn.ask(Ask::new(method, target).header("cookie", &cookie)).await;
        assert_eq!(seen.status, status, "{method} {target}");
        assert_eq!(seen.header("cache-control"), Some("no-store"), "{method} {target}");
        assert_eq!(seen.header("x-auth-subject").is_some(), status == 200, "{method} {target}");
    }
    let preflight = Ask::new("OPTIONS", "/session/check?client_id=shop")
        .header("origin", "https://localhost:9443")
        .header("access-control-request-method", "GET");
    assert_eq!(conn.ask(preflight).await.status, 401, "a preflight is no yes");
    assert_eq!(check(&server, "shop", &session).await.status, 401, "the session at SigID opens no application");
    let renamed = cookie.replace("__Secure-sigid-shop", "__Secure-sigid-bank");
    assert_eq!(check(&server, "bank", &renamed).await.status, 401, "renamed for another");
    let value = cookie.split_once('=').unwrap().1;
    let mut stranger = Browser::open(&server).await;
    stranger.steal(value);
    assert_eq!(stranger.get("/account").await.status, 303, "an edge cookie opens no page of SigID");
    assert_eq!(check(&server, "shop", &format!("{cookie}; {cookie}")).await.status, 401, "twice");
}

#[tokio::test]
async fn a_token_is_good_where_it_is_meant() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    let shards = server.connect_each().await;
    let conn = &shards[0];
    let issued = conn.ask(token(&client("service"), &[])).await.token();
    let ask = |name: &str, authorization: String| {
        Ask::get(format!("/session/check?client_id={}", client(name).id)).header("authorization", authorization)
    };
    for (reason, name, authorization, status) in [
        ("the resource server it is meant for", "api", format!("Bearer {issued}"), 200),
        ("the client that got it", "service", format!("Bearer {issued}"), 401),
        ("another resource server", "other-api", format!("Bearer {issued}"), 401),
        ("another tenant's of the same name", "foreign-api", format!("Bearer {issued}"), 401),
        ("altered", "api", format!("Bearer {}", &issued[..issued.len() - 4]), 401),
        ("as another scheme", "api", format!("Token {issued}"), 401),
    ] {
        assert_eq!(conn.ask(ask(name, authorization)).await.status, status, "{reason}");
    }
    let revoked = conn.ask(crate::support::ask::revoke(&client("service"), &issued)).await;
    revoked.expect(200);
    for shard in &shards {
        let seen = shard.ask(ask("api", format!("Bearer {issued}"))).await;
        assert_eq!(seen.status, 401, "revoked");
    }
}

#[tokio::test]
async fn a_session_that_ends_is_refused_on_every_shard_and_on_another_node() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    make_applications(&site, [9443, 9444]);
    let server = site.serve_unbudgeted().await;
    let other = site.serve_with(site.another_port()).await;
    let shards = server.connect_each().await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let cookie = edge_cookie(&mut ann, "shop", 9443).await;
    let ask = || Ask::get("/session/check?client_id=shop").header("cookie", &cookie);
    for shard in &shards {
        shard.ask(ask()).await.expect(200);
    }
    let beyond = other.connect().await;
    beyond.ask(ask()).await.expect(200);
    ann.post("/logout", &[]).await.expect(200);
    for shard in &shards {
        shard.ask(ask()).await.expect(401);
    }
    until_true("the other node's refusal", async || beyond.ask(ask()).await.status == 401).await;
    let counted = server.metrics().await;
    let refused: i64 = counted.series("sigid_session_check_total", &["outcome=\"revoked\""]).map(|(_, n)| n).sum();
    assert!(refused >= 1, "the operator sees it");
}

#[tokio::test]
async fn a_node_without_its_database_lets_nobody_in_and_then_again() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    make_applications(&site, [9443, 9444]);
    let relay = Relay::new();
    let settings = site.through(&relay).set("edge.max_stale_ms", 1000).set("edge.poll_ms", 100);
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    let server = site.start(settings, &start).await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let cookie = edge_cookie(&mut ann, "shop", 9443).await;
    let conn = server.connect().await;
    let ask = |cookie: &str| Ask::get("/session/check?client_id=shop").header("cookie", cookie);
    conn.ask(ask(&cookie)).await.expect(200);
    relay.set(State::Cut);
    until_true("the bound", async || conn.ask(ask(&cookie)).await.status == 503).await;
    for (reason, cookie) in [("known", cookie.as_str()), ("unknown", "__Secure-sigid-shop=x"), ("none", "a=b")] {
        let refused = conn.ask(ask(cookie)).await;
        assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{reason}");
    }
    relay.set(State::Whole);
    until_true("the recovery", async || conn.ask(ask(&cookie)).await.status == 200).await;
}
