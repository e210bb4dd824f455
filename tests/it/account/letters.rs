//! The letters of an account as they arrive, with the links that are in them.

use super::people::{Browser, NEW_PASSWORD, PASSWORD, leads_to, make};
use crate::login::mailbox::Mailbox;
use crate::support::server::{Server, Start};
use crate::support::site::Site;

async fn site() -> (Site, Server, Mailbox) {
    let site = Site::new().await;
    let mailbox = Mailbox::open().await;
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    let server = site.start(mailbox.settings(site.settings()), &start).await;
    (site, server, mailbox)
}

async fn ask(browser: &mut Browser, new: &str) {
    browser.post("/account/email", &[("new_email", new), ("current_password", PASSWORD)]).await.expect(200);
}

#[tokio::test]
async fn a_change_of_address_goes_by_letters() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "new@example.com").await;
    let proof = mailbox.wait_for_link("new@example.com", "/email/confirm").await.link("/email/confirm");
    leads_to(&ann.press("/email/confirm", &proof).await, "/account/email?notice=email_changed");
    let told = mailbox.wait_for_link("ann@example.com", "/email/undo").await;
    assert!(told.text.contains("new@example.com"), "it says to which address");
    mailbox.wait_for("new@example.com", |message| message.find_link("/email/confirm").is_none()).await;
    let mut reader = Browser::open(&server).await;
    leads_to(&reader.press("/email/undo", &told.link("/email/undo")).await, "/recover");
}

#[tokio::test]
async fn whoever_has_the_address_already_is_told_so_and_gets_no_link() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make(&site, "bob@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "Bob@example.com").await;
    let told = mailbox.wait_for("Bob@example.com", |_| true).await;
    assert_eq!(told.find_link("/email/confirm"), None);
    assert!(!told.text.contains("ann@example.com"), "nor who asked");
}

#[tokio::test]
async fn a_link_that_died_before_its_letter_was_sent_stays_dead() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "new@example.com").await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    ann.post("/account/password", &fields).await.expect(303);
    let proof = mailbox.wait_for_link("new@example.com", "/email/confirm").await.link("/email/confirm");
    assert_eq!(ann.get(&format!("/email/confirm?link={proof}")).await.status, 410);
    mailbox.wait_for("ann@example.com", |message| message.text.contains("/recover")).await;
}

#[tokio::test]
async fn a_deletion_says_how_to_keep_the_account() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ann.post("/account/deletion", &[("current_password", PASSWORD)]).await.expect(303);
    mailbox.wait_for("ann@example.com", |message| message.text.contains("/account/deletion")).await;
}
