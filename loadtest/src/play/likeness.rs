//! Can anybody find out who has an account? Sign-in, registration and recovery are asked with addresses that are known
//! and ones that are not, in random order, and the answers are held against each other: what they look like, and how long
//! they take.
//!
//! One request at a time on one connection, timed from sending to the last byte: what somebody close by could measure.
//! Both kinds have equally many addresses, of the same length, and come equally often, so that what a second request for
//! one address meets does not tell them apart. The order is drawn, so that whatever else the machine does meets both.
//!
//! An attacker can also ask about an address and time the *next* request, which waits if the first left work behind (a
//! letter that is written and sent, or not). So each time counts once more, for the kind that was asked before it.
//!
//! The verdict is by two tests (`crate::samples`). At [`P_MIN`] twelve tests of a server that is alike tell it apart once
//! in a hundred runs; whoever doubts a verdict takes another `--seed` and more `--samples`.

use std::time::Instant;

use crate::args::Settings;
use crate::client::Answer;
use crate::fault::Fault;
use crate::figures::{Figures, Unit};
use crate::likeness::Looks;
use crate::people::{STRANGERS_PAGES, StrangersForm, StrangersPage};
use crate::progress::say;
use crate::report::Report;
use crate::rng::Rng;
use crate::run::{Observed, observe};
use crate::samples::{Pair, Told};
use crate::setup;

pub async fn play(settings: &Settings) -> Result<Report, Fault> {
    let mut settings = settings.clone();
    (settings.connections, settings.streams, settings.rounds) = (1, 1, 1);
    let prepared = setup::prepare(&settings).await?;
    let (mut figures, mut notes, mut parts) = (Figures::default(), Vec::new(), Vec::new());
    let mut told_apart = 0;
    for page in &STRANGERS_PAGES {
        let trial = Trial::open(&settings, page).await?;
        say(&format!("{}: {} requests of each kind", page.name, settings.people.samples));
        let work = move |observed: Observed| async move { trial.run(&observed).await };
        let (outcome, seen) = observe(&settings, &prepared, None, work).await?;
        let ended_early = outcome.ended_early;
        told_apart += judge(&settings, page, seen, &mut figures, &mut notes);
        parts.push(Report::new(&settings, outcome).titled(format!("likeness: {}", page.name)));
        if ended_early {
            break;
        }
    }
    let mut report = Report::of_parts(&settings, parts)?.with(figures, Vec::new(), notes);
    if told_apart > 0 {
        report.wrong_answers.insert(TOLD_APART, told_apart);
    }
    Ok(report)
}

/// One form, and who is asked about.
struct Trial {
    form: StrangersForm,
    page: StrangersPage,
    /// Known and unknown.
    addresses: [Vec<String>; 2],
    order: Vec<usize>,
}

/// Of both kinds, known and unknown: what the answers look like, their times in microseconds, and those of the next ones.
#[derive(Default)]
struct Seen {
    looks: [Looks; 2],
    own_us: [Vec<f64>; 2],
    next_us: [Vec<f64>; 2],
}

impl Trial {
    async fn open(settings: &Settings, page: &StrangersPage) -> Result<Self, Fault> {
        let mut rng = Rng::seeded(settings.seed, page.name.len() as u64);
        let known: Vec<String> = settings.people.accounts.iter().map(|account| account.id.clone()).collect();
        let unknown = known.iter().map(|email| stranger(email, &mut rng)).collect();
        let order = order(settings.people.samples, &mut rng);
        let form = StrangersForm::open(settings, page).await?;
        Ok(Self { form, page: *page, addresses: [known, unknown], order })
    }

    async fn run(self, observed: &Observed) -> Result<Seen, Fault> {
        let mut seen = Seen::default();
        let (mut asked, mut before) = ([0; 2], None);
        for kind in 0..2 {
            for turn in 0..WARM_UPS {
                self.ask(kind, turn).await?;
            }
        }
        for kind in &self.order {
            if observed.is_over() {
                break;
            }
            let [known, unknown] = &mut asked;
            let turn = if *kind == 0 { known } else { unknown };
            let begun_ns = observed.clock.now_ns();
            let (answer, us, email) = self.ask(*kind, *turn).await?;
            *turn += 1;
            observed.record(begun_ns, Ok(()));
            seen.note(*kind, before, &answer, us, email);
            before = Some(*kind);
        }
        Ok(seen)
    }

    async fn ask(&self, kind: usize, turn: usize) -> Result<(Answer, f64, &str), Fault> {
        let addresses = self.addresses.get(kind).map(Vec::as_slice).unwrap_or_default();
        let email = addresses.get(turn % addresses.len().max(1)).map(String::as_str).unwrap_or_default();
        let (request, body) = self.form.with(email);
        let begun = Instant::now();
        let answer = self.form.session.send(request, body).await?;
        let us = begun.elapsed().as_nanos() as f64 / 1e3;
        if answer.status != self.page.answered {
            let (name, status) = (self.page.name, answer.status.as_u16());
            let why = if status == 429 || status == 503 { ": its limits must be out of the way" } else { "" };
            return Err(Fault::Refused(format!("{name} was answered {status}{why}")));
        }
        Ok((answer, us, email))
    }
}

