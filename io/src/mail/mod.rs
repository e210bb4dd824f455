//! Sending one message: to an SMTP relay (RFC 5321) or to a provider's HTTP interface.
//!
//! [`Sender::send`] composes, hands over, and says one of three things: taken, try again, never. What a server said is
//! not repeated, since it quotes addresses; a fixed word is. One call is bounded by one deadline, from the name lookup
//! to the last reply.
//!
//! Alternatives rejected: lettre's SMTP client (0.11.23: after STARTTLS it keeps what came before the handshake, so that
//! somebody on the path can answer in the server's place; it reads without a deadline, and a read that is given up
//! leaves its connection in the pool, where the late reply passes for that of the next message); an HTTP client crate
//! for one request with a dozen headers. Composing a message is lettre's part, and does it well.
//!
//! Attacks considered: a line break in an address, a name or a subject (refused before anything is sent: header and
//! command injection); a reply injected before the handshake (RFC 3207 section 4.2, see [`smtp`]); a relay that
//! stops offering STARTTLS (refused: it is required or off, never "if offered"); a certificate of another name (always
//! verified); an endless reply (bounded); credentials in the clear (only to this machine).

mod compose;
pub(crate) mod dial;
mod http_api;
mod smtp;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

/// Bytes of an address; RFC 5321 section 4.5.3.1 allows 64 before the at sign and 255 after it.
pub const ADDRESS_BYTES_MAX: usize = 320;
/// Bytes of a subject or a display name.
pub const LINE_BYTES_MAX: usize = 900;
/// Bytes of each of the two texts.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;
/// Connections to the relay that are kept for the next message.
pub const PARKED_CONNECTIONS_MAX: usize = 8;
/// Bytes of one reply of a relay, or of the head of a provider's.
pub const REPLY_BYTES_MAX: usize = 16 * 1024;

/// Who writes, and how it leaves. Holds credentials, so there is no `Debug`.
#[derive(Clone)]
pub struct MailSettings {
    pub from_address: String,
    /// The display name of the sender, where a message brings none.
    pub from_name: Option<String>,
    /// What this server calls itself in EHLO.
    pub hello: String,
    /// From the first byte of the name lookup to the last of the answer.
    pub timeout: Duration,
    /// Vouches for the server in place of the system's bundle.
    pub ca_pem_path: Option<PathBuf>,
    pub transport: Transport,
}

#[derive(Clone)]
pub enum Transport {
    Smtp(SmtpSettings),
    HttpApi(HttpApiSettings),
}

#[derive(Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    /// User and password; without them AUTH is not spoken.
    pub credentials: Option<(String, Zeroizing<String>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Begins in the clear and must turn to TLS (RFC 3207), or nothing is sent.
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// None; only to this machine.
    Off,
}

#[derive(Clone)]
pub struct HttpApiSettings {
    pub is_https: bool,
    pub host: String,
    pub port: u16,
    /// Path and query.
    pub target: String,
    /// Names and values; `{{message_id}}` in a value is filled in.
    pub headers: Vec<(String, Zeroizing<String>)>,
    /// JSON with the placeholders of [`PLACEHOLDERS`] inside of its strings.
    pub body: Zeroizing<String>,
}

/// What a body template may name, written `{{name}}`.
pub const PLACEHOLDERS: [&str; 7] = ["from", "from_name", "to", "subject", "text", "html", "message_id"];

/// One message to one person.
#[derive(Clone, Debug)]
pub struct Message {
    /// Without its angle brackets; the same each time it is sent.
    pub message_id: String,
    /// In place of the configured display name.
    pub from_name: Option<String>,
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
    /// Beside the ones every message has.
    pub headers: Vec<(&'static str, String)>,
    /// The Date header.
    pub date: SystemTime,
}

/// Why a message was not taken, in a word for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFault {
    /// Another attempt may succeed.
    Temporary(&'static str),
    /// No attempt of this message will.
    Permanent(&'static str),
}

impl SendFault {
    pub fn word(self) -> &'static str {
        match self {
            Self::Temporary(word) | Self::Permanent(word) => word,
        }
    }
}

impl fmt::Display for SendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why there is no sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupFault {
    /// The certificates that vouch for the server cannot be read.
    Trust,
    /// The sender's own address or name is none.
    From,
    /// The host is no name that a certificate could have.
    Host,
}

impl fmt::Display for SetupFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "the certificates that the mail server is checked against cannot be read",
            Self::From => "the sender's address cannot be used",
            Self::Host => "the mail server's name cannot be used",
        })
    }
}

/// Hands messages over. One for the process.
pub struct Sender {
    settings: MailSettings,
    route: Route,
}

enum Route {
    Smtp(smtp::Client),
    HttpApi(http_api::Client),
}

impl Sender {
    /// Reads the certificates; connects to nobody yet.
    ///
    /// # Errors
    /// What only the operator cures.
    pub fn new(settings: MailSettings) -> Result<Self, SetupFault> {
        compose::check_sender(&settings)?;
        let trust = settings.ca_pem_path.as_deref();
        let route = match &settings.transport {
            Transport::Smtp(smtp) => Route::Smtp(smtp::Client::new(smtp.clone(), settings.hello.clone(), trust)?),
            Transport::HttpApi(api) => Route::HttpApi(http_api::Client::new(api.clone(), trust)?),
        };
        Ok(Self { settings, route })
    }

    /// Returns when the server has taken the message. After a [`SendFault::Temporary`] it may have been taken all
    /// the same.
    ///
    /// # Errors
    /// It was refused, or nothing was heard within the deadline.
    pub async fn send(&self, message: &Message) -> Result<(), SendFault> {
        compose::check(message)?;
        let sending = async {
            match &self.route {
                Route::Smtp(client) => client.send(&self.settings, message).await,
                Route::HttpApi(client) => client.send(&self.settings, message).await,
            }
        };
        tokio::time::timeout(self.settings.timeout, sending).await.unwrap_or(Err(SendFault::Temporary("timeout")))
    }
}
