//! The private PostgreSQL cluster of one DIR: made, started, adopted, stopped.
//!
//! It listens on a Unix socket only, in a directory with mode 0700, and behind that trusts whoever connects. Its
//! files are under DIR; for root, whose home the unprivileged account cannot enter, they are under
//! `/var/lib/sigid-dev/<hash of DIR>`. Its sockets are never below a checkout, whose path may exceed the 107 bytes
//! that a socket's path has.
//!
//! States and what leads out of them:
//!
//! | found | done |
//! |---|---|
//! | no data, or data of an earlier DIR at this path | removed (stopped first); a new cluster is made beside and renamed into place |
//! | a ready postmaster with our socket (the server was killed) | adopted |
//! | another running postmaster (still recovering, or with a socket elsewhere) | stopped, then started |
//! | a pid file without its process | awaited until no backend is left, then removed, then started |
//!
//! Nothing is ever deleted under a running process: a postmaster whose files are gone stops later, and unlinks the
//! socket of whoever came after it.
//!
//! Two roles: `sigid_owner` is the cluster's superuser and runs migrations; `sigid_app` is what the server connects
//! as, with no right but those that migrations grant.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::Environment;
use super::directory::{Directory, own_uid, short_name};
use super::fault::Fault;
use super::places::{self, Hold};
use super::postmaster::{self, Found, Postmaster};
use super::programs::{Account, Programs, ensure_account};

pub const OWNER: &str = "sigid_owner";
pub const APP: &str = "sigid_app";
pub const DATABASE: &str = "sigid";

pub struct Cluster {
    programs: Programs,
    account: Option<Account>,
    /// Holds everything of the cluster but its sockets.
    place: PathBuf,
    sockets: PathBuf,
    name: String,
    /// Whom it is for.
    directory: PathBuf,
    /// Root's place, while in use.
    hold: Option<Hold>,
    /// The postmaster, when this process started it.
    child: Option<Child>,
}

impl Cluster {
    /// Finds the programs and settles where things are; starts nothing.
    pub fn find(directory: &Directory, environment: &Environment) -> Result<Self, Fault> {
        let uid = own_uid()?;
        let account = ensure_account(uid)?;
        let hash = short_name(directory.path());
        let place = match account {
            Some(_) => Path::new(places::ROOT).join(&hash),
            None => directory.cluster(),
        };
        let sockets = match account {
            Some(_) => place.join(SOCKETS),
            None => socket_directory(environment, uid, &hash),
        };
        let programs = Programs::find(environment, find_data_major(&place))?;
        let (name, directory) = (format!("sigid-{hash}"), directory.path().to_owned());
        Ok(Self { programs, account, place, sockets, name, directory, hold: None, child: None })
    }

    /// Removes root's clusters that nobody can find again. What cannot be removed is left for the next time.
    pub fn sweep(&self) {
        if self.account.is_none() {
            return;
        }
        for place in places::find_abandoned(Path::new(places::ROOT)) {
            let name = format!("sigid-{}", place.file_name().unwrap_or_default().display());
            let (programs, account, sockets) = (self.programs.clone(), self.account, place.join(SOCKETS));
            let directory = places::find_directory(&place).unwrap_or_default();
            let _ = Self { programs, account, place, sockets, name, directory, hold: None, child: None }.remove();
        }
    }

    pub fn url(&self, role: &str) -> String {
        format!("postgresql:///{DATABASE}?host={}&user={role}", percent_encode(&self.sockets))
    }

    /// After this the cluster accepts connections and belongs to `instance`.
    pub fn start(&mut self, instance: &str) -> Result<(), Fault> {
        if !self.is_instance(instance) {
            self.remove()?;
            self.make(instance)?;
        }
        self.hold_place()?;
        match postmaster::find(&self.data()) {
            Found::Running(postmaster) if self.is_ours(&postmaster) => return Ok(()),
            Found::Running(_) => self.stop()?,
            Found::Stale => self.clean_up()?,
            Found::Nothing => {}
        }
        self.make_socket_directory()?;
        self.launch()
    }

