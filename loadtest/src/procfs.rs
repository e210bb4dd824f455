//! The few files of `/proc` the harness reads. Whatever is missing is None: a run does not fail of it.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::ops::AddAssign;
use std::path::Path;

/// What the scheduler says of a task, or of several: time on a core, and time ready to run without one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    pub cpu_ns: u64,
    pub wait_ns: u64,
}

impl Times {
    pub fn since(self, before: Self) -> Self {
        Self { cpu_ns: self.cpu_ns.saturating_sub(before.cpu_ns), wait_ns: self.wait_ns.saturating_sub(before.wait_ns) }
    }

    fn parse(schedstat: &str) -> Option<Self> {
        let mut numbers = schedstat.split_whitespace().map(str::parse);
        Some(Self { cpu_ns: numbers.next()?.ok()?, wait_ns: numbers.next()?.ok()? })
    }
}

impl AddAssign for Times {
    fn add_assign(&mut self, other: Self) {
        self.cpu_ns += other.cpu_ns;
        self.wait_ns += other.wait_ns;
    }
}

/// Of each task of a process, io_uring's kernel workers among them.
pub fn task_times(pid: u32) -> Vec<(u32, Times)> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .filter_map(|task| {
            let task = task.ok()?;
            let tid = task.file_name().to_str()?.parse().ok()?;
            let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
            Some((tid, Times::parse(&schedstat)?))
        })
        .collect()
}

/// Of one of our own threads.
pub fn own_thread_times(tid: u32) -> Option<Times> {
    Times::parse(&fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?)
}

pub fn rss_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(first_number(line)? * 1024)
}

/// Open descriptors of a process.
pub fn descriptors(pid: u32) -> Option<u64> {
    Some(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count() as u64)
}

/// As many descriptors as the system lets this process have.
pub fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, connections fail and are counted.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

pub fn is_running(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}/task")).exists()
}

/// What the process calls itself, and the file it runs.
pub fn describe(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    match fs::read_link(format!("/proc/{pid}/exe")) {
        Ok(file) => format!("{} ({})", name.trim(), file.display()),
        Err(_) => name.trim().to_owned(),
    }
}

/// Every process that holds a socket listening on this TCP port: a master shares its with its workers.
pub fn find_listeners(port: u16) -> Vec<u32> {
    let inodes: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.filter_map(|p| p.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| holds_socket(*pid, &inodes)).collect::<BTreeSet<u32>>().into_iter().collect()
}

fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    let wanted = format!(":{port:04X}");
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let local = columns.next()?;
            let state = columns.nth(1)?;
            let inode = columns.nth(5)?;
            (state == LISTEN && local.ends_with(&wanted)).then(|| format!("socket:[{inode}]"))
        })
        .collect()
}

fn holds_socket(pid: u32, inodes: &HashSet<String>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors
        .filter_map(|d| fs::read_link(d.ok()?.path()).ok())
        .any(|link| link.to_str().is_some_and(|l| inodes.contains(l)))
}

/// (kernel, CPU model, CPUs this process may use, memory in bytes)
pub fn machine() -> (String, String, usize, u64) {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find(|l| l.starts_with("model name")).and_then(|l| l.split_once(':'));
    let model = model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned());
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let meminfo = read("/proc/meminfo");
    let memory_kib = meminfo.lines().find_map(|l| l.strip_prefix("MemTotal:")).and_then(first_number);
    (kernel, model, cpus, memory_kib.unwrap_or(0) * 1024)
}

fn first_number(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}

const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_process_that_listens() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(find_listeners(port), [std::process::id()]);
        drop(listener);
        assert_eq!(find_listeners(port), Vec::<u32>::new());
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 0\n\
            1: 0100007F:20FB 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 778 1 0\n\
            2: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 779 1 0\n";
        assert_eq!(listening_inodes(table, 0x20fb), ["socket:[777]"]);
    }

    #[test]
    fn measures_itself() {
        let pid = std::process::id();
        assert!(is_running(pid) && !is_running(u32::MAX));
        assert!(rss_bytes(pid).unwrap() > 1 << 18);
        assert!(descriptors(pid).unwrap() >= 3);
        assert!(task_times(pid).iter().map(|(_, times)| times.cpu_ns).sum::<u64>() > 0);
    }
}
