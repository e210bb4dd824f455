//! What an operator, a reboot or a disk does to PostgreSQL.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::cluster::{self, OWNER, Plan};
use crate::support::wait::until_blocking;

fn place() -> PathBuf {
    cluster::shared().directory.join("pg")
}

fn data() -> PathBuf {
    place().join("data")
}

/// `pg_ctl ARGUMENTS`, as the account that PostgreSQL runs as.
fn pg_ctl(arguments: &[&str]) -> bool {
    let program = cluster::programs().join("pg_ctl");
    let mut command = match cluster::account() {
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={uid}"), &format!("--regid={gid}"), "--clear-groups"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments).arg("-D").arg(data()).arg("-l").arg(place().join("again.log")).current_dir("/");
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command.stderr(std::process::Stdio::null()).status().unwrap().success()
}

/// `fast` or `immediate`; returns when it takes connections again.
pub fn restart(mode: &str) {
    assert!(pg_ctl(&["restart", "-w", "-m", mode]), "PostgreSQL cannot be restarted ({mode})");
}

pub fn stop() {
    assert!(pg_ctl(&["stop", "-w", "-m", "fast"]), "PostgreSQL cannot be stopped");
}

/// Starts it where it does not run; returns when it takes connections.
pub fn start() {
    until_blocking("PostgreSQL to answer", || {
        if !pg_ctl(&["status"]) {
            // As it was started first: the program, then its options.
            let options = fs::read_to_string(data().join("postmaster.opts")).unwrap();
            let options = options.trim().split_once(' ').unwrap().1;
            pg_ctl(&["start", "-w", "-o", options]);
        }
        is_answering().then_some(())
    });
}

fn is_answering() -> bool {
    let mut command = Command::new(cluster::programs().join("psql"));
    command.arg("-X").arg("-h").arg(&cluster::shared().sockets).args(["-U", OWNER, "-d", "postgres", "-c", "select 1"]);
    command.output().unwrap().status.success()
}

/// Kills one of its processes, whereupon it ends all others and recovers.
pub fn crash() {
    let victim = children_of(postmaster()).into_iter().max().unwrap();
    send("KILL", victim);
}

/// Sends a signal to the postmaster, then to all its children.
pub fn signal(name: &str) {
    let postmaster = postmaster();
    send(name, postmaster);
    for child in children_of(postmaster) {
        send(name, child);
    }
}

fn postmaster() -> u32 {
    let file = fs::read_to_string(data().join("postmaster.pid")).unwrap();
    file.lines().next().unwrap().trim().parse().unwrap()
}

fn send(name: &str, pid: u32) {
    // A child may have ended meanwhile.
    let _ =
        Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(std::process::Stdio::null()).status();
}

fn children_of(parent: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// Ends every connection that calls itself one of these.
pub async fn terminate(database: &str, applications: &[&str]) {
    let client = cluster::connect(database, OWNER).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = any($1)";
    client.query(kill, &[&applications]).await.unwrap();
}

// --- disks -----------------------------------------------------------------------------------------------------

/// Takes what is left of PostgreSQL's file system.
pub fn fill_disk() {
    let mut ballast = File::create(place().join(BALLAST)).unwrap();
    let mut block = vec![7_u8; 1 << 20];
    while !block.is_empty() {
        if ballast.write_all(&block).is_err() {
            block.truncate(block.len() / 2);
        }
    }
}

/// Writes until the log has no room for another segment: then PostgreSQL panics, which is what it does. Whether it did.
pub async fn exhaust_log(database: &str) -> bool {
    let client = cluster::connect(database, OWNER).await;
    for _ in 0..LOG_WRITES_MAX {
        let write = "select pg_logical_emit_message(false, 'drill', repeat('x', 4 << 20))";
        if client.batch_execute(write).await.is_err() {
            return client.is_closed();
        }
    }
    false
}

pub fn free_disk() {
    fs::remove_file(place().join(BALLAST)).unwrap();
}

/// A cluster on a file system that can be filled, or why there is none.
pub fn small_disk() -> Result<Plan, String> {
    let is_root = cluster::account().is_some();
    let probe = std::env::temp_dir().join(format!("sigid-drill-mount-{}", std::process::id()));
    fs::create_dir_all(&probe).map_err(|fault| fault.to_string())?;
    let mount = || Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&probe).output();
    let is_mounted = is_root && mount().is_ok_and(|output| output.status.success());
    if is_mounted {
        let _ = Command::new("umount").arg(&probe).status();
    }
    let _ = fs::remove_dir(&probe);
    if is_mounted {
        Ok(Plan { durable: true, disk_mib: Some(400), ..Plan::default() })
    } else {
        Err("no rights to mount a file system".to_owned())
    }
}

/// A cluster whose disk can be made slow, or why there is none: a library of a few lines makes each fsync and
/// fdatasync of PostgreSQL take longer while a file is there. (A device that delays would need the kernel's mapper,
/// which containers lack.)
pub fn slow_disk() -> Result<Plan, String> {
    let directory = slow_directory();
    fs::create_dir_all(&directory).map_err(|fault| fault.to_string())?;
    let source = directory.join("slow.c");
    let text = SLOW.replace("SLOW_FILE", &slow_file().display().to_string());
    fs::write(&source, text).map_err(|fault| fault.to_string())?;
    let library = directory.join("slow.so");
    let compiled =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).arg("-ldl").output();
    match compiled {
        Ok(output) if output.status.success() => Ok(Plan { durable: true, preload: Some(library), ..Plan::default() }),
        _ => Err("no C compiler to make a slow fsync with".to_owned()),
    }
}

pub fn make_slow(is_slow: bool) {
    if is_slow { fs::write(slow_file(), "").unwrap() } else { fs::remove_file(slow_file()).unwrap() }
}

pub fn forget_slow_disk() {
    let _ = fs::remove_dir_all(slow_directory());
}

fn slow_directory() -> PathBuf {
    Path::new("/tmp").join(format!("sigid-drill-{}", std::process::id()))
}

fn slow_file() -> PathBuf {
    slow_directory().join("slow")
}

const BALLAST: &str = "ballast";
/// More than the segments that are kept hold.
const LOG_WRITES_MAX: u32 = 64;
const SLOW: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
static void wait_a_little(void) { if (access("SLOW_FILE", F_OK) == 0) usleep(700000); }
int fsync(int fd) { wait_a_little(); int (*real)(int) = dlsym(RTLD_NEXT, "fsync"); return real(fd); }
int fdatasync(int fd) { wait_a_little(); int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync"); return real(fd); }
"#;
