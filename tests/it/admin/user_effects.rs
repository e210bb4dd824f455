//! What a running server makes of `sigid admin user`: sessions end, passwords work or do not, locks fall.

use serde_json::json;

use super::user::admin_reads;
use super::user_import::{file, import};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD};
use crate::login::application;
use crate::support::site::Site;
use crate::support::wait::{now_s, until_true};

/// An account with [`PASSWORD`], a member of tenant `one`.
fn create(site: &Site, email: &str) {
    let arguments = ["user", "create", "--email", email, "--tenant", "one", "--password-stdin", "--email-verified"];
    admin_reads(site, &arguments, &format!("{PASSWORD}\n")).expect(0);
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    browser.get("/account").await.status == 200
}

#[tokio::test]
async fn a_disabled_person_is_signed_out_everywhere_and_enabled_signs_in_anew() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    let server = site.serve().await;
    let second = site.serve_with(site.another_port()).await;
    let mut here = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    let mut there = Browser::open(&second).await;
    there.steal(here.session().unwrap());
    assert!(is_signed_in(&mut here).await && is_signed_in(&mut there).await);
    site.admin(&["user", "disable", "ann@one.example"]).expect(0);
    assert!(!is_signed_in(&mut here).await, "the very next request");
    assert!(!is_signed_in(&mut there).await, "on the other node too");
    let refused = Browser::open(&server).await.sign_in("ann@one.example", PASSWORD).await;
    let wrong = Browser::open(&server).await.sign_in("ann@one.example", "wrong horse battery").await;
    assert_eq!(refused.status, wrong.status, "as if the password were wrong");
    site.admin(&["user", "enable", "ann@one.example"]).expect(0);
    assert!(!is_signed_in(&mut here).await, "what ended stays ended");
    let mut anew = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    assert!(is_signed_in(&mut anew).await);
}

#[tokio::test]
async fn a_set_password_and_an_erasure_reach_a_session_at_once() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    let server = site.serve().await;
    let mut ann = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    admin_reads(&site, &["user", "set-password", "ann@one.example"], &format!("{NEW_PASSWORD}\n")).expect(0);
    assert!(!is_signed_in(&mut ann).await);
    assert_ne!(ann.sign_in("ann@one.example", PASSWORD).await.status, 303, "the old one is nothing");
    let mut ann = Browser::signed_in(&server, "ann@one.example", NEW_PASSWORD).await;
    assert!(is_signed_in(&mut ann).await);
    site.admin(&["user", "delete", "ann@one.example"]).expect(0);
    assert!(!is_signed_in(&mut ann).await);
    assert_ne!(ann.sign_in("ann@one.example", NEW_PASSWORD).await.status, 303);
}

/// The operator has the prompt for a while; the thief goes on collecting cookies.
#[tokio::test]
async fn what_was_handed_out_while_an_operator_typed_dies_with_the_old_password() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    application::make_applications(&site);
    let server = site.serve().await;
    let mut thief = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    let (directory, _) = site.furnish(site.settings());
    let mut child = std::process::Command::new(crate::support::cli::PROGRAM)
        .args(["admin", "-c", directory.join("sigid.toml").to_str().unwrap(), "--json"])
        .args(["user", "set-password", "ann@one.example"])
        .env_clear()
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let asked_s = now_s();
    until_true("seconds at the prompt", async || now_s() >= asked_s + 3).await;
    let late = thief.get(&application::start("shop", application::SHOP)).await;
    let cookie = application::edge_cookie(&late);
    application::check(&server, "shop", &cookie).await.expect(200);
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{NEW_PASSWORD}\n").as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    until_true("the end of the cookie", async || application::check(&server, "shop", &cookie).await.status == 401)
        .await;
}

