//! The sender against scripted peers: what it says, and what it makes of what they say.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::dial::Stream;
use super::*;

/// The first word of a command, and the reply to it.
type Says = &'static [(&'static str, &'static str)];
type Change = fn(&mut Message);

pub(super) fn message() -> Message {
    Message {
        message_id: "0193-5f@localhost".into(),
        from_name: None,
        to: "someone@example.org".into(),
        subject: "Grüße".into(),
        text: "Hello\n.\nBye\n".into(),
        html: Some("<p>Hello</p>".into()),
        headers: vec![],
        date: crate::clock::system_time(1_700_000_000),
    }
}

pub(super) fn settings(transport: Transport) -> MailSettings {
    MailSettings {
        from_address: "no-reply@example.com".into(),
        from_name: Some("SigID".into()),
        hello: "auth.example.com".into(),
        timeout: Duration::from_secs(5),
        ca_pem_path: None,
        transport,
    }
}

fn smtp(port: u16, encryption: Encryption) -> MailSettings {
    let credentials = Some(("user".to_owned(), Zeroizing::new("pass".to_owned())));
    let credentials = credentials.filter(|_| encryption != Encryption::Off);
    settings(Transport::Smtp(SmtpSettings { host: "localhost".into(), port, encryption, credentials }))
}

/// What a relay heard, and how often it was connected to.
#[derive(Clone, Default)]
struct Heard {
    lines: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicU32>,
}

impl Heard {
    fn all(&self) -> String {
        self.lines.lock().unwrap().concat()
    }
}

/// How a relay behaves.
#[derive(Clone, Default)]
struct Script {
    tls: Option<TlsAcceptor>,
    starttls: bool,
    /// The reply in place of the usual one, by the first word of the command (`.` for the end of the data).
    says: Says,
}

async fn relay(script: Script) -> (u16, Heard) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Heard::default();
    let kept = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            heard.connections.fetch_add(1, SeqCst);
            tokio::spawn(serve(stream, script.clone(), heard.clone()));
        }
    });
    (port, kept)
}

async fn serve(stream: TcpStream, script: Script, heard: Heard) {
    match &script.tls {
        Some(tls) if !script.starttls => {
            let Ok(stream) = tls.accept(stream).await else { return };
            let _ = talk(stream, &script, &heard, true).await;
        }
        tls => {
            let turned = talk(stream, &script, &heard, true).await;
            if let (Some(tls), Some(stream)) = (tls, turned)
                && let Ok(stream) = tls.accept(stream).await
            {
                let _ = talk(stream, &script, &heard, false).await;
            }
        }
    }
}

/// Gives the stream back when it is to turn to TLS.
async fn talk<S: Stream>(stream: S, script: &Script, heard: &Heard, greets: bool) -> Option<S> {
    let mut stream = BufReader::new(stream);
    let usual = |word: &str| match word {
        "EHLO" if script.starttls && greets => "250-relay\r\n250 STARTTLS\r\n",
        "EHLO" => "250-relay\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 100000\r\n",
        "AUTH" => "235 in\r\n",
        "STARTTLS" => "220 go\r\n",
        "DATA" => "354 go\r\n",
        _ => "250 ok\r\n",
    };
    let reply = |word: &str| script.says.iter().find(|(at, _)| *at == word).map_or(usual(word), |(_, says)| says);
    if greets {
        let greeting = script.says.iter().find(|(at, _)| at.is_empty()).map_or("220 relay\r\n", |(_, says)| says);
        stream.write_all(greeting.as_bytes()).await.ok()?;
    }
    let mut is_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        heard.lines.lock().unwrap().push(line.clone());
        let word = line.split_whitespace().next().unwrap_or_default().to_owned();
        if is_data && line != ".\r\n" {
            continue;
        }
        is_data = word == "DATA";
        stream.write_all(reply(&word).as_bytes()).await.ok()?;
        stream.flush().await.ok()?;
        if word == "STARTTLS" {
            return Some(stream.into_inner());
        }
    }
}

