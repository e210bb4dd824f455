//! The load of a drill: a few clients that issue, revoke and ask all the time, and an administrator. Open loop: each
//! has its beat and keeps it as well as it can.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::task::JoinSet;

use super::ledger::{BOUND, Client, Kind, Known, Ledger, REPLY_WITHIN, SLACK};
use crate::support::ask::{Ask, Reply, introspect, revoke, token};
use crate::support::cli;
use crate::support::connect::{Offer, exchange, request};
use crate::support::seed::{API, Credential, client};
use crate::support::wait::pass;

/// A node as its clients see it.
pub struct Node {
    pub number: usize,
    pub address: std::net::SocketAddr,
    pub offer: Offer,
    is_dead: AtomicBool,
    deaths: AtomicU64,
}

impl Node {
    pub fn new(number: usize, address: std::net::SocketAddr, offer: Offer) -> Arc<Self> {
        Arc::new(Self { number, address, offer, is_dead: AtomicBool::new(false), deaths: AtomicU64::new(0) })
    }

    /// From here on its connections may break and be refused.
    pub fn dies(&self) {
        self.deaths.fetch_add(1, SeqCst);
        self.is_dead.store(true, SeqCst);
    }

    /// From here on they may not.
    pub fn lives(&self) {
        self.is_dead.store(false, SeqCst);
    }

    /// Changes when the node dies; odd while it is dead.
    fn life(&self) -> (u64, bool) {
        (self.deaths.load(SeqCst), self.is_dead.load(SeqCst))
    }
}

/// What became of a request.
pub enum Heard {
    Reply(Reply),
    /// No reply. That the node was dead has been checked.
    Nothing,
}

/// A connection to a node, made again when it breaks.
pub struct Line {
    node: Arc<Node>,
    ledger: Arc<Ledger>,
    open: Option<(SendRequest<Bytes>, (u64, bool))>,
}

impl Line {
    pub fn new(node: &Arc<Node>, ledger: &Arc<Ledger>) -> Self {
        Self { node: node.clone(), ledger: ledger.clone(), open: None }
    }

    /// Asks once. What comes late, and what breaks while the node lives, is a violation.
    pub async fn ask(&mut self, what: &str, ask: &Ask) -> Heard {
        let began = Instant::now();
        let life = self.open.as_ref().map_or_else(|| self.node.life(), |(_, life)| *life);
        let asked = tokio::time::timeout(REPLY_WITHIN + Duration::from_secs(5), self.exchange(ask)).await;
        self.ledger.judge_time(what, self.node.number, began.elapsed());
        let fault = match asked {
            Ok(Ok(reply)) => return Heard::Reply(reply),
            Ok(Err(fault)) => fault,
            Err(_) => "no answer at all".to_owned(),
        };
        self.open = None;
        self.ledger.book().lost += 1;
        let now = self.node.life();
        if now == life && !now.1 {
            self.ledger.violate(format!("node {}: {what}: {fault}, while it lives", self.node.number));
        }
        Heard::Nothing
    }

    async fn exchange(&mut self, ask: &Ask) -> Result<Reply, String> {
        let send = if let Some((send, _)) = &self.open {
            send.clone()
        } else {
            let life = self.node.life();
            let send = connect(&self.node).await?;
            self.open.insert((send, life)).0.clone()
        };
        let authority = format!("localhost:{}", self.node.address.port());
        exchange(send, request(ask, &authority), ask.body.clone()).await.map_err(|fault| format!("lost: {fault}"))
    }
}

async fn connect(node: &Node) -> Result<SendRequest<Bytes>, String> {
    let socket = tokio::net::TcpStream::connect(node.address).await.map_err(|fault| format!("connect: {fault}"))?;
    let tls = node.offer.wrap(socket).await.map_err(|fault| format!("TLS: {fault}"))?;
    let (send, connection) = h2::client::handshake(tls).await.map_err(|fault| format!("HTTP/2: {fault}"))?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(send)
}

/// What everybody in a drill shares.
#[derive(Clone)]
pub struct Stage {
    pub nodes: Vec<Arc<Node>>,
    pub ledger: Arc<Ledger>,
    /// What the administrator's commands read.
    pub config: PathBuf,
    /// Moves the administrator's clock with the nodes'.
    pub clock: PathBuf,
}

