//! A forgotten password, and a first one.

use super::{assert_same, press_at_once, site};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, count, leads_to, make};
use crate::support::ask::Ask;
use crate::support::cluster::OWNER;
use crate::support::wait::until_true;

const PAGE: &str = "/recover/password";

async fn set(browser: &mut Browser, path: &str, link: &str, password: &str) -> crate::support::ask::Reply {
    let token = browser.token(&format!("{path}?link={link}")).await;
    browser.send(path, &[("csrf", &token), ("link", link), ("new_password", password)]).await
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_once() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut ann = Browser::open(&server).await;
    ann.post("/recover", &[("email", "ANN@example.com")]).await.expect(200);
    let link = mailbox.wait_for_link("ANN@example.com", PAGE).await.link(PAGE);
    for (reason, password) in [("common", "password123"), ("short", "horse"), ("none", "")] {
        assert_eq!(set(&mut ann, PAGE, &link, password).await.status, 422, "{reason}");
    }
    leads_to(&set(&mut ann, PAGE, &link, NEW_PASSWORD).await, "/login?notice=password_set");
    assert_eq!(ann.session(), None, "a link is no session");
    leads_to(&thief.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(ann.get(&format!("{PAGE}?link={link}")).await.status, 410, "the second presentation");
    assert_eq!(ann.sign_in("ann@example.com", PASSWORD).await.status, 422, "the old password");
    leads_to(&ann.sign_in("ann@example.com", NEW_PASSWORD).await, "/account");
    mailbox.wait_for("ann@example.com", |message| message.text.contains(&format!("{}/recover", site.issuer))).await;
    assert_eq!(count(&site, "select count(*) from async.events where event_type = 'user.recovered'").await, 1);
}

#[tokio::test]
async fn an_unknown_address_looks_the_same_and_gets_nothing() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make(&site, "off@example.com").await;
    let owner = site.database.connect(OWNER).await;
    let sql = "update identity.users set state = 'disabled' where email_key = 'off@example.com'";
    owner.execute(sql, &[]).await.unwrap();
    let mut eve = Browser::open(&server).await;
    let known = eve.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
    for email in ["zed@example.com", "off@example.com"] {
        let reply = eve.post("/recover", &[("email", email)]).await;
        assert_same(email, &known, "ann@example.com", &reply, email);
    }
    mailbox.wait_for_link("ann@example.com", PAGE).await;
    let dropped = "select count(*) from async.mail where state = 'dropped'";
    until_true("what became of the others", async || count(&site, dropped).await == 2).await;
    assert_eq!(mailbox.all().len(), 1);
}

#[tokio::test]
async fn a_forged_host_changes_no_link() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let conn = server.connect().await;
    let shown = conn.ask(Ask::get("/recover")).await.expect(200);
    let cookie = shown.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let token = crate::account::people::between(shown.text(), "name=\"csrf\" value=\"", "\"");
    let reply = conn
        .ask(
            Ask::post("/recover")
                .authority("evil.example")
                .header("x-forwarded-host", "evil.example")
                .header("forwarded", "host=evil.example")
                .header("x-forwarded-proto", "http")
                .header("cookie", cookie)
                .form(&[("csrf", token), ("email", "ann@example.com")]),
        )
        .await;
    // Another host is not this server's, or it is answered and believed in nothing.
    assert!([200, 400, 421].contains(&reply.status), "{}", reply.status);
    if reply.status == 200 {
        let letter = mailbox.wait_for_link("ann@example.com", PAGE).await;
        assert!(letter.text.contains(&format!("{}{PAGE}?link=", site.issuer)), "{}", letter.text);
        assert!(!letter.text.contains("evil.example"));
    }
}

