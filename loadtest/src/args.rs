//! The command line, parsed once into `Settings` that can be meant: what clap cannot check is checked here.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Parser, ValueEnum};
use http::Uri;
use serde::Serialize;

use crate::fault::Fault;
use crate::peers;
use crate::people::{self, People};
use crate::redact::{self, Secret};

pub enum Command {
    Load(Box<Settings>),
    Compare { before: PathBuf, after: PathBuf },
    Peers(Box<peers::Args>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScenarioName {
    /// Introspect tokens of the target (RFC 7662).
    Introspect,
    /// Get tokens by the client_credentials grant.
    Issue,
    /// Password sign-ins, one session each: as many as the hash pool finishes, then at a pace [SigID only].
    Login,
    /// Registrations, each of a new address with a letter to it [SigID only].
    Register,
    /// Forms with a known address and an unknown one, in random order: can anybody tell them apart? [SigID only].
    Likeness,
    /// /session/check by an application's cookie, and introspection for comparison [SigID only].
    SessionCheck,
    /// From the answer to a revocation until every connection refuses the token; several --target for several nodes.
    RevokeToRefusal,
    /// TLS handshakes, full and resumed.
    Handshake,
    /// Memory of a connection that does nothing: untouched, and after one request.
    Idle,
    /// The hot set while live tokens and clients grow a thousandfold [SigID only, with bench routes].
    Growth,
    /// Introspection while logins saturate the hash pool, and the other way round [SigID only: accounts or bench routes].
    Storm,
    /// The database's connections cut, then the database frozen: when answers end, and when they return.
    FeedLoss,
    /// Half the capacity for long: memory, descriptors, errors, and their slope.
    Soak,
    /// Each of them in turn, shortened: at most ten minutes on two cores.
    All,
}

impl ScenarioName {
    pub fn label(self) -> &'static str {
        match self {
            Self::Introspect => "introspect",
            Self::Issue => "issue",
            Self::Login => "login",
            Self::Register => "register",
            Self::Likeness => "likeness",
            Self::SessionCheck => "session-check",
            Self::RevokeToRefusal => "revoke-to-refusal",
            Self::Handshake => "handshake",
            Self::Idle => "idle",
            Self::Growth => "growth",
            Self::Storm => "storm",
            Self::FeedLoss => "feed-loss",
            Self::Soak => "soak",
            Self::All => "all",
        }
    }

    /// Latencies are compared while something else on this machine, wanted by the scenario, keeps its cores busy.
    pub fn is_of_latency_beside_work(self) -> bool {
        self == Self::Storm
    }

    /// What is not given on the command line: requests per second, connections, measured seconds, rounds.
    pub fn defaults(self) -> Defaults {
        let (rate, connections, seconds, rounds) = match self {
            Self::Introspect | Self::Issue => (1000.0, 4, 10.0, 1),
            Self::Likeness => (1000.0, 1, 10.0, 1),
            Self::RevokeToRefusal => (1000.0, 64, 20.0, 1),
            Self::Handshake => (500.0, 8, 4.0, 3),
            Self::Login | Self::Register => (20.0, 4, 5.0, 3),
            Self::Idle => (1000.0, 1000, 10.0, 3),
            Self::Growth | Self::SessionCheck | Self::All => (2000.0, 4, 4.0, 3),
            Self::Storm => (2000.0, 4, 4.0, 6),
            Self::FeedLoss => (400.0, 8, 60.0, 1),
            Self::Soak => (1000.0, 4, 600.0, 1),
        };
        Defaults { rate, connections, duration: Duration::from_secs_f64(seconds), rounds }
    }
}

pub struct Defaults {
    pub rate: f64,
    pub connections: usize,
    pub duration: Duration,
    pub rounds: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthMethod {
    /// client_secret_basic
    Basic,
    /// client_secret_post
    Post,
}

/// What kinds of token an introspection asks about, by weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mix {
    pub live: u32,
    pub expired: u32,
    pub revoked: u32,
    pub malformed: u32,
    pub foreign: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    pub id: String,
    pub secret: Secret,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Loop {
    Open { rate: f64 },
    Closed,
}

/// Everything of a run. Serialized into the report, which is why the secrets are not part of it.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    pub scenario: ScenarioName,
    #[serde(serialize_with = "as_text")]
    pub target: Uri,
    /// Further targets: nodes that serve the issuer of the first.
    #[serde(serialize_with = "as_texts")]
    pub nodes: Vec<Uri>,
    pub connect: Option<SocketAddr>,
    pub ca: PathBuf,
    #[serde(skip)]
    pub client: Credentials,
    #[serde(skip)]
    pub introspect_client: Credentials,
    #[serde(skip)]
    pub people: People,
    pub auth: AuthMethod,
    pub resource: Option<String>,
    pub scope: Option<String>,
    #[serde(rename = "loop")]
    pub pace: Loop,
    /// Rate or closed loop were asked for, not assumed.
    #[serde(skip)]
    pub pace_is_given: bool,
    pub http1: bool,
    pub connections: usize,
    pub streams: usize,
    #[serde(rename = "duration_s", serialize_with = "as_seconds")]
    pub duration: Duration,
    #[serde(rename = "warmup_s", serialize_with = "as_seconds")]
    pub warmup: Duration,
    pub rounds: usize,
    #[serde(rename = "deadline_s", serialize_with = "as_seconds")]
    pub deadline: Duration,
    pub threads: usize,
    pub pin: Vec<usize>,
    pub spin: bool,
    pub tokens: usize,
    pub mix: Mix,
    /// Exponent of Zipf's law over the live tokens; none draws all of them alike.
    pub zipf: Option<f64>,
    pub expired_tokens: Option<PathBuf>,
    pub clock_offset_file: Option<PathBuf>,
    pub full: bool,
    #[serde(rename = "outage_s", serialize_with = "as_seconds")]
    pub outage: Duration,
    pub hash_clients: usize,
    pub postgres_pid: Option<u32>,
    pub seed: u64,
    pub token_endpoint: Option<String>,
    pub introspection_endpoint: Option<String>,
    pub revocation_endpoint: Option<String>,
    pub server_pid: Vec<u32>,
    #[serde(serialize_with = "as_optional_text")]
    pub metrics_url: Option<Uri>,
    pub out: PathBuf,
    /// The command as it was given, secrets redacted.
    #[serde(skip)]
    pub command: String,
}

impl Settings {
    pub fn secrets(&self) -> Vec<&Secret> {
        let passwords = self.people.accounts.iter().map(|account| &account.secret);
        [&self.client.secret, &self.introspect_client.secret].into_iter().chain(passwords).collect()
    }
}

#[derive(Parser)]
#[command(
    name = "sigid-loadtest",
    version,
    args_override_self = true,
    about = "Load for any OAuth server that answers RFC 7662 introspection over HTTP/2 or HTTP/1.1.\nOpen loop by default: latency counts from the moment a request was due."
)]
struct Cli {
    /// What to ask the target
    #[arg(value_enum, required_unless_present = "compare")]
    scenario: Option<ScenarioName>,
    /// Print the ratios of two reports (B to A) and end
    #[arg(long, num_args = 2, value_names = ["A.json", "B.json"], conflicts_with = "scenario")]
    compare: Option<Vec<PathBuf>>,
    /// Issuer of the target, https://host[:port][/path]; again for other nodes of the same issuer
    #[arg(long, value_name = "URL", required_unless_present = "compare")]
    target: Vec<Uri>,
    /// Connect to this address, whatever the endpoints' hosts resolve to
    #[arg(long, value_name = "IP:PORT")]
    connect: Option<SocketAddr>,
    /// PEM file of the certificate authorities to trust
    #[arg(long, value_name = "FILE", required_unless_present = "compare")]
    ca: Option<PathBuf>,
    /// Client that gets tokens
    #[arg(long, value_name = "ID", required_unless_present = "compare")]
    client_id: Option<String>,
    #[arg(long, value_name = "SECRET", required_unless_present_any = ["compare", "client_secret_file"])]
    client_secret: Option<String>,
    /// File that holds the secret (one line), instead of --client-secret
    #[arg(long, value_name = "FILE", conflicts_with = "client_secret")]
    client_secret_file: Option<PathBuf>,
    /// Client that introspects [default: the same]
    #[arg(long, value_name = "ID")]
    introspect_client_id: Option<String>,
    #[arg(long, value_name = "SECRET", requires = "introspect_client_id")]
    introspect_client_secret: Option<String>,
    #[arg(long, value_name = "FILE", requires = "introspect_client_id", conflicts_with = "introspect_client_secret")]
    introspect_client_secret_file: Option<PathBuf>,
    #[command(flatten)]
    people: people::Args,
    /// How both clients authenticate
    #[arg(long, value_enum, default_value = "basic")]
    auth: AuthMethod,
    /// RFC 8707 resource the tokens are for
    #[arg(long, value_name = "URI")]
    resource: Option<String>,
    /// Scope to ask for
    #[arg(long)]
    scope: Option<String>,
    /// HTTP/1.1 even where the target has HTTP/2
    #[arg(long)]
    http1: bool,
    /// Requests per second, all threads together [default: that of the scenario, 1000 for introspect]
    #[arg(long, value_name = "N", conflicts_with = "closed")]
    rate: Option<f64>,
    /// Closed loop: every stream asks again as soon as it has its answer
    #[arg(long)]
    closed: bool,
    /// Connections, all threads together [default: that of the scenario, 4 for introspect]
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Concurrent streams per connection (one over HTTP/1.1)
    #[arg(long, value_name = "N", default_value_t = 32)]
    streams: usize,
    /// Measured time of a round in seconds (90, 90s, 2m) [default: that of the scenario, 10 for introspect]
    #[arg(long, value_name = "S", value_parser = duration)]
    duration: Option<Duration>,
    /// How often each measurement is repeated, for its spread [default: 1, or 3 where a scenario compares]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Load before the measuring starts
    #[arg(long, value_name = "S", default_value = "2", value_parser = duration)]
    warmup: Duration,
    /// Not sent this long after it was due, or not answered this long after it was sent: a timeout
    #[arg(long, value_name = "S", default_value = "5", value_parser = duration)]
    deadline: Duration,
    /// Generator threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Pin generator threads to these CPUs, in turn
    #[arg(long, value_name = "CPU,..", value_delimiter = ',')]
    pin: Vec<usize>,
    /// Never sleep between requests: takes a whole core per thread, sends on time to some microseconds
    #[arg(long, conflicts_with = "closed")]
    spin: bool,
    /// Live tokens in the hot set
    #[arg(long, value_name = "N", default_value_t = 1000)]
    tokens: usize,
    /// Weights of what is introspected: live, expired, revoked, malformed, foreign
    #[arg(long, value_name = "live=90,revoked=10", default_value = "live=1", value_parser = mix)]
    mix: Mix,
    /// Draw live tokens by Zipf's law with this exponent, not all alike
    #[arg(long, value_name = "S")]
    zipf: Option<f64>,
    /// File of expired tokens of the target, one a line (otherwise short-lived ones are waited for)
    #[arg(long, value_name = "FILE")]
    expired_tokens: Option<PathBuf>,
    /// The file by which the target's clock is shifted (sigid dev --clock-offset-file): tokens expire by a step of it
    #[arg(long, value_name = "FILE", conflicts_with = "expired_tokens")]
    clock_offset_file: Option<PathBuf>,
    /// growth: on to ten million tokens and a hundred thousand clients
    #[arg(long)]
    full: bool,
    /// feed-loss: how long the database stands still
    #[arg(long, value_name = "S", default_value = "6", value_parser = duration)]
    outage: Duration,
    /// login, register, storm: so many at once
    #[arg(long, value_name = "N", default_value_t = 16)]
    hash_clients: usize,
    /// feed-loss: the PostgreSQL postmaster on this machine
    #[arg(long, value_name = "PID")]
    postgres_pid: Option<u32>,
    /// Seed of the order in which tokens are asked about
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Instead of what discovery says
    #[arg(long, value_name = "URL")]
    token_endpoint: Option<String>,
    #[arg(long, value_name = "URL")]
    introspection_endpoint: Option<String>,
    #[arg(long, value_name = "URL")]
    revocation_endpoint: Option<String>,
    /// Local process to measure (repeatable) [default: who listens on the target's port, if it is loopback]
    #[arg(long, value_name = "PID")]
    server_pid: Vec<u32>,
    /// Prometheus text over plain HTTP, for the gauge sigid_feed_age_seconds
    #[arg(long, value_name = "http://HOST:PORT/PATH")]
    metrics_url: Option<Uri>,
    /// Directory for report.json and report.html
    #[arg(long, value_name = "DIR", required_unless_present = "compare")]
    out: Option<PathBuf>,
}

