//! `sigid dev`: the whole server on a machine that has nothing but PostgreSQL's programs.
//!
//! It takes DIR, starts a private cluster, makes a CA and a certificate, migrates, seeds a demonstration, and then
//! runs what `sigid serve -c DIR/sigid.toml` runs. Everything of its own is preparation; nothing in the server knows
//! that it is a development server but the three options handed to it.
//!
//! Order of a start, each step undone by none of the later ones: watch for signals, take DIR, withdraw the old
//! `dev.json`, claim ports, certificate, cluster, configuration, migrations, demonstration, mail catcher, serve, and last of all
//! `dev.json`. Order of a stop: the server drains, `dev.json` goes, PostgreSQL stops, DIR is free. PostgreSQL runs in
//! a session of its own, so Ctrl-C reaches this process alone and the drain still has a database.
//!
//! A start after `kill -9` needs nothing special: the lock died with its holder, the cluster is adopted
//! ([`cluster`]), and every step makes what is missing.
//!
//! Attacks considered: another user of the machine (keys, secrets and configuration are 0600, sockets are in a
//! directory of 0700 whose owner is checked), a stolen CA key ([`ca`]), a page in the developer's browser (the
//! server's own defences; nothing is weaker here), the environment of the shell (no `DATABASE_URL` of another project
//! is honoured: the configuration is read without environment overrides).

mod announce;
mod ca;
mod catcher;
mod cluster;
mod directory;
mod fault;
mod people;
mod places;
mod ports;
mod postmaster;
mod programs;
mod seed;
mod settings;
mod signals;
mod state;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sigid_core::b64;
use sigid_io::clock::Clock;
use sigid_io::migrate::{MigrateFault, Migrator};
use sigid_io::pg::{Plane, Pools};
use sigid_io::rng;

use crate::boot::{self, Budgets};
use crate::cli::say;
use crate::cli::serve::Development;
use crate::config::{self, Config};

use announce::DevJson;
use cluster::{APP, Cluster, OWNER};
use directory::{Directory, Name};
use fault::Fault;
use ports::Claim;
use settings::Ports;
use signals::Signals;
use state::State;

#[derive(clap::Args)]
pub struct Args {
    /// Where everything is kept: data, keys, certificates, dev.json.
    #[arg(long, value_name = "DIR", default_value = ".sigid")]
    dir: PathBuf,
    /// The listener's port; a busy one is refused. Without it: the port of the last start, 8443, or the next free one.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Stop what runs and remove what was kept, then start anew.
    #[arg(long)]
    reset: bool,
    #[command(flatten)]
    development: Development,
    /// Print the coordinates of the server that runs in DIR as shell assignments, and end; 1 when none is ready.
    #[arg(long, conflicts_with_all = ["port", "reset", "budgets", "bench", "clock_offset_file"])]
    print_env: bool,
}

pub fn run(args: Args) -> u8 {
    if args.print_env {
        return print_environment(&args.dir);
    }
    match start(&args) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("sigid dev: {fault}");
            fault.exit_code()
        }
    }
}

fn print_environment(directory: &Path) -> u8 {
    let found = announce::find_environment(directory);
    if let Some(lines) = &found {
        say(lines.trim_end());
    }
    u8::from(found.is_none())
}

/// Prepares, serves until told to stop, and stops PostgreSQL whatever came of it.
fn start(args: &Args) -> Result<u8, Fault> {
    let signals = Signals::watch()?;
    let directory = Directory::take(&args.dir)?;
    directory.remove(Name::DevJson)?;
    let mut cluster = Cluster::find(&directory, &Environment::read())?;
    cluster.sweep();
    if args.reset {
        cluster.remove()?;
        directory.clear()?;
    }
    let mut kept = Kept::prepare(&directory, args.port)?;
    let outcome = cluster.start(&kept.state.instance).and_then(|()| {
        if signals.have_arrived() { Ok(0) } else { serve(args, &directory, &cluster, &mut kept, &signals) }
    });
    let withdrawn = directory.remove(Name::DevJson);
    let stopped = cluster.stop();
    let code = outcome?;
    withdrawn.and(stopped)?;
    Ok(code)
}

