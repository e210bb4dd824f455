//! Sign-in, registration and recovery from outside: each way to its end, what it refuses, each link with its second
//! presentation, and what a hundred at once make of it.

pub mod application;
mod crowd;
pub mod mailbox;
mod methods;
mod notice;
mod presented;
mod recovery;
mod registration;
mod session_life;
mod sign_in;

use crate::account::people::Browser;
use crate::support::ask::{Ask, Reply};
use crate::support::connect::exchange_over;
use crate::support::site::Site;
use mailbox::Mailbox;

/// A site whose server posts its letters to a mailbox, and asks nobody to go slowly.
pub async fn site() -> (Site, crate::support::server::Server, Mailbox) {
    let site = Site::new().await;
    let mailbox = Mailbox::open().await;
    let settings = mailbox.settings(site.settings());
    let start = crate::support::server::Start { arguments: vec!["--budgets", "off"], ..Default::default() };
    let server = site.start(settings, &start).await;
    (site, server, mailbox)
}

/// The button below a link, pressed `times` at once by as many hands; what each saw.
async fn press_at_once(browser: &mut Browser, path: &str, link: &str, more: &[(&str, &str)], times: usize) -> Vec<u16> {
    let token = browser.token(&format!("{path}?link={link}")).await;
    let (send, ask, authority) = browser.ready(path, link).await;
    let ask = Ask { body: None, ..ask }
        .body(crate::support::ask::form(&[&[("csrf", token.as_str()), ("link", link)], more].concat()));
    let presses: Vec<_> = (0..times)
        .map(|_| {
            let (send, ask, authority) = (send.clone(), ask.clone(), authority.clone());
            tokio::spawn(async move { exchange_over(send, &ask, &authority).await.unwrap().status })
        })
        .collect();
    let mut seen = Vec::new();
    for press in presses {
        seen.push(press.await.unwrap());
    }
    seen
}

/// Two replies that nobody can tell apart, but by the address that was typed.
#[track_caller]
fn assert_same(reason: &str, one: &Reply, one_email: &str, other: &Reply, other_email: &str) {
    let body = |reply: &Reply, email: &str| reply.text().replace(email, "X");
    let headers = |reply: &Reply| {
        let varies = |name: &str| ["x-request-id", "date"].contains(&name);
        // All of a policy but its nonce.
        let steady = |value: &str| match value.split_once("'nonce-") {
            Some((before, rest)) => format!("{before}{}", rest.split_once('\'').unwrap().1),
            None => value.to_owned(),
        };
        let mut headers: Vec<(String, String)> = reply
            .headers
            .iter()
            .filter(|(name, _)| !varies(name.as_str()))
            .map(|(name, value)| (name.to_string(), steady(value.to_str().unwrap())))
            .collect();
        headers.sort();
        headers
    };
    assert_eq!(one.status, other.status, "{reason}");
    assert_eq!(body(one, one_email), body(other, other_email), "{reason}");
    assert_eq!(headers(one), headers(other), "{reason}");
}