/// `Err` is the exit code; clap has printed why.
pub fn parse() -> Result<Command, u8> {
    let words: Vec<String> = std::env::args().collect();
    let parsed = match words.split_first() {
        Some((_, rest)) if rest.first().is_some_and(|word| word == "peers") => {
            peers::Args::try_parse_from(rest).map(|args| Command::Peers(Box::new(args)))
        }
        _ => parse_words(&words),
    };
    parsed.map_err(|error| {
        let shown = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
        // Nothing can be done about a closed terminal.
        let _ = error.print();
        if shown { 0 } else { 64 }
    })
}

fn parse_words(words: &[String]) -> Result<Command, clap::Error> {
    let cli = Cli::try_parse_from(words)?;
    if let Some([before, after]) = cli.compare.as_deref() {
        return Ok(Command::Compare { before: before.clone(), after: after.clone() });
    }
    let usage = |why: String| clap::Error::raw(ErrorKind::ValueValidation, format!("{why}\n"));
    let settings = settings(cli, words).map_err(|fault| usage(fault.to_string()))?;
    check(&settings).map_err(|fault| usage(fault.to_string()))?;
    Ok(Command::Load(Box::new(settings)))
}

fn settings(cli: Cli, words: &[String]) -> Result<Settings, Fault> {
    let missing = |name: &str| Fault::Usage(format!("{name} is required"));
    let id = cli.client_id.ok_or_else(|| missing("--client-id"))?;
    let secret = secret_from(cli.client_secret, cli.client_secret_file)?.ok_or_else(|| missing("--client-secret"))?;
    let client = Credentials { id, secret };
    let introspect_secret = secret_from(cli.introspect_client_secret, cli.introspect_client_secret_file)?;
    let introspect_client = match (cli.introspect_client_id, introspect_secret) {
        (Some(id), Some(secret)) => Credentials { id, secret },
        (Some(_), None) => return Err(missing("--introspect-client-secret")),
        (None, _) => client.clone(),
    };
    let command = redact::command(words, &[&client.secret, &introspect_client.secret]);
    let people = People::read(cli.people)?;
    let scenario = cli.scenario.ok_or_else(|| missing("SCENARIO"))?;
    let defaults = scenario.defaults();
    let mut targets = cli.target.into_iter();
    Ok(Settings {
        scenario,
        target: targets.next().ok_or_else(|| missing("--target"))?,
        nodes: targets.collect(),
        connect: cli.connect,
        ca: cli.ca.ok_or_else(|| missing("--ca"))?,
        client,
        introspect_client,
        people,
        auth: cli.auth,
        resource: cli.resource,
        scope: cli.scope,
        pace: if cli.closed { Loop::Closed } else { Loop::Open { rate: cli.rate.unwrap_or(defaults.rate) } },
        pace_is_given: cli.closed || cli.rate.is_some(),
        http1: cli.http1,
        connections: cli.connections.unwrap_or(defaults.connections.max(cli.threads)),
        streams: cli.streams,
        duration: cli.duration.unwrap_or(defaults.duration),
        warmup: cli.warmup,
        rounds: cli.rounds.unwrap_or(defaults.rounds),
        deadline: cli.deadline,
        threads: cli.threads,
        pin: cli.pin,
        spin: cli.spin,
        tokens: cli.tokens,
        mix: cli.mix,
        zipf: cli.zipf,
        expired_tokens: cli.expired_tokens,
        clock_offset_file: cli.clock_offset_file,
        full: cli.full,
        outage: cli.outage,
        hash_clients: cli.hash_clients,
        postgres_pid: cli.postgres_pid,
        seed: cli.seed,
        token_endpoint: cli.token_endpoint,
        introspection_endpoint: cli.introspection_endpoint,
        revocation_endpoint: cli.revocation_endpoint,
        server_pid: cli.server_pid,
        metrics_url: cli.metrics_url,
        out: cli.out.ok_or_else(|| missing("--out"))?,
        command,
    })
}