#[tokio::test]
async fn a_link_dies_with_what_it_was_made_for() {
    let (site, server, mailbox) = site().await;
    let owner = site.database.connect(OWNER).await;
    let changed = "update identity.users set password_hash = password_hash || 'x'";
    let moved = "update identity.users set email = 'new@example.com', email_key = 'new@example.com'";
    for (n, (reason, sql)) in [
        ("another password", changed),
        ("another address", moved),
        ("disabled", "update identity.users set state = 'disabled'"),
    ]
    .into_iter()
    .enumerate()
    {
        owner.execute("delete from identity.users", &[]).await.unwrap();
        let email = format!("ann{n}@example.com");
        make(&site, &email).await;
        let mut ann = Browser::open(&server).await;
        ann.post("/recover", &[("email", &email)]).await.expect(200);
        let link = mailbox.wait_for_link(&email, PAGE).await.link(PAGE);
        let token = ann.token(&format!("{PAGE}?link={link}")).await;
        owner.execute(sql, &[]).await.unwrap();
        assert_eq!(ann.get(&format!("{PAGE}?link={link}")).await.status, 410, "{reason}");
        let form = [("csrf", token.as_str()), ("link", &link), ("new_password", NEW_PASSWORD)];
        assert_eq!(ann.send(PAGE, &form).await.status, 410, "{reason}");
    }
}

#[tokio::test]
async fn a_new_password_uses_up_whatever_was_asked_for_before() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let fields = [("new_email", "thief@example.com"), ("current_password", PASSWORD)];
    thief.post("/account/email", &fields).await.expect(200);
    let theirs = mailbox.wait_for_link("thief@example.com", "/email/confirm").await.link("/email/confirm");
    let made = site.admin(&["user", "setup-link", "ann@example.com"]).json();
    let setup = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();
    // As if it had been made in the very second of the new password, or on a node whose clock is ahead.
    let owner = site.database.connect(OWNER).await;
    let ahead = "update auth.links set created_at = created_at + interval '10 minutes' where purpose = 'setup'";
    owner.execute(ahead, &[]).await.unwrap();
    let mut ann = Browser::open(&server).await;
    for (path, link) in [("/email/confirm", &theirs), ("/setup", &setup)] {
        ann.get(&format!("{path}?link={link}")).await.expect(200);
    }
    ann.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", PAGE).await.link(PAGE);
    leads_to(&set(&mut ann, PAGE, &link, NEW_PASSWORD).await, "/login?notice=password_set");
    for (path, link) in [("/email/confirm", &theirs), ("/setup", &setup)] {
        assert_eq!(ann.get(&format!("{path}?link={link}")).await.status, 410, "{path}");
    }
}

#[tokio::test]
async fn who_has_set_a_password_is_not_locked_out_of_that_browser_by_strangers() {
    let site = crate::support::site::Site::new().await;
    let mailbox = super::mailbox::Mailbox::open().await;
    let roomy = mailbox.settings(site.settings()).set("auth.password_verify_ip_budget_per_minute", 100_000);
    let server = site.serve_with(roomy.set("auth.brute_force_max_attempts", 3)).await;
    make(&site, "ann@example.com").await;
    site.admin(&["user", "create", "--email", "bob@example.com"]).expect(0);
    let (mut ann, mut bob, mut new) =
        (Browser::open(&server).await, Browser::open(&server).await, Browser::open(&server).await);
    ann.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", PAGE).await.link(PAGE);
    leads_to(&set(&mut ann, PAGE, &link, NEW_PASSWORD).await, "/login?notice=password_set");
    let made = site.admin(&["user", "setup-link", "bob@example.com"]).json();
    let link = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();
    leads_to(&set(&mut bob, "/setup", &link, NEW_PASSWORD).await, "/login?notice=password_set");
    let fields = [("email", "new@example.com"), ("name", "New"), ("new_password", NEW_PASSWORD)];
    new.post("/register", &fields).await.expect(200);
    let link = mailbox.wait_for_link("new@example.com", "/verify").await.link("/verify");
    leads_to(&new.press("/verify", &link).await, "/login?notice=verified");
    for (email, browser) in
        [("ann@example.com", &mut ann), ("bob@example.com", &mut bob), ("new@example.com", &mut new)]
    {
        let mut eve = Browser::open(&server).await;
        for _ in 0..3 {
            assert_eq!(eve.sign_in(email, "wrong horse battery").await.status, 422, "{email}");
        }
        assert_eq!(eve.sign_in(email, NEW_PASSWORD).await.status, 429, "{email}: strangers are locked out");
        leads_to(&browser.sign_in(email, NEW_PASSWORD).await, "/account");
    }
}

