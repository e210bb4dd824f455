//! Letters, from the row to the relay: each await of the job fails, and each letter comes all the same, under one id and
//! with one link.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::points_file::Points;
use crate::mail::post::{Answer, Post, find_link, header, text};
use crate::support::cluster::OWNER;
use crate::support::server::Start;
use crate::support::site::Site;
use crate::support::wait::{until, until_true};

/// What a letter passes on its way, and how often at most.
const PASSED: [(&str, u32); 8] = [
    ("pool.take", 4),
    ("pg.prepare", 2),
    ("tx.begin", 4),
    ("tx.query", 4),
    ("tx.execute", 3),
    ("tx.commit", 4),
    ("tx.committed", 4),
    ("mail.sent", 1),
];

#[tokio::test]
async fn a_letter_comes_under_one_id_whichever_await_fails() {
    let (site, points) = (Site::new().await, Points::new());
    let post = Post::open(Answer::Taken).await;
    let start = Start {
        environment: vec![("SIGID_RUNTIME_PLANE", "async".to_owned())],
        arguments: vec!["--fail-file", points.path(), "--budgets", "off"],
    };
    let server = site.start(post.configure(&site), &start).await;
    let owner = site.database.connect(OWNER).await;
    let mut written = BTreeMap::new();
    for (point, times) in PASSED {
        for (turn, action) in (0..times).map(|turn| (turn, "error")).chain([(0, "drop-connection")]) {
            points.arm(&format!("{point}@async={action}*1+{turn}"));
            let recipient = format!("ann{}@example.com", written.len());
            let sql = "insert into async.mail (mail_id, created_at, template, locale, recipient, recipient_key, data, next_at)
                       values (gen_random_uuid(), now(), 'register', 'en', $1::text, $1,
                               jsonb_build_object('registration_id', gen_random_uuid(), 'created_s', 0, 'email_key', $1::text), now())
                       returning mail_id::text";
            let mail_id: String = owner.query_one(sql, &[&recipient]).await.unwrap().get(0);
            written.insert(format!("<{mail_id}@localhost>"), recipient);
            until_true(&format!("{point} to fail"), async || !points.hits().is_empty()).await;
            points.disarm();
        }
    }
    // What was claimed and never marked is due again when the lease is over, and what waits for its next attempt too.
    for ahead_s in [61, 200] {
        std::fs::write(server.directory.join("clock"), ahead_s.to_string()).unwrap();
        let due =
            "select count(*) from async.mail where state = 'queued' and next_at <= now() + $1 * interval '1 second'";
        let due_s = f64::from(ahead_s) - 5.0;
        until_true("what is due", async || owner.query_one(due, &[&due_s]).await.unwrap().get::<_, i64>(0) == 0).await;
    }
    let waiting = "select count(*) from async.mail where state <> 'sent'";
    until_true("all letters", async || owner.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0).await;
    assert_copies(&post, &written);
    let links = owner.query_one("select count(*) from auth.links where purpose = 'verify'", &[]).await.unwrap();
    assert_eq!(
        links.get::<_, i64>(0),
        i64::try_from(written.len()).unwrap(),
        "a link each, however often it was prepared"
    );
    let log = until("the log", async || Some(server.log())).await;
    assert!(!log.contains("panicked") && !log.contains("link="), "{log}");
}

/// Each came, to whom it was written to, always with the same link; and none came that was not written.
fn assert_copies(post: &Post, written: &BTreeMap<String, String>) {
    let mut copies: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut count = 0;
    for message in post.messages() {
        let link = find_link(&text(&message), "/verify").expect("a link in each");
        let to = header(&message, "To").trim().to_owned();
        copies.entry(header(&message, "Message-ID").trim().to_owned()).or_default().insert((to, link));
        count += 1;
    }
    assert!(count > written.len(), "some came twice: {count} copies of {}", written.len());
    assert_eq!(copies.keys().collect::<Vec<_>>(), written.keys().collect::<Vec<_>>(), "these ids and no others");
    for (id, told) in &copies {
        assert_eq!(told.len(), 1, "{id}: {told:?}");
        assert_eq!(told.first().unwrap().0, written[id], "{id}");
    }
    let links: BTreeSet<&String> = copies.values().flatten().map(|(_, link)| link).collect();
    assert_eq!(links.len(), written.len(), "no link in two letters");
}
