//! How long a session lives, how many a person has, and what one is bound to.

use super::application::{SHOP, check, edge_cookie, make_applications, start};
use crate::account::people::{Browser, PASSWORD, leads_to, make};
use crate::support::ask::Ask;
use crate::support::site::Site;

const TO_SIGN_IN: &str = "/login?next=%2Faccount";

#[tokio::test]
async fn a_sign_in_over_the_limit_ends_the_oldest_and_what_it_handed_out() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let server = site.serve_with(site.settings().set("session_cookie.sessions_per_user_max", 2)).await;
    let mut first = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let cookie = edge_cookie(&first.get(&start("shop", SHOP)).await);
    let mut second = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    first.get("/account").await.expect(200);
    check(&server, "shop", &cookie).await.expect(200);
    let mut third = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    leads_to(&first.get("/account").await, TO_SIGN_IN);
    assert_eq!(check(&server, "shop", &cookie).await.status, 401, "with what it was given");
    second.get("/account").await.expect(200);
    third.get("/account").await.expect(200);
}

#[tokio::test]
async fn a_session_is_over_when_it_was_not_used_and_when_it_is_old() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    let settings = site.settings().set("session_cookie.idle_timeout_secs", 600);
    let server = site.serve_with(settings.set("session_cookie.absolute_lifetime_secs", 1800)).await;
    let mut idle = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut used = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for at_s in [500, 1000] {
        server.shift_clock(at_s).await;
        used.get("/account").await.expect(200);
    }
    leads_to(&idle.get("/account").await, TO_SIGN_IN);
    server.shift_clock(1500).await;
    used.get("/account").await.expect(200);
    server.shift_clock(1801).await;
    leads_to(&used.get("/account").await, TO_SIGN_IN);
}

#[tokio::test]
async fn a_bound_session_is_refused_from_another_browser() {
    for (binding, elsewhere) in [("none", 200), ("user_agent", 303)] {
        let site = Site::new().await;
        make(&site, "ann@example.com").await;
        let server = site.serve_with(site.settings().text("session_cookie.binding", binding)).await;
        let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
        let stolen = format!("__Host-sigid={}", ann.session().unwrap());
        let ask = Ask::get("/account").header("cookie", stolen).header("user-agent", "curl/8.0");
        assert_eq!(server.ask(ask).await.status, elsewhere, "{binding}");
        ann.get("/account").await.expect(200);
    }
}
