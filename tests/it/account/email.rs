//! Another address: asked for, proven, told to both, taken back.

use super::people::{Browser, NEW_PASSWORD, PASSWORD, count, events, leads_to, letter, letters, make};
use crate::support::cluster::OWNER;
use crate::support::connect::exchange_over;
use crate::support::site::Site;

const CONFIRM: &str = "/email/confirm";
const UNDO: &str = "/email/undo";

async fn ask(browser: &mut Browser, new: &str) {
    browser.post("/account/email", &[("new_email", new), ("current_password", PASSWORD)]).await.expect(200);
}

#[tokio::test]
async fn an_address_changes_when_it_is_proven() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "Ann.New@example.com").await;
    assert!(ann.get("/account/email").await.text().contains("Ann.New@example.com"), "it is shown as asked for");
    let confirm = letter(&site, "email_confirm").await;
    assert_eq!(confirm.recipient, "Ann.New@example.com");
    ann.get(&format!("{CONFIRM}?link={}", confirm.link)).await.expect(200);
    assert_eq!(
        count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await,
        1,
        "a look changes nothing"
    );
    leads_to(&ann.press(CONFIRM, &confirm.link).await, "/account/email?notice=email_changed");
    for (reason, template, recipient) in [
        ("the old address is told", "email_changed_old", "ann@example.com"),
        ("and the new one", "email_changed_new", "Ann.New@example.com"),
    ] {
        assert_eq!(letter(&site, template).await.recipient, recipient, "{reason}");
    }
    assert_eq!(ann.get(&format!("{CONFIRM}?link={}", confirm.link)).await.status, 410, "used");
    let mut again = Browser::open(&server).await;
    assert_ne!(again.sign_in("ann@example.com", PASSWORD).await.status, 303, "the old address opens nothing");
    leads_to(&again.sign_in("ann.new@example.com", PASSWORD).await, "/account");
    assert_eq!(events(&site).await, ["user.email_asked", "user.email_changed"]);
}

#[tokio::test]
async fn an_address_is_not_asked_for_without_the_password() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for (reason, new, password) in [
        ("a wrong password", "new@example.com", "wrong horse battery"),
        ("none", "new@example.com", ""),
        ("no address", "new", PASSWORD),
        ("nothing", "", PASSWORD),
        ("two addresses", "new@example.com, eve@example.com", PASSWORD),
        ("a line break", "new@example.com\r\nBcc: eve@example.com", PASSWORD),
        ("its own, in another spelling", "ANN@example.com.", PASSWORD),
    ] {
        let reply = ann.post("/account/email", &[("new_email", new), ("current_password", password)]).await;
        assert_eq!(reply.status, 422, "{reason}");
    }
    assert!(letters(&site).await.is_empty() && events(&site).await.is_empty());
}

#[tokio::test]
async fn an_address_of_somebody_else_looks_like_any_other() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    make(&site, "bob@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let fields = |new: &'static str| [("new_email", new), ("current_password", PASSWORD)];
    let taken = ann.post("/account/email", &fields("bob@example.com")).await.expect(200);
    let shown_taken = ann.get("/account/email").await;
    let free = ann.post("/account/email", &fields("zed@example.com")).await.expect(200);
    let shown_free = ann.get("/account/email").await;
    for (taken, free) in [(taken, free), (shown_taken, shown_free)] {
        let plain = |text: &str| text.split("csrf\" value=\"").next().unwrap().replace("bob@", "zed@");
        assert_eq!(plain(taken.text()), plain(free.text()));
        assert_eq!(
            taken.headers.keys().collect::<Vec<_>>(),
            free.headers.keys().collect::<Vec<_>>(),
            "the same headers"
        );
    }
    assert_eq!(letters(&site).await.len(), 2, "a letter each; what it says is decided later");
}

#[tokio::test]
async fn an_address_that_was_taken_meanwhile_is_refused() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "new@example.com").await;
    let link = letter(&site, "email_confirm").await.link;
    make(&site, "new@example.com").await;
    let mut stranger = Browser::open(&server).await;
    assert_eq!(stranger.press(CONFIRM, &link).await.status, 422, "a stranger learns nothing without the password");
    assert_eq!(prove(&mut stranger, &link, PASSWORD).await, 410, "nor with it");
    assert_eq!(ann.press(CONFIRM, &link).await.status, 409, "the owner is told");
    let mut other = Browser::signed_in(&server, "new@example.com", PASSWORD).await;
    assert_eq!(other.get(&format!("{CONFIRM}?link={link}")).await.status, 410, "nor is it another person's to see");
    ann.get("/account").await.expect(200);
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await, 1);
}

