//! A provider's HTTP interface: what it is sent, and what its answer does.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::post::{Queue, from};
use crate::support::place;
use crate::support::site::Site;

/// Answers each request with the next of `answers`, and tells what it was: head and JSON.
async fn open(answers: &'static [&'static str]) -> (String, mpsc::Receiver<(String, serde_json::Value)>) {
    let listener = TcpListener::bind((place::address(), place::port())).await.unwrap();
    let url = format!("http://{}/v1/send?channel=1", listener.local_addr().unwrap());
    let (told, heard) = mpsc::channel(8);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = Vec::new();
            let (head, body) = loop {
                assert!(stream.read_buf(&mut text).await.unwrap() > 0);
                let text = String::from_utf8_lossy(&text);
                if let Some((head, body)) = text.split_once("\r\n\r\n")
                    && let Ok(body) = serde_json::from_str(body)
                {
                    break (head.to_owned(), body);
                }
            };
            stream.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
            told.send((head, body)).await.unwrap();
        }
    });
    (url, heard)
}

#[tokio::test]
async fn a_provider_is_sent_the_template_and_may_refuse() {
    let site = Site::new().await;
    let queue = Queue::of(&site).await;
    let (url, mut heard) = open(&["503 Later", "202 Accepted", "422 No"]).await;
    let body = r#"{"from":{"email":"{{from}}","name":"{{from_name}}"},"to":[{"email":"{{to}}"}],"subject":"{{subject}}","text":"{{text}}","id":"{{message_id}}"}"#;
    let settings = from(site.settings())
        .text("email.provider", "http_api")
        .text("email.http_api.url", url)
        .text("email.http_api.secret_header", "Authorization: Bearer KEY")
        .set("email.http_api.headers", "[\"Idempotency-Key: {{message_id}}\"]")
        .text("email.http_api.body", body);
    let server = site.serve_with(settings).await;
    let id = queue.write("ann@example.org").await;
    let message_id = format!("{id}@localhost");
    for turn in ["refused", "taken"] {
        let (head, json) = heard.recv().await.unwrap();
        assert!(head.starts_with("POST /v1/send?channel=1 HTTP/1.1\r\n"), "{turn}: {head}");
        for line in ["authorization: Bearer KEY".to_owned(), format!("idempotency-key: {message_id}")] {
            assert!(head.lines().any(|found| found == line), "{turn}: {head}");
        }
        assert_eq!(json["from"]["name"], "Example", "{turn}");
        assert_eq!(json["to"][0]["email"], "ann@example.org", "{turn}");
        assert_eq!(json["id"], message_id, "{turn}: the same each time");
    }
    assert_eq!(queue.until(&id, "sent").await.attempts, 2);
    let refused = queue.write("ben@example.org").await;
    assert_eq!(queue.until(&refused, "dead").await.fault.as_deref(), Some("refused"));
    assert!(!server.log().contains("KEY"), "the credential is in no log");
}
