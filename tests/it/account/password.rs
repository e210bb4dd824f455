//! A new password, and what it ends.

use super::people::{Browser, NEW_PASSWORD, PASSWORD, count, events, leads_to, letter, make};
use crate::support::cluster::OWNER;
use crate::support::site::Site;

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_began() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let before = ann.session().unwrap().to_owned();
    ann.post("/account/email", &[("new_email", "new@example.com"), ("current_password", PASSWORD)]).await.expect(200);
    let link = letter(&site, "email_confirm").await.link;

    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    leads_to(&ann.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    ann.get("/account").await.expect(200);
    assert_ne!(ann.session(), Some(before.as_str()), "this browser has a new session");
    let mut thief = Browser::open(&server).await;
    thief.steal(&before);
    leads_to(&thief.get("/account").await, "/login?next=%2Faccount");
    leads_to(&elsewhere.get("/account").await, "/login?next=%2Faccount");
    assert_eq!(ann.get(&format!("/email/confirm?link={link}")).await.status, 410, "the half-done change is dead");

    let mut again = Browser::open(&server).await;
    assert_ne!(again.sign_in("ann@example.com", PASSWORD).await.status, 303, "the old password");
    leads_to(&again.sign_in("ann@example.com", NEW_PASSWORD).await, "/account");
    assert_eq!(letter(&site, "password_changed").await.recipient, "ann@example.com");
    assert_eq!(events(&site).await, ["user.email_asked", "user.password_changed"]);
}

#[tokio::test]
async fn a_password_is_not_changed_without_the_old_one_or_to_a_bad_one() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann.lee@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann.lee@example.com", PASSWORD).await;
    for (reason, current, new) in [
        ("a wrong password", "wrong horse battery", NEW_PASSWORD),
        ("none", "", NEW_PASSWORD),
        ("a short one", PASSWORD, "short"),
        ("a common one", PASSWORD, "password123"),
        ("the address", PASSWORD, "ann.lee@example.com"),
        ("the same", PASSWORD, PASSWORD),
        ("no new one", PASSWORD, ""),
    ] {
        let reply = ann.post("/account/password", &[("current_password", current), ("new_password", new)]).await;
        assert_eq!(reply.status, 422, "{reason}");
        assert!(!reply.text().contains(NEW_PASSWORD), "{reason}: no password comes back");
    }
    let mut again = Browser::open(&server).await;
    leads_to(&again.sign_in("ann.lee@example.com", PASSWORD).await, "/account");
    assert!(events(&site).await.is_empty());
}

#[tokio::test]
async fn guesses_at_an_open_session_are_limited_like_sign_in() {
    let site = Site::new().await;
    let server = site.serve().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let token = ann.token("/account/password").await;
    let fields = |guess: &'static str| {
        [("csrf", token.clone()), ("current_password", guess.into()), ("new_password", NEW_PASSWORD.into())]
    };
    let mut limited = None;
    for _ in 0..60 {
        let guess = fields("wrong horse battery");
        let guess: Vec<(&str, &str)> = guess.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = ann.send("/account/password", &guess).await;
        if reply.status == 429 {
            limited = Some(reply);
            break;
        }
        assert_eq!(reply.status, 422);
    }
    let limited = limited.expect("guesses come to an end");
    assert!(limited.header("retry-after").is_some_and(|after| after.parse::<u32>().unwrap() > 0));
}

#[tokio::test]
async fn other_sessions_stay_where_the_operator_says_so() {
    let site = Site::new().await;
    let settings = site.settings().set("user_self_service.password_change_ends_sessions", false);
    let server = site.serve_with(settings).await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    leads_to(&ann.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    elsewhere.get("/account").await.expect(200);
}

#[tokio::test]
async fn what_applications_were_given_dies_with_the_old_password() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let _elsewhere = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let owner = site.database.connect(OWNER).await;
    let member = "insert into identity.memberships (tenant_id, sub, user_id, state, created_at, updated_at)
                  select t.tenant_id, 'a-subject-of-' || t.slug, u.user_id, 'active', now(), now()
                  from identity.users u, control.tenants t";
    owner.execute(member, &[]).await.unwrap();
    let given = "insert into auth.session_clients (session_id, created_at, client_id, tenant_id, sub)
                 select s.session_id, s.created_at, 'app-of-' || t.slug, t.tenant_id, 'a-subject-of-' || t.slug
                 from auth.sessions s, control.tenants t";
    owner.execute(given, &[]).await.unwrap();
    let fields = [("current_password", PASSWORD), ("new_password", NEW_PASSWORD)];
    ann.post("/account/password", &fields).await.expect(303);
    assert_eq!(
        count(&site, "select count(distinct mark_key) from auth.marks").await,
        6,
        "two sessions, one subject, twice"
    );
    assert_eq!(count(&site, "select count(*) from async.feed where kind = 4").await, 6, "every node is told");
}

#[tokio::test]
async fn who_has_no_password_sets_one_soon_after_sign_in() {
    let site = Site::new().await;
    let server = site.serve_unbudgeted().await;
    make(&site, "ann@example.com").await;
    let mut early = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let owner = site.database.connect(OWNER).await;
    let sql = "update identity.users set password_hash = null, password_changed_at = null";
    owner.execute(sql, &[]).await.unwrap();
    let fields = [("new_password", NEW_PASSWORD)];
    leads_to(&early.post("/account/password", &fields).await, "/account/password?notice=password_changed");
    let mut late = Browser::signed_in(&server, "ann@example.com", NEW_PASSWORD).await;
    owner.execute(sql, &[]).await.unwrap();
    server.shift_clock(620).await;
    leads_to(&late.post("/account/password", &fields).await, "/recover");
    let ask = [("new_email", "new@example.com")];
    leads_to(&late.post("/account/email", &ask).await, "/recover");
    leads_to(&late.post("/account/deletion", &[]).await, "/recover");
}
