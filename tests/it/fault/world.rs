//! Two nodes on one database; the first does what its fail file says.

use std::time::{Duration, Instant};

use sigid_io::fail::{Action, Point};

use crate::fault::points::Act;
use crate::fault::points_file::Points;
use crate::support::ask::{Ask, Reply, introspect, revoke, token};
use crate::support::cluster::OWNER;
use crate::support::connect::Conn;
use crate::support::seed::{Credential, client};
use crate::support::server::{Server, Start};
use crate::support::settings::Settings;
use crate::support::site::Site;
use crate::support::wait::until_true;

/// The default staleness bound, and what a loaded machine may add.
pub const BOUND: Duration = Duration::from_secs(2 + 1);
/// A refusal takes no longer than this: a statement's second, its grace, the wait for a feed that is at work, a
/// loaded machine. The backend's own deadline is far behind it.
const REFUSED_WITHIN: Duration = Duration::from_secs(8);

pub struct World {
    pub site: Site,
    pub first: Server,
    second: Server,
    /// To each shard of the first node.
    here: Vec<Conn>,
    there: Conn,
    points: Points,
    /// Alive from the start to the end.
    control: String,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    pub async fn with(change: impl Fn(Settings) -> Settings) -> Self {
        let (site, points) = (Site::new().await, Points::new());
        let settings = site.settings().set("database.statement_timeout_secs", 1);
        let start = Start { arguments: vec!["--fail-file", points.path(), "--budgets", "off"], ..Start::default() };
        let first = site.start(change(settings), &start).await;
        let second = site.serve_with(site.another_port()).await;
        let (here, there) = (first.connect_each().await, second.connect().await);
        let control = there.ask(token(&client("service"), &[])).await.token();
        for server in [&first, &second] {
            until_true("the jobs' first runs", async || {
                server.metrics().await.sum("sigid_job_runs_total", &[r#"outcome="ok""#]) >= 2
            })
            .await;
        }
        Self { site, first, second, here, there, points, control }
    }

    pub fn points(&self) -> &Points {
        &self.points
    }

    pub async fn ask(&self, ask: Ask) -> Reply {
        self.here[0].ask(ask).await
    }

    /// What an act needs before anything fails.
    pub async fn prepare(&self, act: Act) -> Prepared {
        let service = client("service");
        match act {
            Act::Revoke => {
                let issued = self.there.ask(token(&service, &[])).await.token();
                self.assert_active(&issued).await;
                Prepared::Token(issued)
            }
            Act::Assertion | Act::Start | Act::Lock | Act::Rotate => Prepared::Nothing,
            Act::Elsewhere => {
                let issued = self.here[0].ask(token(&service, &[])).await.token();
                self.assert_active(&issued).await;
                Prepared::Token(issued)
            }
        }
    }

    async fn assert_active(&self, issued: &str) {
        for conn in self.here.iter().chain([&self.there]) {
            until_true("an active token", async || conn.ask(introspect(&client("api"), issued)).await.is_active())
                .await;
        }
    }

    /// Does it once, at the first node, and checks that the answer is a good one or a clean refusal.
    pub async fn try_act(&self, act: Act, prepared: &Prepared) -> bool {
        let began = Instant::now();
        let reply = match (act, prepared) {
            (Act::Revoke, Prepared::Token(issued)) => self.ask(revoke(&client("service"), issued)).await,
            (Act::Assertion, _) => self.ask(by_assertion(&self.site.issuer)).await,
            _ => self.ask(token(&client("service"), &[])).await,
        };
        if reply.status != 200 {
            assert_clean(&reply);
        }
        assert!(began.elapsed() < REFUSED_WITHIN, "{:?} for {}", began.elapsed(), reply.status);
        reply.status == 200
    }

    /// Revokes at the second node; the first must honour it within the bound or answer nothing.
    pub async fn revoke_elsewhere(&self, prepared: &Prepared) {
        let Prepared::Token(issued) = prepared else { panic!("a token was to be prepared") };
        self.there.ask(revoke(&client("service"), issued)).await.expect(200);
        let began = Instant::now();
        let mut active = Duration::ZERO;
        for conn in &self.here {
            until_true("a revocation elsewhere", async || {
                let asked = began.elapsed();
                let reply = conn.ask(introspect(&client("api"), issued)).await;
                if reply.status != 200 {
                    assert_clean(&reply);
                }
                if reply.is_active() {
                    active = active.max(asked);
                }
                !reply.is_active()
            })
            .await;
        }
        assert!(active < BOUND, "asked {active:?} after its revocation, it was said to be active");
    }

    /// What was acknowledged holds on every shard and node, and everything works again without help.
    pub async fn assert_whole(&self, prepared: &Prepared) {
        let api = client("api");
        for conn in self.here.iter().chain([&self.there]) {
            until_true("the answers of before", async || conn.ask(introspect(&api, &self.control)).await.is_active())
                .await;
            if let Prepared::Token(revoked) = prepared {
                until_true("the revocation", async || {
                    let reply = conn.ask(introspect(&api, revoked)).await;
                    reply.status == 200 && !reply.is_active()
                })
                .await;
            }
        }
        until_true("a token", async || self.ask(token(&client("service"), &[])).await.status == 200).await;
        for server in [&self.first, &self.second] {
            until_true("readiness", async || server.is_ready().await).await;
            assert_eq!(server.metrics().await.sum("sigid_panics_total", &[]), 0, "nothing panicked");
        }
    }

    /// Ends every connection of this name to the database, as a restart of it would.
    pub async fn break_connections(&self, application: &str) {
        let owner = self.site.database.connect(OWNER).await;
        let kill = format!(
            "select pg_terminate_backend(pid) from pg_stat_activity \
             where datname = current_database() and application_name = '{application}'"
        );
        owner.batch_execute(&kill).await.unwrap();
    }

    /// A client of whom nobody has heard: only a look at the database can know it.
    pub fn create_client(&self) -> Credential {
        let made =
            self.site.admin(&["client", "create", "--tenant", "one", "--grant-type", "client_credentials"]).json();
        let text = |member: &str| made[member].as_str().unwrap().to_owned();
        Credential { id: text("client_id"), secret: text("client_secret") }
    }

    /// Past the bound nothing is answered from memory; every refusal is clean.
    pub async fn assert_goes_silent(&self) {
        for conn in &self.here {
            until_true("the bound", async || {
                let reply = conn.ask(introspect(&client("api"), &self.control)).await;
                if reply.status != 200 {
                    assert_clean(&reply);
                }
                reply.status == 503
            })
            .await;
        }
    }
}

/// What an act is done to.
pub enum Prepared {
    Nothing,
    Token(String),
}

pub fn rule(point: Point, pool: &str, action: Action, count: &str) -> String {
    let action = match action {
        Action::Error => "error",
        Action::Stall => "stall",
        Action::DropConnection => "drop-connection",
    };
    format!("{}@{pool}={action}{count}", point.name())
}

fn by_assertion(issuer: &str) -> Ask {
    let assertion = crate::token::assertion::good(issuer);
    Ask::post("/oauth/token").form(&[
        ("grant_type", "client_credentials"),
        ("client_assertion_type", crate::token::assertion::TYPE),
        ("client_assertion", &assertion),
    ])
}

/// 503, with the moment to come again.
#[track_caller]
pub fn assert_clean(reply: &Reply) {
    assert_eq!(reply.status, 503, "{} {:?}", reply.text(), reply.headers);
    assert_eq!(reply.error(), "temporarily_unavailable");
    assert!(reply.header("retry-after").is_some(), "{:?}", reply.headers);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
}