    /// Ends the sessions and writes everything out; returns when the postmaster is gone. Fine when none runs.
    pub fn stop(&mut self) -> Result<(), Fault> {
        if matches!(postmaster::find(&self.data()), Found::Running(_)) {
            let fast = run(self.pg_ctl(["stop", "-m", "fast", "-w", "-t", "30"]))?;
            if !fast.status.success() && matches!(postmaster::find(&self.data()), Found::Running(_)) {
                let immediate = run(self.pg_ctl(["stop", "-m", "immediate", "-w", "-t", "10"]))?;
                demand(&immediate, "stop PostgreSQL")?;
            }
        }
        if let Some(mut child) = self.child.take() {
            child.wait().map_err(Fault::at("await", &self.data()))?;
        }
        Ok(())
    }

    /// Stops it, then removes every file of it.
    pub fn remove(&mut self) -> Result<(), Fault> {
        self.hold_place()?;
        self.stop()?;
        self.await_backends()?;
        for path in [&self.sockets, &self.place] {
            match fs::remove_dir_all(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Fault::at("remove", path)(error));
                }
                _ => {}
            }
        }
        self.hold = None;
        Ok(())
    }

    /// An ordinary user's place is inside DIR, and held with it.
    fn hold_place(&mut self) -> Result<(), Fault> {
        if self.account.is_some() && self.hold.is_none() && self.place.is_dir() {
            self.hold = Some(places::hold(&self.place, &self.directory)?);
        }
        Ok(())
    }

    fn is_instance(&self, instance: &str) -> bool {
        self.data().is_dir() && fs::read_to_string(self.place.join(INSTANCE)).is_ok_and(|text| text == instance)
    }

    fn is_ours(&self, postmaster: &Postmaster) -> bool {
        postmaster.is_ready && postmaster.sockets == self.sockets && self.sockets.join(SOCKET).exists()
    }

    /// The pid file goes only when nobody holds the shared memory that it names.
    fn clean_up(&self) -> Result<(), Fault> {
        self.await_backends()?;
        let path = postmaster::pid_file(&self.data());
        fs::remove_file(&path).map_err(Fault::at("remove", &path))
    }

    /// Backends notice within moments that their postmaster is gone.
    fn await_backends(&self) -> Result<(), Fault> {
        let gone = wait_until(BACKENDS_GONE_WITHIN, || Ok(!postmaster::has_backends(&self.name)))?;
        if gone {
            return Ok(());
        }
        Err(Fault::postgres(format!(
            "processes named \"postgres: {}\" do not end; end them and start again",
            self.name
        )))
    }

    // --- making ---

    /// Made beside and renamed into place, so that `data` is always whole.
    fn make(&self, instance: &str) -> Result<(), Fault> {
        self.make_place()?;
        let fresh = self.place.join("data.new");
        self.make_private(&fresh)?;
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&fresh).args(["-U", OWNER, "--auth-local=trust", "--auth-host=reject"]);
        initdb.args(["--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]);
        demand(&run(initdb)?, "make the PostgreSQL cluster")?;
        self.make_roles(&fresh)?;
        let data = self.data();
        fs::rename(&fresh, &data).map_err(Fault::at("rename", &fresh))?;
        let path = self.place.join(INSTANCE);
        fs::write(&path, instance).map_err(Fault::at("write", &path))
    }

    /// Root keeps the place its own, passable for the account: what root writes there, the account cannot redirect.
    fn make_place(&self) -> Result<(), Fault> {
        let mode = if self.account.is_some() { 0o755 } else { 0o700 };
        DirBuilder::new().recursive(true).mode(mode).create(&self.place).map_err(Fault::at("create", &self.place))?;
        if self.account.is_some() {
            // Whatever the umask says.
            for path in self.place.ancestors().take(2) {
                fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Fault::at("open up", path))?;
            }
        }
        Ok(())
    }

    /// PostgreSQL's single-user mode: no socket, so nothing to guard, and no client program needed.
    fn make_roles(&self, data: &Path) -> Result<(), Fault> {
        let mut single = self.command("postgres");
        single.arg("--single").arg("-D").arg(data).args([
            "-c",
            "log_min_messages=error",
            "-c",
            "log_checkpoints=off",
            "postgres",
        ]);
        let mut child = single
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Fault::at("run postgres on", data))?;
        if let Some(mut input) = child.stdin.take() {
            let statements = format!(
                "create role {APP} login nosuperuser nobypassrls nocreatedb nocreaterole\ncreate database {DATABASE} owner {OWNER}\n"
            );
            input.write_all(statements.as_bytes()).map_err(Fault::at("write to postgres on", data))?;
        }
        let output = child.wait_with_output().map_err(Fault::at("await postgres on", data))?;
        demand(&output, "make the roles")?;
        // A failed statement does not fail the program.
        if output.stderr.is_empty() { Ok(()) } else { Err(said("make the roles", &output)) }
    }

    /// A directory that only the cluster's account (and root) can enter; one that is there already stays.
    fn make_private(&self, path: &Path) -> Result<(), Fault> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Fault::at("create", path)(error));
            }
            _ => {}
        }
        if let Some(account) = self.account {
            chown(path, Some(account.uid), Some(account.gid)).map_err(Fault::at("hand over", path))?;
        }
        Ok(())
    }

    /// In /tmp, somebody else may have made it first. A socket in a directory of theirs would let them answer.
    fn make_socket_directory(&self) -> Result<(), Fault> {
        self.make_private(&self.sockets)?;
        let owner = match self.account {
            Some(account) => account.uid,
            None => own_uid()?,
        };
        let found = fs::symlink_metadata(&self.sockets).map_err(Fault::at("read", &self.sockets))?;
        if !found.is_dir() || found.uid() != owner {
            let path = self.sockets.display();
            return Err(Fault::refused(format!(
                "{path} is not a directory of this user; remove it or set XDG_RUNTIME_DIR"
            )));
        }
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&self.sockets, private).map_err(Fault::at("protect", &self.sockets))
    }

    // --- starting ---

    fn launch(&mut self) -> Result<(), Fault> {
        let (mut log, begins) = self.open_log()?;
        let mut command = self.programs.command_in_session("postgres", self.account, &self.place);
        command.arg("-D").arg(self.data());
        for (name, value) in self.settings() {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let output = log.try_clone().map_err(Fault::at("open the log of", &self.place))?;
        let errors = log.try_clone().map_err(Fault::at("open the log of", &self.place))?;
        let child =
            command.stdout(output).stderr(errors).spawn().map_err(Fault::at("run setsid postgres on", &self.place))?;
        let child = self.child.insert(child);
        let (pid, data) = (child.id(), self.place.join(DATA));
        let mut has_ended = || child.try_wait().map(|status| status.is_some()).map_err(Fault::at("await", &data));
        let ready = wait_until(READY_WITHIN, || {
            let found = postmaster::find(&data);
            Ok(has_ended()?
                || matches!(found, Found::Running(Postmaster { pid: found, is_ready: true, .. }) if found == pid))
        })?;
        if ready && !has_ended()? {
            return Ok(());
        }
        Err(Fault::postgres(format!("PostgreSQL did not start: {}", last_lines(&mut log, begins))))
    }

    fn settings(&self) -> [(&'static str, String); 11] {
        [
            ("cluster_name", self.name.clone()),
            ("listen_addresses", String::new()),
            ("unix_socket_directories", self.sockets.display().to_string()),
            ("unix_socket_permissions", "0700".into()),
            ("fsync", "on".into()),
            ("full_page_writes", "on".into()),
            ("synchronous_commit", "on".into()),
            ("shared_buffers", "64MB".into()),
            ("max_connections", "100".into()),
            ("jit", "off".into()),
            ("logging_collector", "off".into()),
        ]
    }

    /// The log, and where this start's lines begin. A log that has grown large is begun anew.
    fn open_log(&self) -> Result<(File, u64), Fault> {
        let path = self.place.join("log");
        let mut options = OpenOptions::new();
        let file =
            options.create(true).read(true).append(true).mode(0o600).open(&path).map_err(Fault::at("open", &path))?;
        let mut length = file.metadata().map_err(Fault::at("read", &path))?.len();
        if length > LOG_BYTES_MAX {
            file.set_len(0).map_err(Fault::at("shorten", &path))?;
            length = 0;
        }
        Ok((file, length))
    }

    fn data(&self) -> PathBuf {
        self.place.join(DATA)
    }

    fn pg_ctl<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.command("pg_ctl");
        command.args(arguments).arg("-D").arg(self.data());
        command
    }

    fn command(&self, program: &str) -> Command {
        self.programs.command(program, self.account, &self.place)
    }
}

