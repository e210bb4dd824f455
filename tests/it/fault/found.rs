//! What drills have found, each as a small test of its own.

use crate::support::ask::{introspect, revoke, token};
use crate::support::cluster::OWNER;
use crate::support::seed::client;
use crate::support::site::Site;
use crate::support::wait::until_true;

#[tokio::test]
async fn a_revocation_holds_although_the_clock_is_set_back_or_ahead() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    // Issued, then revoked at another moment, then looked at again: seconds by which the clock is off.
    for (why, issued_at, revoked_at, seen_at) in [
        ("not yet valid when revoked", 60, 0, 60),
        ("expired when revoked", 0, 310, 0),
        ("valid all the time", 0, 5, 10),
    ] {
        server.shift_clock(issued_at).await;
        let issued = conn.ask(token(&service, &[])).await.token();
        assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "{why}");
        server.shift_clock(revoked_at).await;
        conn.ask(revoke(&service, &issued)).await.expect(200);
        server.shift_clock(seen_at).await;
        let kept = conn.ask(token(&service, &[])).await.token();
        assert!(conn.ask(introspect(&api, &kept)).await.is_active(), "{why}: others live");
        assert!(!conn.ask(introspect(&api, &issued)).await.is_active(), "{why}");
    }
}

#[tokio::test]
async fn a_database_that_has_recovered_is_read_whole() {
    let site = Site::new().await;
    let server = site.serve().await;
    let conn = server.connect().await;
    let (service, api) = (client("service"), client("api"));
    let issued = conn.ask(token(&service, &[])).await.token();
    assert!(conn.ask(introspect(&api, &issued)).await.is_active());
    // After a crash an id that a cursor counts as seen may be given out again; this is the row of its second owner.
    let owner = site.database.connect(OWNER).await;
    let change = "update control.clients set state = 'disabled' where client_id = 'service'; \
                  insert into async.feed (xid, kind, ref, tenant_id, created_at) \
                  select '3'::xid8, 2, client_id, tenant_id, now() from control.clients where client_id = 'service'";
    owner.batch_execute(change).await.unwrap();
    let reads = async || server.metrics().await.sum("sigid_feed_reads_total", &[r#"outcome="ok""#]);
    let before = reads().await;
    until_true("two looks", async || reads().await >= before + 2).await;
    assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "a row that the cursor counts as seen is not read");
    // What a recovery does to the server's statistics, which is how it is noticed.
    owner.batch_execute("select pg_stat_reset_shared('bgwriter')").await.unwrap();
    until_true("all is read again", async || !conn.ask(introspect(&api, &issued)).await.is_active()).await;
}
