//! The checker's own record: what was acknowledged, by whom and when, and what may therefore be answered.
//!
//! Every answer is judged against it at once. An answer is wrong when it says of a token that it is alive although its
//! revocation had been acknowledged longer ago than the bound (or at all, by the same node); when it says of one that
//! nobody revoked that it is dead; when it is neither a good one nor a clean refusal; when it comes after its deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::support::ask::Reply;
use crate::support::seed::Credential;

/// `edge.max_stale_ms`.
pub const BOUND: Duration = Duration::from_secs(2);
/// What a loaded machine may add to it: the bound is read from a clock of a few milliseconds, and both sides wait for
/// their turn.
pub const SLACK: Duration = Duration::from_millis(500);
/// The backend's deadline, and what reading the answer may add.
pub const REPLY_WITHIN: Duration = Duration::from_secs(20 + 2);
const VIOLATIONS_KEPT: usize = 12;

#[derive(Default)]
pub struct Ledger(Mutex<Book>);

#[derive(Default)]
pub struct Book {
    pub tokens: Vec<Token>,
    pub clients: Vec<Client>,
    pub rotations: u32,
    pub answers: u64,
    pub refused: u64,
    pub lost: u64,
    pub commands_refused: u32,
    /// The longest that a token was said to be alive after its revocation was acknowledged.
    pub worst_active: Duration,
    pub worst_reply: Duration,
    violations_total: u64,
    violations: Vec<String>,
    /// Nodes that cannot hear of a revocation, since then.
    outages: BTreeMap<usize, Instant>,
    healed: Option<Instant>,
    /// By node, what it does again, and how long that took.
    returned: BTreeMap<usize, [Option<Duration>; KINDS.len()]>,
    /// Where the nodes' clocks stand, and since when.
    shift_s: i64,
    shift_before_s: i64,
    stepped: Option<Instant>,
}

pub struct Token {
    pub text: String,
    /// Whose it is: `None` for the seeded service, else an index of [`Book::clients`].
    pub client: Option<usize>,
    asked: bool,
    revoked: Option<(Instant, usize)>,
    /// Where the clock stood when it was issued: one of the future is not alive yet.
    shift_s: i64,
}

pub struct Client {
    pub credential: Credential,
    disable_asked: bool,
    disabled: Option<Instant>,
}

impl Client {
    /// Its credential, and whether it is disabled where that is known.
    pub fn expected(&self) -> (Credential, Option<bool>) {
        let is_disabled = match (self.disabled, self.disable_asked) {
            (Some(_), _) => Some(true),
            (None, false) => Some(false),
            (None, true) => None,
        };
        (self.credential.clone(), is_disabled)
    }
}

/// What a node is asked for, and must do again after a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Issue,
    Introspect,
    Revoke,
}

const KINDS: [Kind; 3] = [Kind::Issue, Kind::Introspect, Kind::Revoke];

/// What may be answered about a token, as known before it was asked about.
#[derive(Clone, Copy)]
pub struct Known {
    pub token: usize,
    /// How long ago its end was acknowledged; and at which node, if at one.
    dead: Option<(Instant, Option<usize>)>,
    asked: Instant,
}

impl Ledger {
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn issued(&self, text: String, client: Option<usize>) {
        let mut book = self.book();
        // A node that has not seen yet that its clock was moved goes by the old one.
        let shift_s = if book.is_stepping() { book.shift_s.max(book.shift_before_s) } else { book.shift_s };
        book.tokens.push(Token { text, client, asked: false, revoked: None, shift_s });
    }

    pub fn created(&self, credential: Credential) -> usize {
        let mut book = self.book();
        book.clients.push(Client { credential, disable_asked: false, disabled: None });
        book.clients.len() - 1
    }

    /// From here on the client may be disabled, whether or not that is acknowledged.
    pub fn asks_disable(&self, client: usize) {
        self.book().clients[client].disable_asked = true;
    }

    pub fn disabled(&self, client: usize) {
        self.book().clients[client].disabled = Some(Instant::now());
    }

    /// A token of the service's to revoke: the oldest that nobody has asked to.
    pub fn take_to_revoke(&self) -> Option<(usize, String)> {
        let mut book = self.book();
        let at = book.tokens.iter().position(|token| !token.asked && token.client.is_none())?;
        book.tokens[at].asked = true;
        Some((at, book.tokens[at].text.clone()))
    }

    pub fn revoked(&self, token: usize, node: usize) {
        self.book().tokens[token].revoked.get_or_insert((Instant::now(), node));
    }

    /// What is known of a token in the moment in which it is asked about; one of the last few, or any.
    pub fn choose(&self, number: usize) -> Option<(Known, String)> {
        let book = self.book();
        let count = book.tokens.len();
        let near = count.min(RECENT);
        let revoked = || book.tokens.iter().rposition(|token| token.revoked.is_some());
        let token = match number % 3 {
            0 => (number / 3) % count.max(1),
            1 => count.saturating_sub(1 + (number / 3) % near.max(1)),
            _ => revoked().unwrap_or(0).saturating_sub((number / 3) % 8),
        };
        (token < count).then(|| (book.know(token), book.tokens[token].text.clone()))
    }

