//! Runs of the binary against a mock.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::{Manner, Mock, SECRET};

/// Arguments of a run of two seconds.
pub fn arguments(mock: &Mock, scenario: &str, out: &Path, extra: &[&str]) -> Vec<String> {
    let target = mock.url();
    let ca = mock.ca.display().to_string();
    let out = out.display().to_string();
    let fixed =
        [scenario, "--target", &target, "--ca", &ca, "--client-id", "load", "--client-secret", SECRET, "--out", &out];
    let timing = ["--duration", "2", "--warmup", "1", "--tokens", "50", "--connections", "2", "--streams", "8"];
    fixed.iter().chain(&timing).chain(extra).map(|word| (*word).to_owned()).collect()
}

pub fn run(arguments: &[String]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sigid-loadtest")).args(arguments).output().unwrap()
}

pub fn load(manner: Manner, scenario: &str, extra: &[&str]) -> (Output, Value, PathBuf) {
    let mock = Mock::start(manner);
    let (output, report, out) = load_from(&mock, scenario, extra);
    (output, report, out)
}

pub fn load_from(mock: &Mock, scenario: &str, extra: &[&str]) -> (Output, Value, PathBuf) {
    let out = mock.directory.join("out");
    let output = run(&arguments(mock, scenario, &out, extra));
    let text = std::fs::read_to_string(out.join("report.json"))
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!told.contains("could not be accounted for"), "{told}");
    (output, serde_json::from_str(&text).unwrap(), out)
}
