//! `report.json`: what was asked, what came back, on which machine, and whether to believe it.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer};

use crate::args::Settings;
use crate::fault::Fault;
use crate::figures::{Figure, Figures};
use crate::plot::Plot;
use crate::procfs::{self, Times};
use crate::record::{Counts, Interval, Kind, Links, Wrong};
use crate::verdict::{Generator, ThreadShare};

#[derive(Serialize)]
pub struct Report {
    pub scenario: crate::args::ScenarioName,
    /// The scenario, and which of its measurements this is.
    pub title: String,
    /// Why nothing was measured.
    pub skipped: Option<String>,
    /// Why it could not be brought to its end.
    pub fault: Option<String>,
    /// What a reader must know beside the figures.
    pub notes: Vec<String>,
    /// What this scenario is about, with the spread of its rounds.
    pub figures: Vec<Figure>,
    pub settings: Settings,
    /// As given, secrets redacted.
    pub command: String,
    pub started_at: String,
    /// The measured time.
    pub duration_s: f64,
    pub ended_early: bool,
    /// Due in the measured time.
    pub requests: u64,
    pub errors: BTreeMap<&'static str, u64>,
    /// What the `wrong_answer`s were.
    pub wrong_answers: BTreeMap<&'static str, u64>,
    pub rate_offered: f64,
    /// Right answers that came within the measured time.
    pub rate_achieved: f64,
    /// From due to answer; right answers and timeouts.
    pub latency_us: Percentiles,
    /// From sending to answer; right answers.
    pub service_us: Percentiles,
    pub server: ServerFigures,
    pub generator: Generator,
    pub connections: Connections,
    pub feed_age_s_max: Option<f64>,
    pub versions: BTreeMap<&'static str, String>,
    pub machine: Machine,
    /// (quantile, microseconds)
    pub latency_curve: Vec<(f64, u64)>,
    pub service_curve: Vec<(f64, u64)>,
    pub series: Vec<Point>,
    pub drawings: Vec<Plot>,
    /// The measurements this one is made of, each a whole report.
    pub parts: Vec<Report>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Percentiles {
    pub min: u64,
    pub mean: f64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub p9999: u64,
    pub max: u64,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerFigures {
    pub cpu_us_per_request: Option<f64>,
    pub rss_bytes_max: Option<u64>,
    pub rss_bytes_first: Option<u64>,
    /// Cores used on average in the measured time.
    pub cpu_cores: Option<f64>,
    /// Time its threads were ready to run and had no core, per second: above some hundredths, the machine is shared.
    pub cpu_wait_cores: Option<f64>,
    pub pids: Vec<u32>,
    pub processes: Vec<String>,
    /// Why there are no figures.
    pub unmeasured: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Connections {
    pub opened: u64,
    pub lost: u64,
    pub failed_attempts: u64,
    pub last_reason: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    pub cpu: String,
    pub cpus: usize,
    pub memory_bytes: u64,
    pub kernel: String,
}

/// One second of the run.
#[derive(Debug, Clone, Serialize)]
pub struct Point {
    /// Seconds of the measured time at the end of this one.
    pub t_s: f64,
    pub right_per_s: f64,
    pub errors_per_s: f64,
    #[serde(rename = "errors", serialize_with = "as_errors")]
    pub ended: Counts,
    pub p50_us: Option<u64>,
    pub p99_us: Option<u64>,
    pub max_us: Option<u64>,
    pub server_cores: Option<f64>,
    pub server_rss_bytes: Option<u64>,
    pub server_descriptors: Option<u64>,
    pub generator_cores: f64,
    pub feed_age_s: Option<f64>,
}

/// What a run leaves behind for its report.
pub struct Outcome {
    pub started_at: SystemTime,
    pub duration: Duration,
    /// The same between the looks that counted answers and CPU: what those are divided by.
    pub observed: Duration,
    pub ended_early: bool,
    /// The generator's threads did not wait for a core.
    pub is_first: bool,
    pub total: Interval,
    /// What ended within the measured time, whenever it was due.
    pub ended: Counts,
    /// Of the server in the measured time.
    pub server_times: Option<Times>,
    pub server_pids: Vec<u32>,
    pub server_processes: Vec<String>,
    pub generator_times: Vec<Times>,
    pub series: Vec<Point>,
    pub tls: String,
    pub server_header: Option<String>,
    pub http1: bool,
}

impl Outcome {
    /// Of work that measured nothing.
    pub fn nothing() -> Result<Self, Fault> {
        Ok(Self {
            started_at: SystemTime::now(),
            duration: Duration::ZERO,
            observed: Duration::ZERO,
            ended_early: false,
            is_first: false,
            total: Interval::new()?,
            ended: Counts::default(),
            server_times: None,
            server_pids: Vec::new(),
            server_processes: Vec::new(),
            generator_times: Vec::new(),
            series: Vec::new(),
            tls: String::new(),
            server_header: None,
            http1: false,
        })
    }

    /// Adds a later round of the same.
    pub fn merge(&mut self, later: Self) -> Result<(), Fault> {
        let before_s = self.duration.as_secs_f64();
        self.series.extend(later.series.into_iter().map(|point| Point { t_s: point.t_s + before_s, ..point }));
        self.duration += later.duration;
        self.observed += later.observed;
        self.ended_early |= later.ended_early;
        self.is_first &= later.is_first;
        self.total.merge(&later.total)?;
        self.ended.add(&later.ended);
        if let (Some(times), Some(more)) = (&mut self.server_times, later.server_times) {
            *times += more;
        }
        for (times, more) in self.generator_times.iter_mut().zip(later.generator_times) {
            *times += more;
        }
        Ok(())
    }

    pub fn cpu_us_per_request(&self) -> Option<f64> {
        let answered = self.ended.answered();
        self.server_times.filter(|_| answered > 0).map(|times| times.cpu_ns as f64 / 1e3 / answered as f64)
    }

    pub fn rate_achieved(&self) -> f64 {
        ratio(self.ended.right as f64, self.observed.as_secs_f64())
    }

    pub fn latency_us(&self, quantile: f64) -> f64 {
        self.total.latency.value_at_quantile(quantile) as f64
    }
}

impl Report {
    pub fn new(settings: &Settings, outcome: Outcome) -> Self {
        let seconds = outcome.duration.as_secs_f64();
        let observed_s = outcome.observed.as_secs_f64();
        let measured = &outcome.total.measured;
        let requests = measured.total();
        let share = |ns: u64| ratio(ns as f64 / 1e9, observed_s);
        let threads = outcome.generator_times.iter();
        let threads = threads.map(|t| ThreadShare { cpu: share(t.cpu_ns), wait: share(t.wait_ns) }).collect();
        let queued_share = ratio(outcome.total.queued as f64, requests as f64);
        Self {
            scenario: settings.scenario,
            title: settings.scenario.label().to_owned(),
            skipped: None,
            fault: None,
            notes: Vec::new(),
            figures: Vec::new(),
            settings: settings.clone(),
            command: settings.command.clone(),
            started_at: rfc3339(outcome.started_at),
            duration_s: seconds,
            ended_early: outcome.ended_early,
            requests,
            errors: named(&Kind::LABELS, &measured.errors),
            wrong_answers: named(&Wrong::LABELS, &measured.wrongs),
            rate_offered: ratio(requests as f64, seconds),
            rate_achieved: ratio(outcome.ended.right as f64, observed_s),
            latency_us: percentiles(&outcome.total.latency),
            service_us: percentiles(&outcome.total.service),
            server: server_figures(&outcome, observed_s),
            generator: Generator::judge(settings.spin, threads, &outcome.total, queued_share),
            connections: connections(&outcome.total.links),
            feed_age_s_max: outcome.series.iter().filter_map(|p| p.feed_age_s).reduce(f64::max),
            versions: versions(&outcome),
            machine: machine(),
            latency_curve: curve(&outcome.total.latency),
            service_curve: curve(&outcome.total.service),
            series: outcome.series,
            drawings: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Of a scenario that cannot be played against this target.
    pub fn skipped(settings: &Settings, why: String) -> Result<Self, Fault> {
        Ok(Self { skipped: Some(why), ..Self::new(settings, Outcome::nothing()?) })
    }

    /// Of a scenario that began and could not be brought to its end.
    pub fn failed(settings: &Settings, why: String) -> Result<Self, Fault> {
        Ok(Self { fault: Some(why), ..Self::new(settings, Outcome::nothing()?) })
    }

    /// Of several measurements: sums, and the latencies of the first.
    pub fn of_parts(settings: &Settings, parts: Vec<Self>) -> Result<Self, Fault> {
        let mut whole = Self::new(settings, Outcome::nothing()?);
        let measured = || parts.iter().filter(|part| part.skipped.is_none() && part.fault.is_none());
        if let Some(first) = measured().next() {
            (whole.latency_us, whole.service_us) = (first.latency_us, first.service_us);
            whole.started_at.clone_from(&first.started_at);
            whole.server = first.server.clone();
            whole.generator = first.generator.clone();
            whole.versions.clone_from(&first.versions);
            (whole.rate_offered, whole.rate_achieved) = (first.rate_offered, first.rate_achieved);
            whole.connections = first.connections.clone();
        }
        for part in measured() {
            whole.requests += part.requests;
            whole.duration_s += part.duration_s;
            whole.ended_early |= part.ended_early;
            for (kind, n) in &part.errors {
                *whole.errors.entry(kind).or_default() += n;
            }
            for (kind, n) in &part.wrong_answers {
                *whole.wrong_answers.entry(kind).or_default() += n;
            }
        }
        let larger = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        whole.feed_age_s_max = measured().fold(None, |worst, part| larger(worst, part.feed_age_s_max));
        whole.server.rss_bytes_max = measured().filter_map(|part| part.server.rss_bytes_max).max();
        whole.parts = parts;
        Ok(whole)
    }

    #[must_use]
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    #[must_use]
    pub fn with(mut self, figures: Figures, drawings: Vec<Plot>, notes: Vec<String>) -> Self {
        self.figures.extend(figures.done());
        self.drawings.extend(drawings);
        self.notes.extend(notes);
        self
    }

    /// Where the server did more than the requests that were counted.
    #[must_use]
    pub fn without_cpu_per_request(mut self) -> Self {
        self.server.cpu_us_per_request = None;
        self
    }

    /// Wrong answers, or nothing that was right. A part that was skipped is no failure of the whole.
    pub fn has_failed(&self) -> bool {
        if self.skipped.is_some() || self.wrong() > 0 {
            return true;
        }
        if self.parts.is_empty() {
            return self.rate_achieved == 0.0;
        }
        self.parts.iter().any(|part| part.skipped.is_none() && part.has_failed())
    }

    pub fn wrong(&self) -> u64 {
        self.wrong_answers.values().sum()
    }

    /// What people read when the run is over.
    pub fn summary(&self) -> String {
        if let Some(why) = &self.skipped {
            return format!("{}: skipped: {why}", self.title);
        }
        if let Some(why) = &self.fault {
            return format!("{}: could not be measured: {why}", self.title);
        }
        let mut lines = if self.parts.is_empty() { vec![self.load_summary()] } else { Vec::new() };
        lines.extend(self.notes.iter().cloned());
        lines.extend(self.figures.iter().map(figure_line));
        lines.extend(self.parts.iter().map(|part| format!("\n--- {}\n{}", part.title, part.summary())));
        lines.join("\n")
    }

    fn load_summary(&self) -> String {
        let micros = crate::progress::micros;
        let p = &self.latency_us;
        let errors = self.errors.iter().map(|(kind, n)| format!("{kind} {n}")).collect::<Vec<_>>().join(", ");
        let cpu = self
            .server
            .cpu_us_per_request
            .map_or_else(String::new, |us| format!("server {us:.2} µs CPU per request\n"));
        format!(
            "{} requests in {:.1} s: offered {:.0}/s, right answers {:.0}/s\nlatency p50 {}  p90 {}  p99 {}  p99.9 {}  max {}\n{cpu}errors: {}\n{}",
            self.requests,
            self.duration_s,
            self.rate_offered,
            self.rate_achieved,
            micros(p.p50),
            micros(p.p90),
            micros(p.p99),
            micros(p.p999),
            micros(p.max),
            if errors.is_empty() { "none" } else { &errors },
            self.generator.sentence(),
        )
    }
}

fn figure_line(figure: &Figure) -> String {
    let show = |value| figure.unit.show(value);
    match figure.rounds.len() {
        1 => format!("{:<52} {}", figure.name, show(figure.median)),
        n => format!(
            "{:<52} {}  ({} to {} in {n} rounds)",
            figure.name,
            show(figure.median),
            show(figure.min),
            show(figure.max)
        ),
    }
}

fn server_figures(outcome: &Outcome, seconds: f64) -> ServerFigures {
    let Some(times) = outcome.server_times else {
        return ServerFigures {
            unmeasured: Some("the server's process is not on this machine, or cannot be seen"),
            ..ServerFigures::default()
        };
    };
    ServerFigures {
        cpu_us_per_request: outcome.cpu_us_per_request(),
        rss_bytes_max: outcome.series.iter().filter_map(|p| p.server_rss_bytes).max(),
        rss_bytes_first: outcome.series.iter().find_map(|p| p.server_rss_bytes),
        cpu_cores: Some(ratio(times.cpu_ns as f64 / 1e9, seconds)),
        cpu_wait_cores: Some(ratio(times.wait_ns as f64 / 1e9, seconds)),
        pids: outcome.server_pids.clone(),
        processes: outcome.server_processes.clone(),
        unmeasured: None,
    }
}

fn connections(links: &Links) -> Connections {
    Connections {
        opened: links.opened,
        lost: links.lost,
        failed_attempts: links.failed,
        last_reason: links.why.clone(),
    }
}

fn versions(outcome: &Outcome) -> BTreeMap<&'static str, String> {
    let mut versions = BTreeMap::from([
        ("sigid-loadtest", env!("CARGO_PKG_VERSION").to_owned()),
        ("http", if outcome.http1 { "HTTP/1.1" } else { "HTTP/2" }.to_owned()),
        ("tls", outcome.tls.clone()),
    ]);
    if let Some(server) = &outcome.server_header {
        versions.insert("target_server_header", server.clone());
    }
    versions
}

fn machine() -> Machine {
    let (kernel, cpu, cpus, memory_bytes) = procfs::machine();
    Machine { cpu, cpus, memory_bytes, kernel }
}

pub fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile| histogram.value_at_quantile(quantile);
    Percentiles {
        min: if histogram.is_empty() { 0 } else { histogram.min() },
        mean: (histogram.mean() * 10.0).round() / 10.0,
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: histogram.max(),
    }
}

/// Ten steps per halving of the distance to 1: even on a logarithmic axis of "nines".
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut points: Vec<(f64, u64)> = histogram
        .iter_quantiles(CURVE_STEPS_PER_HALVING)
        .map(|step| (step.quantile_iterated_to(), step.value_iterated_to()))
        .collect();
    points.dedup();
    points
}

fn named<const N: usize>(labels: &[&'static str; N], counts: &[u64; N]) -> BTreeMap<&'static str, u64> {
    labels.iter().copied().zip(counts.iter().copied()).filter(|(_, n)| *n > 0).collect()
}

fn as_errors<S: Serializer>(counts: &Counts, to: S) -> Result<S::Ok, S::Error> {
    named(&Kind::LABELS, &counts.errors).serialize(to)
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// UTC to the second; the civil calendar after Howard Hinnant's `civil_from_days`.
pub fn rfc3339(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs() as i64);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

const CURVE_STEPS_PER_HALVING: u32 = 10;

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::args::{AuthMethod, Credentials, Loop, Mix, ScenarioName};
    use crate::record::{Passage, Recorder};
    use crate::redact::Secret;

    pub fn settings() -> Settings {
        let client = Credentials { id: "client".to_owned(), secret: Secret::new("hunter2-hunter2".to_owned()) };
        Settings {
            scenario: ScenarioName::Introspect,
            target: http::Uri::from_static("https://localhost:8443"),
            nodes: Vec::new(),
            pace_is_given: true,
            http1: false,
            rounds: 1,
            zipf: None,
            clock_offset_file: None,
            full: false,
            outage: Duration::from_secs(6),
            hash_clients: 16,
            postgres_pid: None,
            connect: None,
            ca: "ca.pem".into(),
            introspect_client: client.clone(),
            people: crate::people::People::default(),
            client,
            auth: AuthMethod::Basic,
            resource: None,
            scope: None,
            pace: Loop::Open { rate: 1000.0 },
            connections: 4,
            streams: 32,
            duration: Duration::from_secs(2),
            warmup: Duration::from_secs(1),
            deadline: Duration::from_secs(5),
            threads: 1,
            pin: Vec::new(),
            spin: false,
            tokens: 10,
            mix: Mix { live: 1, expired: 0, revoked: 0, malformed: 0, foreign: 0 },
            expired_tokens: None,
            seed: 1,
            token_endpoint: None,
            introspection_endpoint: None,
            revocation_endpoint: None,
            server_pid: Vec::new(),
            metrics_url: None,
            out: "out".into(),
            command: "sigid-loadtest introspect --client-secret [redacted] <x>".to_owned(),
        }
    }

    pub fn report() -> Report {
        let recorder = Recorder::new(0).unwrap();
        for i in 0..1000u64 {
            let passage =
                Passage { due_ns: i, sent_ns: Some(i + 1000), done_ns: i + 100_000 + i * 1000, stream_was_free: true };
            recorder.record(&passage, if i % 100 == 0 { Err(Kind::Wrong(Wrong::DeadAnsweredActive)) } else { Ok(()) });
        }
        let mut total = Interval::new().unwrap();
        recorder.take(&mut total);
        let point = |t: f64| Point {
            t_s: t,
            right_per_s: 495.0,
            errors_per_s: 5.0,
            ended: total.ended.clone(),
            p50_us: Some(500),
            p99_us: Some(1000),
            max_us: Some(1100),
            server_cores: Some(0.5),
            server_rss_bytes: Some(50 << 20),
            server_descriptors: Some(20),
            generator_cores: 0.2,
            feed_age_s: Some(t / 10.0),
        };
        let series = vec![point(1.0), point(2.0)];
        let outcome = Outcome {
            started_at: UNIX_EPOCH + Duration::from_secs(951_827_696),
            duration: Duration::from_secs(2),
            observed: Duration::from_secs(2),
            ended_early: false,
            is_first: false,
            ended: total.ended.clone(),
            total,
            server_times: Some(Times { cpu_ns: 3_000_000, wait_ns: 20_000_000 }),
            server_pids: vec![42],
            server_processes: vec!["server".to_owned()],
            generator_times: vec![Times { cpu_ns: 400_000_000, wait_ns: 0 }],
            series,
            tls: "TLSv1_3 TLS13_AES_256_GCM_SHA384".to_owned(),
            server_header: None,
            http1: false,
        };
        Report::new(&settings(), outcome)
    }

    #[test]
    fn the_json_holds_what_the_contract_names() {
        let json = serde_json::to_value(report()).unwrap();
        for pointer in [
            "/scenario",
            "/settings/connections",
            "/settings/loop/open/rate",
            "/requests",
            "/errors/wrong_answer",
            "/rate_offered",
            "/rate_achieved",
            "/latency_us/p50",
            "/latency_us/p90",
            "/latency_us/p99",
            "/latency_us/p999",
            "/latency_us/max",
            "/server/cpu_us_per_request",
            "/server/rss_bytes_max",
            "/started_at",
            "/duration_s",
            "/versions/sigid-loadtest",
            "/generator/is_the_limit",
            "/series/1/errors",
        ] {
            assert!(json.pointer(pointer).is_some_and(|v| !v.is_null()), "{pointer}");
        }
        assert_eq!(json["requests"], 1000);
        assert_eq!(json["errors"], serde_json::json!({ "wrong_answer": 10 }));
        assert_eq!(json["wrong_answers"], serde_json::json!({ "dead_answered_active": 10 }));
        assert_eq!(json["rate_achieved"], 495.0);
        assert_eq!(json["server"]["cpu_us_per_request"], 3.0);
        assert_eq!(json["server"]["cpu_wait_cores"], 0.01);
        assert_eq!(json["started_at"], "2000-02-29T12:34:56Z");
    }

    #[test]
    fn the_json_holds_no_secret() {
        assert!(!serde_json::to_string(&report()).unwrap().contains("hunter2"));
    }

    #[test]
    fn nothing_answered_is_zeros_not_a_division() {
        let outcome = Outcome {
            ended_early: true,
            server_times: Some(Times { cpu_ns: 5, wait_ns: 0 }),
            generator_times: vec![Times::default()],
            ..Outcome::nothing().unwrap()
        };
        let json = serde_json::to_value(Report::new(&settings(), outcome)).unwrap();
        assert_eq!(json["latency_us"]["max"], 0);
        assert_eq!(json["rate_offered"], 0.0);
        assert!(json["server"]["cpu_us_per_request"].is_null());
    }

    #[test]
    fn curves_reach_from_the_median_to_the_maximum() {
        let report = report();
        assert!(report.latency_curve.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 <= w[1].1));
        assert_eq!(report.latency_curve.last().unwrap().1, report.latency_us.max);
    }
}
