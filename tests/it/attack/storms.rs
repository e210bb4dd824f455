//! Questions that memory cannot answer, in masses: each could be news, so the database would be asked. What one address
//! may ask is bounded, and what is known is answered from memory all along.

use serde_json::json;

use super::{Honest, assert_alone, one_shard};
use crate::support::ask::{Ask, introspect, token};
use crate::support::forge::{self, Pair};
use crate::support::seed::{Credential, client};
use crate::support::server::Server;
use crate::support::site::Site;

const BUDGET: i64 = 5;
const STORM: usize = 300;

/// Questions that reached the backend of a route.
async fn asked(server: &Server, path: &str) -> i64 {
    server.metrics().await.sum("sigid_cold_seconds_count", &[&format!("route=\"{path}\"")])
}

#[tokio::test]
async fn a_storm_of_unknown_keys_buys_few_reads() {
    let site = Site::new().await;
    let settings = one_shard(&site).set("edge.unknown_client_budget_per_minute", BUDGET);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    let (mut header, claims) = forge::read(&issued);
    let (pair, _) = Pair::generate("ES256");
    let before = asked(&server, "/oauth/introspect").await;
    for turn in 0..STORM {
        header["kid"] = json!(format!("unknown-{turn}"));
        let reply = conn.ask(introspect(&api, &pair.sign(&header, &claims))).await.expect(200);
        assert_eq!(reply.text(), r#"{"active":false}"#, "turn {turn}");
    }
    let bought = asked(&server, "/oauth/introspect").await - before;
    // The budget is refilled by the minute, and the storm may have taken one.
    assert!((1..=BUDGET * 3).contains(&bought), "{bought} questions reached the database");
    assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "what is known stays known");
    let fresh = conn.ask(token(&service, &[])).await.token();
    assert!(conn.ask(introspect(&api, &fresh)).await.is_active(), "and what is new is learnt");
    honest.is_served().await;
    drop(conn);
    assert_alone(&server).await;
}

#[tokio::test]
async fn a_storm_of_unknown_callers_buys_few_reads() {
    let site = Site::new().await;
    let settings = one_shard(&site).set("edge.unknown_client_budget_per_minute", BUDGET);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let conn = server.connect().await;
    let before = asked(&server, "/oauth/introspect").await;
    for turn in 0..STORM {
        let nobody = Credential { id: format!("nobody-{turn}"), secret: "x".into() };
        let ask = match turn % 2 {
            0 => introspect(&nobody, "x"),
            _ => Ask::post("/oauth/introspect").form(&[
                ("token", "x"),
                ("client_id", &nobody.id),
                ("client_secret", &nobody.secret),
            ]),
        };
        let reply = conn.ask(ask).await;
        assert_eq!((reply.status, reply.error().as_str()), (401, "invalid_client"), "turn {turn}");
    }
    let bought = asked(&server, "/oauth/introspect").await - before;
    assert!((1..=BUDGET * 3).contains(&bought), "{bought} questions reached the database");
    honest.is_served().await;
    drop(conn);
    assert_alone(&server).await;
}

/// Requests that fail in the backend are counted by address: past the budget they are refused at the door, and what
/// memory answers is not.
#[tokio::test]
async fn an_address_whose_requests_fail_is_refused_at_the_door() {
    let site = Site::new().await;
    let settings = one_shard(&site).set("edge.failed_requests_per_minute", BUDGET);
    let server = site.serve_with(settings).await;
    let honest = Honest::begin(&server).await;
    let conn = server.connect().await;
    let wrong = Credential { id: "service".into(), secret: "wrong".into() };
    let before = asked(&server, "/oauth/token").await;
    let mut refused = 0;
    for turn in 0..STORM {
        let reply = conn.ask(token(&wrong, &[])).await;
        assert!([401, 429].contains(&reply.status), "turn {turn}: {}", reply.status);
        if reply.status == 429 {
            assert!(reply.header("retry-after").is_some(), "says when to come again");
            refused += 1;
        }
    }
    let bought = asked(&server, "/oauth/token").await - before;
    assert!(bought <= BUDGET * 3 && refused > 0, "{bought} requests reached the backend, {refused} were refused");
    honest.is_served().await;
    drop(conn);
    assert_alone(&server).await;
}
