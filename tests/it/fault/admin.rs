//! An administrator's commands: each await of each command fails once. The command says so with its exit code, nothing
//! is half done, and the same command given again ends as if nothing had happened.

use std::path::Path;

use serde_json::Value;

use super::points_file::Points;
use crate::support::ask::{introspect, token};
use crate::support::cli::{self, Ended};
use crate::support::seed::{API, Credential, client};
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::{until, until_true};

pub struct Desk {
    pub site: Site,
    pub server: Server,
    config: std::path::PathBuf,
    points: Points,
}

impl Desk {
    pub async fn new() -> Self {
        let site = Site::new().await;
        let server = site.serve_unbudgeted().await;
        let (directory, _) = site.furnish(site.settings());
        let config = directory.join("sigid.toml");
        Self { site, server, config, points: Points::new() }
    }

    pub fn give(&self, arguments: &[&str]) -> Ended {
        admin(&self.config, &self.points, arguments)
    }

    /// Gives the command again and again, each time with the next of its awaits failing, until none fails; begins
    /// with await `from`, since every command connects and checks in the same way. Calls
    /// `after` with the number of the turn, how the command ended, and what struck.
    pub async fn sweep(
        &self,
        action: &str,
        from: u32,
        arguments: impl Fn(u32) -> Vec<String>,
        mut after: impl AsyncFnMut(u32, &Ended, &str),
    ) {
        for turn in from.. {
            let arguments = arguments(turn);
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            self.points.arm(&format!("*@control={action}*1+{turn}"));
            let ended = self.give(&arguments);
            let hits = self.points.hits();
            self.points.disarm();
            let Some(hit) = hits.first() else {
                ended.expect(0);
                break;
            };
            eprintln!("await {turn}: {hit}: exit {}", ended.code);
            let is_change = ["tx.execute", "tx.commit"].iter().any(|point| hit.starts_with(point));
            assert!(turn > from || !is_change, "{hit}: what comes before is left out");
            assert!([0, 1, 69].contains(&ended.code), "{hit}: exit {}: {}", ended.code, ended.err);
            assert_eq!(
                ended.code == 0,
                ended.err.lines().all(|line| !line.starts_with("sigid admin: ")),
                "{hit}: {}",
                ended.err
            );
            assert!(!ended.err.contains("panicked"), "{hit}: {}", ended.err);
            after(turn, &ended, hit).await;
        }
    }
}

fn admin(config: &Path, points: &Points, arguments: &[&str]) -> Ended {
    let mut all = vec!["admin", "-c", config.to_str().unwrap(), "--json", "--fail-file", points.path()];
    all.extend_from_slice(arguments);
    cli::run(&all, &[])
}

fn credential(made: &Value) -> Credential {
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    Credential { id: text("client_id"), secret: text("client_secret") }
}

/// Before this await no command does anything of its own.
pub const OWN: u32 = 22;

const CREATE: [&str; 8] =
    ["client", "create", "--tenant", "one", "--grant-type", "client_credentials", "--resource", API];

#[tokio::test]
async fn a_client_whose_creation_was_refused_can_be_created_and_one_acknowledged_works() {
    let desk = Desk::new().await;
    let conn = desk.server.connect().await;
    let arguments = |turn: u32| {
        let id = format!("made-{turn}");
        CREATE.into_iter().map(str::to_owned).chain(["--client-id".to_owned(), id]).collect()
    };
    desk.sweep("error", OWN, arguments, async |turn, ended, hit| {
        let id = format!("made-{turn}");
        let shown = desk.give(&["client", "show", &id]);
        let made: Value = match (ended.code, shown.code) {
            // Acknowledged: it is there, with the secret that was printed.
            (0, _) => serde_json::from_str(&ended.out).unwrap(),
            // Done, and nobody was told: nobody knows its secret either, so it gets another.
            (_, 0) => {
                assert!(hit.starts_with("tx.committed"), "{hit}: refused, and yet done");
                desk.give(&["client", "rotate-secret", &id, "--now"]).json()
            }
            // Refused and not done: once more.
            _ => {
                let mut again = CREATE.to_vec();
                again.extend(["--client-id", &id]);
                desk.give(&again).json()
            }
        };
        let made = credential(&made);
        let issued = conn.ask(token(&made, &[])).await.token();
        assert!(conn.ask(introspect(&made, &issued)).await.is_active(), "{hit}");
    })
    .await;
}

#[tokio::test]
async fn a_client_whose_disabling_was_refused_can_be_disabled_and_one_acknowledged_is_dead() {
    let desk = Desk::new().await;
    let conn = desk.server.connect().await;
    let made = std::cell::RefCell::new(Vec::new());
    let disable = |turn: u32| {
        let id = format!("made-{turn}");
        let mut create = CREATE.to_vec();
        create.extend(["--client-id", &id]);
        made.borrow_mut().push(credential(&desk.give(&create).json()));
        ["client", "disable", &id].map(str::to_owned).to_vec()
    };
    desk.sweep("drop-connection", OWN, disable, async |turn, ended, hit| {
        let id = format!("made-{turn}");
        let shown = desk.give(&["client", "show", &id]).json();
        let is_done = ended.code == 0 || hit.starts_with("tx.committed");
        assert_eq!(shown["state"] == "disabled", is_done, "{hit}: {shown}");
        if is_done {
            desk.give(&["client", "enable", &id]).expect(0);
        }
        let made = made.borrow().last().cloned().unwrap();
        // What a node issues before it has heard of the disabling stays dead, although the client is back.
        let issued = until("a token that lives", async || {
            let issued = conn.ask(token(&made, &[])).await.token();
            conn.ask(introspect(&client("api"), &issued)).await.is_active().then_some(issued)
        })
        .await;
        desk.give(&["client", "disable", &id]).expect(0);
        until_true("the disabled client's end", async || {
            let reply = conn.ask(introspect(&client("api"), &issued)).await;
            reply.status == 200 && !reply.is_active() && conn.ask(token(&made, &[])).await.status == 401
        })
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_rotation_was_refused_still_signs_and_can_be_rotated() {
    let desk = Desk::new().await;
    let conn = desk.server.connect().await;
    let signing = || {
        let keys = desk.give(&["key", "list"]).json();
        let all = keys.as_array().or_else(|| keys["keys"].as_array()).unwrap().clone();
        let is_signing = |key: &&Value| key["state"] == "active" && key["alg"] == "ES256";
        all.iter().find(is_signing).unwrap()["kid"].as_str().unwrap().to_owned()
    };
    let rotate = |_| ["key", "rotate", "--now", "--alg", "ES256"].map(str::to_owned).to_vec();
    let before = std::cell::RefCell::new(signing());
    desk.sweep("error", 0, rotate, async |_, ended, hit| {
        let now = signing();
        let is_done = now != *before.borrow();
        assert_eq!(is_done, ended.code == 0 || hit.starts_with("tx.committed"), "{hit}: exit {}", ended.code);
        before.replace(now);
        let issued = conn.ask(token(&client("service"), &[])).await.token();
        assert!(conn.ask(introspect(&client("api"), &issued)).await.is_active(), "{hit}");
    })
    .await;
    drop(desk.site);
}