/// A CA's certificate in a file, and an acceptor for localhost under it.
fn authority(name: &str) -> (PathBuf, TlsAcceptor) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let path = std::env::temp_dir().join(format!("sigid-mail-{name}-{}.pem", std::process::id()));
    std::fs::write(&path, certificate.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (path, TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn a_message_travels_whole_and_the_connection_is_used_again() {
    let (port, heard) = relay(Script::default()).await;
    let sender = Sender::new(smtp(port, Encryption::Off)).unwrap();
    sender.send(&message()).await.unwrap();
    sender.send(&message()).await.unwrap();
    let all = heard.all();
    for part in [
        "EHLO auth.example.com\r\n",
        "MAIL FROM:<no-reply@example.com>\r\nRCPT TO:<someone@example.org>\r\nDATA\r\n",
        "Message-ID: <0193-5f@localhost>\r\n",
        "From: SigID <no-reply@example.com>\r\n",
        "To: someone@example.org\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n",
        "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
        "Content-Type: multipart/alternative;",
        "\r\n..\r\nBye\r\n",
        "\r\n.\r\nRSET\r\nMAIL FROM",
    ] {
        assert!(all.contains(part), "{part:?} is missing in:\n{all}");
    }
    assert!(all.is_ascii());
    assert_eq!(heard.connections.load(SeqCst), 1);
}

#[tokio::test]
async fn both_kinds_of_tls_carry_credentials_and_neither_trusts_a_stranger() {
    let (ca, tls) = authority("both");
    let (_, stranger) = authority("stranger");
    for (encryption, starttls) in [(Encryption::Tls, false), (Encryption::Starttls, true)] {
        let (port, heard) = relay(Script { tls: Some(tls.clone()), starttls, says: &[] }).await;
        let settings = MailSettings { ca_pem_path: Some(ca.clone()), ..smtp(port, encryption) };
        Sender::new(settings).unwrap().send(&message()).await.unwrap();
        assert!(heard.all().contains("AUTH PLAIN AHVzZXIAcGFzcw==\r\n"), "{encryption:?}");
        let (port, heard) = relay(Script { tls: Some(stranger.clone()), starttls, says: &[] }).await;
        let settings = MailSettings { ca_pem_path: Some(ca.clone()), ..smtp(port, encryption) };
        let sent = Sender::new(settings).unwrap().send(&message()).await;
        assert_eq!(sent, Err(SendFault::Temporary("tls")), "{encryption:?}");
        assert!(!heard.all().contains("AUTH"), "{encryption:?}");
    }
}

#[tokio::test]
async fn starttls_is_required_and_nothing_said_before_it_counts() {
    let (ca, tls) = authority("required");
    let slipped: &[(&str, &str)] = &[("STARTTLS", "220 go\r\n250-relay\r\n250 AUTH PLAIN\r\n")];
    for (reason, script, word) in [
        ("not offered", Script::default(), "no starttls"),
        (
            "refused",
            Script { starttls: true, tls: Some(tls.clone()), says: &[("STARTTLS", "454 no\r\n")] },
            "no starttls",
        ),
        ("an answer slipped in", Script { starttls: true, tls: Some(tls), says: slipped }, "protocol"),
    ] {
        let (port, heard) = relay(script).await;
        let settings = MailSettings { ca_pem_path: Some(ca.clone()), ..smtp(port, Encryption::Starttls) };
        let sent = Sender::new(settings).unwrap().send(&message()).await;
        assert_eq!(sent, Err(SendFault::Temporary(word)), "{reason}");
        assert!(!heard.all().contains("AUTH") && !heard.all().contains("MAIL"), "{reason}");
    }
}

#[tokio::test]
async fn what_a_relay_refuses_is_final_or_not() {
    use SendFault::{Permanent, Temporary};
    for (says, fault) in [
        (&[("", "554 no\r\n")] as Says, Temporary("greeting")),
        (&[("EHLO", "502 no\r\n")], Temporary("greeting")),
        (&[("MAIL", "550 no\r\n")], Temporary("sender")),
        (&[("RCPT", "550 no such person\r\n")], Permanent("recipient")),
        (&[("RCPT", "450 later\r\n")], Temporary("recipient")),
        (&[("DATA", "451 later\r\n")], Temporary("content")),
        (&[(".", "554 spam\r\n")], Permanent("content")),
        (&[(".", "451 later\r\n")], Temporary("content")),
        (&[("EHLO", "250-relay\r\n250 SIZE 10\r\n")], Permanent("size")),
        (&[("MAIL", "250 ok\r\n250 and more\r\n")], Temporary("protocol")),
        (&[("RCPT", "nonsense\r\n")], Temporary("protocol")),
    ] {
        let (port, _) = relay(Script { says, ..Script::default() }).await;
        let sent = Sender::new(smtp(port, Encryption::Off)).unwrap().send(&message()).await;
        assert_eq!(sent, Err(fault), "{says:?}");
    }
}

#[tokio::test]
async fn a_silent_relay_is_given_up_and_its_connection_with_it() {
    let (port, heard) = relay(Script { says: &[(".", "")], ..Script::default() }).await;
    let settings = MailSettings { timeout: Duration::from_millis(300), ..smtp(port, Encryption::Off) };
    let sender = Sender::new(settings).unwrap();
    for _ in 0..2 {
        assert_eq!(sender.send(&message()).await, Err(SendFault::Temporary("timeout")));
    }
    assert_eq!(heard.connections.load(SeqCst), 2, "a connection that owes an answer is not used again");
}

#[tokio::test]
async fn what_could_break_a_line_is_refused_before_anything_is_sent() {
    let (port, heard) = relay(Script::default()).await;
    let sender = Sender::new(smtp(port, Encryption::Off)).unwrap();
    let rows: &[(&str, Change, &str)] = &[
        ("CR LF in the address", |m| m.to = "a@example.org>\r\nRCPT TO:<b@example.org".into(), "recipient"),
        ("a line feed in the address", |m| m.to = "a@example.org\n".into(), "recipient"),
        ("NUL in the address", |m| m.to = "a\0@example.org".into(), "recipient"),
        ("brackets in the address", |m| m.to = "<a@example.org>".into(), "recipient"),
        ("two addresses", |m| m.to = "a@example.org,b@example.org".into(), "recipient"),
        ("no address", |m| m.to = "someone".into(), "recipient"),
        ("a long address", |m| m.to = format!("{}@example.org", "a".repeat(400)), "recipient"),
        ("CR LF in the subject", |m| m.subject = "a\r\nBcc: b@example.org".into(), "header"),
        ("a carriage return in the subject", |m| m.subject = "a\rb".into(), "header"),
        ("NUL in the subject", |m| m.subject = "a\0".into(), "header"),
        ("CR LF in the name", |m| m.from_name = Some("a\r\nBcc: b@example.org".into()), "header"),
        ("CR LF in a header", |m| m.headers.push(("X-A", "a\r\nX-B: b".into())), "header"),
        ("CR LF in the id", |m| m.message_id = "a\r\n@b".into(), "header"),
        ("NUL in the text", |m| m.text = "a\0".into(), "text"),
        ("an endless text", |m| m.text = "a".repeat(TEXT_BYTES_MAX + 1), "text"),
        ("UTF-8 where the relay has none", |m| m.to = "grüße@example.org".into(), "no internationalized mail"),
    ];
    for (reason, change, word) in rows {
        let mut message = message();
        change(&mut message);
        assert_eq!(sender.send(&message).await, Err(SendFault::Permanent(word)), "{reason}");
    }
    assert!(!heard.all().contains("MAIL"), "{}", heard.all());
    assert!(
        Sender::new(MailSettings { from_address: "a\r\n@b.example".into(), ..smtp(port, Encryption::Off) }).is_err()
    );
    assert!(Sender::new(MailSettings { from_name: Some("a\nb".into()), ..smtp(port, Encryption::Off) }).is_err());
}

/// Answers one request and gives back what it was.
async fn provider(answer: &'static str) -> (u16, tokio::sync::oneshot::Receiver<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (done, request) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"\"end\"}") {
            assert!(stream.read_buf(&mut text).await.unwrap() > 0);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = done.send(String::from_utf8(text).unwrap());
    });
    (port, request)
}

