//! From the moment a revocation is answered until everybody refuses the token. Many connections, so that every shard
//! of every node is among those asked; each asks again and again, and its delay ends with its first `active: false`.
//!
//! A delay is an upper bound by one pause and one answer. Once a connection has heard `inactive` it must not hear
//! `active` again. Hearing `inactive` before the revocation was sent is as wrong.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;

use crate::args::Settings;
use crate::auth;
use crate::client::{Session, Target};
use crate::fault::Fault;
use crate::figures::{Figures, Unit, median};
use crate::issuer::{Issuer, check_ok, resolve};
use crate::metrics::find_connections_by_shard;
use crate::progress::say;
use crate::record::{Kind, Wrong};
use crate::report::Report;
use crate::run::{Observed, observe};
use crate::scenario::Template;
use crate::scenario::introspect::{Expect, judge};
use crate::setup::{self, Prepared, card};

/// One connection, and the node it leads to.
#[derive(Clone)]
struct Eye {
    session: Session,
    node: usize,
}

struct Revoker {
    settings: Settings,
    issuer: Rc<Issuer>,
    session: Session,
    revocation: Uri,
    template: Template,
    eyes: Vec<Eye>,
}

/// What the connections of one revocation share.
#[derive(Clone)]
struct Moment {
    observed: Observed,
    template: Template,
    body: Bytes,
    expect: Expect,
    pause: Duration,
    /// Who still hears `active` this long after it never will hear otherwise.
    patience_ns: u64,
    /// The revocation has been sent.
    sent: Rc<Cell<bool>>,
    /// It has been answered.
    answered_ns: Rc<Cell<Option<u64>>>,
}

/// What one connection saw of one revocation.
struct Delay {
    node: usize,
    ns: u64,
    /// Answers `active` to questions sent after the revocation was answered.
    stale: u64,
}

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let mut settings = settings.clone();
    settings.tokens = 1;
    let prepared = setup::prepare(&settings).await?;
    let mut notes = Vec::new();
    let (eyes, coverage) = open_eyes(&settings, &prepared).await?;
    notes.push(coverage);
    let connections = eyes.len();
    let revoker = Revoker {
        revocation: prepared.endpoints.revocation()?,
        session: Session::open(&resolve(&prepared.endpoints.revocation()?, &settings).await?, settings.deadline)
            .await?
            .0,
        issuer: Rc::clone(&prepared.issuer),
        template: Template::new(
            &prepared.endpoints.introspection()?,
            auth::authorization(&settings.introspect_client, settings.auth)?.as_ref(),
        ),
        settings: settings.clone(),
        eyes,
    };
    let planned = settings.duration * settings.rounds as u32;
    let work = move |observed: Observed| async move { revoker.run(&observed).await };
    let (outcome, revocations) = observe(&settings, &prepared, Some(planned), work).await?;
    let nodes = 1 + settings.nodes.len();
    let stale: u64 = revocations.iter().flatten().map(|delay| delay.stale).sum();
    notes.push(format!(
        "{} revocations, each watched by {connections} connections to {nodes} node(s), which ask every {} ms. Requests and \
         latencies are these delays: from the answer to the revocation to the first `active: false` on a connection. \
         In between, {stale} questions asked after that answer were still answered `active`.",
        revocations.len(),
        pause(connections).as_millis()
    ));
    settings.connections = connections;
    let report = Report::new(&settings, outcome).without_cpu_per_request();
    Ok(report.with(figures(&revocations, nodes), Vec::new(), notes))
}