#[tokio::test]
async fn a_set_up_link_sets_the_first_password_once() {
    let site = Site::new().await;
    let made = site.admin(&["user", "create", "--email", "ann@one.example"]).json();
    let link = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();
    let server = site.serve().await;
    let mut ann = Browser::open(&server).await;
    let set = async |browser: &mut Browser| {
        let page = browser.get(&format!("/setup?link={link}")).await;
        if page.status != 200 {
            return page.status;
        }
        let token = crate::account::people::between(page.text(), "name=\"csrf\" value=\"", "\"").to_owned();
        let fields = [("csrf", token.as_str()), ("link", link.as_str()), ("new_password", NEW_PASSWORD)];
        browser.send("/setup", &fields).await.status
    };
    assert_eq!(set(&mut ann).await, 303);
    let mut signed_in = Browser::signed_in(&server, "ann@one.example", NEW_PASSWORD).await;
    assert!(is_signed_in(&mut signed_in).await);
    assert_ne!(set(&mut Browser::open(&server).await).await, 303, "once");
}

#[tokio::test]
async fn imported_hashes_sign_in_and_are_made_anew() {
    let site = Site::new().await;
    let people = [
        json!({ "email": "bcrypt@people.example", "password_hash": "$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe" }),
        json!({ "email": "nobody@people.example" }),
    ];
    let lines: Vec<String> = people.iter().map(ToString::to_string).collect();
    import(&site, "one", &file("people.jsonl", &lines.join("\n")), &[]).expect(0);
    let server = site.serve().await;
    let mut browser = Browser::signed_in(&server, "bcrypt@people.example", "password").await;
    assert!(is_signed_in(&mut browser).await);
    let owner = site.database.connect(crate::support::cluster::OWNER).await;
    let stored = "select password_hash from identity.users where email_key = 'bcrypt@people.example'";
    let stored: String = owner.query_one(stored, &[]).await.unwrap().get(0);
    assert!(stored.starts_with("$argon2id$"), "{stored}");
    assert_ne!(Browser::open(&server).await.sign_in("nobody@people.example", "password").await.status, 303);
}

/// Show 9: a tenant imports another's customer, sets what it can set, and is still nobody.
#[tokio::test]
async fn a_password_that_came_with_an_import_opens_no_account_of_another_tenant() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    let theirs = json!({
        "email": "ann@one.example", "email_verified": true,
        "password_hash": "$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe",
    });
    let done = import(&site, "two", &file("people.jsonl", &theirs.to_string()), &["--trust-verified"]).json();
    assert_eq!(done["invited"], 1);
    let server = site.serve().await;
    assert_ne!(Browser::open(&server).await.sign_in("ann@one.example", "password").await.status, 303);
    let mut ann = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    site.admin(&["user", "remove", "ann@one.example", "--tenant", "two"]).expect(0);
    assert!(is_signed_in(&mut ann).await, "what the second tenant does to its membership does not reach her");
    let shown = site.admin(&["user", "show", "ann@one.example"]).json();
    assert_eq!(
        (&shown["memberships"][0]["tenant"], &shown["memberships"][0]["state"]),
        (&json!("one"), &json!("active"))
    );
}

#[tokio::test]
async fn an_administrator_lets_in_whom_strangers_locked_out() {
    let site = Site::new().await;
    create(&site, "ann@one.example");
    let server = site.serve_with(site.settings().set("auth.brute_force_max_attempts", 3)).await;
    let mut thief = Browser::open(&server).await;
    for _ in 0..3 {
        assert_eq!(thief.sign_in("ann@one.example", "wrong horse battery").await.status, 422);
    }
    assert_eq!(thief.sign_in("ann@one.example", PASSWORD).await.status, 429, "locked, for the right password too");
    // What a node has not told the others yet may have come after the forgiving, and would stay.
    let told = async || server.metrics().await.sum("sigid_auth_limit_merges_total", &[r#"outcome="ok""#]);
    let before = told().await;
    until_true("the node has told", async || told().await >= before + 2).await;
    site.admin(&["user", "unlock", "Ann@one.example"]).expect(0);
    until_true("the node has heard", async || {
        Browser::open(&server).await.sign_in("ann@one.example", PASSWORD).await.status == 303
    })
    .await;
    assert_eq!(site.admin(&["user", "unlock", "bob@one.example"]).code, 1);
}
