//! A PostgreSQL cluster of this machine, harmed without its leave and without root: its own user's signals suffice.
//! SIGTERM to a backend is what `pg_terminate_backend` sends; SIGSTOP to all of its processes is a database that
//! accepts connections and never answers, the worst kind of outage.

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

use crate::fault::Fault;
use crate::procfs;

pub struct Postgres {
    postmaster: u32,
}

/// Stands still until this is dropped, however the run ends.
pub struct Frozen(Vec<u32>);

impl Postgres {
    pub fn find(postmaster: u32) -> Result<Self, Fault> {
        if fs::read_to_string(format!("/proc/{postmaster}/comm")).is_ok_and(|name| name.trim() == "postgres") {
            return Ok(Self { postmaster });
        }
        Err(Fault::Usage(format!("--postgres-pid {postmaster} is no postmaster")))
    }

    /// Ends every client's connection; how many.
    pub fn cut(&self) -> Result<usize, Fault> {
        let backends: Vec<u32> = self.children().into_iter().filter(|pid| is_backend(&title(*pid))).collect();
        for pid in &backends {
            signal(*pid, Signal::TERM)?;
        }
        Ok(backends.len())
    }

    /// What it and its processes have used so far.
    pub fn cpu_ns(&self) -> u64 {
        let pids = self.children().into_iter().chain([self.postmaster]);
        pids.flat_map(procfs::task_times).map(|(_, times)| times.cpu_ns).sum()
    }

    pub fn freeze(&self) -> Result<Frozen, Fault> {
        // The postmaster first: it starts no more children.
        signal(self.postmaster, Signal::STOP)?;
        let mut frozen = Frozen(vec![self.postmaster]);
        for pid in self.children() {
            // One that has just ended need not be stopped.
            if signal(pid, Signal::STOP).is_ok() {
                frozen.0.push(pid);
            }
        }
        Ok(frozen)
    }

    fn children(&self) -> Vec<u32> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.filter_map(|p| p.ok()?.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|pid| parent(*pid) == Some(self.postmaster)).collect()
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        for pid in self.0.iter().rev() {
            // Nothing can be done for one that is gone.
            let _ = signal(*pid, Signal::CONT);
        }
    }
}

fn signal(pid: u32, signal: Signal) -> Result<(), Fault> {
    let raw = Pid::from_raw(pid as i32).ok_or_else(|| Fault::Local(format!("process {pid}")))?;
    kill_process(raw, signal).map_err(|e| Fault::local(&format!("signal to process {pid}"), e))
}

fn parent(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn title(pid: u32) -> String {
    let raw = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&raw).replace('\0', " ")
}

/// "postgres: USER DATABASE HOST(PORT) ..." or "... [local] ..."; the cluster's own helpers have neither.
fn is_backend(title: &str) -> bool {
    let Some(rest) = title.strip_prefix("postgres: ") else { return false };
    let mut words = rest.split_whitespace().skip_while(|word| word.ends_with(':')).skip(2);
    words.next().is_some_and(|origin| origin == "[local]" || (origin.contains('(') && origin.ends_with(')')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_told_from_the_clusters_own_helpers() {
        for (title, expected) in [
            ("postgres: sigid_app sigid [local] idle", true),
            ("postgres: sigid_app sigid 127.0.0.1(40112) SELECT waiting", true),
            ("postgres: main: sigid_app sigid ::1(40112) idle", true),
            ("postgres: checkpointer ", false),
            ("postgres: logical replication launcher ", false),
            ("postgres: autovacuum worker sigid", false),
            ("/usr/lib/postgresql/15/bin/postgres -D /x", false),
        ] {
            assert_eq!(is_backend(title), expected, "{title}");
        }
    }

    #[test]
    fn a_process_that_is_no_postmaster_is_left_alone() {
        assert!(Postgres::find(std::process::id()).is_err());
        assert_eq!(parent(std::process::id()), Some(rustix::process::getppid().unwrap().as_raw_nonzero().get() as u32));
    }
}
