//! What the rounds come to: medians with their spread, ratios taken within a round, and doubts.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::fault::Fault;
use crate::peers::load::{Measured, Shape};
use crate::peers::peer::{Kind, Site};
use crate::peers::subject::Subject;
use crate::peers::{Args, page};
use crate::procfs;
use crate::progress::say;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    Own,
    H2load,
}

#[derive(Serialize)]
pub struct Comparison {
    pub about: About,
    pub summary: Summary,
    rows: Vec<Row>,
    idle: Vec<Idle>,
}

/// What one must know to doubt or to repeat it.
#[derive(Serialize)]
pub struct About {
    pub started_at_s: u64,
    pub kernel: String,
    pub cpu: String,
    pub cpus: usize,
    pub server_core: usize,
    pub generator_core: usize,
    pub cipher_suite: String,
    pub rounds: u32,
    pub duration_s: f64,
    pub idle_connections: u32,
    /// Whether nginx waits for the body of the POST, or answers without.
    pub nginx_reads_body: bool,
    pub versions: Vec<String>,
    pub command: String,
}

#[derive(Serialize)]
struct Row {
    round: u32,
    subject: String,
    shape: Option<Shape>,
    tool: Tool,
    measured: Measured,
}

#[derive(Serialize)]
struct Idle {
    peer: &'static str,
    untouched_kib: f64,
    asked_kib: f64,
}

#[derive(Serialize, Default)]
pub struct Summary {
    pub figures: Vec<Figure>,
    pub ratios: Vec<Ratio>,
    pub checks: Vec<Check>,
    pub doubts: Vec<String>,
}

/// Several rounds of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub min: f64,
    pub median: f64,
    pub max: f64,
}

#[derive(Serialize)]
pub struct Figure {
    pub subject: String,
    /// A shape, or nothing.
    pub under: String,
    pub unit: &'static str,
    pub value: Spread,
    pub per_s: Option<Spread>,
    pub server_busy: Option<Spread>,
}

#[derive(Serialize)]
pub struct Ratio {
    pub of: String,
    pub to: String,
    pub under: String,
    pub value: Spread,
    pub at_most: Option<f64>,
}

/// h2load's figure over ours.
#[derive(Serialize)]
pub struct Check {
    pub subject: String,
    pub under: String,
    pub cpu: Spread,
    pub per_s: Spread,
    /// Of the server's core under h2load, which is slower than the fastest server.
    pub server_busy: Spread,
}

impl Check {
    pub fn agrees(&self) -> bool {
        [self.cpu, self.per_s].iter().all(|ratio| (ratio.median - 1.0).abs() <= AGREEMENT)
    }

    pub fn verdict(&self) -> String {
        match self.server_busy.median {
            _ if self.agrees() => "within 5 %".to_owned(),
            busy if busy < 1.0 - IDLE_MAX => format!("apart; h2load filled {:.0} % of the core", busy * 100.0),
            _ => "APART by more than 5 %".to_owned(),
        }
    }
}

impl Ratio {
    /// By the median.
    pub fn is_met(&self) -> Option<bool> {
        self.at_most.map(|most| self.value.median <= most)
    }
}

impl Spread {
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = match (sorted.len() % 2, sorted.get(middle.wrapping_sub(1))) {
            (0, Some(below)) => f64::midpoint(*below, *sorted.get(middle)?),
            _ => *sorted.get(middle)?,
        };
        Some(Self { min: *sorted.first()?, median, max: *sorted.last()? })
    }

    pub fn text(&self, digits: usize) -> String {
        let Self { min, median, max } = self;
        format!("{median:.digits$} ({min:.digits$}-{max:.digits$})")
    }
}

impl Comparison {
    pub fn begin(args: &Args, site: &Site, cipher_suite: String) -> Self {
        let (kernel, cpu, cpus, _) = procfs::machine();
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let about = About {
            started_at_s: started.as_secs(),
            kernel,
            cpu,
            cpus,
            server_core: args.server_core,
            generator_core: args.generator_core,
            cipher_suite,
            rounds: args.rounds,
            duration_s: args.duration.as_secs_f64(),
            idle_connections: args.idle,
            nginx_reads_body: args.nginx_echo.is_some(),
            versions: versions(args, site),
            command: std::env::args().collect::<Vec<_>>().join(" "),
        };
        Self { about, summary: Summary::default(), rows: Vec::new(), idle: Vec::new() }
    }

