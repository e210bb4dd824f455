//! Drills: whole processes are killed, cut off, starved and lied to, under load, and a checker that keeps its own record
//! of what was acknowledged looks at every answer and, at the end, at everything.
//!
//! What a drill asserts: nothing acknowledged is lost; no token is said to be alive past the bound after its end was
//! acknowledged, and by the node that acknowledged it not at all; every refusal is clean (503 with `Retry-After`,
//! within its deadline; no connection breaks but of a dead process); service returns without help, and how long that
//! takes is said.
//!
//! `./dev drill` runs them at length, each on a durable cluster of its own; the short forms of four are tests.

pub mod ledger;
pub mod load;
pub mod people;
pub mod postgres;

use std::fmt;
use std::time::{Duration, Instant};

use ledger::Ledger;
use load::{Load, Node, Stage};

use super::points_file::Points;
use crate::support::cluster::Plan;
use crate::support::place;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::pass;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drill {
    Kill,
    Restart,
    Cut,
    Feed,
    Clock,
    Nodes,
    DiskFull,
    SlowDisk,
    /// People instead of tokens ([`people`]).
    People,
}

impl Drill {
    pub const ALL: [Self; 9] = [
        Self::Kill,
        Self::Restart,
        Self::Cut,
        Self::Feed,
        Self::Clock,
        Self::Nodes,
        Self::DiskFull,
        Self::SlowDisk,
        Self::People,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Cut => "cut",
            Self::Feed => "feed",
            Self::Clock => "clock",
            Self::Nodes => "nodes",
            Self::DiskFull => "disk-full",
            Self::SlowDisk => "slow-disk",
            Self::People => "people",
        }
    }

    /// The cluster that it needs, or why it cannot be tried here.
    pub fn plan(self) -> Result<Plan, String> {
        match self {
            Self::DiskFull => postgres::small_disk(),
            Self::SlowDisk => postgres::slow_disk(),
            _ => Ok(Plan { durable: true, ..Plan::default() }),
        }
    }

    /// How long a fault lasts where nothing else is said.
    pub fn hold(self) -> Duration {
        Duration::from_secs(if self == Self::Cut { 60 } else { 10 })
    }
}

/// How often and how long.
#[derive(Clone, Copy)]
pub struct Length {
    pub rounds: u32,
    pub hold: Duration,
}

/// What came of a drill.
pub struct Outcome {
    drill: Drill,
    took: Duration,
    counted: String,
    pub violations: u64,
    examples: Vec<String>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.violations == 0 { "ok" } else { "FAILED" };
        write!(f, "drill {}: {verdict} in {:.1} s: {}", self.drill.name(), self.took.as_secs_f64(), self.counted)?;
        write!(f, "; violations {}", self.violations)?;
        self.examples.iter().try_for_each(|example| write!(f, "\n  {example}"))
    }
}

pub async fn run(drill: Drill, length: Length) -> Outcome {
    if drill == Drill::People {
        return people::run(length).await;
    }
    let began = Instant::now();
    let nodes = if matches!(drill, Drill::Feed | Drill::Nodes | Drill::Clock) { 2 } else { 1 };
    let mut rig = Rig::new(nodes).await;
    let load = Load::start(&rig.stage);
    rig.progress().await;
    match drill {
        Drill::Kill => rig.kill(length, 0).await,
        Drill::Nodes => rig.kill(length, 1).await,
        Drill::Restart => rig.restart(length).await,
        Drill::Cut => rig.cut(length).await,
        Drill::Feed => rig.feed(length).await,
        Drill::Clock => rig.clock(length).await,
        Drill::DiskFull => rig.disk_full(length).await,
        Drill::SlowDisk => rig.slow_disk(length).await,
        Drill::People => {}
    }
    rig.progress().await;
    load.stop().await;
    rig.stage.settle().await;
    rig.outcome(drill, began.elapsed()).await
}

