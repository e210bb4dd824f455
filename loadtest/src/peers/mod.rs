//! SigID beside nginx and h2o: each with one worker, in turn on one core of the same machine, in the same run, over
//! TLS 1.3 and HTTP/2, several rounds. What counts is the ratio and its spread; absolute figures do not carry over.
//!
//! SigID introspects a cached, live token. nginx and h2o serve a file of two bytes, which is about the least that an
//! HTTP server can do; nginx also answers the very same POST with the very same body, made beforehand, which is the
//! fairer twin. The load is a closed loop of one prebuilt request ([`wire`]), cheap enough that a single core of it
//! fills a server's core; where it does not, the figure is marked. Where h2load is installed it repeats the
//! measurements, so that nobody has to believe this one.
//!
//! The order alternates from round to round, so that a machine that warms up or is disturbed favours nobody.
//!
//! Through the files: `peer` starts the servers, `link` connects, `wire` and `hpack` speak, `load` measures,
//! `h2load` lets the other tool measure, `tally` sums up, `page` shows.

mod dev;
mod h2load;
mod hpack;
mod link;
mod load;
mod page;
mod peer;
mod subject;
mod tally;
mod wire;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

use crate::fault::Fault;
use crate::peers::link::Caller;
use crate::peers::load::{Measured, Shape, Stretch};
use crate::peers::peer::{Kind, Peer, Site};
use crate::peers::subject::{Prepared, Subject};
use crate::peers::tally::{Comparison, Tool};
use crate::progress::say;

#[derive(Parser, Clone)]
#[command(
    name = "sigid-loadtest peers",
    about = "CPU of SigID, nginx and h2o side by side: each in turn on one core, the generator on another."
)]
pub struct Args {
    /// Directory of a running `sigid dev --budgets off`, whose database and certificate are used
    #[arg(long, value_name = "DIR")]
    dev_dir: PathBuf,
    /// The program `sigid`
    #[arg(long, value_name = "FILE")]
    sigid: PathBuf,
    #[arg(long, value_name = "FILE", default_value = "nginx")]
    nginx: PathBuf,
    /// nginx' echo module, by which it waits for the body of a POST; without it, it answers at once
    #[arg(long, value_name = "FILE")]
    nginx_echo: Option<PathBuf>,
    #[arg(long, value_name = "FILE", default_value = "h2o")]
    h2o: PathBuf,
    /// The program h2load, to check the measurements with
    #[arg(long, value_name = "FILE")]
    h2load: Option<PathBuf>,
    /// How often everything is measured
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Measured time of each measurement, in seconds
    #[arg(long, value_name = "S", default_value = "3", value_parser = seconds)]
    duration: Duration,
    /// Load before it, in seconds
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    warmup: Duration,
    /// Connections x streams
    #[arg(long, value_name = "CxS,..", value_delimiter = ',', default_value = "4x32,16x8,32x1", value_parser = shape)]
    shapes: Vec<Shape>,
    /// Idle connections whose memory is measured; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(0..=8000))]
    idle: u32,
    /// The servers' CPU
    #[arg(long, value_name = "CPU", default_value_t = 0)]
    server_core: usize,
    /// The generator's CPU
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    generator_core: usize,
    /// Directory for compare.json and compare.html
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.trim_end_matches('s').parse().map_err(|_| format!("{text:?} is no number"))?;
    if !(0.1..=600.0).contains(&seconds) {
        return Err("must be 0.1 to 600".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn shape(text: &str) -> Result<Shape, String> {
    let parsed = text.split_once('x').and_then(|(c, s)| Some((c.parse().ok()?, s.parse().ok()?)));
    match parsed {
        Some((connections @ 1..=1024, streams @ 1..=100)) => Ok(Shape { connections, streams }),
        _ => Err("write connections x streams, as 4x32; at most 1024 and 100".to_owned()),
    }
}

/// The exit code: figures never fail, only what cannot be measured.
pub fn run(args: &Args) -> Result<u8, Fault> {
    if args.server_core == args.generator_core {
        return Err(Fault::Usage("--server-core and --generator-core must differ".to_owned()));
    }
    let directory = args.out.join("peers");
    // What the last run left. It may not be there.
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(&directory).map_err(|e| Fault::local(&directory.display().to_string(), e))?;
    crate::procfs::raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::local("runtime", e))?;
    let mut comparison = LocalSet::new().block_on(&runtime, async {
        let mut terminate = signal(SignalKind::terminate()).map_err(|e| Fault::local("signal", e))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| Fault::local("signal", e))?;
        tokio::select! {
            done = drive(args, directory) => done,
            _ = terminate.recv() => Err(Fault::Local("ended by a signal".to_owned())),
            _ = interrupt.recv() => Err(Fault::Local("ended by a signal".to_owned())),
        }
    })?;
    comparison.write(&args.out)?;
    say(&comparison.text());
    Ok(0)
}

/// All that stays the same through the rounds.
struct Stand<'a> {
    args: &'a Args,
    caller: Caller,
    site: Site,
    peers: [Rc<Peer>; 3],
}