/// Connections to every node, and whether they reach every shard of the first.
async fn open_eyes(settings: &Settings, prepared: &Prepared) -> Result<(Vec<Eye>, String), Fault> {
    let mut targets: Vec<Target> = vec![prepared.target.clone()];
    for node in &settings.nodes {
        targets.push(resolve(node, settings).await?);
    }
    let shards = || async {
        match &settings.metrics_url {
            Some(url) => find_connections_by_shard(url).await,
            None => Vec::new(),
        }
    };
    let before = shards().await;
    let mut eyes = Vec::new();
    let mut coverage =
        "Whether every shard is among them is not known: no --metrics-url with sigid_connections_open.".to_owned();
    for _ in 0..COVERAGE_TRIES {
        for (node, target) in targets.iter().enumerate() {
            for _ in 0..settings.connections.div_ceil(targets.len()) {
                eyes.push(Eye { session: Session::open(target, settings.deadline).await?.0, node });
            }
        }
        let now = shards().await;
        if now.is_empty() {
            break;
        }
        let reached = now
            .iter()
            .filter(|(shard, open)| *open > before.iter().find(|(known, _)| known == shard).map_or(0.0, |(_, n)| *n))
            .count();
        coverage = format!("The connections reach {reached} of the first node's {} shards.", now.len());
        if reached == now.len() {
            break;
        }
        say(&format!("{coverage} Opening more."));
    }
    Ok((eyes, coverage))
}

