//! The start of a process: each of its awaits fails once. It ends with the code of a database out of reach, or it
//! serves; it never hangs, and never serves with half of its tables.

use std::process::Child;
use std::time::Duration;

use super::points_file::Points;
use crate::support::ask::{introspect, token};
use crate::support::connect::Conn;
use crate::support::seed::client;
use crate::support::server::{Start, spawn};
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::until;

/// How a start ended.
enum Started {
    Serving(Running),
    /// Exit code, and the line that says why.
    Refused(i32, String),
}

struct Running {
    child: Child,
    settings: Settings,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// A token is issued and known: tables and keys are whole.
    async fn assert_serves(&self, site: &Site) {
        let host = self.settings.find("server.host");
        let address = format!("{host}:{}", self.settings.find("server.port")).parse().unwrap();
        let ca = crate::support::seed::shared_file("ca.pem");
        let conn = Conn::open(&crate::support::connect::Offer::h2(&ca), address).await;
        let issued = until("a token", async || {
            let reply = conn.ask(token(&client("service"), &[])).await;
            (reply.status == 200).then(|| reply.token())
        })
        .await;
        assert!(conn.ask(introspect(&client("api"), &issued)).await.is_active(), "{}", site.issuer);
    }
}

/// Starts a process with the points as they are armed.
async fn start(site: &Site, points: &Points) -> Started {
    let settings = site.another_port().set("database.statement_timeout_secs", 1);
    let (directory, settings) = site.furnish(settings.set("database.connect_timeout_secs", 1));
    let start = Start { arguments: vec!["--fail-file", points.path(), "--budgets", "off"], ..Start::default() };
    let mut running = Running { child: spawn(&directory, &start), settings };
    let read = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap_or_default();
    let code = until("a start or its refusal", async || match running.child.try_wait().unwrap() {
        Some(status) => Some(Some(status.code().unwrap_or(-1))),
        None => read("out").contains("sigid: serving").then_some(None),
    })
    .await;
    let log = read("log");
    assert!(!log.contains("panicked"), "{log}");
    match code {
        None => Started::Serving(running),
        Some(code) => {
            // The log's own writer may be behind.
            let words = log.lines().find(|line| line.starts_with("sigid: "));
            Started::Refused(code, words.unwrap_or_default().to_owned())
        }
    }
}

/// The rule refuses a start; without it the next one serves.
pub async fn assert_refused_once(rule: &str) {
    let (site, points) = (Site::new().await, Points::new());
    points.arm(rule);
    match start(&site, &points).await {
        Started::Serving(_) => panic!("{rule}: serves"),
        Started::Refused(code, words) => assert_eq!(code, 69, "{rule}: {words}"),
    }
    assert_eq!(points.hits().len(), 1, "{rule}");
    points.disarm();
    assert_serves(&site, &points).await;
}

async fn assert_serves(site: &Site, points: &Points) {
    match start(site, points).await {
        Started::Serving(running) => running.assert_serves(site).await,
        Started::Refused(code, words) => panic!("exit {code}: {words}"),
    }
}

/// The rule holds for this long, and the process serves in the end.
pub async fn assert_starts(rule: &str, held: Duration) {
    let (site, points) = (Site::new().await, Points::new());
    points.arm(rule);
    let releasing = async {
        until("the strike", async || (!points.hits().is_empty()).then_some(())).await;
        tokio::time::timeout(held, std::future::pending::<()>()).await.unwrap_err();
        points.disarm();
    };
    tokio::join!(releasing, assert_serves(&site, &points));
}

#[tokio::test]
async fn each_await_of_a_start_fails_once_and_the_process_serves_or_says_why_not() {
    let (site, points) = (Site::new().await, Points::new());
    let (mut served, mut refused) = (0, 0);
    for skip in 0.. {
        points.arm(&format!("*=error*1+{skip}"));
        let started = start(&site, &points).await;
        let hits = points.hits();
        let Some(hit) = hits.first() else { break };
        match started {
            Started::Refused(code, words) => {
                assert_eq!(code, 69, "{hit}: {words}");
                assert!(!words.is_empty(), "{hit}: one line says why");
                refused += 1;
            }
            Started::Serving(running) => {
                points.disarm();
                running.assert_serves(&site).await;
                served += 1;
                // What strikes behind the ready line strikes anyone; the start is over.
                if served > 3 {
                    break;
                }
            }
        }
    }
    assert!(refused > 5 && served > 0, "refused {refused}, served {served}");
    points.disarm();
    assert_serves(&site, &points).await;
}
