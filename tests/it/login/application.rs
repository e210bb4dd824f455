//! From a session at SigID to one application, and what its proxy sees.

use super::site;
use crate::account::people::{Browser, PASSWORD, count, leads_to, make};
use crate::support::ask::{Ask, escape};
use crate::support::cluster::OWNER;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::until_true;

pub const SHOP: &str = "https://localhost:9443/orders?a=b";

/// Two applications of two tenants, on the issuer's own host.
pub fn make_applications(site: &Site) {
    for (id, tenant, port) in [("shop", "one", 9443), ("bank", "two", 9444)] {
        let uri = format!("https://localhost:{port}/callback");
        let method = ["--token-endpoint-auth-method", "none"];
        let arguments = ["client", "create", "--tenant", tenant, "--client-id", id, "--redirect-uri", &uri];
        site.admin(&[&arguments[..], &method].concat()).expect(0);
    }
}

pub fn start(client: &str, return_to: &str) -> String {
    format!("/session/start?client_id={client}&return_to={}", escape(return_to))
}

/// What the proxy of an application is told of a cookie.
pub async fn check(server: &Server, client: &str, cookie: &str) -> crate::support::ask::Reply {
    let ask = Ask::get(format!("/session/check?client_id={client}")).header("cookie", cookie);
    server.ask(ask).await
}

pub fn edge_cookie(reply: &crate::support::ask::Reply) -> String {
    let set = reply.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let found = set.into_iter().find(|set| set.starts_with("__Secure-sigid-"));
    found.unwrap_or_else(|| panic!("{:?}", reply.headers)).split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_comes_to_an_application_and_leaves() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let mut ann = Browser::open(&server).await;
    let to_shop = start("shop", SHOP);
    leads_to(&ann.get(&to_shop).await, &format!("/login?next={}", escape(&to_shop)));
    let form = [("email", "ann@example.com"), ("password", PASSWORD), ("next", to_shop.as_str())];
    leads_to(&ann.post("/login", &form).await, &to_shop);
    let reply = ann.get(&to_shop).await;
    leads_to(&reply, SHOP);
    let cookie = edge_cookie(&reply);
    let seen = check(&server, "shop", &cookie).await.expect(200);
    let subject = seen.header("x-auth-subject").unwrap().to_owned();
    assert_eq!(seen.header("x-auth-email"), None, "nothing was consented to");
    let sql = "select count(*) from identity.users where user_id::text = $1";
    let owner = site.database.connect(OWNER).await;
    assert_eq!(owner.query_one(sql, &[&subject]).await.unwrap().get::<_, i64>(0), 0, "not the account's id");
    let again = ann.get(&to_shop).await;
    let seen_again = check(&server, "shop", &edge_cookie(&again)).await.expect(200);
    assert_eq!(seen_again.header("x-auth-subject"), Some(subject.as_str()), "the same person each time");
    let to_bank = ann.get(&start("bank", "https://localhost:9444/")).await;
    let at_bank = check(&server, "bank", &edge_cookie(&to_bank)).await.expect(200);
    for name in ["x-auth-subject", "x-auth-session"] {
        assert_ne!(at_bank.header(name), seen.header(name), "another tenant knows another {name}");
    }
    assert_eq!(check(&server, "bank", &cookie).await.status, 401, "one application's cookie opens no other");
    assert_eq!(count(&site, "select count(*) from identity.memberships").await, 2);
    ann.post("/logout", &[]).await.expect(200);
    for (client, cookie) in [("shop", &cookie), ("shop", &edge_cookie(&again)), ("bank", &edge_cookie(&to_bank))] {
        assert_eq!(check(&server, client, cookie).await.status, 401, "{client}: signed out");
    }
}

#[tokio::test]
async fn nobody_is_sent_where_the_application_is_not() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let mut signed_in = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut anonymous = Browser::open(&server).await;
    for (reason, target) in [
        ("another site", start("shop", "https://evil.example/")),
        ("a suffix", start("shop", "https://localhost.evil.example:9443/")),
        ("userinfo", start("shop", "https://localhost:9443@evil.example/")),
        ("another port", start("shop", "https://localhost:9555/")),
        ("another scheme", start("shop", "http://localhost:9443/")),
        ("another application's", start("shop", "https://localhost:9444/")),
        ("a backslash", start("shop", "https://localhost:9443\\@evil.example/")),
        ("relative", start("shop", "/orders")),
        ("an unknown application", start("nobody", SHOP)),
        ("no application", format!("/session/start?return_to={}", escape(SHOP))),
        ("no address", "/session/start?client_id=shop".to_owned()),
        ("two applications", format!("{}&client_id=bank", start("shop", SHOP))),
    ] {
        for browser in [&mut signed_in, &mut anonymous] {
            let reply = browser.get(&target).await;
            assert_eq!((reply.status, reply.header("location")), (400, None), "{reason}");
        }
    }
    assert_eq!(count(&site, "select count(*) from identity.memberships").await, 0);
}