/// What a client does at each beat.
#[derive(Clone, Copy)]
enum Task {
    Issue,
    Revoke,
    Ask,
}

/// The clients at work.
pub struct Load {
    stage: Stage,
    is_over: Arc<AtomicBool>,
    tasks: JoinSet<()>,
}

impl Load {
    pub fn start(stage: &Stage) -> Self {
        let mut load = Self { stage: stage.clone(), is_over: Arc::default(), tasks: JoinSet::new() };
        let numbers = Arc::new(AtomicUsize::new(0));
        for node in &stage.nodes {
            for (task, beat_ms) in [(Task::Issue, 20), (Task::Revoke, 40), (Task::Ask, 8), (Task::Ask, 8)] {
                let line = Line::new(node, &stage.ledger);
                load.tasks.spawn(keep(task, beat_ms, line, numbers.clone(), load.is_over.clone()));
            }
        }
        load.tasks.spawn(administer(stage.clone(), load.is_over.clone()));
        load
    }

    /// Lets everybody finish what they are at.
    pub async fn stop(mut self) {
        self.is_over.store(true, SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(fault) = ended {
                self.stage.ledger.violate(format!("the checker itself failed: {fault}"));
            }
        }
    }
}

async fn keep(task: Task, beat_ms: u64, mut line: Line, numbers: Arc<AtomicUsize>, is_over: Arc<AtomicBool>) {
    let mut beats = tokio::time::interval(Duration::from_millis(beat_ms));
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !is_over.load(SeqCst) {
        beats.tick().await;
        match task {
            Task::Issue => drop(issue(&mut line, &client("service"), None).await),
            Task::Revoke => revoke_one(&mut line).await,
            Task::Ask => ask_one(&mut line, numbers.fetch_add(1, SeqCst)).await,
        }
    }
}

/// A token, recorded when it is acknowledged.
async fn issue(line: &mut Line, owner: &Credential, of: Option<usize>) -> Option<String> {
    let Heard::Reply(reply) = line.ask("token", &token(owner, &[])).await else { return None };
    if reply.status != 200 {
        line.ledger.judge_refusal("token", line.node.number, &reply);
        return None;
    }
    let issued = reply.token();
    line.ledger.issued(issued.clone(), of);
    line.ledger.note_good(Kind::Issue, line.node.number);
    Some(issued)
}

async fn revoke_one(line: &mut Line) {
    if let Some((at, text)) = line.ledger.take_to_revoke() {
        revoke_this(line, at, &text).await;
    }
}

async fn revoke_this(line: &mut Line, at: usize, text: &str) -> bool {
    let Heard::Reply(reply) = line.ask("revoke", &revoke(&client("service"), text)).await else { return false };
    if reply.status != 200 {
        line.ledger.judge_refusal("revoke", line.node.number, &reply);
        return false;
    }
    line.ledger.revoked(at, line.node.number);
    line.ledger.note_good(Kind::Revoke, line.node.number);
    true
}

async fn ask_one(line: &mut Line, number: usize) {
    if let Some((known, text)) = line.ledger.choose(number) {
        ask_this(line, known, &text).await;
    }
}

/// Whether it was answered at all.
async fn ask_this(line: &mut Line, known: Known, text: &str) -> bool {
    let Heard::Reply(reply) = line.ask("introspect", &introspect(&client("api"), text)).await else { return false };
    if reply.status != 200 {
        line.ledger.judge_refusal("introspect", line.node.number, &reply);
        return false;
    }
    line.ledger.judge(known, line.node.number, &reply);
    line.ledger.note_good(Kind::Introspect, line.node.number);
    true
}

/// Creates clients, lets each have a token, disables every other one, and rotates the key now and then.
async fn administer(stage: Stage, is_over: Arc<AtomicBool>) {
    let mut lines: Vec<Line> = stage.nodes.iter().map(|node| Line::new(node, &stage.ledger)).collect();
    for turn in 0.. {
        if is_over.load(SeqCst) {
            return;
        }
        if turn % 5 == 4 && stage.command(&["key", "rotate", "--now"]).await.is_some() {
            stage.ledger.book().rotations += 1;
        }
        let create = ["client", "create", "--tenant", "one", "--grant-type", "client_credentials", "--resource", API];
        let Some(made) = stage.command(&create).await else { continue };
        let text = |member: &str| made[member].as_str().unwrap_or_default().to_owned();
        let credential = Credential { id: text("client_id"), secret: text("client_secret") };
        let number = stage.ledger.created(credential.clone());
        let at = turn % lines.len();
        issue(&mut lines[at], &credential, Some(number)).await;
        if turn % 2 == 1 {
            stage.ledger.asks_disable(number);
            if stage.command(&["client", "disable", &credential.id]).await.is_some() {
                stage.ledger.disabled(number);
            }
        }
    }
}