fn run(mut command: Command) -> Result<Output, Fault> {
    let program = PathBuf::from(command.get_program());
    command.output().map_err(Fault::at("run", &program))
}

/// `XDG_RUNTIME_DIR` is the user's own and empties itself at logout; /tmp is what there is without it, or when a
/// path could not be said in a setting (a comma separates directories there) or bound (too long).
fn socket_directory(environment: &Environment, uid: u32, hash: &str) -> PathBuf {
    let runtime = environment.runtime_directory.as_deref().filter(|path| path.is_absolute() && path.is_dir());
    let runtime = runtime.map(|path| path.join(format!("sigid-{hash}"))).filter(|path| is_sayable(path));
    runtime.unwrap_or_else(|| PathBuf::from(format!("/tmp/sigid-{uid}-{hash}")))
}

fn is_sayable(path: &Path) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    path.to_str().is_some_and(|text| text.bytes().all(plain) && text.len() + 1 + SOCKET.len() <= SOCKET_PATH_BYTES_MAX)
}

/// For the query of a URL; the paths here are plain, so that usually nothing changes.
fn percent_encode(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.');
    let encode = |byte: &u8| if plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    path.as_os_str().as_bytes().iter().map(encode).collect()
}

fn find_data_major(place: &Path) -> Option<u32> {
    fs::read_to_string(place.join(DATA).join("PG_VERSION")).ok()?.trim().parse().ok()
}

