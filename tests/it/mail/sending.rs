//! The job: at least once, one Message-ID, and an end to everything.

use std::collections::BTreeSet;

use super::post::{Answer, Post, Queue, Row, header};
use crate::support::cli;
use crate::support::site::Site;
use crate::support::wait::{until, until_true};

#[tokio::test]
async fn a_letter_is_sent_and_marked() {
    let site = Site::new().await;
    let post = Post::open(Answer::Taken).await;
    let queue = Queue::of(&site).await;
    let server = site.serve_with(post.configure(&site)).await;
    let id = queue.write("ann@example.org").await;
    let messages = post.until(1).await;
    assert_eq!(header(&messages[0], "Message-ID"), format!("<{id}@localhost>"));
    assert_eq!(header(&messages[0], "From"), "Example <no-reply@example.com>");
    assert_eq!(header(&messages[0], "To"), "ann@example.org");
    assert_eq!(header(&messages[0], "Auto-Submitted"), "auto-generated");
    let row = queue.until(&id, "sent").await;
    assert_eq!(row, Row { state: "sent".into(), attempts: 1, fault: None });
    until_true("the metrics", async || server.metrics().await.sum("sigid_mail_total", &["outcome=\"sent\""]) == 1)
        .await;
    assert_eq!(post.messages().len(), 1);
}

#[tokio::test]
async fn an_operator_tries_the_settings() {
    let site = Site::new().await;
    let post = Post::open(Answer::Taken).await;
    let queue = Queue::of(&site).await;
    let (directory, _) = site.furnish(post.configure(&site));
    let config = directory.join("sigid.toml");
    cli::admin(&config, &["mail", "test", "--to", "nobody"]).expect(1);
    let sent = cli::admin(&config, &["mail", "test", "--to", "Ann@bücher.example"]).json();
    let _server = site.serve_with(post.configure(&site)).await;
    let messages = post.until(1).await;
    assert_eq!(header(&messages[0], "Message-ID"), format!("<{}@localhost>", sent["mail_id"].as_str().unwrap()));
    assert_eq!(header(&messages[0], "To"), "Ann@xn--bcher-kva.example");
    queue.until(sent["mail_id"].as_str().unwrap(), "sent").await;
    site.admin(&["mail", "test", "--to", "ann@example.org"]).expect(1);
    assert_eq!(queue.count("queued").await, 0, "nobody would send it");
}

#[tokio::test]
async fn a_letter_that_is_not_taken_comes_again_under_its_id() {
    let site = Site::new().await;
    let post = Post::open(Answer::Later).await;
    let queue = Queue::of(&site).await;
    let server = site.serve_with(post.configure(&site)).await;
    let id = queue.write("ann@example.org").await;
    post.until(1).await;
    until("the mark of the failure", async || queue.row(&id).await.fault).await;
    post.answers(Answer::Taken);
    let row = queue.until(&id, "sent").await;
    assert_eq!((row.attempts >= 2, row.fault), (true, None), "sent in the end");
    let ids: BTreeSet<String> =
        post.messages().iter().map(|message| header(message, "Message-ID").to_owned()).collect();
    assert_eq!(ids, BTreeSet::from([format!("<{id}@localhost>")]));
    assert!(server.metrics().await.sum("sigid_mail_total", &["outcome=\"retried\""]) >= 1);
}

#[tokio::test]
async fn a_process_killed_between_claim_and_mark_sends_again_under_the_same_id() {
    let site = Site::new().await;
    let post = Post::open(Answer::Silence).await;
    let queue = Queue::of(&site).await;
    let mut killed = site.serve_with(post.configure(&site)).await;
    let id = queue.write("ann@example.org").await;
    post.until(1).await;
    killed.signal("KILL");
    killed.ended().await;
    let row = queue.row(&id).await;
    assert_eq!((row.state.as_str(), row.attempts), ("queued", 1), "claimed, not marked");
    post.answers(Answer::Taken);
    let next = site.serve_with(post.configure(&site)).await;
    next.shift_clock(61).await;
    let row = queue.until(&id, "sent").await;
    assert_eq!(row.attempts, 2);
    let messages = post.messages();
    assert_eq!(messages.len(), 2, "at least once");
    assert_eq!(header(&messages[0], "Message-ID"), header(&messages[1], "Message-ID"));
    assert_eq!(header(&messages[0], "Date"), header(&messages[1], "Date"), "a copy, not a second letter");
}

#[tokio::test]
async fn a_letter_refused_for_good_is_dead_and_an_event() {
    let site = Site::new().await;
    let post = Post::open(Answer::Never).await;
    let queue = Queue::of(&site).await;
    let _server = site.serve_with(post.configure(&site)).await;
    let refused = queue.write("ann@example.org").await;
    let broken = queue.write("ann@example.org\r\nBcc: eve@example.org").await;
    for (id, fault) in [(&refused, "content"), (&broken, "recipient")] {
        let row = queue.until(id, "dead").await;
        assert_eq!((row.attempts, row.fault.as_deref()), (1, Some(fault)));
        let events = queue.events(id).await;
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].0.as_str(), events[0].1["fault"].as_str()), ("mail.dead", Some(fault)));
    }
    assert_eq!(post.messages().len(), 1, "the broken address was never sent to");
}

#[tokio::test]
async fn a_letter_that_nobody_took_for_a_day_is_dead() {
    let site = Site::new().await;
    let post = Post::open(Answer::Later).await;
    let queue = Queue::of(&site).await;
    let server = site.serve_with(post.configure(&site)).await;
    let id = queue.write("ann@example.org").await;
    until("the first failure", async || queue.row(&id).await.fault).await;
    server.shift_clock(86_400 + 60).await;
    queue.until(&id, "dead").await;
    assert_eq!(queue.events(&id).await.len(), 1);
}

#[tokio::test]
async fn one_mailbox_gets_ten_letters_of_a_kind_in_an_hour() {
    let site = Site::new().await;
    let post = Post::open(Answer::Taken).await;
    let queue = Queue::of(&site).await;
    for recipient in ["ann@example.org", "Ann@example.org", "ANN@EXAMPLE.ORG"] {
        for _ in 0..5 {
            queue.write(recipient).await;
        }
    }
    let other = queue.write("ben@example.org").await;
    let server = site.serve_with(post.configure(&site)).await;
    until_true("the end of the queue", async || queue.count("queued").await == 0).await;
    assert_eq!((queue.count("sent").await, queue.count("dropped").await), (11, 5));
    queue.until(&other, "sent").await;
    assert_eq!(post.messages().len(), 11);
    until_true("the metrics", async || server.metrics().await.sum("sigid_mail_total", &["outcome=\"dropped\""]) == 5)
        .await;
}

#[tokio::test]
async fn without_a_provider_letters_wait() {
    let site = Site::new().await;
    let queue = Queue::of(&site).await;
    let id = queue.write("ann@example.org").await;
    let server = site.serve().await;
    until_true("the job's second turn", async || {
        server.metrics().await.sum("sigid_job_runs_total", &["job=\"mail\"", "outcome=\"ok\""]) >= 2
    })
    .await;
    assert_eq!(queue.row(&id).await, Row { state: "queued".into(), attempts: 0, fault: None });
}