    pub fn add(&mut self, round: u32, subject: &str, shape: Option<Shape>, tool: Tool, measured: Measured) {
        let by = if tool == Tool::H2load { "h2load" } else { "" };
        say(&format!(
            "round {:<2} {:>5} {subject:<30} {:>8.2} us  {:>9.0}/s  core {:>3.0} % {by}",
            round + 1,
            shape_text(shape),
            measured.cpu_us,
            measured.per_s,
            measured.server_busy * 100.0,
        ));
        self.rows.push(Row { round, subject: subject.to_owned(), shape, tool, measured });
    }

    pub fn add_idle(&mut self, kind: Kind, untouched_kib: f64, asked_kib: f64) {
        let peer = kind.label();
        say(&format!("idle  {peer:<8} {untouched_kib:>7.1} KiB untouched  {asked_kib:>7.1} KiB after one request"));
        self.idle.push(Idle { peer, untouched_kib, asked_kib });
    }

    pub fn write(&mut self, out: &Path) -> Result<(), Fault> {
        self.sum_up();
        let json = serde_json::to_string_pretty(self).map_err(|e| Fault::local("compare.json", e))?;
        for (name, text) in [("compare.json", json), ("compare.html", page::page(self))] {
            let path = out.join(name);
            std::fs::write(&path, text).map_err(|e| Fault::local(&path.display().to_string(), e))?;
            say(&format!("wrote {}", path.display()));
        }
        Ok(())
    }

    fn sum_up(&mut self) {
        let mut summary = Summary::default();
        for (subject, shape) in self.measured_things() {
            let rows = || self.rows_of(&subject, shape, Tool::Own);
            let spread =
                |pick: fn(&Measured) -> f64| Spread::of(&rows().map(|row| pick(&row.measured)).collect::<Vec<_>>());
            let Some(value) = spread(|measured| measured.cpu_us) else { continue };
            let (per_s, server_busy) = (spread(|measured| measured.per_s), spread(|measured| measured.server_busy));
            let under = shape_text(shape);
            summary.doubts.extend(doubts(&subject, &under, rows().map(|row| &row.measured)));
            summary.checks.extend(self.check(&subject, shape));
            summary.figures.push(Figure { subject, under, unit: "us CPU", value, per_s, server_busy });
        }
        for (asked, under) in [(false, "idle connection, untouched"), (true, "idle connection, after one request")] {
            for kind in Kind::ALL {
                let Some(value) = Spread::of(&self.idle_of(kind, asked)) else { continue };
                let (subject, under) = (kind.label().to_owned(), under.to_owned());
                summary.figures.push(Figure { subject, under, unit: "KiB", value, per_s: None, server_busy: None });
            }
        }
        summary.ratios = self.ratios();
        self.summary = summary;
    }

    /// Subjects and shapes, in the order of the first round.
    fn measured_things(&self) -> Vec<(String, Option<Shape>)> {
        let mut things = Vec::new();
        for row in &self.rows {
            let thing = (row.subject.clone(), row.shape);
            if !things.contains(&thing) {
                things.push(thing);
            }
        }
        things
    }

