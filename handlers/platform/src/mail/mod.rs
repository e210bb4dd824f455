//! Mail to people: letters are rows of `async.mail`, written in the transaction of what they are about, and sent by a
//! job.
//!
//! ```text
//!            enqueue                    claim: attempts + 1, next_at = lease's end, commit
//!  (change) ───────> queued ──────────────────────────────> prepare ──> send ──> sent
//!                      ^  │                                    │          │
//!                      │  │                                    └ Drop ──> dropped
//!                      │  └──── older than LETTER_LIFE_S ───────────────> dead
//!                      └── next_at = backoff + jitter <── temporary fault ┘
//!                                                         permanent fault ──> dead
//! ```
//!
//! * **At least once, one Message-ID.** The claim is committed before anything is prepared or sent, and its lease is longer
//!   than both together may take: a process that dies between claim and mark leaves a row that is due again when the
//!   lease ends. The Message-ID is the row's id at the issuer's host, however often it is sent, so a mail system drops the
//!   second copy.
//! * **Nothing is sent inside a transaction**, and no connection is held while a relay thinks.
//! * **What a letter says is decided when it is sent** ([`PrepareLetter`]): whoever enqueues does not know whether an address
//!   has an account, so nobody can tell from the time of the answer either.
//! * **Polling** every [`POLL`], and a bell in the process ([`ring`]) for those who wait in front of a screen. NOTIFY is
//!   not used: it serializes commits across the cluster.
//!
//! Attacks considered: mail as a weapon (at most [`LETTERS_HOURLY_MAX`] letters of a kind to one mailbox in an hour, in
//! whatever spelling of it; the rest are dropped, counted, and look the same to who asked; counted in the rows themselves,
//! so that nothing is used up by a request that failed, and a spared one only where no earlier letter would do:
//! [`Queued::is_crowd`]); a header smuggled into an address (`sigid_io::mail`); a poisoned link (links are made from the configured issuer when the letter is prepared, never from a
//! request); a relay that refuses for days (dead after [`LETTER_LIFE_S`], with an event); what a relay said in a log
//! (fixed words only).

pub mod config;
mod jobs;
mod model;
mod sql;

use crate::outbox::Event;
use config::Email;
use serde_json::Value;
use sigid_core::email::Address;
use sigid_core::ids::TenantId;
use sigid_edge::backend::Backend;
use sigid_edge::feature::{Feature, Job};
use sigid_io::backend::BoxFuture;
use sigid_io::mail::{Sender, SetupFault};
use sigid_io::metrics::{self, Counter, Gauge, Histogram};
use sigid_io::pg::{PgFault, Pool, Scope, Tx};
use sigid_io::rng;
use sigid_io::settings::Plane;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use uuid::{Builder, Uuid};

/// Letters of one template to one mailbox in an hour.
pub const LETTERS_HOURLY_MAX: i64 = 10;
/// A letter that has not been taken after this is dead.
pub const LETTER_LIFE_S: i64 = 86_400;
/// Letters that are prepared and sent at once.
pub const LETTERS_AT_ONCE_MAX: usize = 8;
/// How long a claim holds: longer than [`PREPARE_DEADLINE`] and the longest `timeout_secs` together.
pub const LEASE_S: i64 = 60;
/// How long preparing a letter may take.
pub const PREPARE_DEADLINE: Duration = Duration::from_secs(10);
/// Between two looks when nobody rings.
pub const POLL: Duration = Duration::from_millis(500);
/// A letter that any installation can send: to try its settings.
pub const TEST_TEMPLATE: &str = "test";

pub const FEATURE: Feature = Feature {
    name: "mail",
    section: Some("email"),
    routes: &[],
    jobs: &[Job { name: "mail", plane: Plane::Async, every_s: 1, run: jobs::deliver }],
    events: &[MAIL_DEAD],
    discovery: &[],
};

/// A letter was given up.
const MAIL_DEAD: &str = "mail.dead";

/// A letter to be written.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    pub template: &'static str,
    pub locale: &'a str,
    pub recipient: &'a str,
    pub tenant: Option<TenantId>,
    /// What its preparation needs: identifiers. Never a secret, never a link.
    pub data: Value,
}

/// Puts a letter in the queue, durable with the transaction. Gives its id, from which links may be derived.
///
/// # Errors
/// The database refused it.
pub async fn enqueue(tx: &mut Tx<'_>, letter: &Letter<'_>, now_s: i64) -> Result<Uuid, PgFault> {
    let mail_id = mail_id(now_s);
    sql::insert(tx, mail_id, letter, &key_of(letter.recipient), now_s).await?;
    Ok(mail_id)
}

/// Puts a letter in the queue that says nothing but that it came through.
///
/// # Errors
/// The database refused it.
pub async fn enqueue_test(pool: &Pool, recipient: &str, now_s: i64) -> Result<Uuid, PgFault> {
    let data = Value::Object(serde_json::Map::new());
    let letter = Letter { template: TEST_TEMPLATE, locale: "en", recipient, tenant: None, data };
    let mut tx = pool.begin(Scope::System("admin")).await?;
    let mail_id = enqueue(&mut tx, &letter, now_s).await?;
    tx.commit().await?;
    Ok(mail_id)
}

/// After the commit, where somebody waits for the letter: the job of this process looks at once.
pub fn ring(backend: &Backend) {
    if let Some(mailer) = backend.settings.find::<Arc<Mailer>>() {
        mailer.bell.notify_one();
    }
}

