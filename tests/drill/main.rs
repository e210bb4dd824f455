//! `./dev drill [NAME|all] [--seconds N]`: the drills of `tests/it/fault/drill`, at length. One line each; the exit code
//! is not 0 when one of them found a violation. What the rights do not allow is named and counted apart.
//!
//! Each drill is a process of its own, since each has a cluster of its own. To a test runner this program has no tests.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a drill fails by panicking, reads the real clock, and speaks to people"
)]
#![allow(dead_code, reason = "the harness has more than drills need")]

#[path = "../it/support/mod.rs"]
mod support;

#[path = "../it/mail"]
mod mail {
    pub mod post;
}

#[path = "../it/fault"]
mod fault {
    pub mod drill;
    pub mod points_file;
}

use std::process::{Command, ExitCode};
use std::time::Duration;

use fault::drill::{Drill, Length, postgres, run};
use support::cluster;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (name, seconds) = match words[..] {
        // A runner that looks for tests finds none.
        [] | ["--list", ..] => return ExitCode::SUCCESS,
        [name] => (name, None),
        [name, "--seconds", seconds] => (name, seconds.parse().ok()),
        _ => return usage(),
    };
    if name == "all" {
        return all(&words[1..]);
    }
    let Some(drill) = Drill::ALL.into_iter().find(|drill| drill.name() == name) else { return usage() };
    one(drill, seconds.map_or_else(|| drill.hold(), Duration::from_secs))
}

fn usage() -> ExitCode {
    let names: Vec<&str> = Drill::ALL.iter().map(|drill| drill.name()).collect();
    eprintln!("./dev drill [{}|all] [--seconds N]: how long the fault lasts", names.join("|"));
    ExitCode::from(EXIT_USAGE)
}

fn one(drill: Drill, hold: Duration) -> ExitCode {
    match drill.plan() {
        Ok(plan) => cluster::plan(plan),
        Err(why) => {
            println!("drill {}: not tried: {why}", drill.name());
            return ExitCode::from(EXIT_NOT_TRIED);
        }
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let outcome = runtime.block_on(run(drill, Length { rounds: ROUNDS, hold }));
    postgres::forget_slow_disk();
    println!("{outcome}");
    if outcome.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn all(options: &[&str]) -> ExitCode {
    let (mut passed, mut failed, mut not_tried) = (0, 0, 0);
    for drill in Drill::ALL {
        // This very program, also when another has been built in its place meanwhile.
        let mut command = Command::new("/proc/self/exe");
        match command.arg(drill.name()).args(options).status().unwrap().code() {
            Some(0) => passed += 1,
            Some(code) if code == i32::from(EXIT_NOT_TRIED) => not_tried += 1,
            _ => failed += 1,
        }
    }
    println!("drills: {passed} passed, {failed} failed, {not_tried} not tried");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const ROUNDS: u32 = 6;
const EXIT_USAGE: u8 = 64;
/// As test runners' convention has it for what was skipped.
const EXIT_NOT_TRIED: u8 = 77;
