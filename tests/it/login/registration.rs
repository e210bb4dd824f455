//! A newcomer: asked for, proven, signed in.

use super::{assert_same, press_at_once, site};
use crate::account::people::{Browser, PASSWORD, count, leads_to, make};
use crate::support::ask::Ask;
use crate::support::connect::exchange_over;
use crate::support::wait::until_true;

const USERS: &str = "select count(*) from identity.users";
const REGISTRATIONS: &str = "select count(*) from auth.registrations";
const LETTERS: &str = "select count(*) from async.mail";

fn fields<'f>(email: &'f str, name: &'f str, password: &'f str) -> [(&'f str, &'f str); 3] {
    [("email", email), ("name", name), ("new_password", password)]
}

#[tokio::test]
async fn a_newcomer_registers_proves_the_address_and_signs_in() {
    let (site, server, mailbox) = site().await;
    let mut ann = Browser::open(&server).await;
    let with_next =
        [&fields("Ann@Example.com", "Ann Example", PASSWORD)[..], &[("next", "/account/sessions")]].concat();
    ann.post("/register", &with_next).await.expect(200);
    assert_eq!(count(&site, USERS).await, 0, "there is no account before the proof");
    assert_ne!(ann.sign_in("ann@example.com", PASSWORD).await.status, 303, "and nothing to sign in to");
    let letter = mailbox.wait_for_link("Ann@example.com", "/verify").await;
    assert!(letter.text.contains(&format!("{}/verify?link=", site.issuer)), "{}", letter.text);
    let link = letter.link("/verify");
    for _ in 0..2 {
        let shown = ann.get(&format!("/verify?link={link}")).await.expect(200);
        assert!(shown.text().contains("Ann@example.com"), "a look uses nothing");
    }
    leads_to(&ann.press("/verify", &link).await, "/login?notice=verified&next=%2Faccount%2Fsessions");
    assert_eq!(ann.session(), None, "a link in a letter is no session");
    assert_eq!(ann.get(&format!("/verify?link={link}")).await.status, 410, "the second presentation");
    let token = ann.token("/login?notice=verified").await;
    let sign_in = [
        ("csrf", token.as_str()),
        ("email", "ann@EXAMPLE.com."),
        ("password", PASSWORD),
        ("next", "/account/sessions"),
    ];
    leads_to(&ann.send("/login", &sign_in).await, "/account/sessions");
    ann.get("/account").await.expect(200);
    leads_to(&ann.get("/login").await, "/account");
    let session = ann.session().unwrap().to_owned();
    ann.post("/logout", &[]).await.expect(200);
    assert_eq!(ann.session(), None);
    ann.steal(&session);
    leads_to(&ann.get("/account").await, "/login?next=%2Faccount");
    let sql = "select count(*) from async.events where event_type in
               ('user.registered', 'auth.login.success', 'auth.logout', 'auth.login.failed')";
    assert_eq!(count(&site, sql).await, 4, "one of each");
}

#[tokio::test]
async fn a_stranger_who_registers_an_address_does_not_get_its_account() {
    let (site, server, mailbox) = site().await;
    let mut eve = Browser::open(&server).await;
    eve.post("/register", &fields("ann@example.com", "Eve", "a password of Eve's")).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", "/verify").await.link("/verify");
    let mut ann = Browser::open(&server).await;
    let shown = ann.get(&format!("/verify?link={link}")).await.expect(200);
    assert!(shown.text().contains("name=\"password\""), "another browser is asked for the password");
    for (reason, password) in [("only the button", ""), ("the password of Ann", PASSWORD)] {
        let token = ann.token(&format!("/verify?link={link}")).await;
        let pressed = ann.send("/verify", &[("csrf", &token), ("link", &link), ("password", password)]).await;
        assert_eq!(pressed.status, 422, "{reason}");
    }
    assert_eq!(count(&site, USERS).await, 0, "nothing came of it");
    let token = ann.token(&format!("/verify?link={link}")).await;
    let pressed = ann.send("/verify", &[("csrf", &token), ("link", &link), ("password", "a password of Eve's")]).await;
    leads_to(&pressed, "/login?notice=verified");
    assert_eq!(count(&site, USERS).await, 1, "who knows both has the account");
}