fn secret_from(given: Option<String>, file: Option<PathBuf>) -> Result<Option<Secret>, Fault> {
    let Some(path) = file else { return Ok(given.map(Secret::new)) };
    let text = std::fs::read_to_string(&path).map_err(|e| Fault::Usage(format!("{}: {e}", path.display())))?;
    Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())))
}

fn check(settings: &Settings) -> Result<(), Fault> {
    let usage = |why: &str| Err(Fault::Usage(why.to_owned()));
    if settings.threads == 0 || settings.threads > THREADS_MAX {
        return usage("--threads must be 1 to 256");
    }
    if settings.connections < settings.threads || settings.connections > CONNECTIONS_MAX {
        return usage("--connections must be at least --threads and at most 65536");
    }
    if settings.streams == 0 || settings.streams > STREAMS_MAX {
        return usage("--streams must be 1 to 4096");
    }
    if settings.tokens == 0 || settings.tokens > TOKENS_MAX {
        return usage("--tokens must be 1 to 1000000");
    }
    if settings.duration < Duration::from_secs(1) || settings.deadline.is_zero() {
        return usage("--duration must be at least 1 s, --deadline more than 0");
    }
    if settings.rounds == 0 || settings.rounds > ROUNDS_MAX || settings.hash_clients == 0 {
        return usage("--rounds must be 1 to 100, --hash-clients at least 1");
    }
    if settings.zipf.is_some_and(|s| !(0.0..=ZIPF_MAX).contains(&s)) {
        return usage("--zipf must be 0 to 8");
    }
    for node in &settings.nodes {
        check_target(node)?;
    }
    match settings.pace {
        Loop::Open { rate } if !(rate > 0.0 && rate <= RATE_MAX) => {
            usage("--rate must be above 0 and at most 10000000")
        }
        _ => check_target(&settings.target),
    }
}

