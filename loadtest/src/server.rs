//! CPU time and memory of the server, when it runs on this machine.
//!
//! CPU is the growth of every task's schedstat, not of `/proc/PID/stat`, which counts in ticks of 10 ms. A
//! task that ends takes what it used since the last look with it; at one look a second that is little.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::procfs::{self, Times};

#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// Since the previous sample.
    pub times: Times,
    pub rss_bytes: u64,
    pub descriptors: u64,
}

pub struct Server {
    pids: Vec<u32>,
    /// Set when the processes were found by their port, and may be found again after a restart.
    port: Option<u16>,
    tasks: HashMap<(u32, u32), Times>,
    pub names: Vec<String>,
}

impl Server {
    /// None when the target is elsewhere, or nobody can be seen listening there.
    pub fn find(given: &[u32], address: SocketAddr) -> Option<Self> {
        let (pids, port) = if !given.is_empty() {
            (given.to_vec(), None)
        } else if address.ip().is_loopback() {
            (procfs::find_listeners(address.port()), Some(address.port()))
        } else {
            return None;
        };
        if pids.is_empty() {
            return None;
        }
        let names = pids.iter().map(|pid| procfs::describe(*pid)).collect();
        let mut server = Self { pids, port, tasks: HashMap::new(), names };
        server.sample();
        Some(server)
    }

    pub fn pids(&self) -> &[u32] {
        &self.pids
    }

    pub fn sample(&mut self) -> Sample {
        self.find_again();
        let mut sample = Sample::default();
        let mut seen = HashMap::with_capacity(self.tasks.len());
        for pid in &self.pids {
            sample.rss_bytes += procfs::rss_bytes(*pid).unwrap_or(0);
            sample.descriptors += procfs::descriptors(*pid).unwrap_or(0);
            for (tid, times) in procfs::task_times(*pid) {
                let before = self.tasks.get(&(*pid, tid)).copied().unwrap_or_default();
                sample.times += times.since(before);
                seen.insert((*pid, tid), times);
            }
        }
        self.tasks = seen;
        sample
    }

    /// After a restart the port has other processes.
    fn find_again(&mut self) {
        let Some(port) = self.port else { return };
        if self.pids.iter().any(|pid| procfs::is_running(*pid)) {
            return;
        }
        let found = procfs::find_listeners(port);
        if !found.is_empty() {
            self.names.extend(found.iter().map(|pid| procfs::describe(*pid)));
            self.pids = found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_the_growth_since_the_last() {
        let mut server = Server::find(&[std::process::id()], "192.0.2.1:1".parse().unwrap()).unwrap();
        let mut x = 1u64;
        for i in 0..3_000_000u64 {
            x = std::hint::black_box(x.wrapping_mul(i | 1));
        }
        let busy = server.sample();
        assert!(busy.times.cpu_ns > 100_000 && busy.times.cpu_ns < 60_000_000_000, "{busy:?}");
        assert!(busy.rss_bytes > 0);
    }

    #[test]
    fn elsewhere_is_not_measured() {
        assert!(Server::find(&[], "192.0.2.1:8443".parse().unwrap()).is_none());
    }
}
