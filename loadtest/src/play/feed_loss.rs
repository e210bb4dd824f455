//! The server's news is lost: first every database connection is cut, then the database stands still for longer than
//! the staleness bound. Asked all the while, on a schedule: when do answers end, how are they refused, and when do they
//! return. A server that answers on without news answers revoked tokens active; one that stays away needs help.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::args::{Loop, Settings};
use crate::client::Session;
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::play::postgres::Postgres;
use crate::plot::{Line, Plot, X, Y};
use crate::progress::say;
use crate::record::Kind;
use crate::report::Report;
use crate::run::{Observed, observe};
use crate::scenario::Scenario;
use crate::setup;

/// One question, by the moment at which it was due, and what came of it.
#[derive(Debug, Clone, Copy)]
struct Asked {
    due_ns: u64,
    done_ns: u64,
    end: End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Right,
    /// 503, and whether it said when to come back.
    Refused {
        retry_after: bool,
    },
    Failed,
}

/// When what was done.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "units end a name")]
struct Harm {
    cut_ns: u64,
    frozen_ns: u64,
    thawed_ns: u64,
    end_ns: u64,
}

struct Asker {
    observed: Observed,
    sessions: Vec<Session>,
    scenario: RefCell<Scenario>,
    asked: RefCell<Vec<Asked>>,
    rate: f64,
}

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let Some(postmaster) = settings.postgres_pid else {
        return Report::skipped(settings, "no --postgres-pid was given, so there is no database to harm".to_owned());
    };
    let postgres = Postgres::find(postmaster)?;
    let prepared = setup::prepare(settings).await?;
    let mut sessions = Vec::new();
    for _ in 0..settings.connections {
        sessions.push(Session::open(&prepared.target, settings.deadline).await?.0);
    }
    let rate = match settings.pace {
        Loop::Open { rate } => rate,
        Loop::Closed => return Err(Fault::Usage("feed-loss asks on a schedule: give --rate, not --closed".to_owned())),
    };
    let scenario = RefCell::new(prepared.scenario(settings.seed, 0));
    let (rounds, outage) = (settings.rounds, settings.outage);
    let (outcome, (asked, harms)) = observe(settings, &prepared, None, move |observed| async move {
        let asker = Rc::new(Asker { observed, sessions, scenario, asked: RefCell::default(), rate });
        harm(&asker, &postgres, rounds, outage).await
    })
    .await?;
    let (figures, drawing) = (figures(&asked, &harms), drawing(&asked, &harms));
    let notes = vec![format!(
        "{rounds} times: every database connection ended by SIGTERM to its backend; {} s later all of PostgreSQL \
         stopped (SIGSTOP) for {} s; {} s after that the next. A refusal is a 503.",
        AFTER_CUT.as_secs(),
        outage.as_secs_f64(),
        AFTER_THAW.as_secs()
    )];
    Ok(Report::new(settings, outcome).with(figures, vec![drawing], notes))
}

async fn harm(
    asker: &Rc<Asker>,
    postgres: &Postgres,
    rounds: usize,
    outage: Duration,
) -> Result<(Vec<Asked>, Vec<Harm>), Fault> {
    let asking = tokio::task::spawn_local(Rc::clone(asker).ask());
    let now_ns = || asker.observed.clock.now_ns();
    let mut harms = Vec::new();
    for _ in 0..rounds {
        tokio::time::sleep(CALM).await;
        say(&format!("cut: {} database connections", postgres.cut()?));
        let cut_ns = now_ns();
        tokio::time::sleep(AFTER_CUT).await;
        say(&format!("the database stands still for {} s", outage.as_secs_f64()));
        let frozen_ns = now_ns();
        let frozen = postgres.freeze()?;
        tokio::time::sleep(outage).await;
        drop(frozen);
        let thawed_ns = now_ns();
        say("the database goes on");
        tokio::time::sleep(AFTER_THAW).await;
        harms.push(Harm { cut_ns, frozen_ns, thawed_ns, end_ns: now_ns() });
    }
    asking.abort();
    // What is still under way was due moments ago; it is in the report's seconds, not in these.
    let mut asked = asker.asked.take();
    asked.sort_by_key(|one| one.due_ns);
    Ok((asked, harms))
}