/// The nodes and what the load needs to know of them.
struct Rig {
    site: Site,
    servers: Vec<Server>,
    start: Start,
    /// Of the first node.
    points: Points,
    stage: Stage,
    /// How long service took to return, fault by fault.
    returned: Vec<Duration>,
}

impl Rig {
    async fn new(nodes: usize) -> Self {
        let (site, points) = (Site::new().await, Points::new());
        let start = Start { arguments: vec!["--budgets", "off", "--fail-file", points.path()], ..Start::default() };
        let quiet = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
        let mut servers = Vec::new();
        for number in 0..nodes {
            let settings = if number == 0 { site.settings() } else { site.another_port() };
            let settings =
                settings.set("jwt.access_token_lifetime_agent_secs", 3600).set("database.connect_timeout_secs", 2);
            servers.push(site.start(settings, if number == 0 { &start } else { &quiet }).await);
        }
        let node = |(number, server): (usize, &Server)| Node::new(number, server.address, server.offer());
        let stage = Stage {
            nodes: servers.iter().enumerate().map(node).collect(),
            ledger: std::sync::Arc::new(Ledger::default()),
            config: servers[0].config(),
            clock: place::directory("drill").join("clock"),
        };
        Self { site, servers, start, points, stage, returned: Vec::new() }
    }

    fn ledger(&self) -> &Ledger {
        &self.stage.ledger
    }

    /// Until some more has been issued and revoked at every node.
    async fn progress(&mut self) {
        self.ledger().heal();
        self.await_return().await;
        let before = self.ledger().book().revoked_count();
        self.wait("progress", |rig| rig.ledger().book().revoked_count() >= before + PROGRESS).await;
        self.returned.pop();
    }

    /// The fault is over; every service of every node must return by itself.
    async fn healed(&mut self) {
        self.ledger().heal();
        self.await_return().await;
    }

    async fn await_return(&mut self) {
        let nodes = self.stage.nodes.len();
        self.wait("the return of service", |rig| rig.ledger().returned(nodes).is_some()).await;
        self.returned.push(self.ledger().returned(nodes).unwrap_or(RETURNED_WITHIN));
    }

