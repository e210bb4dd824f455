//! A provider of mail that keeps what it is given: the server posts its letters here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::place;
use crate::support::settings::Settings;
use crate::support::wait::until;

#[derive(Clone, Debug)]
pub struct Message {
    pub to: String,
    pub subject: String,
    pub from: String,
    pub text: String,
    pub html: String,
    pub id: String,
}

impl Message {
    /// The value of the link to `path`.
    #[track_caller]
    pub fn link(&self, path: &str) -> String {
        let found = self.find_link(path);
        found.unwrap_or_else(|| panic!("no link to {path} in {}: {}", self.subject, self.text))
    }

    pub fn find_link(&self, path: &str) -> Option<String> {
        let start = format!("{path}?link=");
        let rest = self.text.split_once(&start)?.1;
        Some(rest.split_whitespace().next()?.to_owned())
    }
}

pub struct Mailbox {
    address: SocketAddr,
    messages: Arc<Mutex<Vec<Message>>>,
}

impl Mailbox {
    pub async fn open() -> Self {
        let listener = TcpListener::bind((place::address(), place::port())).await.unwrap();
        let (address, messages) = (listener.local_addr().unwrap(), Arc::<Mutex<Vec<Message>>>::default());
        let kept = messages.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let kept = kept.clone();
                tokio::spawn(async move {
                    if let Some(message) = take(socket).await {
                        kept.lock().unwrap().push(message);
                    }
                });
            }
        });
        Self { address, messages }
    }

    pub fn settings(&self, settings: Settings) -> Settings {
        let body = r#"{"to":"{{to}}","subject":"{{subject}}","text":"{{text}}","from":"{{from_name}}","html":"{{html}}","id":"{{message_id}}"}"#;
        settings
            .text("email.provider", "http_api")
            .text("email.from_address", "no-reply@example.com")
            .text("email.http_api.url", format!("http://{}/send", self.address))
            .text("email.http_api.body", body)
    }

    pub fn all(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }

    /// The first letter to an address that `is_it`, when it comes.
    pub async fn wait_for(&self, to: &str, is_it: impl Fn(&Message) -> bool) -> Message {
        until(&format!("a letter to {to}"), async || {
            self.all().into_iter().find(|message| message.to == to && is_it(message))
        })
        .await
    }

    /// The first letter to an address with a link to `path`.
    pub async fn wait_for_link(&self, to: &str, path: &str) -> Message {
        self.wait_for(to, |message| message.find_link(path).is_some()).await
    }
}

async fn take(mut socket: TcpStream) -> Option<Message> {
    let mut bytes = Vec::new();
    let body_at = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..body_at]).to_ascii_lowercase();
    let length: usize = head.split_once("content-length: ")?.1.lines().next()?.parse().ok()?;
    while bytes.len() < body_at + length {
        if socket.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let json: Value = serde_json::from_slice(&bytes[body_at..]).unwrap();
    let text = |name: &str| json[name].as_str().unwrap().to_owned();
    let message = Message {
        to: text("to"),
        subject: text("subject"),
        from: text("from"),
        text: text("text"),
        html: text("html"),
        id: text("id"),
    };
    socket.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.ok()?;
    Some(message)
}
