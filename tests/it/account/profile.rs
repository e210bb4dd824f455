//! The profile page, and who reaches any page of an account at all.

use super::people::{Browser, PAGES, events, leads_to, make};
use crate::support::ask::Ask;
use crate::support::cluster::OWNER;
use crate::support::site::Site;

#[tokio::test]
async fn a_page_of_an_account_is_for_its_person() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut stranger = Browser::open(&server).await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", super::people::PASSWORD).await;
    let session = ann.session().unwrap().to_owned();
    for path in PAGES {
        let reply = stranger.get(path).await;
        leads_to(&reply, &format!("/login?next={}", path.replace('/', "%2F")));
        let reply = ann.get(path).await.expect(200);
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{path}");
        let token = ann.token(path).await;
        let other = if path == "/account" { "/account/email" } else { "/account" };
        let foreign = ann.token(other).await;
        for (reason, fields) in [("no token", vec![]), ("another form's", vec![("csrf", foreign.as_str())])] {
            let reply = ann.send(path, &fields).await;
            assert_eq!(reply.status, 403, "{path}: {reason}");
        }
        let evil = Ask::post(path)
            .header("cookie", format!("__Host-sigid={session}"))
            .header("origin", "https://evil.example")
            .form(&[("csrf", &token)]);
        assert_eq!(server.ask(evil).await.status, 403, "{path}: another site's form");
    }
    let half = session.split_once('.').unwrap().0;
    stranger.steal(&format!("{half}.{}", "x".repeat(60)));
    leads_to(&stranger.get("/account").await, "/login?next=%2Faccount");
    assert!(events(&site).await.iter().all(|event| !event.starts_with("user.")), "nothing has happened");
}

#[tokio::test]
async fn a_profile_is_saved_shown_and_checked() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", super::people::PASSWORD).await;
    let fields = [
        ("name", "Ann <b>Lee</b>"),
        ("birthdate", "1990-02-28"),
        ("zoneinfo", "Europe/Vienna"),
        ("locale", "de-AT"),
        ("phone_number", "+43 1 234567"),
        ("website", "https://ann.example/"),
        ("street_address", "A 1\r\nB"),
        ("country", "Austria"),
        ("email", "eve@example.com"),
        ("phone_number_verified", "true"),
    ];
    leads_to(&ann.post("/account", &fields).await, "/account?notice=saved");
    let page = ann.get("/account").await.expect(200);
    assert!(page.text().contains("1990-02-28") && page.text().contains("+431234567"), "what was saved is shown");
    assert!(!page.text().contains("<b>Lee"), "markup is text");
    let owner = site.database.connect(OWNER).await;
    let row = owner.query_one("select claims::text, locale, email from identity.users", &[]).await.unwrap();
    let (claims, locale, email): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    assert!(claims.contains(r#""phone_number": "+431234567""#) && !claims.contains("verified"), "{claims}");
    assert_eq!((locale.as_str(), email.as_str()), ("de", "ann@example.com"), "letters follow; the address does not");
    for (reason, field, value) in [
        ("a script", "website", "javascript:alert(1)"),
        ("a day that is none", "birthdate", "1990-02-30"),
        ("text that turns around", "name", "a\u{202e}b"),
        ("a telephone without country", "phone_number", "01234567"),
    ] {
        let reply = ann.post("/account", &[(field, value)]).await;
        assert_eq!(reply.status, 422, "{reason}");
        assert!(reply.text().contains("aria-invalid"), "{reason}: the field says so");
    }
    let now: String = owner.query_one("select claims::text from identity.users", &[]).await.unwrap().get(0);
    assert_eq!(now, claims, "what is refused changes nothing");
    assert_eq!(events(&site).await, ["user.profile_changed"]);
}
