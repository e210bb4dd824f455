//! From a checked configuration to a serving process, and back down in order.
//!
//! Up: log, clock, root key, database (role, level, one database behind all URLs), keys, tables, listener, shards,
//! jobs. Nothing listens before the tables are loaded, so the first answer is a right one. Down: readiness off, accept
//! queue emptied, GOAWAY, drain with a deadline, jobs and feed end, pools close.

use crate::cli::{complain, first_admin};
use crate::config::{Config, Coordination};
use crate::{features, log, migrations, people};
use sigid_edge::backend::{Backend, Settings};
use sigid_edge::discovery::Documents;
use sigid_edge::dispatch::{self, Router};
use sigid_edge::feature::Feature;
use sigid_edge::feed::{self, Feed, Freshness};
use sigid_edge::session_check::EdgeCookies;
use sigid_edge::shard::{EdgeMessage, EdgeShard, Shared, SharedParts};
use sigid_io::backend::{self as cold, ColdHandler};
use sigid_io::clock::Clock;
use sigid_io::fail::Fail;
use sigid_io::hash_pool::HashPool;
use sigid_io::metrics;
use sigid_io::migrate::{self, Level};
use sigid_io::pg::{self, PgFault, Plane, Pools};
use sigid_io::shard::{self, Control, ShardSenders, Shards};
use sigid_io::tls::TlsSource;
use sigid_io::{rng, telemetry_http};
use sigid_oidc::keyring::{self, Keyring};
use sigid_oidc::keys::{self, RootKey};
use sigid_platform::feed::Reader;
use sigid_platform::outbox::FEED_CHANNEL;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// What only development asks for.
#[derive(Clone, Default)]
pub struct ServeOptions {
    /// Shifts the wall clock by the seconds in the file.
    pub clock_offset_file: Option<PathBuf>,
    /// Fail points do what the file says.
    pub fail_file: Option<PathBuf>,
    /// Budgets against guessing: as configured, or off.
    pub budgets: Budgets,
    /// Mount the routes that give work on request.
    pub bench: bool,
    /// Refuse a port that another process of this user shares.
    pub exclusive_port: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Budgets {
    #[default]
    On,
    Off,
}

/// What is known once the listener answers.
pub struct Ready {
    pub issuer: String,
    pub address: SocketAddr,
}

/// Threads of the backend's runtime.
const BACKEND_THREADS: usize = 2;
/// How often certificate and key are looked at for a change.
const TLS_LOOK: Duration = Duration::from_secs(2);
/// What is left of the backend's work after the shards have drained.
const BACKEND_STOP: Duration = Duration::from_secs(5);
const EXIT_REFUSED: u8 = 1;
const EXIT_UNREACHABLE: u8 = 69;
const EXIT_CONFIGURATION: u8 = 78;

/// Why the server does not start.
enum BootFault {
    Configuration(String),
    Unreachable(String),
    Refused(String),
}

impl BootFault {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => EXIT_CONFIGURATION,
            Self::Unreachable(_) => EXIT_UNREACHABLE,
            Self::Refused(_) => EXIT_REFUSED,
        }
    }
}

impl fmt::Display for BootFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Configuration(what) | Self::Unreachable(what) | Self::Refused(what)) = self;
        f.write_str(what)
    }
}

impl From<first_admin::Fault> for BootFault {
    fn from(fault: first_admin::Fault) -> Self {
        match fault {
            first_admin::Fault::Database(fault) => fault.into(),
            first_admin::Fault::Password(_) | first_admin::Fault::Refused(_) => Self::Configuration(fault.to_string()),
        }
    }
}

impl From<people::Fault> for BootFault {
    fn from(fault: people::Fault) -> Self {
        match fault {
            people::Fault::Threads(_) => Self::Refused(fault.to_string()),
            people::Fault::Memory(_) | people::Fault::Mail(_) => Self::Configuration(fault.to_string()),
        }
    }
}

impl From<PgFault> for BootFault {
    fn from(fault: PgFault) -> Self {
        match fault {
            PgFault::Settings(_) => Self::Configuration(format!("database: {fault}")),
            fault => Self::Unreachable(format!("database: {fault}")),
        }
    }
}