#[tokio::test]
async fn a_known_address_looks_like_any_other() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut eve = Browser::open(&server).await;
    let known = eve.post("/register", &fields("ann@example.com", "Eve", PASSWORD)).await.expect(200);
    let unknown = eve.post("/register", &fields("zed@example.com", "Eve", PASSWORD)).await.expect(200);
    assert_same("registration", &known, "ann@example.com", &unknown, "zed@example.com");
    let told = mailbox.wait_for("ann@example.com", |_| true).await;
    assert_eq!(told.find_link("/verify"), None, "the owner is told, and given no link to another account");
    assert!(told.text.contains(&format!("{}/recover", site.issuer)), "{}", told.text);
    mailbox.wait_for_link("zed@example.com", "/verify").await;
    assert_eq!((count(&site, REGISTRATIONS).await, count(&site, LETTERS).await), (2, 2), "the same rows");
    let ids: std::collections::HashSet<String> = mailbox.all().into_iter().map(|message| message.id).collect();
    assert_eq!(ids.len(), 2, "a message id each");
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_said_and_nothing_is_stored() {
    let (site, server, _mailbox) = site().await;
    let mut ann = Browser::open(&server).await;
    let long = "n".repeat(256);
    for (reason, form) in [
        ("no address", fields("ann", "Ann", PASSWORD)),
        ("nothing for an address", fields("", "Ann", PASSWORD)),
        ("a line break in the address", fields("ann@example.com\r\nBcc: eve@example.com", "Ann", PASSWORD)),
        ("two addresses", fields("ann@example.com, eve@example.com", "Ann", PASSWORD)),
        ("a dotless i", fields("adm\u{131}n@example.com", "Ann", PASSWORD)),
        ("no name", fields("ann@example.com", " ", PASSWORD)),
        ("a line break in the name", fields("ann@example.com", "Ann\r\nBcc: eve@example.com", PASSWORD)),
        ("a name that turns around", fields("ann@example.com", "Ann \u{202e}moc", PASSWORD)),
        ("a long name", fields("ann@example.com", &long, PASSWORD)),
        ("no password", fields("ann@example.com", "Ann", "")),
        ("a short password", fields("ann@example.com", "Ann", "horse")),
        ("a common password", fields("ann@example.com", "Ann", "password123")),
        ("the address as password", fields("ann@example.com", "Ann", "ann@example.com")),
    ] {
        let reply = ann.post("/register", &form).await;
        assert_eq!(reply.status, 422, "{reason}");
        assert!(!reply.text().contains(PASSWORD), "{reason}: a password is never shown");
    }
    assert_eq!((count(&site, REGISTRATIONS).await, count(&site, LETTERS).await), (0, 0));
}

#[tokio::test]
async fn a_name_is_text_and_never_markup() {
    let (_site, server, mailbox) = site().await;
    let mut eve = Browser::open(&server).await;
    let name = "');alert(1)//<script>alert(2)</script>";
    let refused = eve.post("/register", &fields("no address", name, PASSWORD)).await;
    assert!(!refused.text().contains("<script"), "shown again, escaped");
    eve.post("/register", &fields("eve@example.com", name, PASSWORD)).await.expect(200);
    let link = mailbox.wait_for_link("eve@example.com", "/verify").await.link("/verify");
    eve.press("/verify", &link).await.expect(303);
    leads_to(&eve.sign_in("eve@example.com", PASSWORD).await, "/account");
    let account = eve.get("/account").await.expect(200);
    assert!(account.text().contains("alert(2)") && !account.text().contains("<script"), "{}", account.text());
}

