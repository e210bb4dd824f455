//! What is presented where it does not belong: links at each other's pages, a session as a link, forms that are none,
//! addresses that the request claims to have come to.

use super::site;
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, count, leads_to, letters, make};
use crate::support::ask::{Ask, form};
use crate::support::connect::exchange_over;

/// Each page of a link, with the fields that its form sends beside it.
const PAGES: [(&str, &[(&str, &str)]); 5] = [
    ("/verify", &[("password", PASSWORD)]),
    ("/recover/password", &[("new_password", NEW_PASSWORD)]),
    ("/setup", &[("new_password", NEW_PASSWORD)]),
    ("/email/confirm", &[("password", PASSWORD)]),
    ("/email/undo", &[]),
];

/// Everything that must stay as it is while links are shown to strangers.
const ACCOUNTS: &str = "select count(*) from identity.users where email_key in ('ann@example.com', 'bob@example.com')";
const USED: &str = "select count(*) from auth.links where used_at is not null";

#[tokio::test]
async fn no_link_does_the_work_of_another() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make(&site, "bob@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let asked = [("new_email", "next@example.com"), ("current_password", PASSWORD)];
    ann.post("/account/email", &asked).await.expect(200);
    let proof = mailbox.wait_for_link("next@example.com", "/email/confirm").await.link("/email/confirm");
    leads_to(&ann.press("/email/confirm", &proof).await, "/account/email?notice=email_changed");
    let undo = mailbox.wait_for_link("ann@example.com", "/email/undo").await.link("/email/undo");
    leads_to(&Browser::open(&server).await.press("/email/undo", &undo).await, "/recover");
    // From here on nothing may change: one good link of each kind, and of the undone account a session that is over.
    let mut bob = Browser::signed_in(&server, "bob@example.com", PASSWORD).await;
    let session = bob.session().unwrap().split_once('.').unwrap().1.to_owned();
    bob.post("/account/email", &[("new_email", "third@example.com"), ("current_password", PASSWORD)]).await.expect(200);
    let confirm = mailbox.wait_for_link("third@example.com", "/email/confirm").await.link("/email/confirm");
    let mut visitor = Browser::open(&server).await;
    visitor.post("/recover", &[("email", "bob@example.com")]).await.expect(200);
    let recover = mailbox.wait_for_link("bob@example.com", "/recover/password").await.link("/recover/password");
    let newcomer = [("email", "new@example.com"), ("name", "New"), ("new_password", PASSWORD)];
    visitor.post("/register", &newcomer).await.expect(200);
    let verify = mailbox.wait_for_link("new@example.com", "/verify").await.link("/verify");
    let made = site.admin(&["user", "create", "--email", "set@example.com"]).json();
    let setup = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();

    let before = (count(&site, ACCOUNTS).await, count(&site, USED).await, letters(&site).await.len());
    let links = [
        ("/verify", &verify),
        ("/recover/password", &recover),
        ("/setup", &setup),
        ("/email/confirm", &confirm),
        ("a used undo", &undo),
        ("a session", &session),
    ];
    for (page, more) in PAGES {
        // A token of that very form, from the page of its own link where there is one.
        let own = links.iter().find(|(of, _)| *of == page).map(|(_, link)| (*link).clone());
        for (of, link) in links.iter().filter(|(of, _)| *of != page) {
            let shown = visitor.get(&format!("{page}?link={link}")).await;
            assert_eq!(shown.status, 410, "{of} shown at {page}");
            let Some(own) = &own else { continue };
            let token = visitor.token(&format!("{page}?link={own}")).await;
            let fields = [&[("csrf", token.as_str()), ("link", link.as_str())], more].concat();
            assert_eq!(visitor.send(page, &fields).await.status, 410, "{of} sent to {page}");
        }
    }
    let after = (count(&site, ACCOUNTS).await, count(&site, USED).await, letters(&site).await.len());
    assert_eq!(before, after, "nothing came of it");
    visitor.get(&format!("/recover/password?link={recover}")).await.expect(200);
}

#[tokio::test]
async fn what_a_request_says_of_its_host_is_in_no_letter() {
    let (site, server, mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let conn = server.connect().await;
    let shown = conn.ask(Ask::get("/recover")).await.expect(200);
    let cookie = shown.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let token = crate::account::people::between(shown.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    for (n, (name, value)) in [
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=192.0.2.1;host=evil.example;proto=https"),
        ("x-original-url", "https://evil.example/recover"),
        ("x-forwarded-server", "evil.example"),
        ("x-host", "evil.example"),
        ("referer", "https://evil.example/recover"),
    ]
    .into_iter()
    .enumerate()
    {
        // A spelling of its own, so that each letter is known.
        let email = format!("{}@example.com", ["ann", "Ann", "aNn", "anN", "ANn", "aNN"][n]);
        let ask = Ask::post("/recover").header("cookie", &cookie).header(name, value);
        conn.ask(ask.form(&[("csrf", token.as_str()), ("email", &email)])).await.expect(200);
        let letter = mailbox.wait_for_link(&email, "/recover/password").await;
        assert!(letter.text.contains(&format!("{}/recover/password?link=", site.issuer)), "{name}: {}", letter.text);
        assert!(!letter.text.contains("evil.example"), "{name}: {}", letter.text);
    }
}

#[tokio::test]
async fn a_form_that_is_none_changes_nothing() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let before = (count(&site, "select count(*) from async.events").await, letters(&site).await.len());
    for path in ["/account/password", "/account/email", "/account/deletion", "/account/sessions", "/recover"] {
        let token = ann.token(path).await;
        let (send, ask, authority) = ann.ready(path, "").await;
        let csrf = form(&[("csrf", token.as_str())]);
        for (reason, body) in [
            ("nothing but the token", csrf.clone()),
            ("an empty body", String::new()),
            ("fields twice", format!("{csrf}&email=ann%40example.com&email=bob%40example.com&end=others&end=others")),
            ("no UTF-8", format!("{csrf}&email=%ff&new_email=%ff&current_password=%ff&end=%ff")),
            ("an escape cut short", format!("{csrf}&email=%4&new_email=%4&current_password=%4&end=%4")),
            ("names of arrays", format!("{csrf}&email%5B%5D=a&current_password%5B%24ne%5D=1&end%5B%5D=others")),
            ("another field than was asked", format!("{csrf}&password=correct+horse+battery&keep=no")),
        ] {
            let bent = Ask { body: None, ..ask.clone() }.body(body);
            let status = exchange_over(send.clone(), &bent, &authority).await.unwrap().status;
            assert!([400, 403, 422].contains(&status), "{path}, {reason}: {status}");
        }
    }
    let after = (count(&site, "select count(*) from async.events").await, letters(&site).await.len());
    assert_eq!(before, after);
    ann.get("/account").await.expect(200);
}