    fn rows_of(&self, subject: &str, shape: Option<Shape>, tool: Tool) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.subject == subject && row.shape == shape && row.tool == tool)
    }

    fn idle_of(&self, kind: Kind, asked: bool) -> Vec<f64> {
        let rows = self.idle.iter().filter(|idle| idle.peer == kind.label());
        rows.map(|idle| if asked { idle.asked_kib } else { idle.untouched_kib }).collect()
    }

    fn ratios(&self) -> Vec<Ratio> {
        let mut ratios = Vec::new();
        let ours = Subject::SigidIntrospect.label();
        let ours_under = self.measured_things().into_iter().filter(|(subject, _)| subject == ours);
        for (_, shape) in ours_under {
            for theirs in [Subject::H2oFile, Subject::NginxFile, Subject::NginxPost] {
                let at_most = REQUEST_TARGETS.iter().find(|(s, to, _)| *s == shape_text(shape) && *to == theirs);
                ratios.extend(self.ratio(ours, theirs.label(), shape, at_most.map(|(_, _, most)| *most)));
            }
        }
        for name in ["full handshake", "resumed handshake"] {
            for (theirs, at_most) in [(Kind::Nginx, Some(HANDSHAKE_TARGET)), (Kind::H2o, None)] {
                let label = |kind: Kind| format!("{}: {name}", kind.label());
                ratios.extend(self.ratio(&label(Kind::Sigid), &label(theirs), None, at_most));
            }
        }
        for (asked, under, at_most) in [(false, "untouched", 1.2), (true, "after one request", 1.0)] {
            let (ours, theirs) = (self.idle_of(Kind::Sigid, asked), self.idle_of(Kind::Nginx, asked));
            let each: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
            ratios.extend(Spread::of(&each).map(|value| Ratio {
                of: "SigID: memory of an idle connection".to_owned(),
                to: "nginx".to_owned(),
                under: under.to_owned(),
                value,
                at_most: Some(at_most),
            }));
        }
        ratios
    }

    /// CPU over CPU of the same round.
    fn ratio(&self, of: &str, to: &str, shape: Option<Shape>, at_most: Option<f64>) -> Option<Ratio> {
        let theirs = |round| self.rows_of(to, shape, Tool::Own).find(|row| row.round == round);
        let each = self.rows_of(of, shape, Tool::Own);
        let each = each.filter_map(|row| Some(row.measured.cpu_us / theirs(row.round)?.measured.cpu_us));
        let value = Spread::of(&each.collect::<Vec<_>>())?;
        Some(Ratio { of: of.to_owned(), to: to.to_owned(), under: shape_text(shape), value, at_most })
    }

    fn check(&self, subject: &str, shape: Option<Shape>) -> Option<Check> {
        let ratio = |pick: fn(&Measured) -> f64| {
            let ours = |round| self.rows_of(subject, shape, Tool::Own).find(|row| row.round == round);
            let each = self.rows_of(subject, shape, Tool::H2load);
            let each = each.filter_map(|row| Some(pick(&row.measured) / pick(&ours(row.round)?.measured)));
            Spread::of(&each.collect::<Vec<_>>())
        };
        let (cpu, per_s) = (ratio(|measured| measured.cpu_us)?, ratio(|measured| measured.per_s)?);
        let busy = self.rows_of(subject, shape, Tool::H2load).map(|row| row.measured.server_busy);
        let server_busy = Spread::of(&busy.collect::<Vec<_>>())?;
        Some(Check { subject: subject.to_owned(), under: shape_text(shape), cpu, per_s, server_busy })
    }

    pub fn text(&self) -> String {
        let mut out = String::from("\nmedian (min-max) of the rounds; CPU of the server per request or handshake\n\n");
        for Figure { subject, under, unit, value, per_s, server_busy } in &self.summary.figures {
            let digits = if *unit == "KiB" { 1 } else { 2 };
            let _ = write!(out, "{:<32} {under:<35} {:>24} {unit}", subject, value.text(digits));
            if let Some((per_s, busy)) = per_s.as_ref().zip(server_busy.as_ref()) {
                let _ = write!(out, " {:>9.0}/s  core {:.0} %", per_s.median, busy.median * 100.0);
            }
            out.push('\n');
        }
        out.push_str("\nratios, each taken within a round\n\n");
        for ratio in &self.summary.ratios {
            let pair = format!("{} / {}", ratio.of, ratio.to);
            let _ = write!(out, "{pair:<62} {:<18} {:>20}", ratio.under, ratio.value.text(2));
            if let Some((most, met)) = ratio.at_most.zip(ratio.is_met()) {
                let _ = write!(out, "  at most {most:.2}: {}", if met { "met" } else { "missed" });
            }
            out.push('\n');
        }
        self.push_checks(&mut out);
        for doubt in &self.summary.doubts {
            let _ = writeln!(out, "doubtful: {doubt}");
        }
        out
    }

    fn push_checks(&self, out: &mut String) {
        if self.summary.checks.is_empty() {
            return out.push_str("\nh2load was not there to check this (Debian: nghttp2-client)\n\n");
        }
        out.push_str("\nh2load's figures over ours\n\n");
        for check in &self.summary.checks {
            let verdict = check.verdict();
            let (cpu, per_s) = (check.cpu.text(3), check.per_s.text(3));
            let _ = writeln!(out, "{:<32} {:<6} CPU {cpu}  throughput {per_s}  {verdict}", check.subject, check.under);
        }
        out.push('\n');
    }
}

/// Where a figure may not be what it looks like.
fn doubts<'a>(subject: &str, under: &str, measured: impl Iterator<Item = &'a Measured>) -> Option<String> {
    let (mut idle, mut disturbed) = (0.0f64, 0.0f64);
    for one in measured {
        idle = idle.max(1.0 - one.server_busy - one.server_waited);
        disturbed = disturbed.max(one.server_waited);
    }
    let mut why = Vec::new();
    if idle > IDLE_MAX {
        why.push(format!("its core idled {:.0} % of the time: the generator did not keep up", idle * 100.0));
    }
    if disturbed > DISTURBED_MAX {
        why.push(format!("it waited {:.0} % of the time for its core: other work was there", disturbed * 100.0));
    }
    (!why.is_empty()).then(|| format!("{}: at worst {}", format!("{subject} {under}").trim_end(), why.join("; ")))
}

fn shape_text(shape: Option<Shape>) -> String {
    shape.map_or_else(String::new, |Shape { connections, streams }| format!("{connections}x{streams}"))
}

