//! Who, if anybody, runs on a data directory.
//!
//! PostgreSQL's own word is `postmaster.pid`. It survives a crash, and its number may by then belong to another
//! process: so the number counts only while that process was started on this data directory. What is read is
//! `/proc/PID/cmdline`, since root without `CAP_SYS_PTRACE` (a container) may read no more of another user's
//! process. A postmaster that was killed leaves backends behind for a moment. They carry the cluster's name in
//! their title, and nothing may be started or deleted under them.

use std::fs;
use std::path::{Path, PathBuf};

/// A running postmaster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Postmaster {
    pub pid: u32,
    /// Where its socket is.
    pub sockets: PathBuf,
    /// It accepts connections: recovery, if there was any, is over.
    pub is_ready: bool,
}

/// What `postmaster.pid` and /proc say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Running(Postmaster),
    /// The file is there, the process is not.
    Stale,
    Nothing,
}

pub fn find(data: &Path) -> Found {
    let Ok(text) = fs::read_to_string(pid_file(data)) else { return Found::Nothing };
    match parse(&text) {
        Some(postmaster) if runs_on(postmaster.pid, data) => Found::Running(postmaster),
        _ => Found::Stale,
    }
}

pub fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

/// Backends, with or without their postmaster, of the cluster with this `cluster_name`.
pub fn has_backends(cluster_name: &str) -> bool {
    let title = format!("postgres: {cluster_name}: ");
    let Ok(processes) = fs::read_dir("/proc") else { return false };
    processes
        .flatten()
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|said| said.starts_with(title.as_bytes()))
}

/// Lines: pid, data directory, start time, port, socket directory, listen address, shared memory, status.
fn parse(text: &str) -> Option<Postmaster> {
    let lines: Vec<&str> = text.lines().collect();
    Some(Postmaster {
        pid: lines.first()?.trim().parse().ok()?,
        sockets: PathBuf::from(lines.get(4).copied().unwrap_or_default()),
        is_ready: lines.get(7).is_some_and(|status| status.trim() == "ready"),
    })
}

fn runs_on(pid: u32, data: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let said = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    said.split(|byte| *byte == 0).any(|argument| argument == data.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::dev::tests::scratch;
    use std::io::Read as _;
    use std::process::{Child, Command, Stdio};

    fn pid_text(pid: u32, data: &Path, status: &str) -> String {
        format!("{pid}\n{}\n1700000000\n5432\n/tmp/sockets\n\n  123  456\n{status}\n", data.display())
    }

    /// A process with the data directory among its arguments, as a postmaster has; it ends with its input.
    fn stand_in(data: &Path) -> Child {
        let mut command = Command::new("sh");
        command.args(["-c", "echo runs; read line", "postgres", "-D"]).arg(data);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        // Its command line can be read only when it is past exec.
        let mut said = [0; 4];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        child
    }

    #[test]
    fn a_pid_counts_while_its_process_runs_on_the_data() {
        let data = scratch("postmaster");
        fs::create_dir_all(&data).unwrap();
        assert_eq!(find(&data), Found::Nothing);
        let mut child = stand_in(&data);
        fs::write(pid_file(&data), pid_text(child.id(), &data, "ready   ")).unwrap();
        let running = Postmaster { pid: child.id(), sockets: "/tmp/sockets".into(), is_ready: true };
        assert_eq!(find(&data), Found::Running(running));
        fs::write(pid_file(&data), pid_text(child.id(), &data, "starting")).unwrap();
        assert!(matches!(find(&data), Found::Running(Postmaster { is_ready: false, .. })));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(find(&data), Found::Stale, "the process is gone");
        fs::write(pid_file(&data), pid_text(std::process::id(), &data, "ready   ")).unwrap();
        assert_eq!(find(&data), Found::Stale, "the number belongs to another process");
        fs::write(pid_file(&data), "").unwrap();
        assert_eq!(find(&data), Found::Stale, "cut short");
    }

    #[test]
    fn no_backends_of_an_unknown_cluster() {
        assert!(!has_backends("sigid-no-such-cluster"));
    }
}
