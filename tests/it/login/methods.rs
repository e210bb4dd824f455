//! What a tenant decides about sign-in: which methods count, whom it takes; and that the page says who asks.

use super::site;
use crate::account::people::{Browser, PASSWORD, count, leads_to, make};
use crate::support::ask::{Ask, Reply, escape};
use crate::support::cluster::OWNER;
use crate::support::server::Start;
use crate::support::site::Site;
use crate::support::wait::until_true;
use serde_json::json;

const SHOP: &str = "https://localhost:9443/orders";
const BANK: &str = "https://localhost:9444/";
const SESSIONS: &str = "select count(*) from auth.sessions where ended_at is null";
const MEMBERS: &str = "select count(*) from identity.memberships";

/// Two applications of two tenants, on the issuer's own host.
fn make_applications(site: &Site) {
    for (id, tenant, port) in [("shop", "one", "9443"), ("bank", "two", "9444")] {
        let uri = format!("https://localhost:{port}/callback");
        let create = ["client", "create", "--tenant", tenant, "--client-id", id, "--redirect-uri", &uri];
        let more = ["--token-endpoint-auth-method", "none", "--client-name", "The <b>shop"];
        site.admin(&[&create[..], &more].concat()).expect(0);
    }
}

fn start(client: &str, return_to: &str) -> String {
    format!("/session/start?client_id={client}&return_to={}", escape(return_to))
}

fn login_for(client: &str, return_to: &str) -> String {
    format!("/login?next={}", escape(&start(client, return_to)))
}

fn has_cookie(reply: &Reply, name: &str) -> bool {
    reply.headers.get_all("set-cookie").iter().any(|set| set.to_str().unwrap().starts_with(name))
}

#[tokio::test]
async fn a_method_that_is_off_is_not_offered_and_not_taken() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let handed = ann.get(&start("shop", SHOP)).await;
    let set = handed.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let cookie = set.into_iter().find(|set| set.starts_with("__Secure-sigid-shop=")).unwrap();
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let check = || Ask::get("/session/check?client_id=shop").header("cookie", &cookie);
    server.ask(check()).await.expect(200);
    site.admin(&["tenant", "methods", "one", "--close"]).expect(0);
    let mut eve = Browser::open(&server).await;
    until_true("the closed page", async || eve.get(&login_for("shop", SHOP)).await.status == 403).await;
    until_true("the closed check", async || server.ask(check()).await.status == 401).await;
    let to_shop = start("shop", SHOP);
    let token = eve.token("/login").await;
    let closed = eve.get(&login_for("shop", SHOP)).await.expect(403);
    assert!(closed.text().contains("The &#60;b&#62;shop"), "whose door is shut");
    let mut shown = Vec::new();
    for (email, password) in
        [("ann@example.com", PASSWORD), ("ann@example.com", "wrong horse battery"), ("zed@example.com", PASSWORD)]
    {
        let form = [("csrf", token.as_str()), ("email", email), ("password", password), ("next", &to_shop)];
        let reply = eve.send("/login", &form).await;
        assert_eq!(reply.status, 403, "{email} {password}");
        assert!(reply.text().contains("The &#60;b&#62;shop"));
        assert!(!has_cookie(&reply, "__Host-sigid="), "{email} {password}");
        shown.push(reply);
    }
    for (reason, reply) in [("a wrong password", &shown[1]), ("an unknown address", &shown[2])] {
        assert_eq!(anonymous(reply), anonymous(&shown[0]), "{reason}");
    }
    assert_eq!(count(&site, SESSIONS).await, 1, "Ann's own, of before");
    assert_eq!(count(&site, "select count(*) from async.events where event_type = 'auth.login.failed'").await, 0);
    for browser in [&mut eve, &mut ann] {
        let refused = browser.get(&to_shop).await;
        assert_eq!((refused.status, refused.header("location")), (403, None), "no session counts there");
        assert!(refused.text().contains("The &#60;b&#62;shop"));
        assert!(!has_cookie(&refused, "__Secure-sigid-"));
    }
    leads_to(&ann.get(&start("bank", BANK)).await, BANK);
    eve.get("/login").await.expect(200);
    eve.get(&login_for("bank", BANK)).await.expect(200);
    assert_eq!(count(&site, MEMBERS).await, 2, "no more than Ann's own");
    site.admin(&["tenant", "methods", "one", "--default"]).expect(0);
    until_true("the open page", async || eve.get(&login_for("shop", SHOP)).await.status == 200).await;
    let form = [("email", "ann@example.com"), ("password", PASSWORD), ("next", to_shop.as_str())];
    leads_to(&eve.post("/login", &form).await, &to_shop);
    leads_to(&eve.get(&to_shop).await, SHOP);
}