impl Asker {
    async fn ask(self: Rc<Self>) {
        for index in 0u64.. {
            let due_ns = (index as f64 * 1e9 / self.rate) as u64;
            tokio::time::sleep_until(self.observed.clock.at(due_ns).into()).await;
            if let Some(session) = self.sessions.get(index as usize % self.sessions.len().max(1)) {
                tokio::task::spawn_local(Rc::clone(&self).ask_once(session.clone(), due_ns));
            }
        }
    }

    async fn ask_once(self: Rc<Self>, session: Session, due_ns: u64) {
        let (shot, request) = {
            let mut scenario = self.scenario.borrow_mut();
            let shot = scenario.aim();
            let request = scenario.template().with(&shot.body);
            (shot, request)
        };
        let answer = session.send(request, shot.body).await;
        let done_ns = self.observed.clock.now_ns();
        let outcome = match &answer {
            Ok(answer) => self.scenario.borrow_mut().judge(&shot.expect, answer.status, &answer.body),
            Err(_) if done_ns.saturating_sub(due_ns) >= session.deadline().as_nanos() as u64 => Err(Kind::Timeout),
            Err(_) => Err(Kind::Reset),
        };
        let end = match (outcome, answer) {
            (Ok(()), _) => End::Right,
            (Err(_), Ok(answer)) if answer.status == 503 => End::Refused { retry_after: answer.retry_after },
            (Err(_), _) => End::Failed,
        };
        self.observed.record_passage(due_ns, done_ns, outcome);
        self.asked.borrow_mut().push(Asked { due_ns, done_ns, end });
    }
}

fn figures(asked: &[Asked], harms: &[Harm]) -> Figures {
    let mut figures = Figures::default();
    let seconds = |from_ns: u64, to_ns: u64| to_ns.saturating_sub(from_ns) as f64 / 1e9;
    for harm in harms {
        let within = |from_ns: u64, to_ns: u64| asked.iter().filter(move |one| (from_ns..to_ns).contains(&one.due_ns));
        let not_right = |from_ns, to_ns| within(from_ns, to_ns).filter(|one| one.end != End::Right);
        let cut = || not_right(harm.cut_ns, harm.frozen_ns);
        figures.add("connections cut: questions not answered right", Unit::Count, cut().count() as f64);
        let last = cut().map(|one| one.due_ns).max().unwrap_or(harm.cut_ns);
        figures.add("connections cut: until the last of them", Unit::Seconds, seconds(harm.cut_ns, last));
        let refused = || not_right(harm.frozen_ns, harm.thawed_ns);
        let until = refused().map(|one| one.due_ns).min().map(|ns| seconds(harm.frozen_ns, ns));
        figures.add_some("database frozen: until the first question that is refused", Unit::Seconds, until);
        let until = refused().map(|one| one.done_ns).min().map(|ns| seconds(harm.frozen_ns, ns));
        figures.add_some("database frozen: until the first refusal comes", Unit::Seconds, until);
        let right = within(harm.frozen_ns, harm.thawed_ns).filter(|one| one.end == End::Right).map(|one| one.done_ns);
        let last_right = right.filter(|ns| *ns <= harm.thawed_ns).max();
        figures.add_some(
            "database frozen: until the last right answer",
            Unit::Seconds,
            last_right.map(|ns| seconds(harm.frozen_ns, ns)),
        );
        let bad = not_right(harm.thawed_ns, harm.end_ns).map(|one| one.due_ns).max();
        let back = bad.map_or(0.0, |ns| seconds(harm.thawed_ns, ns));
        figures.add("database back: until every answer is right again", Unit::Seconds, back);
        let all = || within(harm.cut_ns, harm.end_ns);
        let bare = all().filter(|one| one.end == End::Refused { retry_after: false }).count();
        figures.add("refusals without Retry-After", Unit::Count, bare as f64);
        let refused = all().filter(|one| matches!(one.end, End::Refused { .. }));
        let longest = refused.map(|one| seconds(one.due_ns, one.done_ns)).fold(0.0, f64::max);
        figures.add("longest wait for a refusal", Unit::Seconds, longest);
        let failed = all().filter(|one| one.end == End::Failed).count();
        figures.add("questions without an answer, or answered wrongly", Unit::Count, failed as f64);
    }
    figures
}

