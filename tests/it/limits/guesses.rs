//! Guesses at passwords.

use super::guesser::{ADA, Guesser, PASSWORD, at, retry_after_s, settings, site};
use crate::support::cluster::OWNER;
use crate::support::server::Server;
use crate::support::site::Site;

async fn serve() -> (Site, Server) {
    let site = site().await;
    let server = site.serve_with(settings(site.settings())).await;
    (site, server)
}

/// Five wrong passwords from five addresses.
async fn lock(guesser: &mut Guesser, email: &str) {
    for n in 0..5 {
        assert_eq!(guesser.guess(email, "wrong horse battery", &at(n)).await.status, 422);
    }
}

#[tokio::test]
async fn guesses_lock_out_strangers_and_not_the_device_of_their_person() {
    let (site, server) = serve().await;
    let mut ada = Guesser::open(&server).await;
    ada.guess(ADA, PASSWORD, &at(90)).await.expect(303);
    assert!(ada.device.is_some(), "who signs in has a device");
    let mut thief = Guesser::open(&server).await;
    lock(&mut thief, ADA).await;
    let refused = thief.guess(ADA, PASSWORD, &at(70)).await;
    assert!((1..=120).contains(&retry_after_s(&refused)), "the right password too");
    let spelt = thief.guess("ADA@EXAMPLE.COM.", PASSWORD, &at(71)).await;
    assert_eq!(spelt.status, 429, "in any spelling");
    assert_eq!(thief.guess("bob@example.com", PASSWORD, &at(72)).await.status, 422, "others are not locked");

    ada.guess(ADA, PASSWORD, &at(90)).await.expect(303);
    thief.device.clone_from(&ada.device);
    let mut tried = 0;
    while thief.guess(ADA, "wrong horse battery", &at(tried + 100)).await.status == 422 {
        tried += 1;
    }
    assert_eq!(tried, 5, "a stolen device buys what its person has");

    let metrics = server.metrics().await;
    assert!(metrics.sum("sigid_auth_limited_total", &[r#"limit="account""#]) >= 3);
    let owner = site.database.connect(OWNER).await;
    let sql = "select count(*), count(*) filter (where subject ~ '^[0-9a-f]{32}$' and data->>'limit' = 'account'
                                                   and data::text || subject not like '%ada%')
                 from async.events where event_type = 'auth.limited'";
    let row = owner.query_one(sql, &[]).await.unwrap();
    let (events, good): (i64, i64) = (row.get(0), row.get(1));
    assert!(
        (1..=2).contains(&events) && good == events,
        "{events} events in a minute or two, {good} as they should be"
    );
}

#[tokio::test]
async fn a_lock_ends_with_its_time() {
    let (_site, server) = serve().await;
    let mut thief = Guesser::open(&server).await;
    lock(&mut thief, ADA).await;
    assert_eq!(thief.guess(ADA, PASSWORD, &at(9)).await.status, 429);
    server.shift_clock(125).await;
    thief.guess(ADA, PASSWORD, &at(9)).await.expect(303);
}

#[tokio::test]
async fn known_and_unknown_identifiers_are_limited_alike() {
    let (_site, server) = serve().await;
    let mut thief = Guesser::open(&server).await;
    let mut seen = Vec::new();
    for email in [ADA, "nobody@example.com"] {
        let mut replies = Vec::new();
        for n in 0..7 {
            let reply = thief.guess(email, "wrong horse battery", &at(n * 2 + usize::from(email == ADA))).await;
            let mut headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            let text = reply.text().replace(email, "somebody");
            replies.push((reply.status, headers, varying(&text)));
        }
        seen.push(replies);
    }
    assert_eq!(seen[0].iter().map(|reply| reply.0).collect::<Vec<_>>(), [422, 422, 422, 422, 422, 429, 429]);
    assert_eq!(seen[0], seen[1]);
}

/// A page without what differs in each answer: nonces, tokens, ids, seconds left.
fn varying(page: &str) -> String {
    let plain = page
        .split(['"', '<', '>', ' ', '='])
        .filter(|word| word.len() < 20 && !word.contains(|c: char| c.is_ascii_digit()));
    plain.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_failure_costs_an_address_ten_successes_and_comes_back() {
    let (_site, server) = serve().await;
    let mut guesser = Guesser::open(&server).await;
    for n in 0..10 {
        let email = format!("{n}@example.com");
        assert_eq!(guesser.guess(&email, "wrong horse battery", &at(1)).await.status, 422, "{n}");
    }
    let refused = guesser.guess("else@example.com", PASSWORD, &at(1)).await;
    assert!((1..=6).contains(&retry_after_s(&refused)), "six seconds give a failure's room back");
    assert_eq!(guesser.guess(ADA, PASSWORD, &at(1)).await.status, 429, "whoever it is");
    guesser.guess(ADA, PASSWORD, &at(2)).await.expect(303);
    server.shift_clock(65).await;
    let mut other = Guesser::open(&server).await;
    other.guess(ADA, PASSWORD, &at(1)).await.expect(303);

    let net = |n: usize| format!("2001:db8:7:1::{n:x}");
    for n in 0..10 {
        let email = format!("{n}@example.org");
        assert_eq!(other.guess(&email, "wrong horse battery", &net(n)).await.status, 422, "{n}");
    }
    assert_eq!(other.guess("else@example.org", PASSWORD, &net(99)).await.status, 429, "a /64 is one address");
}

#[tokio::test]
async fn of_many_guesses_sent_at_once_no_more_are_looked_at() {
    let (_site, server) = serve().await;
    let mut guesser = Guesser::open(&server).await;
    let guesses: Vec<_> = (0..60).map(|n| (ADA, "wrong horse battery", at(n))).collect();
    let replies = guesser.guess_at_once(&guesses).await;
    let with = |status: u16| replies.iter().filter(|reply| reply.status == status).count();
    assert_eq!((with(422), with(429)), (5, 55));
}

#[tokio::test]
async fn many_good_sign_ins_at_once_all_get_through() {
    let (_site, server) = serve().await;
    let mut guesser = Guesser::open(&server).await;
    // The first one makes the imported hash anew.
    guesser.guess(ADA, PASSWORD, &at(99)).await.expect(303);
    guesser.device = None;
    let guesses: Vec<_> = (0..30).map(|n| (ADA, PASSWORD, at(n))).collect();
    let replies = guesser.guess_at_once(&guesses).await;
    assert!(
        replies.iter().all(|reply| reply.status == 303),
        "{:?}",
        replies.iter().map(|r| r.status).collect::<Vec<_>>()
    );
}