#[tokio::test]
async fn a_session_that_does_not_count_signs_in_again() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    let owner = site.database.connect(OWNER).await;
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let other = "00000000-0000-4000-8000-000000000000";
    let to_shop = start("shop", SHOP);
    let asked_again = format!("/login?notice=sign_in_first&next={}", escape(&to_shop));
    for (reason, authentications) in [
        ("a method that nobody has", json!([{ "method": "hwk", "name": "x", "authority": "account", "at": 1 }])),
        ("another tenant's word", json!([{ "method": "pwd", "name": "password", "authority": other, "at": 1 }])),
        ("nothing proven", json!([])),
    ] {
        owner.execute("update auth.sessions set authentications = $1", &[&authentications]).await.unwrap();
        let reply = ann.get(&to_shop).await;
        leads_to(&reply, &asked_again);
        assert!(!has_cookie(&reply, "__Secure-sigid-"), "{reason}");
        ann.get(&asked_again).await.expect(200);
    }
    assert_eq!(count(&site, MEMBERS).await, 0);
    let token = ann.token(&asked_again).await;
    let form = [("csrf", token.as_str()), ("email", "ann@example.com"), ("password", PASSWORD), ("next", &to_shop)];
    leads_to(&ann.send("/login", &form).await, &to_shop);
    assert!(has_cookie(&ann.get(&to_shop).await, "__Secure-sigid-shop="), "she proved it anew");
    assert_eq!(count(&site, SESSIONS).await, 1, "the former session is over");
    let old = json!([{ "method": "pwd", "authority": "account", "at": 1 }]);
    owner.execute("update auth.sessions set authentications = $1", &[&old]).await.unwrap();
    leads_to(&ann.get(&to_shop).await, SHOP);
}

#[tokio::test]
async fn the_last_method_stays_on_unless_the_tenant_is_closed() {
    let site = Site::new().await;
    let admin = |arguments: &[&str]| site.admin(&[&["tenant", "methods", "one"], arguments].concat());
    let open = admin(&[]).json();
    assert_eq!(
        (&open["methods"], &open["in_force"], &open["closed"], &open["registration"]),
        (&json!(null), &json!(["password"]), &json!(false), &json!(true)),
        "nothing is decided"
    );
    for (reason, arguments, says) in [
        ("the last one", &["--off", "password"][..], "--close"),
        ("one that nobody has", &["--on", "passkey"], "there is password"),
    ] {
        let refused = admin(arguments);
        assert!(refused.err.contains(says), "{reason}: {}", refused.err);
        refused.expect(1);
    }
    admin(&["--close", "--on", "password"]).expect(64);
    site.admin(&["tenant", "methods", "nobody", "--close"]).expect(1);
    let closed = admin(&["--close"]).json();
    assert_eq!((&closed["in_force"], &closed["closed"]), (&json!([]), &json!(true)));
    assert_eq!(admin(&["--close"]).json(), closed, "again");
    assert_eq!(admin(&[]).json(), closed);
    let own = admin(&["--on", "password", "--registration", "no"]).json();
    assert_eq!((&own["methods"], &own["registration"]), (&json!(["password"]), &json!(false)));
    admin(&["--off", "password"]).expect(1);
    assert_eq!(admin(&["--default"]).json()["methods"], json!(null));
    let told = "select count(*) from async.events where event_type = 'tenant.sign_in_changed'";
    assert_eq!(count(&site, told).await, 3, "once for each change");
}

#[tokio::test]
async fn rules_reach_every_node() {
    let site = Site::new().await;
    make_applications(&site);
    let first = site.serve().await;
    let second = site.serve_with(site.another_port()).await;
    let mut browsers = [Browser::open(&first).await, Browser::open(&second).await];
    for (rule, status) in [("--close", 403), ("--default", 200)] {
        site.admin(&["tenant", "methods", "one", rule]).expect(0);
        for browser in &mut browsers {
            until_true(rule, async || browser.get(&login_for("shop", SHOP)).await.status == status).await;
        }
    }
}

