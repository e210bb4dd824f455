//! One PostgreSQL cluster for a run of the tests, on a Unix socket in a private directory.
//!
//! nextest runs each test in a process of its own, so the first one starts the cluster, under a file lock, and the
//! others find it by the id of the run. What keeps it is a small shell script in a session of its own: it outlives
//! the test, watches the runner's process, and when that is gone ends PostgreSQL and removes the directory, whatever
//! happened. Two runs, of one clone or of two, never meet. PostgreSQL refuses root, which therefore runs it as an
//! unprivileged user. Durability is off: the data is worth nothing. A drill, which has a cluster of its own and tries
//! what is left of it, asks for more by a [`Plan`].

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::wait::until_blocking;
use super::{place, seed};

pub struct Cluster {
    /// Of the run: sockets, data, keys, and the tests' own directories.
    pub directory: PathBuf,
    pub sockets: PathBuf,
}

/// The role that owns the databases; the server never connects as it.
pub const OWNER: &str = "sigid_owner";
/// The role of the server.
pub const APP: &str = "sigid_app";

static SHARED: OnceLock<Cluster> = OnceLock::new();
static PLAN: OnceLock<Plan> = OnceLock::new();

/// What a cluster is to be like.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Commits survive the end of PostgreSQL, and PostgreSQL may be restarted.
    pub durable: bool,
    /// Everything of it is on a file system of so many MiB.
    pub disk_mib: Option<u32>,
    /// A library that PostgreSQL loads before all others.
    pub preload: Option<PathBuf>,
}

/// Decides what [`shared`] will be like. Before it is started, and once.
#[allow(dead_code, reason = "for drills")]
pub fn plan(plan: Plan) {
    PLAN.set(plan).unwrap();
}

/// The cluster of this run, started and seeded by whoever comes first.
pub fn shared() -> &'static Cluster {
    SHARED.get_or_init(start)
}

impl Cluster {
    pub fn url(&self, database: &str, role: &str) -> String {
        format!("postgresql:///{database}?host={}&user={role}", self.sockets.display())
    }

    fn is_up(&self) -> bool {
        assert!(!self.directory.join("failed").exists(), "PostgreSQL did not start:\n{}", self.log());
        let status = fs::read_to_string(self.directory.join("pg/data/postmaster.pid")).unwrap_or_default();
        status.lines().nth(7).is_some_and(|status| status.trim() == "ready")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.join("pg.log")).unwrap_or_default()
    }
}

fn start() -> Cluster {
    let directory = run_directory();
    let lock = File::create(directory.join("lock")).unwrap();
    lock.lock().unwrap();
    let cluster = Cluster { sockets: directory.join("pg/s"), directory };
    let made = cluster.directory.join("made");
    if !made.exists() {
        let begun = cluster.directory.join("begun");
        assert!(!begun.exists(), "the setup of this run has failed; the test that came first says why");
        File::create(begun).unwrap();
        launch(&cluster.directory);
        until_blocking("PostgreSQL", || cluster.is_up().then_some(()));
        seed::make(&cluster);
        File::create(made).unwrap();
    }
    cluster
}

/// Made by this user, or refused: /tmp is everybody's.
fn run_directory() -> PathBuf {
    let path = Path::new("/tmp").join(format!("sigid-it-{}", run_id()));
    let _ = DirBuilder::new().mode(0o711).create(&path);
    let own = fs::metadata("/proc/self").unwrap().uid();
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.is_dir() && found.uid() == own, "{} is somebody else's", path.display());
    path
}

fn run_id() -> String {
    let parent = std::os::unix::process::parent_id();
    match std::env::var("NEXTEST_RUN_ID") {
        // What is restarted is nobody else's.
        Ok(_) if is_own() => format!("own-{}", std::process::id()),
        Ok(run) => run.chars().filter(char::is_ascii_hexdigit).take(16).collect(),
        Err(_) => format!("{parent}-{}", std::process::id()),
    }
}

#[allow(clippy::zombie_processes, reason = "the keeper outlives this process, and is then nobody's child")]
fn launch(directory: &Path) {
    let pg = directory.join("pg");
    DirBuilder::new().mode(0o700).create(&pg).unwrap();
    let plan = PLAN.get_or_init(Plan::default);
    if let Some(mib) = plan.disk_mib {
        let size = format!("size={mib}m,mode=0700");
        let status = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&pg).status().unwrap();
        assert!(status.success(), "a file system of {mib} MiB on {}", pg.display());
    }
    let mut command = Command::new("setsid");
    command.args(["sh", "-c", KEEPER, "keeper"]);
    command.arg(watched().to_string()).arg(directory).arg(programs());
    if let Some((uid, gid)) = account() {
        std::os::unix::fs::chown(&pg, Some(uid), Some(gid)).unwrap();
        command.args(["setpriv", &format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]);
    }
    command.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").env("LC_ALL", "C.UTF-8");
    command.env("DURABLE", if plan.durable { "yes" } else { "" });
    command.env("PRELOAD", plan.preload.clone().unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
}