/// Serves until SIGTERM or Ctrl-C; gives the exit code.
pub fn serve(config: Config, options: ServeOptions, on_ready: impl FnOnce(&Ready)) -> u8 {
    let log = Arc::new(log::start(&config.telemetry));
    let runtime = match cold::runtime(BACKEND_THREADS) {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(format!("sigid: cannot start: {error}"));
            return EXIT_REFUSED;
        }
    };
    let outcome = runtime.block_on(run(config, options, log.clone(), on_ready));
    runtime.shutdown_timeout(BACKEND_STOP);
    match outcome {
        Ok(()) => 0,
        Err(fault) => {
            complain(format!("sigid: {fault}"));
            fault.exit_code()
        }
    }
}

async fn run(
    mut config: Config,
    options: ServeOptions,
    log: Arc<log::Log>,
    on_ready: impl FnOnce(&Ready),
) -> Result<(), BootFault> {
    let signals = Signals::listen()?;
    let drain = config.server.drain;
    config.server.share_port = !options.exclusive_port;
    if options.budgets == Budgets::Off {
        config.edge.unknown_client_budget_per_minute = 0;
        config.edge.failed_requests_per_minute = 0;
        tracing::warn!("budgets are off: guessing costs nothing; never serve others like this");
    }
    arm(&mut config, options.fail_file.as_deref()).map_err(|line| BootFault::Configuration(line.to_owned()))?;
    check_bench(options.bench, config.security.production)?;
    let mounted = features::mounted(options.bench);
    let clock = start_clock(&options)?;
    let planes = config.deployment.planes();
    let tls = TlsSource::new(config.server.tls.clone())
        .map_err(|fault| BootFault::Configuration(format!("server.tls: {fault}")))?;
    let tls_config = tls.load().map_err(|fault| BootFault::Configuration(format!("server.tls: {fault}")))?;
    let listeners = shard::bind(&config.server).map_err(|error| {
        BootFault::Refused(format!("cannot listen on {}:{}: {error}", config.server.host, config.server.port))
    })?;
    let metrics_listener = bind_metrics(&config).await?;
    let pools = connect(&config, &planes).await?;
    let keyring = Arc::new(open_keyring(&config)?);
    prepare_keys(&keyring, &pools, &planes, clock.now_s()).await?;
    let freshness = Freshness::new(config.edge.max_stale.as_millis() as i64);
    take_process_lock(&config, &planes, &freshness).await?;
    let (feed, publisher, commands) = feed::channel(&config.oidc.issuer, freshness.clone());
    let rings = pg::listen(&config.database.pg, planes.first().copied().unwrap_or(Plane::Auth), FEED_CHANNEL)?;
    let mut reader = Reader::new(pools.clone(), clock.clone(), publisher, commands, rings, config.edge.poll);
    reader.load().await?;
    first_admin::ensure(&config, &pools, &planes, &people::keys(&keyring.root), clock.now_s()).await?;
    let shared = share(&config, clock, freshness, &planes, &mounted, people::edge_cookies(&config, &keyring.root));
    let hash_pool = people::start_hash_pool(&config, &planes)?;
    let mut settings = gather_settings(&config, &keyring);
    people::add(&mut settings, &config, &keyring.root, hash_pool.as_ref(), options.budgets)?;
    let backend = Arc::new(make_backend(pools.clone(), feed.clone(), shared.clone(), &keyring, settings));
    let (queue, intake) = cold::queue(config.edge.cold_queue_max);
    let mut shards = start_shards(&config, listeners, tls_config, queue, &shared, &feed)?;
    reader.attach(shards.senders()).await.map_err(|_| BootFault::Refused("a shard did not start".to_owned()))?;
    cold::spawn(reader.run());
    let answering = backend.clone();
    let handler: ColdHandler = Arc::new(move |request| dispatch::cold(answering.clone(), request));
    let (stop_intake, stopped) = oneshot::channel();
    let intake = cold::spawn(intake.run(handler, stopped));
    if planes.contains(&Plane::Auth) {
        cold::spawn(keyring::follow(keyring, pools.clone(), feed.clone()));
    }
    sigid_platform::jobs::start(&mounted, &planes, &backend);
    metrics::gauge("sigid_io_uring", "1 when the shards' loops run on io_uring, 0 on epoll.", &[])
        .set(i64::from(shards.is_uring));
    serve_metrics(&config, metrics_listener, &shared, &pools, &log);
    shared.set_loaded();
    tracing::info!(issuer = %config.oidc.issuer, address = %shards.address, shards = shards.senders().count(), io_uring = shards.is_uring, "serving");
    on_ready(&Ready { issuer: config.oidc.issuer.clone(), address: shards.address });
    let senders = shards.senders();
    let ended = tokio::select! {
        () = signals.wait(&tls, &senders) => None,
        shard = shards.ended() => Some(shard),
    };
    shared.set_draining();
    end(shards, drain, stop_intake, intake, hash_pool, pools).await;
    match ended {
        None => Ok(()),
        Some(shard) => {
            Err(BootFault::Refused(format!("shard {shard} ended; the process stops, so that another takes over")))
        }
    }
}