impl Revoker {
    async fn run(self, observed: &Observed) -> Result<Vec<Vec<Delay>>, Fault> {
        let mut revocations = Vec::new();
        let issuing = self.issuer.open().await?;
        while !observed.is_over() || revocations.is_empty() {
            let token = self.issuer.issue(&issuing).await?.token;
            revocations.push(self.revoke_once(observed, &token).await?);
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(revocations)
    }

    async fn revoke_once(&self, observed: &Observed, token: &str) -> Result<Vec<Delay>, Fault> {
        let card = card(&self.settings, token, Expect::Live { jti: crate::scenario::introspect::find_jti(token) });
        let moment = Moment {
            observed: observed.clone(),
            template: self.template.clone(),
            body: card.body,
            expect: card.expect,
            pause: pause(self.eyes.len()),
            patience_ns: self.settings.deadline.as_nanos() as u64,
            sent: Rc::new(Cell::new(false)),
            answered_ns: Rc::new(Cell::new(None)),
        };
        self.see_it_live(&moment).await?;
        let watching: Vec<_> =
            self.eyes.iter().map(|eye| tokio::task::spawn_local(moment.clone().watch(eye.clone()))).collect();
        tokio::time::sleep(moment.pause).await;
        moment.sent.set(true);
        let body = auth::form(&[("token", token)], &self.settings.client, self.settings.auth);
        let answer = self.session.post_form(&self.revocation, self.issuer.authorization.as_ref(), body).await?;
        moment.answered_ns.set(Some(observed.clock.now_ns()));
        check_ok(&self.revocation, &answer)?;
        let mut delays = Vec::with_capacity(watching.len());
        for eye in watching {
            delays.extend(eye.await.map_err(|e| Fault::local("watching", e))?);
        }
        Ok(delays)
    }

    /// On every connection, so that what a shard remembers of it is there to be forgotten.
    async fn see_it_live(&self, moment: &Moment) -> Result<(), Fault> {
        for eye in &self.eyes {
            let answer = eye.session.send(moment.template.with(&moment.body), moment.body.clone()).await?;
            if answer.status != 200 || judge(&moment.expect, &answer.body).is_err() {
                moment.observed.record(moment.observed.clock.now_ns(), Err(Kind::Wrong(Wrong::LiveAnsweredInactive)));
            }
        }
        Ok(())
    }
}

impl Moment {
    /// None when this connection never refused it, or when it was refused too early; both are recorded as wrong.
    async fn watch(self, eye: Eye) -> Option<Delay> {
        let clock = self.observed.clock;
        let mut stale = 0;
        loop {
            let sent_ns = clock.now_ns();
            let answered_ns = self.answered_ns.get();
            if answered_ns.is_some_and(|ns| sent_ns > ns + self.patience_ns) {
                self.observed.record(sent_ns, Err(Kind::Wrong(Wrong::DeadAnsweredActive)));
                return None;
            }
            match self.ask(&eye).await {
                Ok(true) => stale += u64::from(answered_ns.is_some()),
                Ok(false) if !self.sent.get() => {
                    self.observed.record(sent_ns, Err(Kind::Wrong(Wrong::LiveAnsweredInactive)));
                    return None;
                }
                Ok(false) => return Some(self.refused(&eye, clock.now_ns(), stale).await),
                Err(kind) => self.observed.record(sent_ns, Err(kind)),
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    async fn refused(&self, eye: &Eye, refused_ns: u64, stale: u64) -> Delay {
        // Refused while the revocation was still being answered: no delay at all.
        let from_ns = self.answered_ns.get().unwrap_or(refused_ns);
        self.observed.record_passage(from_ns, refused_ns, Ok(()));
        if self.ask(eye).await == Ok(true) {
            self.observed.record(refused_ns, Err(Kind::Wrong(Wrong::DeadAnsweredActive)));
        }
        Delay { node: eye.node, ns: refused_ns.saturating_sub(from_ns), stale }
    }

    /// Whether the token is said to be active.
    async fn ask(&self, eye: &Eye) -> Result<bool, Kind> {
        let sent = eye.session.send(self.template.with(&self.body), self.body.clone()).await;
        let answer = sent.map_err(|_| Kind::Reset)?;
        match answer.status.as_u16() {
            200 => {}
            500..=599 => return Err(Kind::Status5xx),
            400..=499 => return Err(Kind::Status4xx),
            _ => return Err(Kind::StatusOther),
        }
        if judge(&Expect::Dead, &answer.body).is_ok() {
            return Ok(false);
        }
        judge(&self.expect, &answer.body).map(|()| true).map_err(Kind::Wrong)
    }
}

/// Often enough to tell a millisecond, not so often that the asking is the load.
fn pause(connections: usize) -> Duration {
    PAUSE_MIN.max(Duration::from_micros(60) * connections as u32)
}

/// In three batches of revocations, one after another, for the spread.
fn figures(revocations: &[Vec<Delay>], nodes: usize) -> Figures {
    let mut figures = Figures::default();
    for batch in revocations.chunks(revocations.len().div_ceil(BATCHES).max(1)) {
        for node in 0..nodes {
            let of_node = batch.iter().flatten().filter(|delay| delay.node == node);
            let mut delays: Vec<f64> = of_node.map(|delay| delay.ns as f64 / 1e3).collect();
            delays.sort_by(f64::total_cmp);
            let at = |quantile: f64| {
                let rank = (quantile * delays.len() as f64).ceil() as usize;
                delays.get(rank.saturating_sub(1)).copied()
            };
            let name = if nodes == 1 { String::new() } else { format!("node {}: ", node + 1) };
            figures.add(format!("{name}delay p50"), Unit::Micros, median(&delays));
            figures.add_some(format!("{name}delay p99"), Unit::Micros, at(0.99));
            figures.add_some(format!("{name}delay max"), Unit::Micros, delays.last().copied());
        }
    }
    figures
}

const PAUSE_MIN: Duration = Duration::from_millis(2);
const BETWEEN: Duration = Duration::from_millis(20);
const COVERAGE_TRIES: usize = 4;
const BATCHES: usize = 3;

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of few exact numbers")]
mod tests {
    use super::*;

    #[test]
    fn delays_are_told_for_each_node_with_the_spread_of_three_batches() {
        let delay = |node, ms: u64, stale| Delay { node, ns: ms * 1_000_000, stale };
        let revocations: Vec<Vec<Delay>> = (1..=6).map(|i| vec![delay(0, i, 0), delay(1, 10 * i, 1)]).collect();
        let told = figures(&revocations, 2).done();
        let find = |name: &str| told.iter().find(|f| f.name == name).unwrap();
        assert_eq!(find("node 1: delay max").rounds, [2000.0, 4000.0, 6000.0]);
        assert_eq!(find("node 2: delay p50").rounds, [15_000.0, 35_000.0, 55_000.0]);
        assert!(figures(&[], 1).done().is_empty(), "nothing seen, nothing told");
    }
}
