//! The configuration file: whatever it holds, the checks end, every problem is one line, and none repeats a password.

#![no_main]
#![allow(dead_code, unused_imports, reason = "the program uses all of it, this target the reader alone")]

#[path = "../../../src/config/mod.rs"]
mod config;

/// What the configuration's list of limits names of the program's log.
mod log {
    pub const LINES_MAX: usize = 16 * 1024;
}

use std::io::ErrorKind;
use std::path::Path;

use config::{World, examine};
use libfuzzer_sys::fuzz_target;

const PASSWORD: &str = "swordfish-4711";

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    check(text, &|_| None);
    // The same text as a connection string, with a password in it: in the file, and in the environment.
    let url = format!("postgres://user:{PASSWORD}@{text}");
    let pairs = format!("password={PASSWORD} {text}");
    for url in [url, pairs] {
        let quoted = toml::Value::String(url.clone());
        check(&format!("[database]\nurl = {quoted}\n"), &|_| None);
        check("", &|name| name.contains("DATABASE").then(|| url.clone()));
    }
});

fn check(text: &str, environment: &dyn Fn(&str) -> Option<String>) {
    let read_file = |_: &Path| Err(ErrorKind::NotFound.into());
    let directory = Path::new("/etc/sigid");
    let world = World { file: "sigid.toml", directory, environment, read_file: &read_file, file_mode: &|_| None };
    let examined = examine(text, &world);
    assert!(examined.config.is_some() || !examined.problems.is_empty(), "no configuration, and no reason");
    for problem in examined.problems.iter() {
        let line = problem.to_string();
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        assert!(!line.contains(PASSWORD), "{line}");
    }
}
