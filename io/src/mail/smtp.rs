//! A client of SMTP submission (RFC 6409): EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA.
//!
//! ```text
//! connect ─> [TLS] ─> greeting ─> EHLO ─> [STARTTLS ─> TLS ─> EHLO] ─> [AUTH] ─> ready ─> MAIL RCPT DATA ─> parked
//!                                                                         └── RSET answered <──────────────┘
//! ```
//!
//! Strictly one command and one reply: a byte that is there before it was asked for is a breach of the protocol and
//! ends the connection. That is what keeps a reply that was slipped in before the handshake (RFC 3207 section 4.2) from
//! being read after it, and a late reply from being taken for the next one. A connection is parked only after its
//! message was answered; one that is dropped halfway, by deadline or fault, is closed.
//!
//! A relay's 5yz to our credentials or our sender is the operator's to mend, so the message waits; to the recipient or
//! to the content it is final.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::SendFault::{Permanent, Temporary};
use super::dial::{self, Stream, Tls};
use super::{
    Encryption, MailSettings, Message, PARKED_CONNECTIONS_MAX, REPLY_BYTES_MAX, SendFault, SetupFault, SmtpSettings,
    compose,
};

pub(super) struct Client {
    settings: SmtpSettings,
    hello: String,
    tls: Option<Tls>,
    parked: Arc<Mutex<Vec<Parked>>>,
}

struct Parked {
    conn: Conn,
    since: Instant,
}

impl Client {
    pub(super) fn new(settings: SmtpSettings, hello: String, ca_pem: Option<&Path>) -> Result<Self, SetupFault> {
        let tls = match settings.encryption {
            Encryption::Off => None,
            Encryption::Starttls | Encryption::Tls => Some(Tls::new(&settings.host, ca_pem, &[])?),
        };
        Ok(Self { settings, hello, tls, parked: Arc::default() })
    }

    pub(super) async fn send(&self, settings: &MailSettings, message: &Message) -> Result<(), SendFault> {
        let bytes = stuff(&compose::compose(settings, message)?);
        let mut conn = match self.take_parked().await {
            Some(conn) => conn,
            None => self.open().await?,
        };
        conn.deliver(&settings.from_address, &message.to, &bytes).await?;
        self.park(conn);
        Ok(())
    }

    async fn open(&self) -> Result<Conn, SendFault> {
        let stream = dial::connect(&self.settings.host, self.settings.port).await?;
        let mut conn = match (&self.tls, self.settings.encryption) {
            (Some(tls), Encryption::Starttls) => {
                let stream = Opening::new(stream).turn_to_tls(&self.hello).await?;
                Conn::new(tls.wrap(stream).await?)
            }
            (Some(tls), _) => Conn::greeted(tls.wrap(stream).await?).await?,
            (None, _) => Conn::greeted(Box::new(stream)).await?,
        };
        conn.hello(&self.hello).await?;
        if let Some((user, password)) = &self.settings.credentials {
            conn.authenticate(user, password).await?;
        }
        Ok(conn)
    }

    /// A connection that was good and still answers.
    async fn take_parked(&self) -> Option<Conn> {
        loop {
            let parked = self.lock().pop()?;
            let mut conn = parked.conn;
            if parked.since.elapsed() < PARKED_MAX && conn.command("RSET").await.is_ok_and(|reply| reply.is(250)) {
                return Some(conn);
            }
        }
    }

