//! Password sign-ins, one session each, or registrations: how many a second the hash pool finishes when somebody always
//! waits for it, and how long people wait at seven tenths of that. `--rate N` or `--closed` measures that alone.
//!
//! Each sign-in is one request to `POST /login` with a form that was opened before. The accounts take turns; sessions
//! above the target's limit for one person end the oldest, which is work of the target too. So are the letters that
//! registrations send.
//!
//! Rounds of the closed loop alternate with rounds of bare hashes on the same cores (`crate::play::bare`), so that their
//! ratio says what everything else about a sign-in costs. That ratio is told twice: as it is, and with the cores taken off
//! that the generator and PostgreSQL used, which in production are elsewhere.

use std::time::Instant;

use crate::args::{Loop, ScenarioName, Settings};
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::bare::{Bare, Hashed};
use crate::play::postgres::Postgres;
use crate::play::rounds::repeat;
use crate::play::settled;
use crate::procfs;
use crate::report::{Outcome, Report};
use crate::run::load;
use crate::setup::{self, Prepared};
use crate::worker::Errand;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let prepared = setup::prepare(settings).await?;
    let settings = settled(settings, &prepared);
    let notes = match settings.scenario {
        ScenarioName::Login => vec![format!("{} accounts take turns.", settings.people.accounts.len())],
        _ => Vec::new(),
    };
    let mut figures = Figures::default();
    if settings.pace_is_given && settings.pace != Loop::Closed {
        let outcome = measure(&settings, &prepared, "open loop", &mut figures).await?;
        return Ok(Report::new(&settings, outcome).with(figures, Vec::new(), notes));
    }
    let closed = closed(&settings);
    let outcome = match settings.scenario {
        ScenarioName::Login => beside_bare_hashes(&closed, &prepared, &mut figures).await?,
        _ => measure(&closed, &prepared, CLOSED, &mut figures).await?,
    };
    let finished = outcome.rate_achieved();
    if settings.pace_is_given || outcome.ended_early || finished < 1.0 {
        return Ok(Report::new(&closed, outcome).with(figures, Vec::new(), notes));
    }
    let mut open = settings.clone();
    open.pace = Loop::Open { rate: (finished * LOADED).round().max(1.0) };
    let under = measure(&open, &prepared, "open loop", &mut figures).await?;
    let scenario = settings.scenario.label();
    let at_once = format!("{scenario}: closed loop, {} at once", closed.connections * closed.streams);
    let parts = vec![
        Report::new(&closed, outcome).titled(at_once),
        Report::new(&open, under).titled(format!("{scenario}: open loop, at 70 % of that")),
    ];
    Ok(Report::of_parts(&settings, parts)?.with(figures, Vec::new(), notes))
}

async fn measure(
    settings: &Settings,
    prepared: &Prepared,
    loop_name: &str,
    figures: &mut Figures,
) -> Result<Outcome, Fault> {
    let (outcome, told) = repeat(settings, prepared, Errand::Request).await?;
    let one = if settings.scenario == ScenarioName::Register { "registration" } else { "login" };
    for (name, shown, unit) in [
        ("right answers", format!("{one}s"), Unit::PerSecond),
        ("latency p50", format!("{one} p50"), Unit::Micros),
        ("latency p99", format!("{one} p99"), Unit::Micros),
        ("server CPU per request", format!("server CPU per {one}"), Unit::Micros),
    ] {
        told.rounds(name).iter().for_each(|value| figures.add(format!("{loop_name}: {shown}"), unit, *value));
    }
    Ok(outcome)
}

