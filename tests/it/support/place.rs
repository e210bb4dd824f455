//! Where a test lives: an address of its own, so that ports are never shared, and a directory of its own.
//!
//! All of 127.0.0.0/8 is this machine. Each test process takes the address that its process id spells, and may then
//! use any port on it: no search for a free port, no race between tests, runs or clones.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use super::cluster;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// This process's loopback address.
pub fn address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 64 | (high & 63), middle, low)
}

/// A number that this process has not given out before.
pub fn number() -> u16 {
    NEXT.fetch_add(1, Relaxed)
}

/// A port on [`address`] that this process has not given out before.
pub fn port() -> u16 {
    10_000 + number()
}

/// An empty directory below that of the run; it goes with the run.
pub fn directory(name: &str) -> PathBuf {
    let path = cluster::shared().directory.join(format!("{name}-{}-{}", std::process::id(), number()));
    std::fs::create_dir(&path).unwrap();
    path
}