/// A letter whose turn it is.
#[derive(Clone, Debug)]
pub struct Queued {
    pub mail_id: Uuid,
    pub tenant: Option<TenantId>,
    pub template: String,
    pub locale: String,
    pub recipient: String,
    pub data: Value,
    pub created_s: i64,
    /// This one included.
    pub attempts: i32,
    /// When it was claimed.
    pub now_s: i64,
    /// [`LETTERS_HOURLY_MAX`] like it went to this mailbox in the hour before: to be dropped, unless those would not do.
    pub is_crowd: bool,
}

/// What becomes of a letter when its turn comes.
#[derive(Clone, Debug)]
pub enum Prepared {
    Send(Text),
    /// There is nothing to say to this address. The word is for the operator.
    Drop(&'static str),
}

/// What a letter says.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// In place of `email.from_name`: the tenant's brand.
    pub from_name: Option<String>,
    pub subject: String,
    pub text: String,
    pub html: Option<String>,
}

/// It could not be prepared; tried again later. A word for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrepareFault(pub &'static str);

/// Turns a row into a letter; may look things up and store what a link needs. Called again when it is sent again, so it
/// must give the same links.
pub type PrepareLetter = fn(Arc<Backend>, Queued) -> BoxFuture<'static, Result<Prepared, PrepareFault>>;

/// Who prepares the letters of this build; put into the backend's settings at boot.
#[derive(Clone, Copy)]
pub struct Preparer(pub PrepareLetter);

/// What the job works with; in the backend's settings as `Arc<Mailer>`.
pub struct Mailer {
    sender: Option<Sender>,
    /// The right-hand side of every Message-ID.
    host: String,
    bell: Notify,
    permits: Arc<Semaphore>,
    counters: Counters,
}

struct Counters {
    sent: Counter,
    retried: Counter,
    dropped: Counter,
    dead: Counter,
    waiting: Gauge,
    seconds: Histogram,
}

impl Mailer {
    /// Without a provider letters wait in the queue.
    ///
    /// # Errors
    /// What only the operator cures.
    pub fn new(email: &Email, issuer_host: &str) -> Result<Self, SetupFault> {
        let sender = email.settings.clone().map(Sender::new).transpose()?;
        if sender.is_none() {
            tracing::warn!("email.provider is not set: letters wait, for a day at most");
        }
        let permits = Arc::new(Semaphore::new(LETTERS_AT_ONCE_MAX));
        Ok(Self { sender, host: issuer_host.to_owned(), bell: Notify::new(), permits, counters: Counters::new() })
    }
}

impl Counters {
    fn new() -> Self {
        let outcome = |outcome| {
            metrics::counter("sigid_mail_total", "Letters by what became of an attempt.", &[("outcome", outcome)])
        };
        Self {
            sent: outcome("sent"),
            retried: outcome("retried"),
            dropped: outcome("dropped"),
            dead: outcome("dead"),
            waiting: metrics::gauge("sigid_mail_waiting", "Letters in the queue.", &[]),
            seconds: metrics::histogram("sigid_mail_seconds", "Handing a letter to the mail server.", &[]),
        }
    }
}

/// UUID version 7: ordered by time, unguessable within it.
fn mail_id(now_s: i64) -> Uuid {
    let now_ms = u64::try_from(now_s).unwrap_or(0).saturating_mul(1000);
    Builder::from_unix_timestamp_millis(now_ms, &rng::random()).into_uuid()
}

/// The mailbox, however it is spelt: for counting only. Most mail systems deliver `ann+tag@` to `ann@`; where one does
/// not, its people share a limit.
fn key_of(recipient: &str) -> String {
    let key = Address::parse(recipient).map_or_else(|_| recipient.trim().to_lowercase(), |address| address.key);
    match key.rsplit_once('@').and_then(|(local, domain)| Some((local.split_once('+')?.0, domain))) {
        Some((local, domain)) if !local.is_empty() => format!("{local}@{domain}"),
        _ => key,
    }
}

/// The address as mail systems take it: the domain in ASCII.
fn wire_address(recipient: &str) -> String {
    let Ok(address) = Address::parse(recipient) else { return recipient.to_owned() };
    match address.shown.rsplit_once('@') {
        Some((local, _)) => format!("{local}@{}", address.domain()),
        None => recipient.to_owned(),
    }
}

/// The event of a letter that was given up.
fn dead_event<'a>(queued: &Queued, id: &'a str, word: &str) -> Event<'a> {
    let data = serde_json::json!({ "template": queued.template, "attempts": queued.attempts, "fault": word });
    Event { tenant: queued.tenant, event_type: MAIL_DEAD, subject: id, data }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_mailbox_is_one_in_every_spelling() {
        for (reason, recipient, key, wire) in [
            ("plain", "ann@example.org", "ann@example.org", "ann@example.org"),
            ("case", "Ann@EXAMPLE.org", "ann@example.org", "Ann@example.org"),
            ("another script", "ann@bücher.example", "ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
            ("no address", " Ann ", "ann", " Ann "),
            ("a tag", "Ann+shop+2@example.org", "ann@example.org", "Ann+shop+2@example.org"),
            ("nothing but a tag", "+shop@example.org", "+shop@example.org", "+shop@example.org"),
        ] {
            assert_eq!((key_of(recipient).as_str(), wire_address(recipient).as_str()), (key, wire), "{reason}");
        }
    }

    #[test]
    fn a_lease_outlasts_what_it_covers() {
        assert!(LEASE_S > PREPARE_DEADLINE.as_secs() as i64 + config::TIMEOUT_S_MAX);
    }

    #[test]
    fn ids_are_ordered_by_time_and_differ() {
        assert!(mail_id(1_700_000_000) < mail_id(1_700_000_001));
        assert_ne!(mail_id(1), mail_id(1));
        assert_eq!(mail_id(1).get_version_num(), 7);
    }
}
