//! Programs of other people: whether they are here, and how they ran.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A snippet and the commands it is run by, for `sh`, in a directory that holds it.
pub struct Trial {
    pub file: &'static str,
    /// Succeeds where everything is installed that `command` needs.
    pub probe: &'static str,
    pub command: &'static str,
}

impl Trial {
    /// Why it cannot run here.
    pub fn find_lack(&self, directory: &Path) -> Option<String> {
        let (code, _, err) = run(self.probe, directory, &[]);
        let told = err.lines().find(|line| line.contains("Error")).or(err.lines().next()).unwrap_or("no output");
        (code != 0).then(|| format!("`{}`: {told}", self.probe))
    }
}

/// Runs a line of shell to its end: exit code (124 at the deadline), standard output, standard error.
pub fn run(line: &str, directory: &Path, environment: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = shell(directory, environment);
    let output = command.args(["timeout", "-k", "1", DEADLINE_S, "sh", "-c", line]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// `env`, with what every program here gets: no proxy of this machine's, the libraries that were fetched, the
/// servers' directories on the path.
pub fn shell(directory: &Path, environment: &[(&str, &str)]) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("env");
    for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.arg(format!("--unset={name}"));
    }
    command.arg(format!("PATH={path}:/usr/local/sbin:/usr/sbin:/sbin"));
    if let Some(libraries) = libraries() {
        command.arg(format!("PYTHONPATH={}", libraries.join("python").display()));
        let link = directory.join("node_modules");
        // There already, when the directory has been used before.
        let _ = std::os::unix::fs::symlink(libraries.join("node_modules"), link);
    }
    command.args(environment.iter().map(|(name, value)| format!("{name}={value}")));
    command.current_dir(directory).stdin(Stdio::null());
    command
}

/// Where `./dev` puts the packages of npm and PyPI.
fn libraries() -> Option<PathBuf> {
    std::env::var_os("SIGID_CLIENT_LIBRARIES").map(PathBuf::from)
}

/// The first run of a compiler on a busy machine takes its time.
const DEADLINE_S: &str = "90";