impl Stage {
    /// What a command printed, when it was done. One that was refused must say that the database is out of reach.
    async fn command(&self, arguments: &[&str]) -> Option<serde_json::Value> {
        let mut all: Vec<String> = ["admin", "-c"].map(str::to_owned).to_vec();
        all.push(self.config.display().to_string());
        all.extend(["--json".to_owned(), "--clock-offset-file".to_owned(), self.clock.display().to_string()]);
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let run = move || cli::run(&all.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
        let ended = match tokio::task::spawn_blocking(run).await {
            Ok(ended) => ended,
            Err(fault) => {
                self.ledger.violate(format!("{arguments:?}: {fault}"));
                return None;
            }
        };
        match ended.code {
            0 => serde_json::from_str(&ended.out).ok().or(Some(serde_json::Value::Null)),
            // 69: out of reach. 1: reached, and it could do no work, as on a full disk.
            1 | 69 if ended.err.starts_with("sigid admin: database ") => {
                self.ledger.book().commands_refused += 1;
                None
            }
            code => {
                self.ledger.violate(format!("{arguments:?}: exit {code}: {}", ended.err.trim()));
                None
            }
        }
    }

    /// After the load: what nobody answered is asked again until it is; then everything that was acknowledged is
    /// looked at on every node.
    pub async fn settle(&self) {
        let mut lines: Vec<Line> = self.nodes.iter().map(|node| Line::new(node, &self.ledger)).collect();
        let due = Instant::now() + SETTLED_WITHIN;
        let unanswered = self.ledger.book().unanswered();
        for (at, text) in unanswered {
            while !revoke_this(&mut lines[0], at, &text).await {
                if Instant::now() > due {
                    self.ledger.violate("a refused revocation cannot be made good".to_owned());
                    return;
                }
                pass(AGAIN).await;
            }
        }
        self.look_at_everything(&mut lines, due).await;
        self.look_at_clients(&mut lines[0]).await;
        let book = self.ledger.book();
        let (all, distinct) = (book.tokens.len(), book.distinct_tokens());
        drop(book);
        if all != distinct {
            self.ledger.violate(format!("{all} tokens were issued, and only {distinct} are different"));
        }
    }

    async fn look_at_everything(&self, lines: &mut [Line], due: Instant) {
        // Whatever was acknowledged a moment ago has the bound to reach the others.
        pass(BOUND + SLACK * 2).await;
        let all = self.ledger.book().known();
        for line in lines {
            for (known, text) in &all {
                while !ask_this(line, *known, text).await {
                    if Instant::now() > due {
                        self.ledger.violate(format!("node {} does not answer any more", line.node.number));
                        return;
                    }
                    pass(AGAIN).await;
                }
            }
        }
    }

    /// A client that was created can ask; one that was disabled cannot.
    async fn look_at_clients(&self, line: &mut Line) {
        let clients: Vec<(Credential, Option<bool>)> =
            self.ledger.book().clients.iter().map(Client::expected).collect();
        for (credential, is_disabled) in clients {
            let Heard::Reply(reply) = line.ask("token", &token(&credential, &[])).await else { continue };
            let is_wrong = match is_disabled {
                Some(true) => reply.status != 401,
                Some(false) => reply.status != 200,
                None => ![200, 401].contains(&reply.status),
            };
            if is_wrong {
                let (id, status) = (&credential.id, reply.status);
                let stored = self.command(&["client", "show", id]).await.map(|shown| shown["state"].to_string());
                let what = format!("client {id}, disabled: {is_disabled:?}, is answered {status}; stored: {stored:?}");
                self.ledger.violate(what);
            }
        }
    }
}

/// By when what was refused must have been made good, and everything looked at.
const SETTLED_WITHIN: Duration = Duration::from_mins(2);
/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);