/// Bare hashes and sign-ins in turn, so that whatever else the machine does meets both.
async fn beside_bare_hashes(settings: &Settings, prepared: &Prepared, figures: &mut Figures) -> Result<Outcome, Fault> {
    let mut bare = Bare::new(settings.people.argon2);
    let mut whole: Option<Outcome> = None;
    let mut one = settings.clone();
    one.rounds = 1;
    for _ in 0..settings.rounds {
        let hashed;
        (bare, hashed) = bare.hash(settings.duration).await?;
        let used = Used::begin(settings);
        let outcome = load(&one, prepared, Errand::Request).await?;
        let used = used.end(&outcome);
        tell(figures, &outcome, &hashed, &used, bare.cores());
        if let Some(debian) = bare.hash_by_program(settings.duration).await? {
            figures.add("Debian's argon2 on all cores", Unit::PerSecond, debian.per_second);
            let ratio = outcome.rate_achieved() / debian.per_second;
            figures.add_some("logins to Debian's argon2", Unit::Ratio, Some(ratio));
        }
        let early = outcome.ended_early;
        match &mut whole {
            Some(whole) => whole.merge(outcome)?,
            None => whole = Some(outcome),
        }
        if early {
            break;
        }
    }
    whole.map_or_else(Outcome::nothing, Ok)
}

fn tell(figures: &mut Figures, logins: &Outcome, bare: &Hashed, used: &Cores, cores: usize) {
    let rate = logins.rate_achieved();
    figures.add(format!("{CLOSED}: logins"), Unit::PerSecond, rate);
    figures.add(format!("{CLOSED}: login p50"), Unit::Micros, logins.latency_us(0.5));
    figures.add(format!("{CLOSED}: login p99"), Unit::Micros, logins.latency_us(0.99));
    let cpu_us = logins.cpu_us_per_request();
    figures.add_some(format!("{CLOSED}: server CPU per login"), Unit::Micros, cpu_us);
    figures.add(format!("bare argon2 on {cores} cores"), Unit::PerSecond, bare.per_second);
    figures.add("bare argon2: CPU of a hash", Unit::Micros, bare.cpu_us_per_hash);
    figures.add_some("logins to bare argon2", Unit::Ratio, Some(rate / bare.per_second));
    let others = used.generator + used.postgres.unwrap_or(0.0);
    let left = (cores as f64 - others) / cores as f64;
    let name = "logins to bare argon2 on the cores left by generator and PostgreSQL";
    figures.add_some(name, Unit::Ratio, Some(rate / (bare.per_second * left)));
    figures.add_some("CPU of a bare hash to that of a login", Unit::Ratio, cpu_us.map(|us| bare.cpu_us_per_hash / us));
    figures.add("cores used by the generator", Unit::Count, used.generator);
    figures.add_some("cores used by PostgreSQL", Unit::Count, used.postgres);
}

/// Cores used on average.
struct Cores {
    generator: f64,
    /// None where its process is not known.
    postgres: Option<f64>,
}

/// What this thread, which watches, and PostgreSQL had used when a load began.
struct Used {
    begun: Instant,
    watch_ns: u64,
    postgres: Option<(Postgres, u64)>,
}

impl Used {
    fn begin(settings: &Settings) -> Self {
        let postgres = settings.postgres_pid.and_then(|pid| Postgres::find(pid).ok());
        let postgres = postgres.map(|postgres| {
            let used = postgres.cpu_ns();
            (postgres, used)
        });
        Self { begun: Instant::now(), watch_ns: own_cpu_ns(), postgres }
    }

    fn end(self, load: &Outcome) -> Cores {
        let wall_ns = self.begun.elapsed().as_nanos().max(1) as f64;
        let cores = |before: u64, now: u64| now.saturating_sub(before) as f64 / wall_ns;
        let threads_ns: u64 = load.generator_times.iter().map(|times| times.cpu_ns).sum();
        let threads = threads_ns as f64 / load.observed.as_nanos().max(1) as f64;
        Cores {
            generator: threads + cores(self.watch_ns, own_cpu_ns()),
            postgres: self.postgres.map(|(postgres, before)| cores(before, postgres.cpu_ns())),
        }
    }
}

fn own_cpu_ns() -> u64 {
    let own = rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs();
    procfs::own_thread_times(own).unwrap_or_default().cpu_ns
}

/// So many at once that the pool has work always, and never so many that it refuses.
fn closed(settings: &Settings) -> Settings {
    let mut closed = settings.clone();
    closed.pace = Loop::Closed;
    closed.spin = false;
    closed.connections = settings.connections.min(settings.hash_clients).max(settings.threads);
    closed.streams = settings.hash_clients.div_ceil(closed.connections).min(settings.streams);
    closed
}

const CLOSED: &str = "closed loop";
const LOADED: f64 = 0.7;