#[tokio::test]
async fn a_link_is_good_where_it_leads_and_for_a_day() {
    let (_site, server, mailbox) = site().await;
    let mut ann = Browser::open(&server).await;
    ann.post("/register", &fields("ann@example.com", "Ann", PASSWORD)).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", "/verify").await.link("/verify");
    let token_elsewhere = ann.token("/login").await;
    for (reason, path, value) in [
        ("recovery", "/recover/password", link.clone()),
        ("set-up", "/setup", link.clone()),
        ("a new address", "/email/confirm", link.clone()),
        ("an old address", "/email/undo", link.clone()),
        ("cut short", "/verify", link[1..].to_owned()),
        ("another end", "/verify", format!("{}x", &link[..link.len() - 1])),
        ("nothing", "/verify", String::new()),
    ] {
        let reply = ann.get(&format!("{path}?link={value}")).await;
        assert_eq!(reply.status, 410, "{reason}: {}", reply.text());
    }
    let doubled = ann.get(&format!("/verify?link={link}&link={link}")).await;
    assert_eq!(doubled.status, 400, "twice");
    let unmarked = ann.send("/verify", &[("csrf", token_elsewhere.as_str()), ("link", &link)]).await;
    assert_eq!(unmarked.status, 403, "another form's token");
    server.shift_clock(86_400 + 60).await;
    assert_eq!(ann.get(&format!("/verify?link={link}")).await.status, 410, "a day later");
}

#[tokio::test]
async fn of_a_hundred_uses_of_a_link_one_wins() {
    let (site, server, mailbox) = site().await;
    let mut ann = Browser::open(&server).await;
    ann.post("/register", &fields("ann@example.com", "Ann", PASSWORD)).await.expect(200);
    let link = mailbox.wait_for_link("ann@example.com", "/verify").await.link("/verify");
    let seen = press_at_once(&mut ann, "/verify", &link, &[], 100).await;
    let won = seen.iter().filter(|status| **status == 303).count();
    assert_eq!((won, seen.iter().filter(|status| **status == 410).count()), (1, 99), "{seen:?}");
    assert_eq!(count(&site, USERS).await, 1);
    assert_eq!(count(&site, "select count(*) from async.events where event_type = 'user.registered'").await, 1);
}

#[tokio::test]
async fn a_hundred_registrations_of_one_address_become_one_account() {
    let (site, server, mailbox) = site().await;
    let spellings =
        ["ann@example.com", "ANN@example.com", "Ann@EXAMPLE.com.", "ann＠example.com", "ａｎｎ@example.com"];
    let mut browser = Browser::open(&server).await;
    let token = browser.token("/register").await;
    let (send, ask, authority) = browser.ready("/register", "").await;
    let asked: Vec<_> = (0..100)
        .map(|n| {
            let mut form = vec![("csrf", token.as_str())];
            form.extend(fields(spellings[n % spellings.len()], "Ann", PASSWORD));
            let ask = Ask { body: None, ..ask.clone() }.body(crate::support::ask::form(&form));
            let (send, authority) = (send.clone(), authority.clone());
            tokio::spawn(async move { exchange_over(send, &ask, &authority).await.unwrap().status })
        })
        .collect();
    let mut taken = 0;
    for asked in asked {
        let status = asked.await.unwrap();
        // A full hash queue says so; nobody is refused for another reason.
        assert!(status == 200 || status == 503, "{status}");
        taken += i64::from(status == 200);
    }
    assert!(taken > 10, "{taken} were taken");
    let waiting = "select count(*) from async.mail where state = 'queued'";
    until_true("the letters", async || count(&site, waiting).await == 0).await;
    let links: Vec<String> = mailbox.all().iter().filter_map(|message| message.find_link("/verify")).collect();
    assert!(links.len() > 1, "{} links", links.len());
    let mut ready = Vec::new();
    for link in &links {
        ready.push(browser.ready("/verify", link).await);
    }
    let press = |(send, ask, authority): (_, Ask, String)| {
        tokio::spawn(async move { exchange_over(send, &ask, &authority).await.unwrap().status })
    };
    let presses: Vec<_> = ready.into_iter().map(press).collect();
    for press in presses {
        assert_eq!(press.await.unwrap(), 303, "each link proves the address");
    }
    assert_eq!(count(&site, USERS).await, 1, "and one account comes of it");
    leads_to(&browser.sign_in("ann@example.com", PASSWORD).await, "/account");
}
