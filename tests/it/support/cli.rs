//! The program itself, run to its end.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::wait::until_blocking;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_sigid");

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Its standard output, after the exit code that was expected.
    #[track_caller]
    pub fn expect(self, code: i32) -> String {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.out, self.err);
        self.out
    }

    /// Its standard output as one JSON document.
    #[track_caller]
    pub fn json(self) -> Value {
        let out = self.expect(0);
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }
}

/// Runs `sigid ARGUMENTS` with nothing in its environment but `environment`.
pub fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin").envs(environment.iter().copied());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let waiter = std::thread::spawn(move || child.wait_with_output().unwrap());
    until_blocking(&format!("the end of sigid {arguments:?}, process {pid}"), || waiter.is_finished().then_some(()));
    let output = waiter.join().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `sigid admin -c CONFIG --json ARGUMENTS`.
pub fn admin(config: &Path, arguments: &[&str]) -> Ended {
    let mut all = vec!["admin", "-c", config.to_str().unwrap(), "--json"];
    all.extend_from_slice(arguments);
    run(&all, &[])
}