/// The ordered end: connections, then what they asked of the backend, then what the backend stands on.
async fn end(
    shards: Shards<EdgeMessage>,
    drain: Duration,
    stop_intake: oneshot::Sender<()>,
    intake: impl Future,
    hash_pool: Option<Arc<HashPool>>,
    pools: Pools,
) {
    tracing::info!("draining");
    if tokio::time::timeout(drain + BACKEND_STOP, cold::wait_blocking(move || shards.drain())).await.is_err() {
        tracing::error!("a shard did not end in time");
    }
    let _ = stop_intake.send(());
    let _ = tokio::time::timeout(BACKEND_STOP, intake).await;
    if let Some(hash_pool) = hash_pool {
        let _ = tokio::time::timeout(BACKEND_STOP, hash_pool.close()).await;
    }
    pools.close().await;
    tracing::info!("stopped");
}

/// Lets the database's fail points follow a file, in development only.
///
/// # Errors
/// Production: the line that says so.
pub fn arm(config: &mut Config, fail_file: Option<&Path>) -> Result<(), &'static str> {
    config.database.pg.fail = fail_points(fail_file, config.security.production)?;
    Ok(())
}

fn fail_points(file: Option<&Path>, is_production: bool) -> Result<Fail, &'static str> {
    match (file, is_production) {
        (None, _) => Ok(Fail::default()),
        (Some(_), true) => Err("--fail-file: fail points are for development; security.production is true"),
        (Some(file), false) => {
            tracing::warn!(file = %file.display(), "fail points are armed: never serve others like this");
            Ok(Fail::follow(file.to_owned()))
        }
    }
}

/// Work on request is for load runs on one's own machine.
fn check_bench(is_bench: bool, is_production: bool) -> Result<(), BootFault> {
    match (is_bench, is_production) {
        (false, _) => Ok(()),
        (true, true) => Err(BootFault::Configuration(
            "--bench: work on request is for development; security.production is true".to_owned(),
        )),
        (true, false) => {
            tracing::warn!("bench routes are mounted: any client gets costly work; never serve others like this");
            Ok(())
        }
    }
}

fn start_clock(options: &ServeOptions) -> Result<Clock, BootFault> {
    let clock = Clock::new();
    if let Some(file) = &options.clock_offset_file {
        clock.follow_offset_file(file.clone()).map_err(|error| BootFault::Refused(format!("clock offset: {error}")))?;
    }
    Ok(clock)
}

/// The pools of this process's planes, after every check that a wrong database must fail.
async fn connect(config: &Config, planes: &[Plane]) -> Result<Pools, BootFault> {
    let pools = Pools::connect(&config.database.pg, planes).await?;
    pg::check_planes(&pools, planes).await?;
    match migrate::check_level(pools.feed(), migrations::ALL).await? {
        Level::Current => Ok(pools),
        level => Err(BootFault::Refused(format!("database: {level}"))),
    }
}

/// With local coordination one process serves a database: a second is refused, and one that loses the lock stops
/// answering until it has it back.
async fn take_process_lock(config: &Config, planes: &[Plane], freshness: &Freshness) -> Result<(), BootFault> {
    if config.deployment.coordination != Coordination::Local {
        return Ok(());
    }
    let freshness = freshness.clone();
    let on_change = move |is_held: bool| {
        tracing::warn!(is_held, "the process lock of local coordination");
        freshness.hold(!is_held);
    };
    let plane = planes.first().copied().unwrap_or(Plane::Auth);
    if pg::hold_process_lock(&config.database.pg, plane, on_change).await? {
        return Ok(());
    }
    Err(BootFault::Refused(
        "deployment.coordination: another process serves this database; \"local\" allows one, use \"postgres\""
            .to_owned(),
    ))
}