    fn park(&self, conn: Conn) {
        let mut parked = self.lock();
        if parked.len() < PARKED_CONNECTIONS_MAX {
            parked.push(Parked { conn, since: Instant::now() });
            tokio::spawn(forget(Arc::downgrade(&self.parked)));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Parked>> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what nobody used again.
async fn forget(parked: std::sync::Weak<Mutex<Vec<Parked>>>) {
    tokio::time::sleep(PARKED_MAX).await;
    if let Some(parked) = parked.upgrade() {
        parked.lock().unwrap_or_else(PoisonError::into_inner).retain(|parked| parked.since.elapsed() < PARKED_MAX);
    }
}

/// The part in the clear, before STARTTLS.
struct Opening(Conn<TcpStream>);

impl Opening {
    fn new(stream: TcpStream) -> Self {
        Self(Conn::new(stream))
    }

    /// The bare stream, after the server agreed and said nothing more.
    async fn turn_to_tls(self, hello: &str) -> Result<TcpStream, SendFault> {
        let mut conn = self.0;
        conn.greeting().await?;
        conn.hello(hello).await?;
        if !conn.offers.starttls || !conn.command("STARTTLS").await?.is(220) {
            return Err(Temporary("no starttls"));
        }
        if conn.received.is_empty() { Ok(conn.stream) } else { Err(Temporary("protocol")) }
    }
}

struct Conn<S = Box<dyn Stream>> {
    stream: S,
    received: Vec<u8>,
    offers: Offers,
}

/// Of the extensions that EHLO lists.
#[derive(Default)]
struct Offers {
    starttls: bool,
    utf8: bool,
    plain: bool,
    login: bool,
    size_max: Option<usize>,
}

impl Conn {
    async fn greeted(stream: Box<dyn Stream>) -> Result<Self, SendFault> {
        let mut conn = Self::new(stream);
        conn.greeting().await?;
        Ok(conn)
    }
}

impl<S: Stream> Conn<S> {
    fn new(stream: S) -> Self {
        Self { stream, received: Vec::new(), offers: Offers::default() }
    }

    async fn greeting(&mut self) -> Result<(), SendFault> {
        self.reply().await?.want(220, Temporary("greeting"))
    }

    async fn hello(&mut self, name: &str) -> Result<(), SendFault> {
        let reply = self.command(&format!("EHLO {name}")).await?;
        reply.want(250, Temporary("greeting"))?;
        self.offers = Offers::read(&reply.lines);
        Ok(())
    }

    /// PLAIN (RFC 4616), or LOGIN where there is nothing else.
    async fn authenticate(&mut self, user: &str, password: &str) -> Result<(), SendFault> {
        let refused = Temporary("credentials");
        let encoded = |text: &str| Zeroizing::new(STANDARD.encode(text));
        if self.offers.plain {
            let initial = encoded(&Zeroizing::new(format!("\0{user}\0{password}")));
            return self.command(&Zeroizing::new(format!("AUTH PLAIN {}", *initial))).await?.want(235, refused);
        }
        if !self.offers.login {
            return Err(Temporary("no authentication offered"));
        }
        self.command("AUTH LOGIN").await?.want(334, refused)?;
        self.command(&encoded(user)).await?.want(334, refused)?;
        self.command(&encoded(password)).await?.want(235, refused)
    }

    async fn deliver(&mut self, from: &str, to: &str, bytes: &[u8]) -> Result<(), SendFault> {
        let is_ascii = from.is_ascii() && to.is_ascii();
        if !is_ascii && !self.offers.utf8 {
            return Err(Permanent("no internationalized mail"));
        }
        if self.offers.size_max.is_some_and(|max| max > 0 && bytes.len() > max) {
            return Err(Permanent("size"));
        }
        let utf8 = if is_ascii { "" } else { " SMTPUTF8" };
        self.command(&format!("MAIL FROM:<{from}>{utf8}")).await?.want(250, Temporary("sender"))?;
        let reply = self.command(&format!("RCPT TO:<{to}>")).await?;
        if !reply.is(251) {
            reply.want(250, reply.fault("recipient"))?;
        }
        let reply = self.command("DATA").await?;
        reply.want(354, reply.fault("content"))?;
        self.write(bytes).await?;
        let reply = self.reply().await?;
        reply.want(250, reply.fault("content"))
    }

    async fn command(&mut self, line: &str) -> Result<Reply, SendFault> {
        self.write(Zeroizing::new(format!("{line}\r\n")).as_bytes()).await?;
        self.reply().await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SendFault> {
        let written = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        written.await.map_err(|_| Temporary("connection lost"))
    }

    /// One reply, and not a byte more.
    async fn reply(&mut self) -> Result<Reply, SendFault> {
        loop {
            if let Some(reply) = Reply::parse(&self.received)? {
                self.received.clear();
                return Ok(reply);
            }
            if self.received.len() > REPLY_BYTES_MAX {
                return Err(Temporary("protocol"));
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(1..) => {}
                _ => return Err(Temporary("connection lost")),
            }
        }
    }
}

impl Offers {
    fn read(lines: &[String]) -> Self {
        let mut offers = Self::default();
        for line in lines.iter().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']);
            match words.next() {
                Some("STARTTLS") => offers.starttls = true,
                Some("SMTPUTF8") => offers.utf8 = true,
                Some("SIZE") => offers.size_max = words.next().and_then(|size| size.parse().ok()),
                Some("AUTH") => words.for_each(|word| match word {
                    "PLAIN" => offers.plain = true,
                    "LOGIN" => offers.login = true,
                    _ => {}
                }),
                _ => {}
            }
        }
        offers
    }
}

/// A reply's code and the text of its lines (RFC 5321 section 4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reply {
    code: u16,
    lines: Vec<String>,
}

impl Reply {
    /// `None` while its last line is not there. Lines of different codes, and bytes after the end, are a breach.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, SendFault> {
        let breach = Temporary("protocol");
        let mut reply: Option<Self> = None;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            let line = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok()).filter(|code| (200..600).contains(code));
            let code = code.ok_or(breach)?;
            let reply = reply.get_or_insert(Self { code, lines: Vec::new() });
            if reply.code != code {
                return Err(breach);
            }
            let is_last = !line.get(3..).is_some_and(|text| text.starts_with('-'));
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            if is_last {
                let Self { code, lines } = reply;
                let done = Self { code: *code, lines: std::mem::take(lines) };
                return if after.is_empty() { Ok(Some(done)) } else { Err(breach) };
            }
            rest = after;
        }
        Ok(None)
    }

    fn is(&self, code: u16) -> bool {
        self.code == code
    }

    fn want(&self, code: u16, otherwise: SendFault) -> Result<(), SendFault> {
        if self.is(code) { Ok(()) } else { Err(otherwise) }
    }

    /// 5yz is final, anything else may pass.
    fn fault(&self, word: &'static str) -> SendFault {
        if self.code >= 500 { Permanent(word) } else { Temporary(word) }
    }
}