/// What is settled before anything runs, and remembered.
struct Kept {
    state: State,
    listener: Claim,
    metrics: Claim,
    mail: Claim,
    mail_page: Claim,
}

impl Kept {
    fn prepare(directory: &Directory, port: Option<u16>) -> Result<Self, Fault> {
        let found = State::find(directory)?;
        ensure_root_key(directory, found.is_none())?;
        let mut state = found.unwrap_or_else(|| State::new(b64::encode(&rng::random::<12>())));
        let listener = match port {
            Some(port) => ports::claim_exactly(port)?,
            None => ports::claim_next(state.port.unwrap_or(PORT))?,
        };
        let metrics = ports::claim_next(state.metrics_port.unwrap_or(METRICS_PORT))?;
        let mail = ports::claim_next(state.mail_port.unwrap_or(MAIL_PORT))?;
        let mail_page = ports::claim_next(state.mail_page_port.unwrap_or(MAIL_PAGE_PORT))?;
        state.port = Some(listener.port);
        state.metrics_port = Some(metrics.port);
        state.mail_port = Some(mail.port);
        state.mail_page_port = Some(mail_page.port);
        ca::ensure(directory, &mut state, Clock::new().now_s())?;
        seed::draw_credentials(&mut state);
        people::draw_passwords(&mut state);
        state.save(directory)?;
        Ok(Self { state, listener, metrics, mail, mail_page })
    }
}

/// Without its root key the sealed keys in the database are lost, so it is made at the first start only.
fn ensure_root_key(directory: &Directory, is_first: bool) -> Result<(), Fault> {
    match directory.find_text(Name::RootKey)? {
        Some(_) => Ok(()),
        None if is_first => directory.write(Name::RootKey, &b64::encode(&rng::random::<32>())),
        None => {
            let path = directory.file(Name::RootKey);
            Err(Fault::refused(format!(
                "{} is gone, and with it the signing keys; start over with --reset",
                path.display()
            )))
        }
    }
}

/// The server itself, in this process. Returns when it has been told to stop and has drained.
fn serve(
    args: &Args,
    directory: &Directory,
    cluster: &Cluster,
    kept: &mut Kept,
    signals: &Signals,
) -> Result<u8, Fault> {
    let (port, metrics_port) = (kept.listener.port, kept.metrics.port);
    settings::write(directory, cluster, Ports { listener: port, metrics: metrics_port, mail: kept.mail.port })?;
    let config = match config::load(&directory.file(Name::Config), &|_| None) {
        Ok(config) => config,
        Err(problems) => {
            eprintln!("{problems}");
            return Ok(EXIT_CONFIGURATION);
        }
    };
    prepare_database(&config, cluster, &kept.state)?;
    if signals.have_arrived() {
        return Ok(0);
    }
    let _catcher = catcher::start(directory.mail(), kept.mail.port, kept.mail_page.port)?;
    let (budgets, is_bench) = (args.development.budgets == Budgets::On, args.development.bench);
    let dev = DevJson::new(directory, &kept.state, cluster.url(APP), port, metrics_port)?
        .with_clock_offset_file(args.development.clock_offset_file.as_deref());
    let options = args.development.options(true);
    let mut published = Ok(());
    let code = boot::serve(config, options, |_| {
        say(dev.ready_lines(directory, budgets, is_bench));
        published = dev.publish(directory);
        signals.repeat();
    });
    published.map(|()| code)
}

