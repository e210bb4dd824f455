//! Attacks on the edge, from outside and byte by byte. Each has the same three parts: what is sent, what becomes of
//! it, and that an honest client on another connection of the same shard keeps getting answers all the while. Where
//! memory is the point, the server's is looked at.
//!
//! Answers are asserted, never times: limits are made small by configuration, and what takes time is awaited.
//! `docs/THREATS.md` says which attack is shown where; what a library can send stands with its area.

mod floods;
mod frames;
mod handshakes;
mod headers;
mod probing;
mod requests;
mod rude;
mod slow;
mod storms;
mod trickle;
mod trust;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::task::JoinHandle;

use crate::support::ask::{Ask, basic, introspect, token};
use crate::support::raw::{DATA, END_HEADERS, END_STREAM, HEADERS, field, frame, head};
use crate::support::seed::client;
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::{pause, until_true};

/// RFC 9113 section 7.
const ENHANCE_YOUR_CALM: u32 = 11;

const MIB: u64 = 1 << 20;

/// One shard, so that attacker and honest client share it.
fn one_shard(site: &Site) -> Settings {
    site.settings().set("server.shards", 1)
}

/// A client that asks about a live token, over and over, on one connection.
struct Honest {
    answers: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Honest {
    async fn begin(server: &Server) -> Self {
        let conn = server.connect().await;
        let api = client("api");
        let issued = conn.ask(token(&client("service"), &[])).await.token();
        assert!(conn.ask(introspect(&api, &issued)).await.is_active());
        let answers = Arc::new(AtomicU64::new(0));
        let counted = answers.clone();
        let task = tokio::spawn(async move {
            loop {
                assert!(conn.ask(introspect(&api, &issued)).await.is_active(), "the honest client's answer");
                counted.fetch_add(1, Relaxed);
                pause().await;
            }
        });
        Self { answers, task }
    }

    /// Waits for one more answer than there are, and for the one whose question may have been asked before.
    async fn is_served(&self) {
        let before = self.answers.load(Relaxed);
        until_true("the honest client's answer", async || {
            assert!(!self.task.is_finished(), "the honest client was disturbed");
            self.answers.load(Relaxed) >= before + 2
        })
        .await;
    }
}

impl Drop for Honest {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The server's memory from here on, without the pages of its program: those come in as they are first used.
struct Memory {
    pid: u32,
    before: u64,
    program_before: u64,
}

impl Memory {
    fn watch(server: &Server) -> Self {
        let pid = server.pid();
        // Forgets the peak of the start (proc_pid_clear_refs(5)).
        std::fs::write(format!("/proc/{pid}/clear_refs"), "5").unwrap();
        Self { pid, before: resident(pid, "VmRSS:"), program_before: resident(pid, "RssFile:") }
    }

    /// The peak since, over what there was, is at most this.
    #[track_caller]
    fn assert_grew_at_most(&self, bytes: u64) {
        let program = resident(self.pid, "RssFile:").saturating_sub(self.program_before);
        let grown = resident(self.pid, "VmHWM:").saturating_sub(self.before + program);
        assert!(grown <= bytes, "the server grew by {} KiB, allowed are {}", grown / 1024, bytes / 1024);
    }
}

/// A line of proc_pid_status(5), in bytes.
fn resident(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The attackers are gone, and nobody else; nothing broke on the way.
async fn assert_alone(server: &Server) {
    until_true("the attackers' end", async || server.metrics().await.sum("sigid_connections_open", &[]) == 1).await;
    assert_eq!(server.metrics().await.sum("sigid_panics_total", &[]), 0);
}

const BODY: &str = "grant_type=client_credentials";

/// The fields of a good token request, without pseudo-header fields.
fn credentials() -> Vec<u8> {
    let service = client("service");
    [
        field("content-type", "application/x-www-form-urlencoded"),
        field("authorization", &basic(&service.id, &service.secret)),
    ]
    .concat()
}

/// A token request on a stream, with this header block and the good body.
fn posted(stream: u32, block: &[u8]) -> Vec<u8> {
    [frame(HEADERS, END_HEADERS, stream, block), frame(DATA, END_STREAM, stream, BODY.as_bytes())].concat()
}

/// A good token request on a path, with more fields.
fn token_request(stream: u32, path: &str, more: &[u8]) -> Vec<u8> {
    posted(stream, &[&head("POST", path)[..], &credentials(), more].concat())
}

/// Stream identifiers of a client.
fn stream(turn: usize) -> u32 {
    u32::try_from(turn * 2 + 1).unwrap()
}

/// What every honest answer is good for, once more at the end.
async fn assert_serves(server: &Server) {
    server.ask(Ask::get("/health/live")).await.expect(200);
    server.ask(token(&client("service"), &[])).await.expect(200);
}