fn drawing(asked: &[Asked], harms: &[Harm]) -> Plot {
    let end_ns = harms.last().map_or(0, |harm| harm.end_ns);
    let bins = (end_ns / BIN_NS) as usize;
    let line = |name: &'static str, class, belongs: fn(End) -> bool| {
        let mut counts = vec![0u32; bins];
        for one in asked.iter().filter(|one| belongs(one.end)) {
            if let Some(count) = counts.get_mut((one.due_ns / BIN_NS) as usize) {
                *count += 1;
            }
        }
        let per_s = 1e9 / BIN_NS as f64;
        let point = |(bin, count): (usize, &u32)| ((bin as u64 * BIN_NS) as f64 / 1e9, Some(f64::from(*count) * per_s));
        Line { name: name.into(), class, points: counts.iter().enumerate().map(point).collect() }
    };
    Plot {
        title: "Questions per second by what came of them".into(),
        x: X::Time,
        y: Y::Number,
        lines: vec![
            line("right", "a", |end| end == End::Right),
            line("refused (503)", "b", |end| matches!(end, End::Refused { .. })),
            line("failed", "bad", |end| end == End::Failed),
        ],
    }
}

const CALM: Duration = Duration::from_secs(3);
const AFTER_CUT: Duration = Duration::from_secs(5);
const AFTER_THAW: Duration = Duration::from_secs(8);
const BIN_NS: u64 = 200_000_000;

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "sums of few exact numbers")]
mod tests {
    use super::*;

    #[test]
    fn the_moments_of_an_outage_are_read_from_what_was_asked() {
        const MS: u64 = 1_000_000;
        let harm = Harm { cut_ns: 1000 * MS, frozen_ns: 3000 * MS, thawed_ns: 9000 * MS, end_ns: 14_000 * MS };
        // One question each 100 ms: refused from 5 s to 10 s, once in the cut at 1.2 s, without Retry-After at 9.5 s.
        let asked: Vec<Asked> = (0..140u64)
            .map(|i| {
                let due_ns = i * 100 * MS;
                let end = match i {
                    12 | 50..=99 => End::Refused { retry_after: i != 95 },
                    130 => End::Failed,
                    _ => End::Right,
                };
                Asked { due_ns, done_ns: due_ns + 2 * MS, end }
            })
            .collect();
        let told = figures(&asked, &[harm]).done();
        let find = |name: &str| told.iter().find(|f| f.name.contains(name)).unwrap().median;
        assert_eq!(find("cut: questions not"), 1.0);
        assert_eq!(find("cut: until the last"), 0.2);
        assert_eq!((find("first question that"), find("first refusal comes")), (2.0, 2.002));
        assert_eq!(find("until the last right answer"), 1.902);
        assert_eq!(find("until every answer is right again"), 4.0, "a question at 13 s had no answer");
        assert_eq!((find("without Retry-After"), find("without an answer")), (1.0, 1.0));
        assert_eq!(find("longest wait"), 0.002);
        let plot = drawing(&asked, &[harm]);
        assert_eq!((plot.lines.len(), plot.lines[0].points.len()), (3, 70));
        assert_eq!(plot.lines[0].points[0], (0.0, Some(10.0)));
    }
}
