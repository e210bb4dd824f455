//! Who may vouch for whom: a tenant that imports another's customer, or an address before anybody has it, sets what it
//! can set and signs in, and still is nobody in the other tenant.

use serde_json::json;

use super::user::admin_reads;
use super::user_import::{file, import};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, between, leads_to};
use crate::login::application::{SHOP, check, edge_cookie, make_applications, start};
use crate::login::site;
use crate::support::cluster::OWNER;
use crate::support::site::Site;

const BANK: &str = "https://localhost:9444/";
/// Of the password "password".
const BCRYPT: &str = "$2a$05$bvIG6Nmid91Mu9RcmmWZfO5HJIMCT8riNW0hEp8f6/FuA2/mHZFpe";

async fn memberships(site: &Site) -> String {
    let owner = site.database.connect(OWNER).await;
    let sql = "select string_agg(t.slug || ' ' || m.state, ', ' order by t.slug)
               from identity.memberships m join control.tenants t on t.tenant_id = m.tenant_id";
    owner.query_one(sql, &[]).await.unwrap().get::<_, Option<String>>(0).unwrap_or_default()
}

/// The shop is tenant one's, the bank tenant two's.
#[tokio::test]
async fn a_tenant_that_imported_first_is_nobody_in_another() {
    let (site, server, mailbox) = site().await;
    make_applications(&site);
    let theirs = json!({ "email": "ann@one.example", "email_verified": true, "password_hash": BCRYPT });
    let done = import(&site, "two", &file("two.jsonl", &theirs.to_string()), &[]).json();
    assert_eq!(done["created"], 1, "nobody had the address");
    let mut mallory = Browser::signed_in(&server, "ann@one.example", "password").await;
    leads_to(&mallory.get(&start("bank", BANK)).await, BANK);
    let to_shop = mallory.get(&start("shop", SHOP)).await;
    assert_ne!(to_shop.header("location"), Some(SHOP), "an unproven address joins no other tenant");
    assert_eq!(memberships(&site).await, "two active");
    let ours = json!({ "email": "Ann@One.example", "name": "Ann" });
    assert_eq!(import(&site, "one", &file("one.jsonl", &ours.to_string()), &[]).json()["invited"], 1);
    let to_shop = mallory.get(&start("shop", SHOP)).await;
    assert_ne!(to_shop.header("location"), Some(SHOP), "an invitation is for whoever reads the address");
    assert_eq!(memberships(&site).await, "one invited, two active");

    let mut ann = Browser::open(&server).await;
    ann.post("/recover", &[("email", "ann@one.example")]).await.expect(200);
    let page = "/recover/password";
    let link = mailbox.wait_for_link("ann@one.example", page).await.link(page);
    let token = ann.token(&format!("{page}?link={link}")).await;
    let fields = [("csrf", token.as_str()), ("link", link.as_str()), ("new_password", NEW_PASSWORD)];
    leads_to(&ann.send(page, &fields).await, "/login?notice=password_set");
    leads_to(&ann.sign_in("ann@one.example", NEW_PASSWORD).await, "/account");
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
    assert_eq!(memberships(&site).await, "one active, two active", "who reads the address accepts");
    leads_to(&mallory.get("/account").await, "/login?next=%2Faccount");
    assert_ne!(mallory.sign_in("ann@one.example", "password").await.status, 303, "what the tenant set is gone");
}

#[tokio::test]
async fn what_one_tenant_does_to_its_member_does_not_reach_another() {
    let (site, server, _mailbox) = site().await;
    make_applications(&site);
    let arguments = ["user", "create", "--email", "ann@one.example", "--tenant", "one", "--password-stdin"];
    admin_reads(&site, &[&arguments[..], &["--email-verified"]].concat(), &format!("{PASSWORD}\n")).expect(0);
    let theirs = json!({ "email": "ann@one.example", "password_hash": BCRYPT, "name": "Mallory" });
    assert_eq!(import(&site, "two", &file("two.jsonl", &theirs.to_string()), &[]).json()["invited"], 1);
    assert_ne!(Browser::open(&server).await.sign_in("ann@one.example", "password").await.status, 303);
    let mut ann = Browser::signed_in(&server, "ann@one.example", PASSWORD).await;
    let mut enter = async |client: &str, address: &str| {
        let reply = ann.get(&start(client, address)).await;
        leads_to(&reply, address);
        edge_cookie(&reply)
    };
    let (at_shop, at_bank) = (enter("shop", SHOP).await, enter("bank", BANK).await);
    check(&server, "bank", &at_bank).await.expect(200);
    site.admin(&["user", "suspend", "ann@one.example", "--tenant", "two"]).expect(0);
    crate::support::wait::until_true("the suspension", async || check(&server, "bank", &at_bank).await.status == 401)
        .await;
    check(&server, "shop", &at_shop).await.expect(200);
    assert_eq!(ann.get(&start("bank", BANK)).await.status, 403, "kept out there");
    leads_to(&ann.get(&start("shop", SHOP)).await, SHOP);
    ann.get("/account").await.expect(200);
    let shown = site.admin(&["user", "show", "ann@one.example"]).json();
    assert_eq!((&shown["state"], &shown["claims"]), (&json!("active"), &json!({})), "the account does not notice");
}

/// A link that an operator prints proves nothing about a mailbox.
#[tokio::test]
async fn a_printed_set_up_link_proves_no_address() {
    let (site, server, _mailbox) = site().await;
    let made = site.admin(&["user", "create", "--email", "ann@one.example"]).json();
    let link = made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned();
    let mut ann = Browser::open(&server).await;
    let page = ann.get(&format!("/setup?link={link}")).await.expect(200);
    let token = between(page.text(), "name=\"csrf\" value=\"", "\"").to_owned();
    let fields = [("csrf", token.as_str()), ("link", &link), ("new_password", NEW_PASSWORD), ("name", " Ann Example ")];
    assert_eq!(ann.send("/setup", &fields).await.status, 303);
    let shown = site.admin(&["user", "show", "ann@one.example"]).json();
    assert_eq!(shown["email_verified"], json!(false));
    assert_eq!(shown["claims"]["name"], "Ann Example", "what the person wants to be called");
}