fn open_keyring(config: &Config) -> Result<Keyring, BootFault> {
    let path = &config.security.root_key_path;
    let named = |what: String| BootFault::Configuration(format!("security.root_key_path: {}: {what}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
    let root = RootKey::parse(text.trim()).map_err(|fault| named(fault.to_string()))?;
    Ok(Keyring::new(root, &config.jwt))
}

/// An installation's first keys where this process makes them, and the private halves where it signs.
async fn prepare_keys(keyring: &Keyring, pools: &Pools, planes: &[Plane], now_s: i64) -> Result<(), BootFault> {
    if planes.contains(&Plane::Async) {
        keyring.ensure(pools, now_s).await.map_err(keys_fault)?;
    }
    if planes.contains(&Plane::Auth) {
        keyring.refresh(pools).await.map_err(keys_fault)?;
    }
    Ok(())
}

fn keys_fault(fault: keys::Fault) -> BootFault {
    match fault {
        keys::Fault::RootKey => BootFault::Configuration(fault.to_string()),
        keys::Fault::Database(fault) => fault.into(),
        fault => BootFault::Refused(format!("signing keys: {fault}")),
    }
}

fn share(
    config: &Config,
    clock: Clock,
    freshness: Freshness,
    planes: &[Plane],
    mounted: &[&'static Feature],
    edge_cookies: EdgeCookies,
) -> Arc<Shared> {
    let rotation_s = i64::from(config.jwt.key_rotation_days) * 86_400;
    let digest_key: [u8; 32] = rng::random();
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(digest_key.chunks_exact(8)) {
        *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    }
    let parts = SharedParts {
        clock,
        freshness,
        digest_key: words,
        verified_tokens_max: config.edge.verified_tokens_max,
        router: Router::new(mounted, planes),
        trusted_proxies: config.server.trusted_proxies.clone(),
        allowed_hosts: config.server.allowed_hosts.clone(),
        cors_allowed_origins: config.server.cors_allowed_origins.clone(),
        reply_cache_entries: config.edge.reply_cache_entries,
        unknown_client_budget_per_minute: config.edge.unknown_client_budget_per_minute,
        failed_requests_per_minute: config.edge.failed_requests_per_minute,
        documents: Documents::build(&config.oidc.issuer, mounted, rotation_s),
    };
    let error_pages = sigid_pages::error_pages(config.i18n.clone());
    Arc::new(Shared::new(parts).with_edge_cookies(edge_cookies).with_error_pages(error_pages))
}

/// What the features find by type.
fn gather_settings(config: &Config, keyring: &Arc<Keyring>) -> Settings {
    let mut settings = Settings::default();
    settings.insert(config.jwt.clone());
    settings.insert(keyring.clone());
    settings
}

fn make_backend(pools: Pools, feed: Feed, shared: Arc<Shared>, keyring: &Keyring, settings: Settings) -> Backend {
    Backend::new(pools, feed, shared, keyring.signer.clone(), sigid_platform::replay::consume_assertion, settings)
        .with_pages(people::pages(&keyring.root))
}

fn start_shards(
    config: &Config,
    listeners: Vec<std::net::TcpListener>,
    tls: Arc<sigid_io::tls::Config>,
    queue: cold::ColdQueue,
    shared: &Arc<Shared>,
    feed: &Feed,
) -> Result<Shards<EdgeMessage>, BootFault> {
    let (shared, feed) = (shared.clone(), feed.clone());
    let make = move |index| EdgeShard::new(index, shared.clone(), feed.tables());
    shard::start(&config.server, listeners, tls, queue, make)
        .map_err(|error| BootFault::Refused(format!("shards: {error}")))
}

/// Binds the operator's listener. In a rolling restart on one host the process that is being replaced still has it; it
/// is taken over when that one ends.
async fn bind_metrics(config: &Config) -> Result<Option<tokio::net::TcpListener>, BootFault> {
    let address = config.telemetry.metrics_listen;
    match telemetry_http::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && config.server.share_port => {
            tracing::warn!(%address, "telemetry.metrics_listen is in use; it is taken over when it is free");
            Ok(None)
        }
        Err(error) => Err(BootFault::Refused(format!("telemetry.metrics_listen: cannot listen on {address}: {error}"))),
    }
}

fn serve_metrics(
    config: &Config,
    listener: Option<tokio::net::TcpListener>,
    shared: &Arc<Shared>,
    pools: &Pools,
    log: &Arc<log::Log>,
) {
    let address = config.telemetry.metrics_listen;
    let age = metrics::gauge("sigid_feed_age_seconds", "Age of the last complete read of the feed.", &[]);
    let offset =
        metrics::gauge("sigid_clock_offset_seconds", "How far this machine's clock is behind the database's.", &[]);
    let ready = metrics::gauge("sigid_ready", "1 while the process should get requests.", &[]);
    let node = config.deployment.node_name.as_deref().unwrap_or_default();
    metrics::gauge(
        "sigid_build_info",
        "The running version and the node's name.",
        &[("version", env!("CARGO_PKG_VERSION")), ("node", node)],
    )
    .set(1);
    let (asked, refreshed, log) = (shared.clone(), shared.clone(), log.clone());
    let pools = pool_gauges(pools);
    let refresh = move || {
        age.set_ms(refreshed.freshness.age_ms());
        offset.set_ms(refreshed.clock.database_offset_ms());
        ready.set(i64::from(refreshed.is_ready()));
        log.count();
        pools();
    };
    cold::spawn(async move {
        let listener = match listener {
            Some(listener) => listener,
            None => telemetry_http::bind_when_free(address).await,
        };
        telemetry_http::serve(listener, move || asked.is_ready(), refresh).await;
    });
}

/// Sets the gauges of each pool when asked.
fn pool_gauges(pools: &Pools) -> impl Fn() + Send + Sync + 'static {
    let mut named: Vec<(pg::Pool, [metrics::Gauge; 3])> = Vec::new();
    for pool in Plane::ALL.map(|plane| pools.pool(plane)).into_iter().chain([pools.feed()]) {
        if named.iter().all(|(known, _)| known.name() != pool.name()) {
            let gauge = |state| {
                let labels = [("pool", pool.name()), ("state", state)];
                metrics::gauge(
                    "sigid_database_connections",
                    "Connections of a pool, and callers waiting for one.",
                    &labels,
                )
            };
            named.push((pool.clone(), ["open", "idle", "waiting"].map(gauge)));
        }
    }
    move || {
        for (pool, [open, idle, waiting]) in &named {
            let state = pool.state();
            open.set(i64::from(state.connections));
            idle.set(i64::from(state.idle));
            waiting.set(i64::from(state.waiting));
        }
    }
}

/// The signals a server hears.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, BootFault> {
        let listen = |kind| signal(kind).map_err(|error| BootFault::Refused(format!("signals: {error}")));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    /// Until told to stop; meanwhile a changed certificate (or SIGHUP) reaches the shards.
    async fn wait(mut self, tls: &TlsSource, shards: &ShardSenders<EdgeMessage>) {
        let mut stamp = tls.stamp();
        loop {
            let is_asked = tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => true,
                () = tokio::time::sleep(TLS_LOOK) => false,
            };
            let present = tls.stamp();
            if is_asked || present != stamp {
                stamp = present;
                reload(tls, shards);
            }
        }
    }
}

