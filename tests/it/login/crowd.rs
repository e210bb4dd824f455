//! A hundred letters to one mailbox: nobody is told, and nobody is kept out by what others did to the address.

use super::{assert_same, site};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, count, leads_to, make};
use crate::support::wait::until_true;

const PAGE: &str = "/recover/password";
const TRIES: i64 = 14;
/// Letters of one kind to one mailbox in an hour.
const MAX: i64 = 10;

const WAITING: &str = "select count(*) from async.mail where state = 'queued'";
const DROPPED: &str = "select count(*) from async.mail where state = 'dropped' and fault = 'too many'";

fn fields<'f>(email: &'f str, name: &'f str, password: &'f str) -> [(&'f str, &'f str); 3] {
    [("email", email), ("name", name), ("new_password", password)]
}

#[tokio::test]
async fn an_address_that_strangers_registered_is_still_its_owners() {
    let (site, server, mailbox) = site().await;
    let mut eve = Browser::open(&server).await;
    let first = eve.post("/register", &fields("ann@example.com", "Eve", "a password of Eve's")).await.expect(200);
    for _ in 1..TRIES {
        let reply = eve.post("/register", &fields("ann@example.com", "Eve", "a password of Eve's")).await;
        assert_same("one of many", &first, "ann@example.com", &reply, "ann@example.com");
    }
    // Ann, too late for a letter of her own. A tag does not make another mailbox.
    let mut ann = Browser::open(&server).await;
    let reply = ann.post("/register", &fields("Ann@example.com", "Ann", PASSWORD)).await;
    assert_same("her own", &first, "ann@example.com", &reply, "Ann@example.com");
    eve.post("/register", &fields("ann+me@example.com", "Eve", "a password of Eve's")).await.expect(200);
    until_true("the letters", async || count(&site, WAITING).await == 0).await;
    assert_eq!((mailbox.all().len(), count(&site, DROPPED).await), (MAX as usize, TRIES + 2 - MAX));
    let link = mailbox.all()[0].link("/verify");
    let mut other = Browser::open(&server).await;
    for (reason, browser, is_asked) in [("a third browser", &mut other, true), ("hers", &mut ann, false)] {
        let shown = browser.get(&format!("/verify?link={link}")).await.expect(200);
        assert_eq!(shown.text().contains("name=\"password\""), is_asked, "{reason}");
    }
    assert_eq!(other.press("/verify", &link).await.status, 422, "a letter alone makes no account");
    leads_to(&ann.press("/verify", &link).await, "/login?notice=verified");
    assert_eq!(ann.sign_in("ann@example.com", "a password of Eve's").await.status, 422, "not what Eve asked for");
    leads_to(&ann.sign_in("ann@example.com", PASSWORD).await, "/account");
    assert!(ann.get("/account").await.text().contains("value=\"Ann\""), "her name");
    assert_eq!(ann.get(&format!("/verify?link={link}")).await.status, 410, "used");
    assert_eq!(count(&site, "select count(*) from identity.users").await, 1);
    let kept = "select count(*) from auth.registrations where used_at is not null and (email, display_name, password_hash) <> ('', '', '')";
    assert_eq!(count(&site, kept).await, 0, "a used registration says nothing of its person");
    let named = "select count(*) from auth.links where data::text like '%@%'";
    assert_eq!(count(&site, named).await, 0, "nor does its link");
}

#[tokio::test]
async fn a_flood_of_recoveries_keeps_nobody_out() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut eve = Browser::open(&server).await;
    let flood = async |eve: &mut Browser| {
        for _ in 0..TRIES {
            eve.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
        }
        until_true("the letters", async || count(&site, WAITING).await == 0).await;
    };
    let links = || mailbox.all().iter().filter_map(|message| message.find_link(PAGE)).count();
    flood(&mut eve).await;
    assert_eq!((links(), count(&site, DROPPED).await), (MAX as usize, TRIES - MAX), "ten and no more");
    let mut ann = Browser::open(&server).await;
    let link = mailbox.all()[0].link(PAGE);
    let token = ann.token(&format!("{PAGE}?link={link}")).await;
    let fields = [("csrf", token.as_str()), ("link", &link), ("new_password", NEW_PASSWORD)];
    leads_to(&ann.send(PAGE, &fields).await, "/login?notice=password_set");
    assert_eq!(
        ann.get(&format!("{PAGE}?link={}", mailbox.all()[1].link(PAGE))).await.status,
        410,
        "all of them are dead"
    );
    flood(&mut eve).await;
    assert_eq!(links(), MAX as usize + 1, "one that works, although the mailbox had its share");
    let last = mailbox.all().into_iter().rev().find_map(|message| message.find_link(PAGE)).unwrap();
    ann.get(&format!("{PAGE}?link={last}")).await.expect(200);
}