#[tokio::test]
async fn a_proof_of_one_person_is_nothing_in_the_session_of_another() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    make(&site, "eve@example.com").await;
    let mut eve = Browser::signed_in(&server, "eve@example.com", PASSWORD).await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut eve, "trap@example.com").await;
    let link = letter(&site, "email_confirm").await.link;
    let token = ann.token("/account/email").await;
    for (reason, path) in
        [("a look", format!("{CONFIRM}?link={link}")), ("as the other link", format!("{UNDO}?link={link}"))]
    {
        assert_eq!(ann.get(&path).await.status, 410, "{reason}");
    }
    assert_eq!(ann.send(CONFIRM, &[("csrf", &token), ("link", &link)]).await.status, 403, "a token of another form");
    leads_to(&eve.press(CONFIRM, &link).await, "/account/email?notice=email_changed");
}

async fn prove(browser: &mut Browser, link: &str, password: &str) -> u16 {
    let token = browser.token(&format!("{CONFIRM}?link={link}")).await;
    browser.send(CONFIRM, &[("csrf", token.as_str()), ("link", link), ("password", password)]).await.status
}

/// Eve asks for Ann's address and waits for Ann to press the button.
#[tokio::test]
async fn a_letter_proves_an_address_and_nothing_more() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "eve@example.com").await;
    let mut eve = Browser::signed_in(&server, "eve@example.com", PASSWORD).await;
    ask(&mut eve, "ann@example.com").await;
    let link = letter(&site, "email_confirm").await.link;
    let mut ann = Browser::open(&server).await;
    assert_eq!(ann.press(CONFIRM, &link).await.status, 422, "no password");
    assert_eq!(prove(&mut ann, &link, NEW_PASSWORD).await, 422, "not Eve's");
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await, 0);
    let mut phone = Browser::open(&server).await;
    assert_eq!(prove(&mut phone, &link, PASSWORD).await, 303, "the owner, in another browser");
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await, 1);
}

#[tokio::test]
async fn a_change_that_was_asked_for_dies_with_the_password() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut thief, "thief@example.com").await;
    let link = letter(&site, "email_confirm").await.link;
    // By whatever way: not one of those that burn links.
    let owner = site.database.connect(OWNER).await;
    owner.execute("update identity.users set password_hash = password_hash || 'x'", &[]).await.unwrap();
    assert_eq!(thief.get(&format!("{CONFIRM}?link={link}")).await.status, 410);
    assert_eq!(thief.send(CONFIRM, &[("csrf", "x"), ("link", &link)]).await.status, 403);
    let token = thief.token("/account").await;
    assert_eq!(thief.send(CONFIRM, &[("csrf", &token), ("link", &link)]).await.status, 403, "another form's token");
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await, 1);
}

#[tokio::test]
async fn of_many_uses_of_a_link_at_once_one_wins() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "new@example.com").await;
    for (path, template) in [(CONFIRM, "email_confirm"), (UNDO, "email_changed_old")] {
        let link = letter(&site, template).await.link;
        let (send, ask, authority) = ann.ready(path, &link).await;
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (send, ask, authority) = (send.clone(), ask.clone(), authority.clone());
                tokio::spawn(async move { exchange_over(send, &ask, &authority).await.unwrap().status })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                303 => won += 1,
                status => assert_eq!(status, 410, "{path}"),
            }
        }
        assert_eq!(won, 1, "{path}");
    }
    assert_eq!(events(&site).await, ["user.email_asked", "user.email_changed", "user.email_taken_back"]);
}