async fn drive(args: &Args, directory: PathBuf) -> Result<Comparison, Fault> {
    let stand = Stand::build(args, directory).await?;
    let mut comparison = Comparison::begin(args, &stand.site, stand.suite().await?);
    for round in 0..args.rounds {
        stand.measure_requests(round, &mut comparison).await?;
        stand.measure_handshakes(round, &mut comparison).await?;
    }
    if args.idle > 0 {
        for round in 0..args.rounds.min(IDLE_ROUNDS_MAX) {
            stand.measure_idle(round, &mut comparison).await?;
        }
    }
    Ok(comparison)
}

impl<'a> Stand<'a> {
    async fn build(args: &'a Args, directory: PathBuf) -> Result<Self, Fault> {
        let dev = dev::Dev::load(&args.dev_dir)?;
        let caller = Caller::new(&dev.ca_pem_path)?;
        let mut site = Site {
            dev,
            directory,
            sigid: args.sigid.clone(),
            nginx: args.nginx.clone(),
            nginx_echo: args.nginx_echo.clone(),
            h2o: args.h2o.clone(),
            core: args.server_core,
            answer: Vec::new(),
        };
        let sigid = Rc::new(Peer::start(&site, Kind::Sigid).await?);
        site.answer = subject::introspected(&caller, &sigid, &site.dev).await?;
        let nginx = Rc::new(Peer::start(&site, Kind::Nginx).await?);
        let h2o = Rc::new(Peer::start(&site, Kind::H2o).await?);
        // Last: children inherit where their parent may run.
        pin(args.generator_core)?;
        Ok(Self { args, caller, site, peers: [sigid, nginx, h2o] })
    }

    fn peer(&self, kind: Kind) -> &Rc<Peer> {
        let [sigid, nginx, h2o] = &self.peers;
        match kind {
            Kind::Sigid => sigid,
            Kind::Nginx => nginx,
            Kind::H2o => h2o,
        }
    }

    fn stretch(&self) -> Stretch {
        Stretch { warmup: self.args.warmup, duration: self.args.duration }
    }

    /// What TLS agreed on, which must be the same with all.
    async fn suite(&self) -> Result<String, Fault> {
        let mut suites = Vec::new();
        for peer in &self.peers {
            let link = self.caller.connect(peer.kind.label(), peer.port, Ipv4Addr::LOCALHOST, 1).await?;
            suites.push(link.suite());
            link.close().await;
        }
        suites.dedup();
        match suites.as_slice() {
            [suite] => Ok(suite.clone()),
            _ => Err(Fault::Refused(format!("the servers agree on different cipher suites: {suites:?}"))),
        }
    }

