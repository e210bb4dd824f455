//! `sigid dev` as somebody who has just got it starts it, and what it says of itself.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::chromium::World;
use crate::support::cli::PROGRAM;
use crate::support::cluster::programs;
use crate::support::place;
use crate::support::wait::until_blocking;

pub struct Dev {
    child: Child,
    directory: PathBuf,
    /// `dev.json`.
    pub said: Value,
}

impl Dev {
    pub fn start() -> Self {
        let directory = place::directory("dev");
        let file = |name: &str| File::create(directory.join(name)).unwrap();
        let mut command = Command::new(PROGRAM);
        command.arg("dev").arg("--dir").arg(directory.join("server"));
        command.env_clear().env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin").env("SIGID_PG_BIN", programs());
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("log"));
        let mut dev = Self { child: command.spawn().unwrap(), directory, said: Value::Null };
        until_blocking("dev.json", || {
            if let Some(status) = dev.child.try_wait().unwrap() {
                panic!("sigid dev ended with {status}: {}", dev.read("log"));
            }
            dev.said = serde_json::from_str(&fs::read_to_string(dev.path("dev.json")).ok()?).unwrap();
            Some(())
        });
        dev
    }

    /// The address on its ready line.
    pub fn printed_link(&self) -> String {
        let out = self.read("out");
        let line = out.lines().find_map(|line| line.strip_prefix("SigID is ready at "));
        line.unwrap_or_else(|| panic!("no ready line: {out}")).to_owned()
    }

    pub fn mail_page(&self) -> &str {
        self.said["mail_url"].as_str().unwrap()
    }

    /// The browser of a developer who trusts this server.
    pub fn world(&self) -> World {
        World { keys: vec![self.path("server.key")], names: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.join("server").join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        until_blocking("the end of sigid dev", || self.child.try_wait().unwrap());
        if std::thread::panicking() {
            eprintln!("--- log of sigid dev ---\n{}", self.read("log"));
        }
        // What root's keeps elsewhere goes with the next start, because its directory is gone.
        let _ = fs::remove_dir_all(&self.directory);
    }
}