#[tokio::test]
async fn a_letter_that_was_late_brings_no_dead_link() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let owner = site.database.connect(OWNER).await;
    let sql = "insert into async.mail (mail_id, created_at, template, locale, recipient, recipient_key, data, next_at)
               values (gen_random_uuid(), now() - interval '1 hour', 'recover', 'en', 'ann@example.com', 'ann@example.com',
                       '{\"email_key\": \"ann@example.com\"}', now())";
    owner.execute("update identity.users set password_changed_at = now() - interval '1 day'", &[]).await.unwrap();
    owner.execute(sql, &[]).await.unwrap();
    let dropped = "select count(*) from async.mail where state = 'dropped'";
    until_true("what became of it", async || count(&site, dropped).await == 1).await;
    Browser::open(&server).await.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
    mailbox.wait_for_link("ann@example.com", PAGE).await;
    assert_eq!(mailbox.all().len(), 1);
}

#[tokio::test]
async fn a_used_link_kills_the_others_and_an_hour_kills_all() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::open(&server).await;
    for spelling in ["ann@example.com", "ANN@example.com", "Ann@example.com"] {
        ann.post("/recover", &[("email", spelling)]).await.expect(200);
    }
    let first = mailbox.wait_for_link("ann@example.com", PAGE).await.link(PAGE);
    let second = mailbox.wait_for_link("ANN@example.com", PAGE).await.link(PAGE);
    assert_ne!(first, second);
    leads_to(&set(&mut ann, PAGE, &second, NEW_PASSWORD).await, "/login?notice=password_set");
    assert_eq!(ann.get(&format!("{PAGE}?link={first}")).await.status, 410, "made before the new password");
    ann.post("/recover", &[("email", "aNN@example.com")]).await.expect(200);
    let third = mailbox.wait_for_link("aNN@example.com", PAGE).await.link(PAGE);
    ann.get(&format!("{PAGE}?link={third}")).await.expect(200);
    for path in ["/verify", "/setup", "/email/confirm", "/email/undo"] {
        assert_eq!(ann.get(&format!("{path}?link={third}")).await.status, 410, "{path}");
    }
    server.shift_clock(3660).await;
    assert_eq!(ann.get(&format!("{PAGE}?link={third}")).await.status, 410, "an hour later");
}

#[tokio::test]
async fn of_a_hundred_uses_of_a_link_one_wins() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::open(&server).await;
    ann.post("/recover", &[("email", "ann@example.com")]).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", PAGE).await.link(PAGE);
    let seen = press_at_once(&mut ann, PAGE, &link, &[("new_password", NEW_PASSWORD)], 100).await;
    let won = seen.iter().filter(|status| **status == 303).count();
    // A full hash queue says 503; the others come too late.
    assert!(won == 1 && seen.iter().all(|status| [303, 410, 503].contains(status)), "{seen:?}");
    assert_eq!(count(&site, "select count(*) from async.events where event_type = 'user.recovered'").await, 1);
    leads_to(&ann.sign_in("ann@example.com", NEW_PASSWORD).await, "/account");
}

#[tokio::test]
async fn a_set_up_link_sets_the_first_password() {
    let (site, server, _mailbox) = site().await;
    let made = site.admin(&["user", "create", "--email", "ann@example.com"]).expect(0);
    let link = made.split_once("/setup?link=").unwrap_or_else(|| panic!("{made}")).1;
    let link: String =
        link.chars().take_while(|symbol| symbol.is_ascii_alphanumeric() || "-_.".contains(*symbol)).collect();
    let mut ann = Browser::open(&server).await;
    assert_eq!(ann.sign_in("ann@example.com", PASSWORD).await.status, 422, "no password yet");
    assert_eq!(ann.get(&format!("{PAGE}?link={link}")).await.status, 410, "it is no recovery");
    let seen = press_at_once(&mut ann, "/setup", &link, &[("new_password", PASSWORD)], 100).await;
    let won = seen.iter().filter(|status| **status == 303).count();
    assert!(won == 1 && seen.iter().all(|status| [303, 410, 503].contains(status)), "{seen:?}");
    assert_eq!(ann.get(&format!("/setup?link={link}")).await.status, 410, "the second presentation");
    leads_to(&ann.sign_in("ann@example.com", PASSWORD).await, "/account");
    let sql = "select count(*) from identity.users where email_verified_at is not null";
    assert_eq!(count(&site, sql).await, 0, "it was printed, and proves no mailbox");
}
