//! How a process and its connections end: nothing that was taken is lost.

use std::time::Duration;

use crate::support::ask::{Ask, introspect, token};
use crate::support::connect::{Conn, Offer, exchange_over};
use crate::support::metrics;
use crate::support::raw::{END_HEADERS, HEADERS, Raw, frame, head};
use crate::support::relay::{Relay, State};
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::{until, until_true};

#[tokio::test]
async fn sigterm_ends_the_process_in_order() {
    let site = Site::new().await;
    let relay = Relay::new();
    let mut server = site.serve_with(site.through(&relay)).await;
    let idle = Raw::open(&server, &[]).await;
    let busy = server.connect().await;
    // A request that waits for the database while the process is told to end.
    let assertion = crate::token::assertion::good(&site.issuer);
    let kind = ("client_assertion_type", crate::token::assertion::TYPE);
    let fields = [("grant_type", "client_credentials"), kind, ("client_assertion", &assertion)];
    let ask = Ask::post("/oauth/token").form(&fields);
    busy.ask(Ask::get("/health/ready")).await.expect(200);
    relay.set(State::Silent);
    let authority = format!("localhost:{}", server.address.port());
    let send = busy.send.clone();
    let waiting = tokio::spawn(async move { exchange_over(send, &ask, &authority).await });
    until_true("the request's arrival", async || server.metrics().await.sum("sigid_cold_busy", &[]) == 1).await;
    server.signal("TERM");
    until_true("readiness off", async || metrics::get(server.metrics, "/health/ready").await.0 == 503).await;
    // One GOAWAY that still takes everything, and after a ping the last.
    assert_eq!(idle.farewell().await, [0, 0], "GOAWAY without error, then the end");
    assert!(!waiting.is_finished());
    relay.set(State::Whole);
    waiting.await.unwrap().unwrap().expect(200);
    drop(busy);
    assert_eq!(server.ended().await.code(), Some(0));
    let lines: Vec<String> =
        server.log_lines().iter().map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect();
    assert!(lines.iter().any(|line| line == "draining") && lines.iter().any(|line| line == "stopped"), "{lines:?}");
}

#[tokio::test]
async fn sigint_ends_it_too() {
    let site = Site::new().await;
    let mut server = site.serve().await;
    server.signal("INT");
    assert_eq!(server.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_connection_that_stays_is_cut_at_the_deadline() {
    let site = Site::new().await;
    let mut server = site.serve_with(site.settings().set("server.drain_secs", 1)).await;
    // A body that never comes keeps its stream open.
    let mut stuck = Raw::open(&server, &[]).await;
    assert!(stuck.send(&frame(HEADERS, END_HEADERS, 1, &head("POST", "/oauth/token"))).await);
    server.ask(Ask::get("/health/live")).await.expect(200);
    assert_eq!(server.stop().await.code(), Some(0));
}

#[tokio::test]
async fn two_processes_share_the_port_and_a_rolling_restart_loses_nothing() {
    let site = Site::new().await;
    let mut old = site.serve().await;
    let service = client("service");
    let issued = old.ask(token(&service, &[])).await.token();
    let offer = old.offer();
    let address = old.address;
    // New connections all the time, and a request on each; and long connections that reconnect when told to.
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut clients = tokio::task::JoinSet::new();
    for at in 0..4 {
        let (offer, stop) = (offer.clone(), stop.clone());
        let ask = if at % 2 == 0 { introspect(&client("api"), &issued) } else { token(&service, &[]) };
        clients.spawn(load(offer, address, ask, at < 2, stop));
    }
    for _ in 0..RESTARTS {
        let new = site.serve().await;
        until_true("traffic at the new one", async || new.metrics().await.sum("sigid_requests_total", &[]) > 20).await;
        assert!(old.stop().await.success());
        old = new;
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let done = clients.join_all().await;
    let count: usize = done.iter().map(|done| done.requests).sum();
    let failures: Vec<&String> = done.iter().flat_map(|done| &done.failures).collect();
    assert!(failures.is_empty(), "{} of {count}: {failures:?}", failures.len());
    // Between the last look into the accept queue and the port's close the kernel may still finish a handshake for
    // the old socket, and then resets it (net.ipv4.tcp_migrate_req = 1 hands it on). No request was sent on it.
    let resets: usize = done.iter().map(|done| done.resets).sum();
    assert!(resets <= RESTARTS, "{resets} new connections of {count} were reset");
}

const RESTARTS: usize = 3;

/// What a client met.
#[derive(Default)]
struct Met {
    requests: usize,
    failures: Vec<String>,
    /// Connections that ended before a request could be sent.
    resets: usize,
}

/// Requests until told to stop.
async fn load(
    offer: Offer,
    address: std::net::SocketAddr,
    ask: Ask,
    each_anew: bool,
    stop: std::sync::Arc<std::sync::atomic::AtomicBool>,
) -> Met {
    let mut met = Met::default();
    let mut kept: Option<Conn> = None;
    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
        let conn = match kept.take() {
            Some(conn) if !each_anew && !conn.driver.is_finished() => conn,
            _ => match offer.connect(address).await {
                Ok(tls) => Conn::over(tls, address).await,
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    met.resets += 1;
                    continue;
                }
                Err(error) => {
                    met.failures.push(format!("connecting: {error}"));
                    continue;
                }
            },
        };
        met.requests += 1;
        match conn.try_ask(ask.clone()).await {
            Ok(reply) if reply.status == 200 => kept = Some(conn),
            Ok(reply) => met.failures.push(format!("status {}", reply.status)),
            // The server said beforehand that it takes no more; the request was not begun.
            Err(error) if error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR) => {}
            Err(error) => met.failures.push(error.to_string()),
        }
    }
    met
}

#[tokio::test]
async fn old_and_idle_connections_are_sent_away() {
    let site = Site::new().await;
    for (reason, key) in [("old", "server.connection_age_max_secs"), ("idle", "server.idle_timeout_secs")] {
        let server = site.serve_with(site.another_port().set(key, 1)).await;
        let conn = Raw::open(&server, &[]).await;
        assert_eq!(conn.farewell().await, [0, 0], "{reason}: GOAWAY without error, then the end");
        server.ask(Ask::get("/health/live")).await.expect(200);
    }
}

#[tokio::test]
async fn an_old_connection_finishes_what_it_began() {
    let site = Site::new().await;
    let relay = Relay::new();
    let server = site.serve_with(site.through(&relay).set("server.connection_age_max_secs", 1)).await;
    let conn = server.connect().await;
    let assertion = crate::token::assertion::good(&site.issuer);
    let kind = ("client_assertion_type", crate::token::assertion::TYPE);
    let fields = [("grant_type", "client_credentials"), kind, ("client_assertion", &assertion)];
    relay.set(State::Silent);
    let (ask, authority) = (Ask::post("/oauth/token").form(&fields), format!("localhost:{}", server.address.port()));
    let send = conn.send.clone();
    let waiting = tokio::spawn(async move { exchange_over(send, &ask, &authority).await });
    // The age passes: a new stream is refused, the one that waits is kept.
    until("GOAWAY", async || {
        let Ok(mut send) = conn.send.clone().ready().await else { return Some(()) };
        let request = crate::support::connect::request(&Ask::get("/health/live"), "localhost");
        let failed = match send.send_request(request, true) {
            Ok((reply, _)) => {
                tokio::time::timeout(Duration::from_secs(5), reply).await.map_or(true, |reply| reply.is_err())
            }
            Err(_) => true,
        };
        failed.then_some(())
    })
    .await;
    relay.set(State::Whole);
    waiting.await.unwrap().unwrap().expect(200);
}