/// Migrates as the owner, then seeds as the server, under row-level security like every request.
fn prepare_database(config: &Config, cluster: &Cluster, state: &State) -> Result<(), Fault> {
    let system = |source| Fault::System { doing: "cannot start a runtime".into(), source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    runtime.block_on(async {
        let app_url = cluster.url(APP);
        let migrator = Migrator::new(&cluster.url(OWNER), &Plane::ALL.map(|plane| (plane, app_url.as_str())));
        let migrated = migrator.run(crate::migrations::ALL, false, &mut |_| {}).await;
        migrated.map_err(|fault| Fault::postgres(format!("cannot migrate: {fault}{}", cure(&fault))))?;
        let database = |fault| Fault::postgres(format!("cannot reach the database: {fault}"));
        let pools = Pools::connect(&config.database.pg, &[Plane::Control]).await.map_err(database)?;
        seed::ensure(pools.pool(Plane::Control), config, state, Clock::new().now_s()).await?;
        pools.close().await;
        Ok(())
    })
}

/// What a developer does about a database that another build made.
fn cure(fault: &MigrateFault) -> &'static str {
    match fault {
        MigrateFault::Level(_) => "; start over with --reset, which removes what was kept",
        _ => "",
    }
}

/// What is read of this process's environment: where programs and sockets are, and nothing of SigID's settings.
#[derive(Default)]
struct Environment {
    /// `SIGID_PG_BIN`: PostgreSQL's programs.
    postgres_programs: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    runtime_directory: Option<PathBuf>,
    /// `PATH`.
    path: Option<OsString>,
}

impl Environment {
    fn read() -> Self {
        let find = |name| crate::environment(name).filter(|value| !value.is_empty());
        Self {
            postgres_programs: find("SIGID_PG_BIN").map(PathBuf::from),
            runtime_directory: find("XDG_RUNTIME_DIR").map(PathBuf::from),
            path: find("PATH").map(OsString::from),
        }
    }
}

const PORT: u16 = 8443;
const METRICS_PORT: u16 = 9464;
const MAIL_PORT: u16 = 1025;
const MAIL_PAGE_PORT: u16 = 8025;
const EXIT_CONFIGURATION: u8 = 78;

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;

    /// An empty directory for one test, at the same place every time so that nothing piles up, and another for each
    /// clone and user.
    pub fn scratch(name: &str) -> PathBuf {
        let clone = directory::short_name(Path::new(env!("CARGO_MANIFEST_DIR")));
        let uid = directory::own_uid().unwrap();
        let path = std::env::temp_dir().join(format!("sigid-dev-tests-{uid}-{clone}")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    #[test]
    fn a_second_start_keeps_ports_and_credentials() {
        let directory = Directory::take(&scratch("kept")).unwrap();
        let first = Kept::prepare(&directory, None).unwrap();
        let root_key = directory.find_text(Name::RootKey).unwrap().unwrap();
        assert_eq!(b64::decode(root_key.as_bytes()).unwrap().len(), 32);
        let (instance, port, metrics_port) = (first.state.instance.clone(), first.listener.port, first.metrics.port);
        let credentials = first.state.credentials.clone();
        drop(first);
        let second = Kept::prepare(&directory, None).unwrap();
        assert_eq!((second.state.instance, second.state.credentials), (instance, credentials));
        assert_eq!((second.listener.port, second.metrics.port), (port, metrics_port));
        assert_eq!(directory.find_text(Name::RootKey).unwrap().unwrap(), root_key);
    }

    #[test]
    fn a_port_taken_meanwhile_is_left_and_the_new_one_remembered() {
        let directory = Directory::take(&scratch("moved")).unwrap();
        let first = Kept::prepare(&directory, None).unwrap();
        let other = Directory::take(&scratch("moved_other")).unwrap();
        let second = Kept::prepare(&other, None).unwrap();
        assert_ne!(second.listener.port, first.listener.port);
        let port = second.listener.port;
        drop((first, second));
        assert_eq!(Kept::prepare(&other, None).unwrap().listener.port, port, "remembered, though 8443 is free");
    }

    #[test]
    fn a_lost_root_key_is_not_replaced() {
        let directory = Directory::take(&scratch("root_key")).unwrap();
        drop(Kept::prepare(&directory, None).unwrap());
        directory.remove(Name::RootKey).unwrap();
        let fault = Kept::prepare(&directory, None).err().unwrap();
        assert!(fault.to_string().contains("--reset"), "{fault}");
    }
}