fn http_api(port: u16) -> MailSettings {
    let body = r#"{"from":"{{from_name}} <{{from}}>","to":["{{to}}"],"s":"{{subject}}","t":"{{text}}","h":"{{html}}","z":"end"}"#;
    let header = |name: &str, value: &str| (name.to_owned(), Zeroizing::new(value.to_owned()));
    settings(Transport::HttpApi(HttpApiSettings {
        is_https: false,
        host: "127.0.0.1".into(),
        port,
        target: "/v1/send?x=1".into(),
        headers: vec![header("authorization", "Bearer KEY"), header("idempotency-key", "{{message_id}}")],
        body: Zeroizing::new(body.to_owned()),
    }))
}

#[tokio::test]
async fn a_provider_gets_the_template_filled() {
    let (port, request) =
        provider("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await;
    Sender::new(http_api(port)).unwrap().send(&message()).await.unwrap();
    let request = request.await.unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/send?x=1 HTTP/1.1\r\n"), "{head}");
    for line in ["authorization: Bearer KEY", "idempotency-key: 0193-5f@localhost", "content-type: application/json"] {
        assert!(head.contains(line), "{head}");
    }
    assert!(head.contains(&format!("content-length: {}", body.len())));
    assert_eq!(
        body,
        r#"{"from":"SigID <no-reply@example.com>","to":["someone@example.org"],"s":"Grüße","t":"Hello\n.\nBye\n","h":"<p>Hello</p>","z":"end"}"#
    );
}

#[tokio::test]
async fn a_provider_that_refuses_is_heard() {
    for (answer, fault) in [
        ("HTTP/1.1 422 No\r\n\r\n", SendFault::Permanent("refused")),
        ("HTTP/1.1 503 Later\r\n\r\n", SendFault::Temporary("provider")),
        ("HTTP/1.1 307 Elsewhere\r\nlocation: http://127.0.0.1/\r\n\r\n", SendFault::Temporary("unexpected answer")),
        ("SMTP?\r\n\r\n", SendFault::Temporary("protocol")),
        ("", SendFault::Temporary("connection lost")),
    ] {
        let (port, _request) = provider(answer).await;
        assert_eq!(Sender::new(http_api(port)).unwrap().send(&message()).await, Err(fault), "{answer:?}");
    }
    let closed = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let sent = Sender::new(http_api(closed)).unwrap().send(&message()).await;
    assert_eq!(sent, Err(SendFault::Temporary("unreachable")));
}