/// The data as it travels: lines ended by CR LF, a leading dot doubled (RFC 5321 section 4.5.2), the final dot.
fn stuff(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.starts_with(b".") {
            stuffed.push(b'.');
        }
        // A lone CR would be a line's end to some servers, and with it a way to end the data.
        stuffed.extend(text.iter().filter(|byte| **byte != b'\r'));
        stuffed.extend_from_slice(b"\r\n");
    }
    stuffed.extend_from_slice(b".\r\n");
    stuffed
}

/// How long a connection waits for another message.
const PARKED_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_whole_or_refused() {
        let reply = |code, lines: &[&str]| {
            Ok(Some(Reply { code, lines: lines.iter().map(|line| (*line).to_owned()).collect() }))
        };
        let breach = Err(Temporary("protocol"));
        for (reason, bytes, expected) in [
            ("one line", "250 ok\r\n", reply(250, &["ok"])),
            ("a code alone", "354\r\n", reply(354, &[""])),
            ("many lines", "250-a\r\n250-b c\r\n250 d\r\n", reply(250, &["a", "b c", "d"])),
            ("a bare line feed", "220 hi\n", reply(220, &["hi"])),
            ("nothing", "", Ok(None)),
            ("half a line", "250 o", Ok(None)),
            ("the last line is missing", "250-a\r\n", Ok(None)),
            ("a second reply nobody asked for", "220 go\r\n250 slipped in\r\n", breach.clone()),
            ("half a second reply", "220 go\r\n2", breach.clone()),
            ("two codes in one", "250-a\r\n550 b\r\n", breach.clone()),
            ("no code", "hello\r\n", breach.clone()),
            ("a code out of range", "999 x\r\n", breach.clone()),
            ("an empty line", "\r\n", breach),
        ] {
            assert_eq!(Reply::parse(bytes.as_bytes()), expected, "{reason}");
        }
    }

    #[test]
    fn offers_are_read_in_any_case() {
        let lines = ["relay.example", "starttls", "SIZE 1000", "AUTH=LOGIN PLAIN", "SmtpUtf8", "X-OTHER"];
        let offers = Offers::read(&lines.map(str::to_owned));
        assert!(offers.starttls && offers.utf8 && offers.plain && offers.login);
        assert_eq!(offers.size_max, Some(1000));
        let none = Offers::read(&["STARTTLS".to_owned()]);
        assert!(!none.starttls, "the first line is the server's name");
    }

    #[test]
    fn data_cannot_end_before_its_end() {
        for (reason, message, expected) in [
            ("plain", "a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
            ("a dot alone", "a\r\n.\r\nRCPT TO:<x>\r\n", "a\r\n..\r\nRCPT TO:<x>\r\n.\r\n"),
            ("a leading dot", ".a\r\n", "..a\r\n.\r\n"),
            ("bare line feeds", "a\n.\nb\n", "a\r\n..\r\nb\r\n.\r\n"),
            ("bare carriage returns", "a\r.\rb", "a.b\r\n.\r\n"),
            ("no line's end", "a", "a\r\n.\r\n"),
            ("nothing", "", ".\r\n"),
        ] {
            assert_eq!(String::from_utf8(stuff(message.as_bytes())).unwrap(), expected, "{reason}");
        }
    }

    #[test]
    fn a_refusal_is_final_only_for_what_the_message_is_to_blame_for() {
        let reply = |code| Reply { code, lines: vec![] };
        assert_eq!(reply(550).fault("recipient"), Permanent("recipient"));
        assert_eq!(reply(450).fault("recipient"), Temporary("recipient"));
        assert_eq!(reply(250).fault("content"), Temporary("content"), "an answer that makes no sense here");
    }
}