fn versions(args: &Args, site: &Site) -> Vec<String> {
    let mut versions = vec![
        first_line(&site.sigid, "--version"),
        first_line(&site.nginx, "-v"),
        first_line(&site.h2o, "--version"),
        format!("sigid-loadtest {}", env!("CARGO_PKG_VERSION")),
    ];
    versions.extend(args.h2load.as_ref().map(|h2load| first_line(h2load, "--version")));
    versions
}

/// What a program says of itself, on whichever stream.
fn first_line(program: &Path, flag: &str) -> String {
    let said = Command::new(program).arg(flag).output();
    let said = said.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
    let line = String::from_utf8_lossy(&said).lines().next().unwrap_or_default().to_owned();
    line.replace("nginx version: ", "")
}

/// What the project has set itself, of introspection over theirs.
const REQUEST_TARGETS: &[(&str, Subject, f64)] = &[
    ("4x32", Subject::H2oFile, 2.0),
    ("4x32", Subject::NginxFile, 0.35),
    ("32x1", Subject::H2oFile, 1.0),
    ("32x1", Subject::NginxFile, 0.85),
];
const HANDSHAKE_TARGET: f64 = 0.65;
const AGREEMENT: f64 = 0.05;
const IDLE_MAX: f64 = 0.05;
const DISTURBED_MAX: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(cpu_us: f64, per_s: f64) -> Measured {
        Measured { count: 1, per_s, cpu_us, server_busy: 0.99, server_waited: 0.0, generator_busy: 0.5 }
    }

    fn comparison(rows: &[(u32, Subject, Tool, f64, f64)]) -> Comparison {
        let shape = Some(Shape { connections: 4, streams: 32 });
        let row = |(round, subject, tool, cpu_us, per_s): &(u32, Subject, Tool, f64, f64)| Row {
            round: *round,
            subject: subject.label().to_owned(),
            shape,
            tool: *tool,
            measured: measured(*cpu_us, *per_s),
        };
        let about = About {
            started_at_s: 0,
            kernel: String::new(),
            cpu: String::new(),
            cpus: 2,
            server_core: 0,
            generator_core: 1,
            cipher_suite: String::new(),
            rounds: 2,
            duration_s: 1.0,
            idle_connections: 0,
            nginx_reads_body: true,
            versions: Vec::new(),
            command: String::new(),
        };
        let rows = rows.iter().map(row).collect();
        let mut comparison = Comparison { about, summary: Summary::default(), rows, idle: Vec::new() };
        comparison.sum_up();
        comparison
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_judged_by_their_median() {
        let comparison = comparison(&[
            (0, Subject::SigidIntrospect, Tool::Own, 3.0, 1.0),
            (0, Subject::H2oFile, Tool::Own, 1.0, 1.0),
            (1, Subject::H2oFile, Tool::Own, 4.0, 1.0),
            (1, Subject::SigidIntrospect, Tool::Own, 4.0, 1.0),
        ]);
        let ratio = comparison.summary.ratios.first().unwrap();
        assert_eq!(ratio.value, Spread { min: 1.0, median: 2.0, max: 3.0 });
        assert_eq!((ratio.at_most, ratio.is_met()), (Some(2.0), Some(true)));
        assert!(comparison.text().contains("2.00 (1.00-3.00)  at most 2.00: met"), "{}", comparison.text());
    }

    #[test]
    fn the_other_tool_agrees_within_five_percent_of_both_figures() {
        for (cpu_us, per_s, agrees) in [(1.04, 96.0, true), (1.06, 100.0, false), (1.0, 94.0, false)] {
            let comparison = comparison(&[
                (0, Subject::H2oFile, Tool::Own, 1.0, 100.0),
                (0, Subject::H2oFile, Tool::H2load, cpu_us, per_s),
            ]);
            assert_eq!(comparison.summary.checks.first().unwrap().agrees(), agrees, "{cpu_us} {per_s}");
        }
    }

    #[test]
    fn a_core_that_idles_or_is_disturbed_is_doubted() {
        let with = |server_busy, server_waited| Measured { server_busy, server_waited, ..measured(1.0, 1.0) };
        assert_eq!(doubts("x", "", [with(0.98, 0.01)].iter()), None);
        assert!(doubts("x", "", [with(0.98, 0.0), with(0.7, 0.0)].iter()).unwrap().contains("idled 30 %"));
        assert!(doubts("x", "", [with(0.8, 0.2)].iter()).unwrap().contains("waited 20 %"));
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0 }));
        assert_eq!(Spread::of(&[7.0]), Some(Spread { min: 7.0, median: 7.0, max: 7.0 }));
        assert_eq!(Spread::of(&[]), None);
    }
}