#[tokio::test]
async fn a_stolen_account_is_taken_back() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut thief, "thief@example.com").await;
    leads_to(
        &thief.press(CONFIRM, &letter(&site, "email_confirm").await.link).await,
        "/account/email?notice=email_changed",
    );
    let undo = letter(&site, "email_changed_old").await.link;
    // The thief does what would keep the owner out.
    ask(&mut thief, "second@example.com").await;
    leads_to(
        &thief.press(CONFIRM, &letter(&site, "email_confirm").await.link).await,
        "/account/email?notice=email_changed",
    );
    let second = letter(&site, "email_changed_old").await.link;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    leads_to(&thief.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    let reply = thief.post("/account/deletion", &[("current_password", NEW_PASSWORD)]).await;
    assert_eq!(reply.status, 303);

    let mut ann = Browser::open(&server).await;
    leads_to(&ann.press(UNDO, &undo).await, "/recover");
    for (reason, email, password) in [
        ("the thief's address", "second@example.com", NEW_PASSWORD),
        ("the thief's password", "ann@example.com", NEW_PASSWORD),
        ("the old one, which the thief knew", "ann@example.com", PASSWORD),
    ] {
        assert_ne!(thief.sign_in(email, password).await.status, 303, "{reason}");
    }
    for (reason, link) in [("used", &undo), ("the thief's", &second)] {
        assert_eq!(ann.get(&format!("{UNDO}?link={link}")).await.status, 410, "{reason}");
    }
    let sql = "select count(*) from identity.users where email_key = 'ann@example.com' and state = 'active'";
    assert_eq!(count(&site, sql).await, 1, "the deletion is off");
    assert_eq!(count(&site, "select count(*) from auth.sessions where ended_at is null").await, 0);
}

/// The thief changes the address twice and takes the second change back, so that the first cannot be.
#[tokio::test]
async fn a_thiefs_own_way_back_does_not_close_the_owners() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut thief = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut undo = Vec::new();
    for address in ["first@example.com", "second@example.com"] {
        ask(&mut thief, address).await;
        let confirm = letter(&site, "email_confirm").await.link;
        leads_to(&thief.press(CONFIRM, &confirm).await, "/account/email?notice=email_changed");
        undo.push(letter(&site, "email_changed_old").await.link);
    }
    leads_to(&thief.press(UNDO, &undo[1]).await, "/recover");
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'first@example.com'").await, 1);
    let mut ann = Browser::open(&server).await;
    leads_to(&ann.press(UNDO, &undo[0]).await, "/recover");
    assert_eq!(count(&site, "select count(*) from identity.users where email_key = 'ann@example.com'").await, 1);
    assert_eq!(ann.get(&format!("{UNDO}?link={}", undo[1])).await.status, 410, "and the thief's is dead");
}

#[tokio::test]
async fn links_end_with_time_and_forgeries_are_nothing() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ask(&mut ann, "first@example.com").await;
    let first = letter(&site, "email_confirm").await.link;
    ask(&mut ann, "new@example.com").await;
    assert_eq!(ann.get(&format!("{CONFIRM}?link={first}")).await.status, 410, "another question ends the first");
    let link = letter(&site, "email_confirm").await.link;
    let (begin, rest) = link.split_at(10);
    let other = if rest.starts_with('A') { "B" } else { "A" };
    let forged = format!("{begin}{other}{}", &rest[1..]);
    for (reason, value) in [("nonsense", "x"), ("nothing", ""), ("forged", &forged)] {
        assert_eq!(ann.get(&format!("{CONFIRM}?link={value}")).await.status, 410, "{reason}");
    }
    server.shift_clock(86_400 + 60).await;
    let mut reader = Browser::open(&server).await;
    assert_eq!(reader.get(&format!("{CONFIRM}?link={link}")).await.status, 410, "a day is over");
}

#[tokio::test]
async fn addresses_are_changed_only_where_the_operator_lets_them() {
    let site = Site::new().await;
    let settings = site.settings().set("user_self_service.email_change_enabled", false);
    let server = site.serve_with(settings.set("user_self_service.deletion_enabled", false)).await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for path in ["/account/email", "/account/deletion"] {
        assert_eq!(ann.get(path).await.status, 404, "{path}");
    }
    ann.get("/account").await.expect(200);
}

#[tokio::test]
async fn questions_for_addresses_come_to_an_end() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    for number in 0..10 {
        ask(&mut ann, &format!("new{number}@example.com")).await;
    }
    let fields = [("new_email", "more@example.com"), ("current_password", PASSWORD)];
    let reply = ann.post("/account/email", &fields).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("3600")));
    assert_eq!(letters(&site).await.len(), 10, "no letter more");
}
