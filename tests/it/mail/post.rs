//! A relay that does what a test wants, and the queue's rows.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::cluster::OWNER;
use crate::support::place;
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::until;

/// What the relay answers when a message has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Taken,
    Later,
    Never,
    /// None at all: the sender is left waiting.
    Silence,
}

/// A relay on the test's own address.
pub struct Post {
    pub address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    answer: Answer,
    messages: Vec<String>,
}

impl Post {
    pub async fn open(answer: Answer) -> Self {
        let listener = TcpListener::bind((place::address(), place::port())).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { answer, messages: Vec::new() }));
        let served = shared.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, served.clone()));
            }
        });
        Self { address, shared }
    }

    pub fn answers(&self, answer: Answer) {
        self.shared.lock().unwrap().answer = answer;
    }

    /// Everything that was sent, taken or not.
    pub fn messages(&self) -> Vec<String> {
        self.shared.lock().unwrap().messages.clone()
    }

    pub fn count(&self) -> usize {
        self.shared.lock().unwrap().messages.len()
    }

    /// What `look` finds in the first message after so many in which it finds something.
    pub fn find<T>(&self, after: usize, look: impl FnMut(&String) -> Option<T>) -> Option<T> {
        self.shared.lock().unwrap().messages.iter().skip(after).find_map(look)
    }

    /// Waits for so many.
    pub async fn until(&self, count: usize) -> Vec<String> {
        until("the relay's messages", async || Some(self.messages()).filter(|messages| messages.len() >= count)).await
    }

    /// A server's settings that send here.
    pub fn configure(&self, site: &Site) -> Settings {
        from(site.settings())
            .text("email.provider", "smtp")
            .text("email.smtp.host", self.address.ip().to_string())
            .set("email.smtp.port", self.address.port())
            .text("email.smtp.encryption", "none")
    }
}

pub fn from(settings: Settings) -> Settings {
    settings.text("email.from_address", "no-reply@example.com").text("email.from_name", "Example")
}

async fn talk(stream: TcpStream, shared: Arc<Mutex<Shared>>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 post\r\n").await.ok()?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if !line.starts_with("DATA") {
            stream.write_all(b"250 ok\r\n").await.ok()?;
            continue;
        }
        stream.write_all(b"354 go\r\n").await.ok()?;
        let mut message = String::new();
        while !message.ends_with("\r\n.\r\n") {
            // A sender that is killed in the middle has sent nothing.
            if stream.read_line(&mut message).await.ok()? == 0 {
                return None;
            }
        }
        let answer = {
            let mut shared = shared.lock().unwrap();
            shared.messages.push(message);
            shared.answer
        };
        let reply: &[u8] = match answer {
            Answer::Taken => b"250 taken\r\n",
            Answer::Later => b"451 later\r\n",
            Answer::Never => b"554 never\r\n",
            Answer::Silence => b"",
        };
        stream.write_all(reply).await.ok()?;
    }
}

/// The value of a header.
pub fn header<'m>(message: &'m str, name: &str) -> &'m str {
    let value = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name} in:\n{message}"))
}

/// The first text of a message, as its reader sees it.
pub fn text(message: &str) -> String {
    let Some(at) = message.find("Content-Type: text/plain") else { return String::new() };
    let (head, rest) = message[at..].split_once("\r\n\r\n").unwrap_or_default();
    let body = rest.split("\r\n--").next().unwrap_or_default();
    let head = head.to_ascii_lowercase();
    if head.contains("quoted-printable") {
        unquote(body)
    } else if head.contains("base64") {
        let packed: String = body.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        body.to_owned()
    }
}

/// RFC 2045, 6.7.
fn unquote(body: &str) -> String {
    let joined = body.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_str();
    while let Some((plain, coded)) = rest.split_once('=') {
        bytes.extend_from_slice(plain.as_bytes());
        let (digits, after) = coded.split_at(coded.len().min(2));
        bytes.extend(u8::from_str_radix(digits, 16));
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of the link to `path` in a text.
pub fn find_link(text: &str, path: &str) -> Option<String> {
    let rest = text.split_once(&format!("{path}?link="))?.1;
    Some(rest.split_whitespace().next()?.to_owned())
}

/// The queue, as the owner of the database sees it.
pub struct Queue(tokio_postgres::Client);

/// What became of a letter.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub state: String,
    pub attempts: i32,
    pub fault: Option<String>,
}

impl Queue {
    pub async fn of(site: &Site) -> Self {
        Self(site.database.connect(OWNER).await)
    }

    /// A letter as `sigid_platform::mail::enqueue` writes it; gives its id.
    pub async fn write(&self, recipient: &str) -> String {
        let sql = "insert into async.mail (mail_id, created_at, template, locale, recipient, recipient_key, next_at)
                   values (gen_random_uuid(), now(), 'test', 'en', $1, lower($1), now()) returning mail_id::text";
        self.0.query_one(sql, &[&recipient]).await.unwrap().get(0)
    }

    pub async fn row(&self, mail_id: &str) -> Row {
        let sql = "select state, attempts, fault from async.mail where mail_id::text = $1";
        let row = self.0.query_one(sql, &[&mail_id]).await.unwrap();
        Row { state: row.get(0), attempts: row.get(1), fault: row.get(2) }
    }

    /// Waits until a letter is in a state.
    pub async fn until(&self, mail_id: &str, state: &str) -> Row {
        let what = format!("the letter to be {state}");
        until(&what, async || Some(self.row(mail_id).await).filter(|row| row.state == state)).await
    }

    pub async fn count(&self, state: &str) -> i64 {
        self.0.query_one("select count(*) from async.mail where state = $1", &[&state]).await.unwrap().get(0)
    }

    /// Types and data of the events about a letter.
    pub async fn events(&self, mail_id: &str) -> Vec<(String, serde_json::Value)> {
        let rows = self.0.query("select event_type, data from async.events where subject = $1", &[&mail_id]).await;
        rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
    }
}
