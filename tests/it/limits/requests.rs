//! Registrations and recoveries; what becomes of their letters is in `login::crowd`.

use super::guesser::{ADA, Guesser, PASSWORD, at, retry_after_s, settings, site};

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