#[tokio::test]
async fn a_tenant_decides_about_its_own_members() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let owner = site.database.connect(OWNER).await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
    for (state, expected, afterwards) in [
        ("suspended", 403, "suspended"),
        ("removed", 403, "removed"),
        ("invited", 303, "active"),
        ("active", 303, "active"),
    ] {
        owner.execute("update identity.memberships set state = $1", &[&state]).await.unwrap();
        assert_eq!(ann.get(&start("shop", SHOP)).await.status, expected, "{state}");
        let row = owner.query_one("select state from identity.memberships", &[]).await.unwrap();
        assert_eq!(row.get::<_, String>(0), afterwards, "{state}");
    }
    let other = "update auth.sessions set authentications =
                 '[{\"method\":\"fed\",\"authority\":\"00000000-0000-4000-8000-000000000000\",\"at\":1}]'";
    owner.execute(other, &[]).await.unwrap();
    let signs_in_again = format!("/login?notice=sign_in_first&next={}", escape(&start("shop", SHOP)));
    leads_to(&ann.get(&start("shop", SHOP)).await, &signs_in_again);
    ann.get("/account").await.expect(200);
}

/// Whoever keeps a person out holds the account, as `sigid admin` and the account's pages do, and is not done yet. The way
/// to an application waits for that, and sees it: what it would hand out is dated earlier than the mark may be.
#[tokio::test]
async fn who_is_being_kept_out_waits_and_is_kept_out() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
    let owner = site.database.connect(OWNER).await;
    let waiting =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    for (reason, change, undo, status) in [
        (
            "suspended",
            "update identity.memberships set state = 'suspended'",
            "update identity.memberships set state = 'active'",
            403,
        ),
        ("disabled", "update identity.users set state = 'disabled'", "update identity.users set state = 'active'", 303),
        ("signed out", "update auth.sessions set ended_at = now()", "update auth.sessions set ended_at = null", 303),
    ] {
        let hold = "begin; select 1 from identity.users where email_key = 'ann@example.com' for no key update";
        owner.batch_execute(&format!("{hold}; {change}")).await.unwrap();
        let (asked, session) = (start("shop", SHOP), ann.session().unwrap().to_owned());
        let mut other = Browser::open(&server).await;
        other.steal(&session);
        let going = tokio::spawn(async move { other.get(&asked).await });
        until_true(reason, async || count(&site, waiting).await == 1).await;
        owner.batch_execute("commit").await.unwrap();
        let reply = going.await.unwrap();
        assert_eq!(reply.status, status, "{reason}");
        let cookies = reply.header("set-cookie").unwrap_or_default();
        assert!(!cookies.starts_with("__Secure-sigid-"), "{reason}: {cookies}");
        owner.batch_execute(undo).await.unwrap();
    }
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
}

#[tokio::test]
async fn a_session_that_ends_on_one_node_is_dead_on_the_other() {
    let site = Site::new().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let first = site.serve_unbudgeted().await;
    let second = site.serve_with(site.another_port()).await;
    let mut here = Browser::signed_in(&first, "ann@example.com", PASSWORD).await;
    let session = here.session().unwrap().to_owned();
    let cookie = edge_cookie(&here.get(&start("shop", SHOP)).await);
    let mut there = Browser::open(&second).await;
    there.steal(&session);
    there.get("/account").await.expect(200);
    check(&second, "shop", &cookie).await.expect(200);
    here.post("/logout", &[]).await.expect(200);
    assert_eq!(check(&first, "shop", &cookie).await.status, 401, "here it is dead before the answer");
    leads_to(&there.get("/account").await, "/login?next=%2Faccount");
    until_true("the mark on the other node", async || check(&second, "shop", &cookie).await.status == 401).await;
}
