//! Sign-in and sign-out: who gets a session, and who cannot tell why not.

use super::{assert_same, site};
use crate::account::people::{Browser, PASSWORD, count, leads_to, make};
use crate::support::ask::Ask;
use crate::support::cluster::OWNER;
use crate::support::site::Site;

const SESSIONS: &str = "select count(*) from auth.sessions where ended_at is null";

#[tokio::test]
async fn unknown_wrong_and_disabled_look_the_same() {
    let (site, server, _mailbox) = site().await;
    for email in ["ann@example.com", "off@example.com", "new@example.com"] {
        make(&site, email).await;
    }
    let owner = site.database.connect(OWNER).await;
    let sql = "update identity.users set state = 'disabled' where email_key = 'off@example.com'";
    owner.execute(sql, &[]).await.unwrap();
    let sql = "update identity.users set password_hash = null where email_key = 'new@example.com'";
    owner.execute(sql, &[]).await.unwrap();
    let mut eve = Browser::open(&server).await;
    let unknown = eve.sign_in("zed@example.com", "wrong horse battery").await;
    assert_eq!(unknown.status, 422);
    for (reason, email, password) in [
        ("a wrong password", "ann@example.com", "wrong horse battery"),
        ("a disabled account", "off@example.com", PASSWORD),
        ("an account without password", "new@example.com", PASSWORD),
        ("a password longer than any", "ann@example.com", &"x".repeat(5000)),
    ] {
        let reply = eve.sign_in(email, password).await;
        assert_same(reason, &reply, email, &unknown, "zed@example.com");
    }
    assert_eq!(count(&site, SESSIONS).await, 0);
    let failed = "select count(*) from async.events where event_type = 'auth.login.failed' and data = '{}'";
    assert_eq!(count(&site, failed).await, 5, "an event each, and none says who");
}

#[tokio::test]
async fn limits_look_the_same_for_everybody() {
    let site = Site::new().await;
    let settings = site
        .settings()
        .set("auth.brute_force_max_attempts", 3)
        .set("auth.password_verify_ip_budget_per_minute", 100_000);
    let server = site.serve_with(settings).await;
    make(&site, "ann@example.com").await;
    let mut eve = Browser::open(&server).await;
    let mut last = Vec::new();
    for email in ["ann@example.com", "zed@example.com"] {
        for _ in 0..3 {
            assert_eq!(eve.sign_in(email, "wrong horse battery").await.status, 422);
        }
        let refused = eve.sign_in(email, PASSWORD).await;
        assert_eq!(refused.status, 429, "locked, whatever the password");
        assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
        last.push(refused);
    }
    let plain = |n: usize, email: &str| last[n].text().replace(email, "X");
    let names = |n: usize| last[n].headers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(0), names(1));
    assert_eq!(plain(0, "ann@example.com").len(), plain(1, "zed@example.com").len());
}

#[tokio::test]
async fn a_sign_in_makes_a_new_session_and_ends_the_old() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make(&site, "eve@example.com").await;
    let eve = Browser::signed_in(&server, "eve@example.com", PASSWORD).await;
    let planted = eve.session().unwrap().to_owned();
    let mut ann = Browser::open(&server).await;
    let token = ann.token("/login").await;
    ann.steal(&planted);
    let form = [("csrf", token.as_str()), ("email", "ann@example.com"), ("password", PASSWORD)];
    leads_to(&ann.send("/login", &form).await, "/account");
    assert_ne!(ann.session().unwrap(), planted);
    assert_eq!(count(&site, SESSIONS).await, 1, "the planted one is dead");
    let sql =
        "select count(*) from identity.users where email_key = 'ann@example.com' and password_hash like '$argon2id$%'";
    assert_eq!(count(&site, sql).await, 1, "a foreign hash is upgraded");
    let cookie = ann.session().unwrap().to_owned();
    let (id, value) = cookie.split_once('.').unwrap();
    for (reason, forged) in [
        ("an id alone", id.to_owned()),
        ("another id", format!("{}.{value}", id.replace(&id[..1], if id.starts_with('f') { "0" } else { "f" }))),
        ("another value", format!("{id}.{}", value.to_uppercase())),
        ("the planted one", planted),
    ] {
        let mut other = Browser::open(&server).await;
        other.steal(&forged);
        leads_to(&other.get("/account").await, "/login?next=%2Faccount");
        assert!(!reason.is_empty());
    }
    ann.get("/account").await.expect(200);
}

