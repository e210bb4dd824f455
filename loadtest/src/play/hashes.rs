//! Logins beside the load, on connections and a thread of their own, which gives way to others, so that they do not delay
//! the schedule of the measured requests: sign-ins of accounts where some are known, else `/bench/hash`, which does the
//! same hash and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hdrhistogram::Histogram;
use http::StatusCode;
use tokio::task::LocalSet;

use crate::bench::Bench;
use crate::client::{Session, Target};
use crate::fault::Fault;
use crate::people::{SIGNED_IN, SignIn};
use crate::scenario::Template;

/// How logins come.
#[derive(Clone, Copy)]
pub enum Pace {
    /// This many at once, each again as soon as it is answered.
    AtOnce(usize),
    /// One, and after its answer the next.
    OneByOne,
}

pub struct Hashes {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<Tally, Fault>>,
}

/// What became of the logins.
pub struct Tally {
    pub finished: u64,
    /// 503: no room, or the deadline passed.
    pub refused: u64,
    pub refused_without_retry_after: u64,
    pub failed: u64,
    pub seconds: f64,
    /// Of the finished ones, from sending to answer.
    pub waited_us: Histogram<u64>,
}

/// What one login asks.
#[derive(Clone)]
pub struct Source {
    target: Target,
    template: Template,
    /// Each in turn.
    bodies: Vec<Bytes>,
    finished: StatusCode,
}

#[derive(Clone)]
struct Login {
    source: Source,
    stop: Arc<AtomicBool>,
}

impl Source {
    pub fn bench(bench: &Bench, target: &Target) -> Result<Self, Fault> {
        let (uri, authorization, body) = bench.hash()?;
        let template = Template::new(&uri, authorization.as_ref());
        Ok(Self { target: target.clone(), template, bodies: vec![Bytes::from(body)], finished: StatusCode::OK })
    }

    pub fn people(signed: SignIn) -> Self {
        let SignIn { target, template, bodies } = signed;
        Self { target, template, bodies, finished: SIGNED_IN }
    }
}

impl Hashes {
    pub fn start(source: &Source, pace: Pace) -> Result<Self, Fault> {
        let stop = Arc::new(AtomicBool::new(false));
        let login = Login { source: source.clone(), stop: Arc::clone(&stop) };
        let thread = std::thread::Builder::new().name("logins".to_owned()).spawn(move || run(&login, pace));
        Ok(Self { stop, thread: thread.map_err(|e| Fault::local("thread", e))? })
    }

    /// Waits for the answers that are under way.
    pub async fn stop(self) -> Result<Tally, Fault> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await;
        let joined = joined.map_err(|e| Fault::local("logins", e))?;
        joined.map_err(|_| Fault::Local("the thread of the logins ended".to_owned()))?
    }
}

impl Tally {
    fn new() -> Result<Self, Fault> {
        let waited_us = Histogram::new_with_bounds(1, WAITED_US_MAX, 3);
        let waited_us = waited_us.map_err(|e| Fault::local("histogram", format!("{e:?}")))?;
        Ok(Self { finished: 0, refused: 0, refused_without_retry_after: 0, failed: 0, seconds: 0.0, waited_us })
    }

    pub fn asked(&self) -> u64 {
        self.finished + self.refused + self.failed
    }

    fn add(&mut self, other: &Self) {
        self.finished += other.finished;
        self.refused += other.refused;
        self.refused_without_retry_after += other.refused_without_retry_after;
        self.failed += other.failed;
        // Both have the same bounds.
        let _ = self.waited_us.add(&other.waited_us);
    }
}

fn run(login: &Login, pace: Pace) -> Result<Tally, Fault> {
    // Of this thread alone, as Linux does it. Where it is refused, the generator shares with it.
    let _ = rustix::process::setpriority_process(None, NICE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Fault::local("runtime", e))?;
    let begun = Instant::now();
    let mut whole = LocalSet::new().block_on(&runtime, async {
        let at_once = match pace {
            Pace::AtOnce(many) => many,
            Pace::OneByOne => 1,
        };
        let people: Vec<_> = (0..at_once).map(|_| tokio::task::spawn_local(login.clone().again_and_again())).collect();
        let mut whole = Tally::new()?;
        for person in people {
            whole.add(&person.await.map_err(|e| Fault::local("logins", e))??);
        }
        Ok::<Tally, Fault>(whole)
    })?;
    whole.seconds = begun.elapsed().as_secs_f64();
    Ok(whole)
}

impl Login {
    async fn again_and_again(self) -> Result<Tally, Fault> {
        let mut tally = Tally::new()?;
        let Source { target, template, bodies, finished } = &self.source;
        let (session, _) = Session::open(target, PATIENCE).await?;
        for body in bodies.iter().cycle() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let begun = Instant::now();
            let answer = session.send(template.with(body), body.clone()).await;
            match answer {
                Ok(answer) if answer.status == *finished => {
                    tally.finished += 1;
                    tally.waited_us.saturating_record(begun.elapsed().as_micros() as u64);
                }
                Ok(answer) if answer.status == 503 => {
                    tally.refused += 1;
                    tally.refused_without_retry_after += u64::from(!answer.retry_after);
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
                Ok(_) | Err(_) => {
                    tally.failed += 1;
                    tokio::time::sleep(AFTER_REFUSAL).await;
                }
            }
        }
        Ok(tally)
    }
}

const NICE: i32 = 10;
const PATIENCE: Duration = Duration::from_secs(30);
/// A person who was turned away does not come back within the millisecond.
const AFTER_REFUSAL: Duration = Duration::from_millis(50);
const WAITED_US_MAX: u64 = 600_000_000;