/// A certificate that cannot be used leaves the one in use.
fn reload(tls: &TlsSource, shards: &ShardSenders<EdgeMessage>) {
    let outcome = |outcome| {
        metrics::counter("sigid_certificate_reloads_total", "Reloads of certificate and key.", &[("outcome", outcome)])
    };
    match tls.load() {
        Ok(config) => {
            shards.send(|_| Control::Tls(config.clone()));
            outcome("ok").inc();
            tracing::info!("certificate and key reloaded");
        }
        Err(fault) => {
            outcome("failed").inc();
            tracing::error!(%fault, "certificate or key cannot be used; the old ones stay");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_points_are_refused_in_production() {
        for (reason, file, is_production, is_good) in [
            ("not asked for", None, true, true),
            ("development", Some(Path::new("/nowhere")), false, true),
            ("production", Some(Path::new("/nowhere")), true, false),
        ] {
            assert_eq!(fail_points(file, is_production).is_ok(), is_good, "{reason}");
        }
    }

    #[test]
    fn work_on_request_is_refused_in_production() {
        for (reason, is_bench, is_production, exit_code) in [
            ("not asked for", false, true, None),
            ("development", true, false, None),
            ("production", true, true, Some(EXIT_CONFIGURATION)),
        ] {
            let checked = check_bench(is_bench, is_production);
            assert_eq!(checked.err().map(|fault| fault.exit_code()), exit_code, "{reason}");
        }
    }
}