/// Looks until it is so; false when the time is over. The machine may be busy, so the clock decides, not a count.
#[expect(clippy::disallowed_methods, reason = "preparation of a development start, where nothing else runs yet")]
fn wait_until(within: Duration, mut is_so: impl FnMut() -> Result<bool, Fault>) -> Result<bool, Fault> {
    let begin = Instant::now();
    loop {
        if is_so()? {
            return Ok(true);
        }
        if begin.elapsed() > within {
            return Ok(false);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

fn demand(output: &Output, doing: &str) -> Result<(), Fault> {
    if output.status.success() { Ok(()) } else { Err(said(doing, output)) }
}

fn said(doing: &str, output: &Output) -> Fault {
    let text = String::from_utf8_lossy(if output.stderr.is_empty() { &output.stdout } else { &output.stderr });
    Fault::postgres(format!("cannot {doing}: {}", text.trim().lines().collect::<Vec<_>>().join("; ")))
}

/// What the log gained since `begins`, in one line.
fn last_lines(log: &mut File, begins: u64) -> String {
    let mut text = String::new();
    let read = log.seek(SeekFrom::Start(begins)).and_then(|_| log.take(LOG_SHOWN_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) if !text.trim().is_empty() => text.trim().lines().collect::<Vec<_>>().join("; "),
        _ => "its log says nothing".into(),
    }
}

const DATA: &str = "data";
/// Names the DIR that this cluster was made for.
const INSTANCE: &str = "instance";
/// Under root's place.
const SOCKETS: &str = "sockets";
const SOCKET: &str = ".s.PGSQL.5432";
/// sun_path has 108 bytes and ends with a zero.
const SOCKET_PATH_BYTES_MAX: usize = 107;
const READY_WITHIN: Duration = Duration::from_mins(1);
const BACKENDS_GONE_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(5);
const LOG_BYTES_MAX: u64 = 10 * 1024 * 1024;
const LOG_SHOWN_BYTES_MAX: u64 = 4096;

#[cfg(test)]
#[path = "cluster_tests.rs"]
mod tests;
