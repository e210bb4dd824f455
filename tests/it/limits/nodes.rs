//! Limits of several nodes together.

use super::guesser::{ADA, Guesser, PASSWORD, at, settings, site};
use crate::support::cluster::OWNER;
use crate::support::server::Server;
use crate::support::wait::until_true;

/// Waits until one has told and the other has heard: for each an exchange that began after now. Both must have been
/// asked for something, for a node that rests does neither.
async fn exchanged(teller: &Server, hearer: &Server) {
    for server in [teller, hearer] {
        let done = async || server.metrics().await.sum("sigid_auth_limit_merges_total", &[r#"outcome="ok""#]);
        let before = done().await;
        until_true("two exchanges", async || done().await >= before + 2).await;
    }
}

#[tokio::test]
async fn guesses_on_two_nodes_add_up_and_a_late_one_knows() {
    let site = site().await;
    let first = site.serve_with(settings(site.settings())).await;
    let second = site.serve_with(settings(site.another_port())).await;
    let (mut here, mut there) = (Guesser::open(&first).await, Guesser::open(&second).await);
    let wrong = "wrong horse battery";
    there.guess("bob@example.com", wrong, &at(50)).await.expect(422);
    for n in 0..3 {
        here.guess(ADA, wrong, &at(n)).await.expect(422);
    }
    exchanged(&first, &second).await;
    for n in 0..2 {
        there.guess(ADA, wrong, &at(n)).await.expect(422);
    }
    assert_eq!(there.guess(ADA, PASSWORD, &at(9)).await.status, 429, "three there and two here");
    exchanged(&second, &first).await;
    assert_eq!(here.guess(ADA, PASSWORD, &at(9)).await.status, 429, "the lock is everybody's");
    let third = site.serve_with(settings(site.another_port())).await;
    let mut late = Guesser::open(&third).await;
    late.guess("bob@example.com", wrong, &at(51)).await.expect(422);
    exchanged(&third, &third).await;
    assert_eq!(late.guess(ADA, PASSWORD, &at(9)).await.status, 429, "also of a node that came later");
}

#[tokio::test]
async fn a_good_sign_in_tells_nobody() {
    let site = site().await;
    let server = site.serve_with(settings(site.settings())).await;
    let mut guesser = Guesser::open(&server).await;
    for n in 0..5 {
        guesser.guess(ADA, PASSWORD, &at(n)).await.expect(303);
    }
    exchanged(&server, &server).await;
    let owner = site.database.connect(OWNER).await;
    let sql = "select count(*) from auth.limit_counters";
    let rows = async || -> i64 { owner.query_one(sql, &[]).await.unwrap().get(0) };
    assert_eq!(rows().await, 0);
    guesser.device = None;
    guesser.guess(ADA, "wrong horse battery", &at(0)).await.expect(422);
    exchanged(&server, &server).await;
    assert_eq!(rows().await, 2, "a failure does: its account and its address");
}