fn check_target(target: &Uri) -> Result<(), Fault> {
    let authority = target.authority().map_or("", http::uri::Authority::as_str);
    if target.scheme_str() != Some("https") || authority.is_empty() || authority.contains('@') {
        return Err(Fault::Usage("--target must be https://host[:port][/path], without user information".to_owned()));
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit_s) = match text.strip_suffix('m') {
        Some(minutes) => (minutes, 60.0),
        None => (text.strip_suffix('s').unwrap_or(text), 1.0),
    };
    let seconds = number.parse::<f64>().map_err(|e| e.to_string())? * unit_s;
    if !(0.0..=DURATION_MAX_S).contains(&seconds) {
        return Err("must be 0 to 7 days".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn mix(text: &str) -> Result<Mix, String> {
    let mut mix = Mix { live: 0, expired: 0, revoked: 0, malformed: 0, foreign: 0 };
    for part in text.split(',') {
        let (name, weight) = part.split_once('=').ok_or("write kind=weight, separated by commas")?;
        let weight: u32 = weight.parse().map_err(|_| format!("{weight:?} is not a weight"))?;
        match name {
            "live" => mix.live = weight,
            "expired" => mix.expired = weight,
            "revoked" => mix.revoked = weight,
            "malformed" => mix.malformed = weight,
            "foreign" => mix.foreign = weight,
            _ => return Err(format!("{name:?} is none of live, expired, revoked, malformed, foreign")),
        }
    }
    let total = [mix.live, mix.expired, mix.revoked, mix.malformed, mix.foreign]
        .iter()
        .try_fold(0u32, |a, b| a.checked_add(*b));
    if total.is_none_or(|t| t == 0) {
        return Err("the weights must sum to something between 1 and 4294967295".to_owned());
    }
    Ok(mix)
}

fn as_text<S: serde::Serializer>(uri: &Uri, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(uri)
}

fn as_texts<S: serde::Serializer>(uris: &[Uri], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(uris.iter().map(Uri::to_string))
}

#[expect(clippy::ref_option, reason = "the signature serde calls")]
fn as_optional_text<S: serde::Serializer>(uri: &Option<Uri>, to: S) -> Result<S::Ok, S::Error> {
    match uri {
        Some(uri) => to.collect_str(uri),
        None => to.serialize_none(),
    }
}

fn as_seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

const RATE_MAX: f64 = 10_000_000.0;
const THREADS_MAX: usize = 256;
const CONNECTIONS_MAX: usize = 65_536;
const STREAMS_MAX: usize = 4096;
const ROUNDS_MAX: usize = 100;
const ZIPF_MAX: f64 = 8.0;
const TOKENS_MAX: usize = 1_000_000;
const DURATION_MAX_S: f64 = 7.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(extra: &str) -> Vec<String> {
        let base = "sigid-loadtest introspect --target https://localhost:8443 --ca ca.pem --client-id c --client-secret verysecret --out d";
        format!("{base} {extra}").split_whitespace().map(str::to_owned).collect()
    }

    fn load(extra: &str) -> Settings {
        match parse_words(&line(extra)) {
            Ok(Command::Load(settings)) => *settings,
            Ok(_) => panic!("no load"),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn defaults_are_an_open_loop_of_a_thousand() {
        let settings = load("");
        assert_eq!(settings.pace, Loop::Open { rate: 1000.0 });
        assert_eq!((settings.connections, settings.streams, settings.threads), (4, 32, 1));
        assert_eq!(settings.introspect_client, settings.client);
        assert_eq!(settings.mix, Mix { live: 1, expired: 0, revoked: 0, malformed: 0, foreign: 0 });
    }

    #[test]
    fn what_is_serialized_holds_no_secret() {
        let settings = load("--introspect-client-id r --introspect-client-secret othersecret");
        let text = format!("{} {} {settings:?}", serde_json::to_string(&settings).unwrap(), settings.command);
        assert!(!text.contains("verysecret") && !text.contains("othersecret"), "{text}");
    }

    #[test]
    fn lines_that_cannot_be_meant_are_refused() {
        for (extra, why) in [
            ("--rate 5 --closed", "both loops"),
            ("--rate 0", "no load"),
            ("--spin --closed", "nothing to be on time for"),
            ("--rate NaN", "not a number"),
            ("--threads 8 --connections 4", "more threads than connections"),
            ("--streams 0", "no stream"),
            ("--mix live=0", "no weight"),
            ("--mix dead=1", "unknown kind"),
            ("--duration 0.5", "too short for a rate"),
            ("--introspect-client-id x", "no secret for it"),
            ("--compare a.json b.json", "compare and a scenario"),
            ("--rounds 0", "no round"),
            ("--zipf -1", "more of what is rarer"),
            ("--target http://localhost:9443", "a node without TLS"),
            ("--clock-offset-file f --expired-tokens g", "two sources of expired tokens"),
        ] {
            assert!(parse_words(&line(extra)).is_err(), "{why}");
        }
        let plain: Vec<String> = line("").iter().map(|w| w.replace("https", "http")).collect();
        assert!(parse_words(&plain).is_err(), "a target without TLS");
    }

    #[test]
    fn each_scenario_has_its_own_defaults_and_nodes_follow_the_target() {
        let words: Vec<String> = line("--target https://localhost:9443 --rate 7")
            .into_iter()
            .map(|word| if word == "introspect" { "handshake".to_owned() } else { word })
            .collect();
        let Ok(Command::Load(settings)) = parse_words(&words) else { panic!("it can be meant") };
        assert_eq!((settings.connections, settings.rounds, settings.pace), (8, 3, Loop::Open { rate: 7.0 }));
        assert!(settings.pace_is_given);
        assert_eq!(settings.target, Uri::from_static("https://localhost:8443"));
        assert_eq!(settings.nodes, [Uri::from_static("https://localhost:9443")]);
        for name in ScenarioName::value_variants() {
            assert_eq!(name.to_possible_value().unwrap().get_name(), name.label());
        }
    }

    #[test]
    fn durations_and_mixes_are_read() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2m"), Ok(Duration::from_mins(2)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert!(duration("-1").is_err() && duration("inf").is_err() && duration("x").is_err());
        assert_eq!(mix("live=9,foreign=1").map(|m| (m.live, m.foreign)), Ok((9, 1)));
    }

    #[test]
    fn compare_needs_nothing_else() {
        let words: Vec<String> = ["sigid-loadtest", "--compare", "a", "b"].map(str::to_owned).into();
        assert!(matches!(parse_words(&words), Ok(Command::Compare { .. })));
    }
}
