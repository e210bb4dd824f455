//! Where a person is signed in, and the end of it.

use super::people::{Browser, PASSWORD, between, count, events, leads_to, make};
use crate::support::connect::exchange_over;
use crate::support::site::Site;

/// The ids that the page offers to end.
fn offered(text: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        text.split("name=\"end\" value=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    ids.retain(|id| id != "others");
    ids
}

#[tokio::test]
async fn a_session_elsewhere_is_seen_and_ended() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let page = ann.get("/account/sessions").await.expect(200);
    assert!(page.text().contains("Firefox"), "the device is named");
    let ids = offered(page.text());
    assert_eq!(ids.len(), 1, "the other one; this one is not offered");
    ann.post("/account/sessions", &[("end", &ids[0])]).await.expect(200);
    leads_to(&elsewhere.get("/account").await, "/login?next=%2Faccount");
    let again = ann.post("/account/sessions", &[("end", &ids[0])]).await.expect(200);
    assert!(offered(again.text()).is_empty(), "ended once, shown no more");
    ann.get("/account").await.expect(200);
    assert_eq!(events(&site).await, ["session.ended"], "once");
}

#[tokio::test]
async fn another_persons_session_is_not_ended() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    make(&site, "eve@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut eve = Browser::signed_in(&server, "eve@example.com", PASSWORD).await;
    let id = ann.session().unwrap().split_once('.').unwrap().0.to_owned();
    let id = format!("{}-{}-{}-{}-{}", &id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]);
    let foreign = eve.post("/account/sessions", &[("end", &id)]).await.expect(200);
    let unknown = eve.post("/account/sessions", &[("end", "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b")]).await.expect(200);
    let main = |text: &str| between(text, "<main", "</main>").split("name=\"csrf\"").next().unwrap().to_owned();
    assert_eq!(main(foreign.text()), main(unknown.text()), "the same answer as for one that never was");
    eve.post("/account/sessions", &[("end", "others")]).await.expect(200);
    ann.get("/account").await.expect(200);
    assert!(!foreign.text().contains("ann@example.com"));
    for (reason, end) in [("no id", "x"), ("upper case", "018F2F3E-7C1A-7B52-9C5B-0D4B9F6F1A2B"), ("nothing", "")] {
        assert_eq!(eve.post("/account/sessions", &[("end", end)]).await.status, 400, "{reason}");
    }
    assert_eq!(count(&site, "select count(*) from auth.sessions where ended_at is not null").await, 0);
}

#[tokio::test]
async fn all_others_end_at_once() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(Browser::signed_in(&server, "ann@example.com", PASSWORD).await);
    }
    ann.post("/account/sessions", &[("end", "others")]).await.expect(200);
    for other in &mut others {
        leads_to(&other.get("/account").await, "/login?next=%2Faccount");
    }
    ann.get("/account").await.expect(200);
    assert_eq!(events(&site).await, ["user.sessions_ended"]);
}

/// More at once than the pool has connections; there is nothing to end.
#[tokio::test]
async fn nobody_waits_for_a_connection_that_holds_another() {
    let site = Site::new().await;
    let server = site.serve_with(site.settings().set("database.max_connections", 2)).await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let token = ann.token("/account/sessions").await;
    let unknown = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b";
    for end in ["others", unknown] {
        let (send, ask, authority) = ann.ready_to("/account/sessions", &[("csrf", token.as_str()), ("end", end)]);
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let (send, ask, authority) = (send.clone(), ask.clone(), authority.clone());
                tokio::spawn(async move { exchange_over(send, &ask, &authority).await.unwrap().status })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap(), 200, "{end}");
        }
    }
}
