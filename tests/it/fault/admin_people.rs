//! An administrator's commands about people, each with each of its awaits failing once.

use super::admin::{Desk, OWN};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, leads_to, make};
use crate::support::wait::until_true;

fn words(of: &[&str]) -> Vec<String> {
    of.iter().map(|word| (*word).to_owned()).collect()
}

#[tokio::test]
async fn an_account_whose_creation_was_refused_can_be_made_and_one_acknowledged_opens() {
    let desk = Desk::new().await;
    let email = |turn: u32| format!("made-{turn}@example.com");
    let arguments = |turn: u32| words(&["user", "create", "--tenant", "one", "--email", &email(turn)]);
    desk.sweep("error", OWN, arguments, async |turn, ended, hit| {
        let shown = desk.give(&["user", "show", &email(turn)]);
        let printed = match (ended.code, shown.code) {
            (0, _) => ended.out.clone(),
            // Made, and nobody was told under which link it opens: it gets another.
            (_, 0) => desk.give(&["user", "setup-link", &email(turn)]).expect(0),
            _ => desk.give(&["user", "create", "--tenant", "one", "--email", &email(turn)]).expect(0),
        };
        let document: serde_json::Value = serde_json::from_str(&printed).unwrap();
        let link = document["setup_link"].as_str().unwrap().split_once("link=").unwrap().1;
        let shown = desk.give(&["user", "show", &email(turn)]).json();
        assert_eq!(shown["memberships"][0]["state"], "active", "{hit}: {shown}");
        let mut browser = Browser::open(&desk.server).await;
        let token = browser.token(&format!("/setup?link={link}")).await;
        let fields = [("csrf", token.as_str()), ("link", link), ("new_password", NEW_PASSWORD)];
        leads_to(&browser.send("/setup", &fields).await, "/login?notice=password_set");
        leads_to(&browser.sign_in(&email(turn), NEW_PASSWORD).await, "/account");
    })
    .await;
}

#[tokio::test]
async fn an_account_whose_disabling_was_refused_can_be_disabled_and_one_acknowledged_is_signed_out() {
    over_a_session("disable", 422).await;
}

#[tokio::test]
async fn an_account_whose_erasure_was_refused_can_be_erased_and_one_acknowledged_is_gone() {
    over_a_session("delete", 422).await;
}

/// A command that ends a living session, given to another person each time.
async fn over_a_session(verb: &str, refused: u16) {
    let desk = Desk::new().await;
    let email = |turn: u32| format!("ann-{turn}@example.com");
    let mut people = Vec::new();
    for turn in 0..PEOPLE {
        make(&desk.site, &email(turn)).await;
        people.push(Browser::signed_in(&desk.server, &email(turn), PASSWORD).await);
    }
    let people = std::cell::RefCell::new(people);
    let arguments = |turn: u32| words(&["user", verb, &email(turn - OWN)]);
    desk.sweep("drop-connection", OWN, arguments, async |turn, ended, hit| {
        let mut browser = people.borrow_mut().remove(0);
        let turn = turn - OWN;
        let is_done = ended.code == 0 || hit.starts_with("tx.committed");
        let reply = browser.get("/account").await;
        assert_eq!(reply.status, if is_done { 303 } else { 200 }, "{verb}: {hit}: exit {}", ended.code);
        if !is_done {
            desk.give(&["user", verb, &email(turn)]).expect(0);
        }
        until_true("the end of the session", async || browser.get("/account").await.status == 303).await;
        assert_eq!(browser.sign_in(&email(turn), PASSWORD).await.status, refused, "{verb}: {hit}");
    })
    .await;
}

/// More than a command has awaits of its own.
const PEOPLE: u32 = 60;
