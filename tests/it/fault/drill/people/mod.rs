//! The drill of people: many newcomers register, prove their addresses by real letters over real SMTP, sign in, enter an
//! application, sign out, forget their passwords; meanwhile the server is killed, PostgreSQL is restarted, and both at
//! once.
//!
//! What it asserts, from a record of its own of what was acknowledged ([`record`]): whoever was told that the account is
//! there has all of it, and can sign in; a session that was given is there until it was ended; a membership keeps its
//! subject; an account is whole or not at all; each letter comes at least once, always under the Message-ID of its row
//! and with the same link; no link works twice; every refusal is clean.

mod record;
mod settle;
mod visitor;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use record::Record;
use tokio::task::JoinSet;
use visitor::Visitor;

use super::ledger::Ledger;
use super::load::Node;
use super::{Drill, LOOK_EVERY, Length, Outcome, blocking, postgres};
use crate::mail::post::{Answer, Post};
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::pass;

/// The application that everybody enters.
pub const SHOP: &str = "shop";
pub const SHOP_ADDRESS: &str = "https://localhost:9443/orders";

/// What all visitors share.
#[derive(Clone)]
pub struct Town {
    pub node: Arc<Node>,
    /// Whether replies are clean and in time.
    pub ledger: Arc<Ledger>,
    /// What was acknowledged to whom.
    pub record: Arc<Record>,
    pub post: Arc<Post>,
    pub issuer: Arc<str>,
    pub is_over: Arc<AtomicBool>,
}

struct Rig {
    site: Site,
    server: Server,
    town: Town,
    crowd: JoinSet<()>,
    /// How many go all the way between two faults.
    people: usize,
    returned: Vec<Duration>,
}

pub async fn run(length: Length) -> Outcome {
    let began = Instant::now();
    let mut rig = Rig::new(length).await;
    rig.progress().await;
    for round in 0..length.rounds {
        match round % 3 {
            0 => rig.kill().await,
            1 => rig.restart().await,
            _ => rig.kill_both().await,
        }
        rig.progress().await;
    }
    rig.stop().await;
    settle::settle(&rig.town, &rig.site, &rig.server).await;
    rig.outcome(began.elapsed()).await
}

impl Rig {
    async fn new(length: Length) -> Self {
        let site = Site::new().await;
        let shop = ["--redirect-uri", "https://localhost:9443/callback", "--token-endpoint-auth-method", "none"];
        let create = ["client", "create", "--tenant", "one", "--client-id", SHOP];
        site.admin(&[&create[..], &shop].concat()).expect(0);
        let post = Post::open(Answer::Taken).await;
        let settings = post.configure(&site).set("database.connect_timeout_secs", 2);
        let server = site.start(settings, &start()).await;
        let town = Town {
            node: Node::new(0, server.address, server.offer()),
            ledger: Arc::default(),
            record: Arc::default(),
            post: Arc::new(post),
            issuer: site.issuer.as_str().into(),
            is_over: Arc::default(),
        };
        let (mut crowd, numbers) = (JoinSet::new(), Arc::new(AtomicUsize::new(0)));
        for _ in 0..VISITORS {
            let (town, numbers) = (town.clone(), numbers.clone());
            crowd.spawn(async move {
                while !town.is_over.load(SeqCst) {
                    Visitor::new(&town, numbers.fetch_add(1, SeqCst)).live().await;
                }
            });
        }
        let people = length.hold.as_secs() as usize * PEOPLE_A_SECOND;
        Self { site, server, town, crowd, people, returned: Vec::new() }
    }

    /// Until some more people have gone all the way.
    async fn progress(&mut self) {
        let began = Instant::now();
        let before = self.town.record.counts();
        loop {
            let now = self.town.record.counts();
            if now.confirmed >= before.confirmed + self.people && now.entered >= before.entered + self.people {
                self.returned.push(began.elapsed());
                return;
            }
            if began.elapsed() > PROGRESS_WITHIN {
                self.town.ledger.violate(format!("in vain awaited for {PROGRESS_WITHIN:?}: progress since {before:?}"));
                return;
            }
            pass(LOOK_EVERY).await;
        }
    }

    /// kill -9 in the midst of it, and another process in its place.
    async fn kill(&mut self) {
        self.town.node.dies();
        self.server.signal("KILL");
        self.server.ended().await;
        self.serve_again().await;
    }

    /// PostgreSQL ends as in a power cut, and recovers.
    async fn restart(&mut self) {
        blocking(|| postgres::restart("immediate")).await;
    }

    async fn kill_both(&mut self) {
        self.town.node.dies();
        self.server.signal("KILL");
        blocking(|| postgres::restart("immediate")).await;
        self.server.ended().await;
        self.serve_again().await;
    }

    async fn serve_again(&mut self) {
        let server = &self.server;
        let (directory, address, metrics) = (server.directory.clone(), server.address, server.metrics);
        self.server = Server::start(directory, address, metrics, self.site.issuer.clone(), &start()).await;
        self.town.node.lives();
    }

    async fn stop(&mut self) {
        self.town.is_over.store(true, SeqCst);
        while let Some(ended) = self.crowd.join_next().await {
            if let Err(fault) = ended {
                self.town.ledger.violate(format!("the checker itself failed: {fault}"));
            }
        }
    }

    async fn outcome(&self, took: Duration) -> Outcome {
        let panics = self.server.metrics().await.sum("sigid_panics_total", &[]);
        if panics != 0 {
            self.town.ledger.violate(format!("{panics} panics"));
        }
        let returned: Vec<String> = self.returned.iter().map(|took| format!("{:.2} s", took.as_secs_f64())).collect();
        let counts = self.town.record.counts();
        let (refused, lost, worst_reply) = {
            let book = self.town.ledger.book();
            (book.refused, book.lost, book.worst_reply)
        };
        let counted = format!(
            "{} registered, {} confirmed, {} sessions, {} entered, {} signed out, {} recovered; {} copies of letters; \
             {refused} refused, {lost} lost with their process; slowest reply {:.2} s; progress after {}",
            counts.registered,
            counts.confirmed,
            counts.sessions,
            counts.entered,
            counts.signed_out,
            counts.recovered,
            self.town.post.count(),
            worst_reply.as_secs_f64(),
            returned.join(", "),
        );
        let (violations, examples) = self.town.ledger.violations();
        Outcome { drill: Drill::People, took, counted, violations, examples }
    }
}

fn start() -> Start {
    Start { arguments: vec!["--budgets", "off"], ..Start::default() }
}

/// Who is at it at once.
const VISITORS: usize = 12;
/// On a machine that has more to do they take their time, for which this is no limit.
const PROGRESS_WITHIN: Duration = Duration::from_mins(2);
/// Fewer than there would be without faults.
const PEOPLE_A_SECOND: usize = 3;
