//! PostgreSQL's programs: where they are, and as whom they run.
//!
//! PostgreSQL refuses to run as root, so root runs it as `sigid-dev`, a system user that owns nothing else.
//! Whatever the developer's environment says (PGHOST, PGDATA, a locale) is kept away from it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Environment;
use super::fault::Fault;

/// A directory with initdb, postgres and pg_ctl of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    directory: PathBuf,
    pub major: u32,
}

/// Somebody else to run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Programs {
    /// The newest that will do; with data already there, those of the data's version.
    pub fn find(environment: &Environment, data_major: Option<u32>) -> Result<Self, Fault> {
        let found: Vec<Self> = candidates(environment).into_iter().filter_map(Self::look).collect();
        if let Some(named) = &environment.postgres_programs
            && !found.iter().any(|programs| &programs.directory == named)
        {
            let named = named.display();
            return Err(Fault::postgres(format!("SIGID_PG_BIN={named} holds no PostgreSQL {MAJOR_MIN} or later")));
        }
        let fits = |programs: &&Self| data_major.is_none_or(|major| major == programs.major);
        found.iter().find(fits).cloned().ok_or_else(|| missing(data_major))
    }

    /// A command that sees nothing of this process's environment or terminal. Its working directory is one that
    /// the account can enter.
    pub fn command(&self, program: &str, account: Option<Account>, directory: &Path) -> Command {
        self.command_through(None, program, account, directory)
    }

    /// The same in a session of its own, so that a closed terminal does not end it.
    pub fn command_in_session(&self, program: &str, account: Option<Account>, directory: &Path) -> Command {
        self.command_through(Some("setsid"), program, account, directory)
    }

    fn command_through(
        &self,
        through: Option<&str>,
        program: &str,
        account: Option<Account>,
        directory: &Path,
    ) -> Command {
        let program = self.directory.join(program);
        let mut command = match through {
            Some(first) => Command::new(first),
            None => Command::new(&program),
        };
        if through.is_some() {
            command.arg(&program);
        } else {
            // Ctrl-C is for this process; it then ends the others in order. (setsid leaves the group by itself.)
            command.process_group(0);
        }
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C.UTF-8").current_dir(directory).stdin(Stdio::null());
        if let Some(account) = account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    fn look(directory: PathBuf) -> Option<Self> {
        if !["initdb", "postgres", "pg_ctl"].iter().all(|program| directory.join(program).is_file()) {
            return None;
        }
        let major = find_major_in_path(&directory).or_else(|| ask_major(&directory))?;
        (major >= MAJOR_MIN).then_some(Self { directory, major })
    }
}

/// The account for the cluster: none for an ordinary user, who runs it as himself.
pub fn ensure_account(own_uid: u32) -> Result<Option<Account>, Fault> {
    if own_uid != 0 {
        return Ok(None);
    }
    if let Some(account) = find_account()? {
        return Ok(Some(account));
    }
    let mut command = Command::new("useradd");
    command.args([
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        "/usr/sbin/nologin",
        ACCOUNT,
    ]);
    let output = command.output().map_err(Fault::at("run", Path::new("useradd")))?;
    // Another clone may have been quicker, so what counts is whether the user is there.
    find_account()?.map(Some).ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        Fault::postgres(format!("cannot make the system user {ACCOUNT} that PostgreSQL runs as: {}", said.trim()))
    })
}

fn find_account() -> Result<Option<Account>, Fault> {
    let path = Path::new("/etc/passwd");
    let users = fs::read_to_string(path).map_err(Fault::at("read", path))?;
    Ok(users.lines().find_map(|line| parse_account(line, ACCOUNT)))
}

/// passwd(5): `name:password:uid:gid:...`
fn parse_account(line: &str, wanted: &str) -> Option<Account> {
    let mut fields = line.split(':');
    let name = fields.next()?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    (name == wanted).then_some(Account { uid, gid })
}

/// In the order of trust: what was named, Debian's directories from the newest, the PATH.
fn candidates(environment: &Environment) -> Vec<PathBuf> {
    let mut debian: Vec<PathBuf> = fs::read_dir(DEBIAN)
        .map(|entries| entries.flatten().map(|entry| entry.path().join("bin")).collect())
        .unwrap_or_default();
    debian.sort_by_key(|directory| std::cmp::Reverse(find_major_in_path(directory)));
    let path = environment.path.clone().unwrap_or_else(|| OsString::from(PATH));
    let on_path = std::env::split_paths(&path).filter_map(|directory| directory.join("postgres").canonicalize().ok());
    let on_path = on_path.filter_map(|program| program.parent().map(Path::to_path_buf));
    environment.postgres_programs.clone().into_iter().chain(debian).chain(on_path).collect()
}

/// `/usr/lib/postgresql/15/bin` says so itself, which saves starting a process.
fn find_major_in_path(directory: &Path) -> Option<u32> {
    directory.parent().filter(|parent| parent.starts_with(DEBIAN))?.file_name()?.to_str()?.parse().ok()
}

fn ask_major(directory: &Path) -> Option<u32> {
    let output = Command::new(directory.join("postgres")).arg("--version").output().ok()?;
    parse_major(&String::from_utf8_lossy(&output.stdout))
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `... 17beta1`
fn parse_major(said: &str) -> Option<u32> {
    let version = said.strip_prefix("postgres (PostgreSQL) ")?;
    let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}

fn missing(data_major: Option<u32>) -> Fault {
    match data_major {
        Some(major) => Fault::postgres(format!(
            "the data here is of PostgreSQL {major}, whose programs are not found; install postgresql-{major}, or start over with --reset"
        )),
        None => Fault::postgres(format!(
            "PostgreSQL {MAJOR_MIN} or later is not found; as root: apt-get install -y --no-install-recommends postgresql"
        )),
    }
}

/// The oldest version that is supported.
const MAJOR_MIN: u32 = 15;
const DEBIAN: &str = "/usr/lib/postgresql";
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
const ACCOUNT: &str = "sigid-dev";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (said, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 17beta1\n", Some(17)),
            ("postgres (PostgreSQL) \n", None),
            ("mysqld 8.0\n", None),
        ] {
            assert_eq!(parse_major(said), major, "{said}");
        }
        assert_eq!(find_major_in_path(Path::new("/usr/lib/postgresql/15/bin")), Some(15));
        assert_eq!(find_major_in_path(Path::new("/opt/postgresql/15/bin")), None);
    }

    #[test]
    fn accounts() {
        let line = "sigid-dev:x:998:997::/nonexistent:/usr/sbin/nologin";
        assert_eq!(parse_account(line, "sigid-dev"), Some(Account { uid: 998, gid: 997 }));
        assert_eq!(parse_account(line, "sigid"), None);
        assert_eq!(parse_account("sigid-dev:x", "sigid-dev"), None);
    }

    #[test]
    fn a_named_directory_without_programs_is_refused() {
        let environment = Environment { postgres_programs: Some("/nowhere".into()), ..Environment::default() };
        let fault = Programs::find(&environment, None).unwrap_err();
        assert_eq!(fault.exit_code(), 69);
        assert!(fault.to_string().contains("SIGID_PG_BIN=/nowhere"), "{fault}");
    }
}
