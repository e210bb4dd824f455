//! The letter about a sign-in from a device that the account does not know.

use super::site;
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, count, leads_to, make};
use crate::support::cluster::OWNER;
use crate::support::site::Site;

/// A letter is queued with the session it tells of: it is there when the sign-in is answered.
async fn told(site: &Site) -> i64 {
    count(site, "select count(*) from async.mail where template = 'new_sign_in'").await
}

async fn sign_in(browser: &mut Browser, password: &str) {
    leads_to(&browser.sign_in("ann@example.com", password).await, "/account");
}

#[tokio::test]
async fn a_sign_in_from_an_unknown_device_is_told_of_once() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut own = Browser::open(&server).await;
    sign_in(&mut own, PASSWORD).await;
    assert_eq!(told(&site).await, 0, "the first sign-in of all");
    own.post("/logout", &[]).await.expect(200);
    sign_in(&mut own, PASSWORD).await;
    assert_eq!(told(&site).await, 0, "a known device");
    let mut other = Browser::open(&server).await;
    assert_eq!(other.sign_in("ann@example.com", "wrong horse battery").await.status, 422);
    assert_eq!(told(&site).await, 0, "nobody signed in");
    sign_in(&mut other, PASSWORD).await;
    assert_eq!(told(&site).await, 1);
    let is_it = |message: &super::mailbox::Message| message.text.contains("/account/sessions");
    let letter = mailbox.wait_for("ann@example.com", is_it).await;
    assert!(letter.text.contains("Firefox on Linux, 127."), "which device, and from where: {}", letter.text);
    other.post("/logout", &[]).await.expect(200);
    sign_in(&mut other, PASSWORD).await;
    assert_eq!(told(&site).await, 1, "known by now");
}

#[tokio::test]
async fn a_device_of_the_old_password_is_a_stranger_and_the_one_that_changed_it_is_not() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut own = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    assert_eq!(told(&site).await, 1);
    server.shift_clock(60).await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    leads_to(&own.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    own.post("/logout", &[]).await.expect(200);
    sign_in(&mut own, NEW_PASSWORD).await;
    assert_eq!(told(&site).await, 1, "it set the password");
    sign_in(&mut thief, NEW_PASSWORD).await;
    assert_eq!(told(&site).await, 2, "whoever knew the old one is told of again");
}

#[tokio::test]
async fn a_mailbox_is_told_of_few_sign_ins_in_an_hour_and_a_sleeping_account_of_its_first() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let owner = site.database.connect(OWNER).await;
    let aged = "update identity.users set created_at = now() - interval '91 days'";
    owner.execute(aged, &[]).await.unwrap();
    for (reason, expected) in [("nothing is remembered of it", 1), ("", 2), ("", 3), ("enough for an hour", 3)] {
        sign_in(&mut Browser::open(&server).await, PASSWORD).await;
        assert_eq!(told(&site).await, expected, "{reason}");
    }
    server.shift_clock(3660).await;
    sign_in(&mut Browser::open(&server).await, PASSWORD).await;
    assert_eq!(told(&site).await, 4, "an hour later");
}