    async fn measure_requests(&self, round: u32, comparison: &mut Comparison) -> Result<(), Fault> {
        for shape in &self.args.shapes {
            for subject in turned(&Subject::ALL, round) {
                let peer = self.peer(subject.peer());
                let prepared = Prepared::new(subject, &self.caller, peer, &self.site).await?;
                let measured = prepared.load(&self.caller, peer, *shape, self.stretch()).await?;
                comparison.add(round, subject.label(), Some(*shape), Tool::Own, measured);
                if let Some(h2load) = &self.args.h2load {
                    let count = (measured.per_s * self.args.duration.as_secs_f64()) as u64;
                    let checked = self.check(h2load, &prepared, peer, *shape, count).await?;
                    comparison.add(round, subject.label(), Some(*shape), Tool::H2load, checked);
                }
            }
        }
        Ok(())
    }

    async fn check(
        &self,
        h2load: &Path,
        prepared: &Prepared,
        peer: &Peer,
        shape: Shape,
        count: u64,
    ) -> Result<Measured, Fault> {
        let shot = h2load::Shot {
            program: h2load.to_owned(),
            core: self.args.generator_core,
            order: prepared.order.clone(),
            port: peer.port,
            shape,
            count,
            directory: self.site.directory.clone(),
        };
        let before = peer.times();
        // Its end is awaited in another thread, so that a signal is heard meanwhile.
        let told = tokio::task::spawn_blocking(move || shot.run()).await.map_err(|e| Fault::local("h2load", e))??;
        told.measured(peer.times().since(before))
    }

    async fn measure_handshakes(&self, round: u32, comparison: &mut Comparison) -> Result<(), Fault> {
        let caller = self.caller.trusting(&self.site.dev.file("server.pem")?)?;
        for (are_resumed, name) in [(false, "full handshake"), (true, "resumed handshake")] {
            // h2o gives tickets with full handshakes only, and a client uses each of them once.
            let resumes = |kind: &Kind| !are_resumed || *kind != Kind::H2o;
            for kind in turned(&Kind::ALL, round).into_iter().filter(resumes) {
                let measured = load::handshakes(&caller, self.peer(kind), are_resumed, self.stretch()).await?;
                comparison.add(round, &format!("{}: {name}", kind.label()), None, Tool::Own, measured);
            }
        }
        Ok(())
    }

    /// In processes that have done nothing before: memory that was used once is not given back.
    async fn measure_idle(&self, round: u32, comparison: &mut Comparison) -> Result<(), Fault> {
        for kind in turned(&Kind::ALL, round) {
            let peer = Peer::start(&self.site, kind).await?;
            let subject = Subject::cheapest(kind);
            let prepared = Prepared::new(subject, &self.caller, &peer, &self.site).await?;
            let (untouched, asked) = load::idle(&self.caller, &peer, &prepared.plan, self.args.idle as usize).await?;
            comparison.add_idle(kind, untouched, asked);
        }
        Ok(())
    }
}

/// From the first to the last in even rounds, and back in odd ones.
fn turned<T: Copy>(all: &[T], round: u32) -> Vec<T> {
    let mut order = all.to_vec();
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

fn pin(core: usize) -> Result<(), Fault> {
    let fault = |e: rustix::io::Errno| Fault::Usage(format!("CPU {core}: {e}"));
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(fault(rustix::io::Errno::INVAL));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).map_err(fault)
}

const IDLE_ROUNDS_MAX: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_cannot_be_meant_is_refused() {
        let base = ["peers", "--dev-dir", "d", "--sigid", "s", "--out", "o"];
        let parse = |more: &[&str]| Args::try_parse_from([&base[..], more].concat());
        let args = parse(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(args.shapes.first(), Some(&Shape { connections: 4, streams: 32 }));
        for (more, why) in [
            (["--shapes", "4"], "no streams"),
            (["--shapes", "4x0"], "no stream"),
            (["--rounds", "0"], "no round"),
            (["--duration", "0"], "no time"),
            (["--idle", "9000"], "more than a server takes from one address"),
        ] {
            assert!(parse(&more).is_err(), "{why}");
        }
    }

    #[test]
    fn the_order_alternates() {
        assert_eq!((turned(&[1, 2, 3], 0), turned(&[1, 2, 3], 1)), (vec![1, 2, 3], vec![3, 2, 1]));
    }
}
