//! An account goes: asked for, kept, or erased when its time is over.

use super::people::{Browser, PASSWORD, count, events, leads_to, letter, letters, make};
use crate::support::cluster::OWNER;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until_true;

const PAGE: &str = "/account/deletion";
const DAY_S: i64 = 86_400;

#[tokio::test]
async fn a_deletion_ends_sessions_and_can_be_taken_back() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for (reason, password) in [("a wrong password", "wrong horse battery"), ("none", "")] {
        assert_eq!(ann.post(PAGE, &[("current_password", password)]).await.status, 422, "{reason}");
    }
    assert_eq!(ann.post(PAGE, &[("keep", "yes")]).await.status, 400, "there is nothing to keep");
    let reply = ann.post(PAGE, &[("current_password", PASSWORD)]).await;
    leads_to(&reply, "/login?notice=deletion_begun&next=%2Faccount%2Fdeletion");
    assert_eq!(ann.session(), None, "this browser is signed out too");
    leads_to(&elsewhere.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(letter(&site, "deletion_begun").await.recipient, "ann@example.com");

    let mut back = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for path in ["/account", "/account/password", "/account/email"] {
        leads_to(&back.get(path).await, PAGE);
    }
    leads_to(&back.post(PAGE, &[("keep", "yes")]).await, "/account?notice=kept");
    back.get("/account").await.expect(200);
    assert_eq!(back.post(PAGE, &[("keep", "yes")]).await.status, 400, "kept once");
    let sql = "select count(*) from identity.users where state = 'active' and deletes_at is null";
    assert_eq!(count(&site, sql).await, 1);
    assert_eq!(events(&site).await, ["user.deletion_begun", "user.deletion_taken_back"]);
}

/// A server that begins at another time, so that its jobs run then.
async fn start_later(site: &Site, ahead_s: i64) -> Server {
    let (directory, settings) = site.furnish(site.settings());
    std::fs::write(directory.join("clock"), ahead_s.to_string()).unwrap();
    let address = format!("{}:{}", settings.find("server.host"), settings.find("server.port")).parse().unwrap();
    let metrics = settings.find("telemetry.metrics_listen").parse().unwrap();
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    let server = Server::start(directory, address, metrics, site.issuer.clone(), &start).await;
    // While partitions are made for the days that it jumped to, a look can miss rows on their way into one.
    for job in ["job=\"account-erasure\"", "job=\"partitions\""] {
        until_true(job, async || server.metrics().await.sum("sigid_job_runs_total", &[job, "outcome=\"ok\""]) > 0)
            .await;
    }
    server
}

#[tokio::test]
async fn an_account_is_erased_when_its_time_is_over() {
    let site = Site::new().await;
    let mut server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    make(&site, "bob@example.com").await;
    let owner = site.database.connect(OWNER).await;
    let member = "insert into identity.memberships (tenant_id, sub, user_id, state, consented, created_at, updated_at)
                  select t.tenant_id, 'subject-of-' || left(u.email, 3) || '-12345', u.user_id, 'active', '{email}', now(), now()
                  from identity.users u, (select tenant_id from control.tenants limit 1) t";
    owner.execute(member, &[]).await.unwrap();
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ann.post("/account/email", &[("new_email", "new@example.com"), ("current_password", PASSWORD)]).await.expect(200);
    ann.post(PAGE, &[("current_password", PASSWORD)]).await;
    assert!(server.stop().await.success());

    let mut server = start_later(&site, 14 * DAY_S - 3600).await;
    assert_eq!(count(&site, "select count(*) from identity.users").await, 2, "an hour is left");
    assert!(server.stop().await.success());

    let server = start_later(&site, 14 * DAY_S + 60).await;
    assert_eq!(count(&site, "select count(*) from identity.users").await, 1, "and bob is still there");
    let sql = "select state, user_id is null, consented = '{}' from identity.memberships where sub like '%ann%'";
    let row = owner.query_one(sql, &[]).await.unwrap();
    assert_eq!(
        (row.get::<_, String>(0).as_str(), row.get(1), row.get(2)),
        ("removed", true, true),
        "the subject is nobody's"
    );
    let rest = "select count(*) from auth.links where data::text like '%@%'";
    assert_eq!(count(&site, rest).await, 0, "links remember no address");
    let rest = "select count(*) from auth.sessions s where user_agent <> '' and not exists (select from identity.users u where u.user_id = s.user_id)";
    assert_eq!(count(&site, rest).await, 0, "sessions remember no device");
    assert_eq!(letter(&site, "deletion_done").await.recipient, "ann@example.com");
    let ended: Vec<String> = events(&site).await;
    assert_eq!(ended.last().map(String::as_str), Some("user.erased"));
    let mut again = Browser::open(&server).await;
    assert_ne!(again.sign_in("ann@example.com", PASSWORD).await.status, 303, "nobody is there");
    leads_to(&again.sign_in("bob@example.com", PASSWORD).await, "/account");
    assert_eq!(letters(&site).await.iter().filter(|letter| letter.template == "deletion_done").count(), 1);
}