#[tokio::test]
async fn a_form_of_another_site_is_refused() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let conn = server.connect().await;
    let shown = conn.ask(Ask::get("/login")).await.expect(200);
    let cookie = shown.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let token = crate::account::people::between(shown.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    let form =
        |token: &str| [("csrf", token.to_owned()), ("email", "ann@example.com".into()), ("password", PASSWORD.into())];
    let issuer = site.issuer.as_str();
    for (reason, token, cookie, origin, fetch_site, status) in [
        ("another origin", token.as_str(), Some(cookie.as_str()), Some("https://evil.example"), None, 403),
        ("no origin to speak of", &token, Some(&cookie), Some("null"), None, 403),
        ("another site's fetch", &token, Some(&cookie), Some(issuer), Some("cross-site"), 403),
        ("a sibling's fetch", &token, Some(&cookie), Some(issuer), Some("same-site"), 403),
        ("no token", "", Some(&cookie), Some(issuer), None, 403),
        ("another browser's token", &token, None, Some(issuer), None, 403),
        ("ours", &token, Some(&cookie), Some(issuer), Some("same-origin"), 303),
        ("ours, by an old browser", &token, Some(&cookie), None, None, 303),
    ] {
        let fields = form(token);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut ask = Ask::post("/login").form(&fields);
        for (name, value) in [("cookie", cookie), ("origin", origin), ("sec-fetch-site", fetch_site)] {
            if let Some(value) = value {
                ask = ask.header(name, value);
            }
        }
        let reply = conn.ask(ask).await;
        assert_eq!(reply.status, status, "{reason}");
        let is_signed_in =
            reply.headers.get_all("set-cookie").iter().any(|set| set.as_bytes().starts_with(b"__Host-sigid="));
        assert_eq!(is_signed_in, status == 303, "{reason}");
    }
}

#[tokio::test]
async fn the_way_on_is_a_page_of_ours() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    for (reason, next, expected) in [
        ("a page", "/account/sessions", "/account/sessions"),
        ("nothing", "", "/account"),
        ("another site", "https://evil.example/", "/account"),
        ("another site without scheme", "//evil.example/", "/account"),
        ("a backslash", "/\\evil.example/", "/account"),
        ("a line break", "/a\r\nlocation: https://evil.example", "/account"),
        ("a script", "javascript:alert(1)", "/account"),
    ] {
        let mut ann = Browser::open(&server).await;
        let form = [("email", "ann@example.com"), ("password", PASSWORD), ("next", next)];
        let reply = ann.post("/login", &form).await;
        assert_eq!((reply.status, reply.header("location")), (303, Some(expected)), "{reason}");
    }
}

#[tokio::test]
async fn the_session_of_a_disabled_person_is_dead() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    ann.get("/account").await.expect(200);
    let owner = site.database.connect(OWNER).await;
    owner.execute("update identity.users set state = 'disabled'", &[]).await.unwrap();
    leads_to(&ann.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(ann.sign_in("ann@example.com", PASSWORD).await.status, 422);
}

#[tokio::test]
async fn signing_out_needs_the_button() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let shown = ann.get("/logout").await.expect(200);
    assert!(shown.text().contains("ann@example.com"), "whose session it is");
    ann.get("/account").await.expect(200);
    assert_eq!(ann.send("/logout", &[]).await.status, 403, "no token");
    ann.get("/account").await.expect(200);
    let token = ann.token("/logout").await;
    let form = [("csrf", token.as_str())];
    ann.send("/logout", &form).await.expect(200);
    assert_eq!(ann.session(), None);
    ann.send("/logout", &form).await.expect(200);
    ann.get("/logout").await.expect(200);
    assert_eq!(count(&site, "select count(*) from async.events where event_type = 'auth.logout'").await, 1);
    assert_eq!(count(&site, SESSIONS).await, 0);
}