/// The process whose end is the end of the run: nextest, or without it this one.
fn watched() -> u32 {
    match std::env::var("NEXTEST_RUN_ID") {
        Ok(_) if !is_own() => std::os::unix::process::parent_id(),
        _ => std::process::id(),
    }
}

/// Whether this process has a cluster of its own: a durable one may be restarted.
fn is_own() -> bool {
    PLAN.get().is_some_and(|plan| plan.durable)
}

/// Whom root runs PostgreSQL as.
pub fn account() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    ["sigid-dev", "postgres", "nobody"].into_iter().find_map(|wanted| {
        let line = users.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut ids = line.split(':').skip(2).map(|field| field.parse().unwrap());
        Some((ids.next()?, ids.next()?))
    })
}

/// `SIGID_PG_BIN`, the newest of Debian's, or what the PATH has.
pub fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("SIGID_PG_BIN") {
        return named.into();
    }
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<(u32, PathBuf)> = installed
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    installed.sort();
    installed.pop().map(|(_, bin)| bin).or_else(on_path).expect("PostgreSQL is not installed; set SIGID_PG_BIN")
}

fn on_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|directory| directory.join("postgres")).find(|file| file.exists())?;
    found.canonicalize().ok()?.parent().map(Path::to_path_buf)
}

/// Connects as a role to a database of the cluster.
pub async fn connect(database: &str, role: &str) -> tokio_postgres::Client {
    connect_in(shared(), database, role).await
}

pub async fn connect_in(cluster: &Cluster, database: &str, role: &str) -> tokio_postgres::Client {
    let mut config = tokio_postgres::Config::new();
    config.host_path(&cluster.sockets).dbname(database).user(role);
    let (client, driver) = config.connect(tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(driver);
    client
}

/// A database that is gone when this is.
pub struct Database {
    pub name: String,
}

impl Database {
    /// A copy of `template`.
    pub async fn copy(template: &str) -> Self {
        let name = format!("t{}_{}", std::process::id(), place::number());
        let client = connect("postgres", OWNER).await;
        client.batch_execute(&format!("create database {name} template {template} strategy file_copy")).await.unwrap();
        Self { name }
    }

    pub fn url(&self, role: &str) -> String {
        shared().url(&self.name, role)
    }

    pub async fn connect(&self, role: &str) -> tokio_postgres::Client {
        connect(&self.name, role).await
    }
}

/// Arguments: the process to watch, the run's directory, PostgreSQL's programs, and what runs them as somebody else.
/// Its last act is to remove the directory; a test that is just ending may still write there, hence the loop.
const KEEPER: &str = r#"
watched=$1 dir=$2 bin=$3; shift 3
cd /
runs() { [ -d "/proc/$watched" ]; }
if "$@" "$bin/initdb" -D "$dir/pg/data" -U sigid_owner --auth-local=trust --auth-host=reject \
    --encoding=UTF8 --locale=C.UTF-8 --no-sync --no-instructions >"$dir/pg.log" 2>&1 && "$@" mkdir -m 700 "$dir/pg/s"; then
    lax="-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
    [ -z "$DURABLE" ] || lax="-c wal_sync_method=fdatasync"
    "$@" env ${PRELOAD:+LD_PRELOAD="$PRELOAD"} "$bin/postgres" -D "$dir/pg/data" $lax \
        -c listen_addresses= -c unix_socket_directories="$dir/pg/s" -c unix_socket_permissions=0700 \
        -c wal_level=minimal -c max_wal_senders=0 -c shared_buffers=128MB -c max_connections=400 -c jit=off \
        -c log_min_messages=fatal -c checkpoint_timeout=1h -c max_wal_size=4GB -c autovacuum=off \
        >>"$dir/pg.log" 2>&1 &
    server=$!
    while runs && { [ -n "$DURABLE" ] || kill -0 "$server" 2>/dev/null; }; do sleep 0.2; done
    kill -QUIT "$server" 2>/dev/null
    [ -z "$DURABLE" ] || "$@" "$bin/pg_ctl" stop -D "$dir/pg/data" -m immediate >>"$dir/pg.log" 2>&1
    wait "$server"
fi
: >"$dir/failed"
while runs; do sleep 0.2; done
umount "$dir/pg" 2>/dev/null
for turn in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$dir" && break; sleep 0.5; done
"#;