impl Seen {
    fn note(&mut self, kind: usize, before: Option<usize>, answer: &Answer, us: f64, email: &str) {
        if let Some(looks) = self.looks.get_mut(kind) {
            looks.add(answer, email);
        }
        if let Some(times) = self.own_us.get_mut(kind) {
            times.push(us);
        }
        if let Some(times) = before.and_then(|before| self.next_us.get_mut(before)) {
            times.push(us);
        }
    }
}

/// How many signs there are by which the kinds are told apart.
fn judge(settings: &Settings, page: &StrangersPage, seen: Seen, figures: &mut Figures, notes: &mut Vec<String>) -> u64 {
    let name = page.name;
    let Seen { looks: [known, unknown], own_us, next_us } = seen;
    let difference = known.find_difference(&unknown);
    let (a, b) = (known.count(), unknown.count());
    notes.push(match &difference {
        None => format!("{name}: answers look alike ({a} and {b} forms, after what differs in any two)."),
        Some(difference) => format!("{name}: ANSWERS DIFFER ({a} and {b} forms): {difference}."),
    });
    let mut signs = u64::from(difference.is_some());
    for (what, [known, unknown]) in [("", own_us), (", the next request", next_us)] {
        let pair = Pair::new(known, unknown);
        let Some(told) = pair.tell(settings.seed) else { continue };
        let is_apart = told.longer_p < P_MIN || told.distance_p < P_MIN;
        signs += u64::from(is_apart);
        for (quantile, shown) in [(0.1, "p10"), (0.5, "p50"), (0.9, "p90"), (0.99, "p99")] {
            let (known, unknown) = pair.quantiles(quantile);
            figures.add(format!("{name}{what}: {shown}, known"), Unit::Micros, known);
            figures.add(format!("{name}{what}: {shown}, unknown"), Unit::Micros, unknown);
        }
        figures.add(format!("{name}{what}: Mann-Whitney p"), Unit::Ratio, told.longer_p);
        figures.add(format!("{name}{what}: Kolmogorov-Smirnov p"), Unit::Ratio, told.distance_p);
        notes.push(sentence(&format!("{name}{what}"), &pair, &told, is_apart));
    }
    signs
}

fn sentence(what: &str, pair: &Pair, told: &Told, is_apart: bool) -> String {
    let (known, unknown) = pair.quantiles(0.5);
    let (low, high) = told.median_range;
    format!(
        "{what}: {}. Medians {known:.1} µs (known) and {unknown:.1} µs (unknown), {:+.1} µs apart (95 %: {low:+.1} to {high:+.1}). \
         Mann-Whitney: the unknown one is longer in {:.1} % of pairs, p = {:.4}. Kolmogorov-Smirnov: D = {:.4}, p = {:.4}.",
        if is_apart { "TOLD APART" } else { "not told apart" },
        told.median_less,
        told.longer * 100.0,
        told.longer_p,
        told.distance,
        told.distance_p,
    )
}

/// An address of the same length at the same provider, which nobody has.
fn stranger(email: &str, rng: &mut Rng) -> String {
    let at = email.find('@').unwrap_or(email.len());
    let (local, rest) = email.split_at(at);
    let letter = |rng: &mut Rng| char::from(b'a' + rng.below(26) as u8);
    local.chars().map(|_| letter(rng)).chain(rest.chars()).collect()
}

/// So many of each kind, shuffled (Fisher and Yates).
fn order(of_each: usize, rng: &mut Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..2 * of_each).map(|turn| turn % 2).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, rng.below(last + 1));
    }
    order
}

/// Signs by which the kinds are told apart, among the wrong answers.
const TOLD_APART: &str = "told_apart";
/// Below it the kinds are told apart.
const P_MIN: f64 = 0.001;
/// Requests of each kind that are not counted.
const WARM_UPS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_come_equally_often_in_no_order() {
        let order = order(1000, &mut Rng::seeded(1, 0));
        assert_eq!(order.iter().sum::<usize>(), 1000);
        let changes = order.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((900..1100).contains(&changes), "{changes} changes, as of a coin");
    }

    #[test]
    fn a_stranger_is_as_long_as_a_friend_and_lives_next_door() {
        let mut rng = Rng::seeded(1, 0);
        let (one, other) = (stranger("demo@example.com", &mut rng), stranger("demo@example.com", &mut rng));
        assert_ne!(one, other);
        assert_eq!((one.len(), one.ends_with("@example.com")), (16, true), "{one}");
    }
}