    async fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            if began.elapsed() > RETURNED_WITHIN {
                self.ledger().violate(format!("in vain awaited for {RETURNED_WITHIN:?}: {what}"));
                return;
            }
            pass(LOOK_EVERY).await;
        }
    }

    /// kill -9 in the midst of it, and another process in its place.
    async fn kill(&mut self, length: Length, node: usize) {
        for _ in 0..length.rounds {
            self.stage.nodes[node].dies();
            self.servers[node].signal("KILL");
            self.servers[node].ended().await;
            if self.stage.nodes.len() > 1 {
                // The other node goes on alone.
                let before = self.ledger().book().revoked_count();
                self.wait("the other node", |rig| rig.ledger().book().revoked_count() >= before + PROGRESS).await;
            }
            self.ledger().heal();
            self.serve_again(node).await;
            self.await_return().await;
        }
    }

    async fn serve_again(&mut self, node: usize) {
        let quiet = Start { arguments: vec!["--budgets", "off"], ..Start::default() };
        let start = if node == 0 { &self.start } else { &quiet };
        let server = &self.servers[node];
        let (directory, address, metrics) = (server.directory.clone(), server.address, server.metrics);
        self.servers[node] = Server::start(directory, address, metrics, self.site.issuer.clone(), start).await;
        self.stage.nodes[node].lives();
    }

    /// PostgreSQL is restarted as an operator does it, as a power cut does, and by itself when a process of it dies.
    async fn restart(&mut self, length: Length) {
        for round in 0..length.rounds {
            let restart: fn() = match round % 3 {
                0 => || postgres::restart("fast"),
                1 => || postgres::restart("immediate"),
                _ => || postgres::crash(),
            };
            blocking(restart).await;
            self.healed().await;
            self.progress().await;
        }
    }

    /// PostgreSQL is silent for half of the time, and gone for the other.
    async fn cut(&mut self, length: Length) {
        let half = length.hold / 2;
        self.ledger().begin_outage(&[0]);
        blocking(|| postgres::signal("STOP")).await;
        pass(half).await;
        self.ledger().begin_outage(&[]);
        blocking(|| postgres::signal("CONT")).await;
        self.healed().await;
        blocking(postgres::stop).await;
        self.ledger().begin_outage(&[0]);
        pass(half).await;
        self.ledger().begin_outage(&[]);
        blocking(postgres::start).await;
        self.healed().await;
    }

    /// The feed's connections break again and again; then the first node's stay cut, and it must fall silent.
    async fn feed(&mut self, length: Length) {
        let until = Instant::now() + length.hold / 2;
        while Instant::now() < until {
            postgres::terminate(&self.site.database.name, &["sigid-feed", "sigid-listen"]).await;
        }
        self.healed().await;
        self.points.arm("*@feed=error\n*@listen=error");
        self.ledger().begin_outage(&[0]);
        pass((length.hold / 2).max(ledger::BOUND * 2)).await;
        self.ledger().begin_outage(&[]);
        self.points.disarm();
        self.healed().await;
    }

    /// The clock of everybody steps a minute ahead, back, a minute behind, back; and ends ahead, where every token that
    /// was ever issued counts.
    async fn clock(&mut self, length: Length) {
        for shift_s in [60, 0, -60, 0, 60] {
            self.ledger().step(shift_s);
            for file in
                self.servers.iter().map(|server| server.directory.join("clock")).chain([self.stage.clock.clone()])
            {
                std::fs::write(file, shift_s.to_string()).unwrap();
            }
            pass(length.hold / 5).await;
            self.healed().await;
            self.progress().await;
        }
    }

    /// First tables cannot grow; then the log cannot either, and PostgreSQL panics.
    async fn disk_full(&mut self, length: Length) {
        let refused = self.ledger().book().refused;
        blocking(postgres::fill_disk).await;
        pass(length.hold / 2).await;
        let has_panicked = postgres::exhaust_log(&self.site.database.name).await;
        pass(length.hold / 2).await;
        if !has_panicked || self.ledger().book().refused == refused {
            self.ledger().violate("the disk was full, and nobody noticed: nothing was shown".to_owned());
        }
        blocking(postgres::free_disk).await;
        // PostgreSQL may have given up; its operator starts it. Nobody helps the server.
        blocking(postgres::start).await;
        self.healed().await;
    }

    async fn slow_disk(&mut self, length: Length) {
        for _ in 0..length.rounds {
            postgres::make_slow(true);
            pass(length.hold / length.rounds).await;
            postgres::make_slow(false);
            self.healed().await;
        }
        postgres::forget_slow_disk();
    }

    async fn outcome(&self, drill: Drill, took: Duration) -> Outcome {
        for server in &self.servers {
            let panics = server.metrics().await.sum("sigid_panics_total", &[]);
            if panics != 0 {
                self.ledger().violate(format!("{panics} panics"));
            }
        }
        let returned: Vec<String> = self.returned.iter().map(|took| format!("{:.2} s", took.as_secs_f64())).collect();
        let book = self.ledger().book();
        let counted = format!(
            "{} tokens issued, {} revoked; {} clients created, {} disabled; {} keys rotated; {} answers judged, {} \
             refused, {} lost with their process, {} commands refused; slowest reply {:.2} s; alive at most {} ms after \
             its end; service back after {}",
            book.tokens.len(),
            book.revoked_count(),
            book.clients.len(),
            book.disabled_count(),
            book.rotations,
            book.answers,
            book.refused,
            book.lost,
            book.commands_refused,
            book.worst_reply.as_secs_f64(),
            book.worst_active.as_millis(),
            returned.join(", "),
        );
        drop(book);
        let (violations, examples) = self.ledger().violations();
        Outcome { drill, took, counted, violations, examples }
    }
}

async fn blocking(work: impl FnOnce() + Send + 'static) {
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// Revocations that show that the load is at work.
const PROGRESS: usize = 10;
const RETURNED_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);