    /// Judges an introspection of a token by the resource server.
    pub fn judge(&self, known: Known, node: usize, reply: &Reply) {
        let mut book = self.book();
        if reply.status != 200 {
            return;
        }
        book.answers += 1;
        if let Some(outage) = book.outages.get(&node).filter(|outage| known.asked > **outage + BOUND + SLACK) {
            let since = known.asked - *outage;
            book.violate(format!("node {node} answered from memory {since:?} after it lost its database"));
        }
        let is_active = reply.is_active();
        match known.dead {
            Some((since, by)) if is_active => {
                let late = known.asked.saturating_duration_since(since);
                book.worst_active = book.worst_active.max(late);
                if late > BOUND + SLACK {
                    book.violate(format!("node {node}: token {} alive {late:?} after its end", known.token));
                } else if by == Some(node) {
                    book.violate(format!("node {node}: token {} alive after this node revoked it", known.token));
                }
            }
            None if !is_active && !book.may_be_dead(known.token) => {
                book.violate(format!("node {node}: token {} is dead, and nobody ended it", known.token));
            }
            _ => {}
        }
    }

    /// Every reply that is not the good one must be a clean refusal.
    pub fn judge_refusal(&self, what: &str, node: usize, reply: &Reply) {
        let mut book = self.book();
        book.refused += 1;
        if reply.status != 503 || reply.header("retry-after").is_none() {
            book.violate(format!("node {node}: {what}: {} {}", reply.status, reply.text()));
        }
    }

    pub fn judge_time(&self, what: &str, node: usize, took: Duration) {
        let mut book = self.book();
        book.worst_reply = book.worst_reply.max(took);
        if took > REPLY_WITHIN {
            book.violate(format!("node {node}: {what} took {took:?}"));
        }
    }

    pub fn violate(&self, what: String) {
        self.book().violate(what);
    }

    pub fn note_good(&self, kind: Kind, node: usize) {
        let mut book = self.book();
        let Some(healed) = book.healed else { return };
        book.returned.entry(node).or_default()[kind as usize].get_or_insert(healed.elapsed());
    }

    /// From now on these nodes cannot hear of a revocation; past the bound they must not answer.
    pub fn begin_outage(&self, nodes: &[usize]) {
        let mut book = self.book();
        book.outages = nodes.iter().map(|node| (*node, Instant::now())).collect();
    }

    /// The fault is over: from here on it counts how long service takes to return.
    pub fn heal(&self) {
        let mut book = self.book();
        book.outages.clear();
        book.returned.clear();
        book.healed = Some(Instant::now());
    }

    /// How long the slowest service of so many nodes took to return, when all has.
    pub fn returned(&self, nodes: usize) -> Option<Duration> {
        let book = self.book();
        let all: Vec<Duration> = book.returned.values().flatten().copied().collect::<Option<_>>()?;
        (all.len() == nodes * KINDS.len()).then(|| all.into_iter().max()).flatten()
    }

    /// The nodes' clocks are being moved.
    pub fn step(&self, shift_s: i64) {
        let mut book = self.book();
        (book.shift_before_s, book.shift_s, book.stepped) = (book.shift_s, shift_s, Some(Instant::now()));
    }

    pub fn violations(&self) -> (u64, Vec<String>) {
        let book = self.book();
        (book.violations_total, book.violations.clone())
    }
}

impl Book {
    fn violate(&mut self, what: String) {
        self.violations_total += 1;
        if self.violations.len() < VIOLATIONS_KEPT {
            self.violations.push(what);
        }
    }

    fn know(&self, token: usize) -> Known {
        let entry = &self.tokens[token];
        let disabled = entry.client.and_then(|client| self.clients[client].disabled).map(|since| (since, None));
        let dead = entry.revoked.map(|(since, node)| (since, Some(node))).or(disabled);
        Known { token, dead, asked: Instant::now() }
    }

    /// Every token, and what is known of it.
    pub fn known(&self) -> Vec<(Known, String)> {
        (0..self.tokens.len()).map(|token| (self.know(token), self.tokens[token].text.clone())).collect()
    }

    /// Somebody has asked for its end, so it may have come although nobody acknowledged it.
    fn may_be_dead(&self, token: usize) -> bool {
        let entry = &self.tokens[token];
        let is_of_the_future = entry.shift_s > self.shift_s || self.is_stepping();
        is_of_the_future || entry.asked || entry.client.is_some_and(|client| self.clients[client].disable_asked)
    }

    fn is_stepping(&self) -> bool {
        self.stepped.is_some_and(|at| at.elapsed() < STEPPED_WITHIN)
    }

    /// Tokens whose revocation was asked for and not acknowledged.
    pub fn unanswered(&self) -> Vec<(usize, String)> {
        let open = |token: &Token| token.asked && token.revoked.is_none();
        let all = self.tokens.iter().enumerate().filter(|(_, token)| open(token));
        all.map(|(at, token)| (at, token.text.clone())).collect()
    }

    pub fn revoked_count(&self) -> usize {
        self.tokens.iter().filter(|token| token.revoked.is_some()).count()
    }

    pub fn disabled_count(&self) -> usize {
        self.clients.iter().filter(|client| client.disabled.is_some()).count()
    }

    /// No two tokens are the same, or one of them was acknowledged twice.
    pub fn distinct_tokens(&self) -> usize {
        self.tokens.iter().map(|token| token.text.as_str()).collect::<BTreeSet<_>>().len()
    }
}

/// By when every node has seen that its clock was moved.
const STEPPED_WITHIN: Duration = Duration::from_secs(2);
/// Tokens that count as recent.
const RECENT: usize = 32;
