//! Registrations, recoveries, and the letters they send.

use super::guesser::{ADA, Guesser, PASSWORD, at, retry_after_s, settings, site};
use crate::support::cluster::OWNER;
use crate::support::site::Site;

async fn letters(site: &Site, recipient: &str) -> i64 {
    let owner = site.database.connect(OWNER).await;
    let sql = "select count(*) from async.mail where lower(recipient) = $1 or data::text like '%' || $1 || '%'";
    owner.query_one(sql, &[&recipient]).await.unwrap().get(0)
}

#[tokio::test]
async fn an_address_has_a_budget_of_registrations_and_recoveries() {
    let site = site().await;
    let server = site.serve_with(settings(site.settings())).await;
    let mut browser = Guesser::open(&server).await;
    for n in 0..5 {
        let email = format!("{n}@example.com");
        let reply = browser.send("/recover", &[("email", &email)], &at(1)).await;
        assert!(reply.status < 400, "{n}: {}", reply.status);
    }
    let refused = browser.send("/recover", &[("email", ADA)], &at(1)).await;
    assert!((1..=12).contains(&retry_after_s(&refused)), "one comes back each twelve seconds");
    let fields = [("email", "new@example.com"), ("new_password", PASSWORD), ("name", "New")];
    assert_eq!(browser.send("/register", &fields, &at(1)).await.status, 429, "one budget for both");
    assert!(browser.send("/recover", &[("email", ADA)], &at(2)).await.status < 400, "another address has its own");
}

#[tokio::test]
async fn a_mailbox_is_not_flooded_and_nobody_learns_of_it() {
    let site = site().await;
    let server = site.serve_with(settings(site.settings())).await;
    let mut browser = Guesser::open(&server).await;
    for email in [ADA, "nobody@example.com"] {
        let mut statuses = Vec::new();
        for n in 0..9 {
            statuses.push(
                browser.send("/recover", &[("email", email)], &at(n * 2 + usize::from(email == ADA))).await.status,
            );
        }
        assert!(statuses.iter().all(|status| *status == statuses[0] && *status < 400), "{email}: {statuses:?}");
        assert_eq!(letters(&site, email).await, 6, "{email}: the others are not sent");
    }
}