#[tokio::test]
async fn a_tenant_may_take_only_whom_it_has_invited() {
    let (site, server, _mailbox) = site().await;
    make(&site, "ann@example.com").await;
    make_applications(&site);
    site.admin(&["tenant", "methods", "one", "--registration", "no"]).expect(0);
    let mut eve = Browser::open(&server).await;
    let register = format!("/register?next={}", escape(&start("shop", SHOP)));
    until_true("the closed page", async || eve.get(&register).await.status == 403).await;
    let token = eve.token("/register").await;
    let form = [
        ("csrf", token.as_str()),
        ("email", "eve@example.com"),
        ("name", "Eve"),
        ("new_password", PASSWORD),
        ("next", &start("shop", SHOP)),
    ];
    assert_eq!(eve.send("/register", &form).await.status, 403, "the form all the same");
    assert_eq!(count(&site, "select count(*) from auth.registrations").await, 0);
    assert!(!eve.get(&login_for("shop", SHOP)).await.expect(200).text().contains("href=\"/register"), "no link either");
    assert!(eve.get(&login_for("bank", BANK)).await.expect(200).text().contains("href=\"/register"), "but there");
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    assert_eq!(ann.get(&start("shop", SHOP)).await.status, 403, "nobody has invited her");
    assert_eq!(count(&site, MEMBERS).await, 0);
    let owner = site.database.connect(OWNER).await;
    let invite = "insert into identity.memberships (tenant_id, sub, user_id, state, created_at, updated_at)
                  select t.tenant_id, 'aaaaaaaaaaaaaaaaaaaaaa', u.user_id, 'invited', now(), now()
                  from control.tenants t, identity.users u where t.slug = 'one'";
    owner.execute(invite, &[]).await.unwrap();
    owner.execute("update identity.users set email_verified_at = null", &[]).await.unwrap();
    leads_to(&ann.get(&start("shop", SHOP)).await, "/recover");
    let invited = "select count(*) from identity.memberships where state = 'invited'";
    assert_eq!(count(&site, invited).await, 1, "an invitation is to an address: whose is it?");
    leads_to(&ann.get(&start("bank", BANK)).await, "/recover");
    owner.execute("update identity.users set email_verified_at = now()", &[]).await.unwrap();
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
    assert_eq!(count(&site, invited).await, 0, "she has accepted");
}

#[tokio::test]
async fn nobody_registers_where_the_operator_takes_nobody() {
    let site = Site::new().await;
    let settings = site.settings().set("auth.registration_enabled", false);
    let start = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
    let server = site.start(settings, &start).await;
    let mut eve = Browser::open(&server).await;
    let shown = eve.get("/login").await.expect(200);
    assert!(!shown.text().contains("href=\"/register"));
    let token = eve.token("/login").await;
    for target in ["/register", "/register?next=%2Faccount", "/verify?link=x"] {
        assert_eq!(eve.get(target).await.status, 403, "{target}");
    }
    // A form's token is good for its own path, so none can be had; the guard is first.
    let form = [("csrf", token.as_str()), ("email", "eve@example.com"), ("name", "Eve"), ("new_password", PASSWORD)];
    assert_eq!(eve.send("/register", &form).await.status, 403);
    assert_eq!(count(&site, "select count(*) from auth.registrations").await, 0);
}

#[tokio::test]
async fn the_page_says_which_application_asks() {
    let (site, server, _mailbox) = site().await;
    make_applications(&site);
    let mut eve = Browser::open(&server).await;
    eve.get("/login").await.expect(200);
    let named = |reply: &Reply| {
        let text = reply.text();
        assert!(!text.contains("<b>shop"), "its name is text");
        text.contains("The &#60;b&#62;shop") && text.contains("localhost:9443")
    };
    assert!(named(&eve.get(&login_for("shop", SHOP)).await.expect(200)));
    let form = [("email", "ann@example.com"), ("password", "wrong horse battery"), ("next", &start("shop", SHOP))];
    let again = eve.post("/login", &form).await;
    assert_eq!(again.status, 422);
    assert!(named(&again), "and again when something was wrong");
    let plain = eve.get("/login?next=%2Faccount").await.expect(200);
    for (reason, next) in [
        ("an unknown application", start("nobody", SHOP)),
        ("an address of somebody else", start("shop", "https://evil.example/")),
        ("an address of another application", start("shop", BANK)),
        ("two applications", format!("{}&client_id=bank", start("shop", SHOP))),
    ] {
        let reply = eve.get(&format!("/login?next={}", escape(&next))).await.expect(200);
        assert_eq!(bare(&reply), bare(&plain), "{reason}");
        assert!(!named(&reply), "{reason}");
    }
}

/// A page without the id of its request, and what else it says.
fn anonymous(reply: &Reply) -> (String, Vec<String>) {
    let names = reply.headers.keys().map(ToString::to_string).collect();
    (reply.text().replace(reply.header("x-request-id").unwrap(), ""), names)
}

/// A page without the addresses and values in it.
fn bare(reply: &Reply) -> String {
    ["href=\"", "value=\""].iter().fold(reply.text().to_owned(), |text, attribute| {
        let mut parts = text.split(attribute);
        let head = parts.next().unwrap().to_owned();
        parts.fold(head, |bare, part| bare + part.split_once('"').unwrap().1)
    })
}
