//! A database with a server of the auth plane on it, and what is counted there.

use std::cell::RefCell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::Value;
use sigid_core::secret::Digest32;
use sigid_login::flows::links::{self, Kind};
use sigid_login::keys::Keys;
use sigid_oidc::keys::RootKey;
use tokio_postgres::Client;

use super::deeds::Deed;
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD};
use crate::fault::points_file::Points;
use crate::support::ask::Reply;
use crate::support::cluster::OWNER;
use crate::support::seed::shared_file;
use crate::support::server::{Server, Start};
use crate::support::site::Site;
use crate::support::wait::until;

pub struct Town {
    pub site: Site,
    pub server: Server,
    pub points: Points,
    pub owner: Client,
    keys: std::sync::Arc<Keys>,
    numbers: AtomicUsize,
    secrets: RefCell<Vec<String>>,
}

/// A deed that is about to be done: one request, and whose.
pub struct Scene {
    pub browser: Browser,
    pub email: String,
    pub request: Request,
    /// What nobody may read.
    pub secrets: Vec<String>,
}

pub enum Request {
    Get(String),
    Post(&'static str, Vec<(&'static str, String)>),
}

impl Scene {
    pub async fn attempt(&mut self) -> Reply {
        match &self.request {
            Request::Get(target) => self.browser.get(target).await,
            Request::Post(path, fields) => {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                self.browser.send(path, &fields).await
            }
        }
    }
}

/// Everything that a deed may move, as one row of numbers.
pub const COUNTS: &str = "select array[
    (select count(*) from identity.users),
    (select count(*) from identity.users where email_verified_at is not null),
    (select count(*) from identity.users where state = 'deleting'),
    (select count(*) from identity.users where email_key like 'new-%'),
    (select count(*) from identity.users where password_hash is null),
    (select count(*) from identity.users where password_changed_at <> created_at),
    (select count(*) from identity.memberships where state = 'active'),
    (select count(*) from auth.registrations),
    (select count(*) from auth.registrations where used_at is not null),
    (select count(*) from auth.links),
    (select count(*) from auth.links where used_at is not null),
    (select count(*) from auth.sessions),
    (select count(*) from auth.sessions where ended_at is not null),
    (select count(*) from auth.session_clients),
    (select count(*) from auth.marks),
    (select count(*) from async.feed),
    (select count(*) from async.mail),
    (select count(*) from async.events where event_type <> 'auth.login.failed')]";

impl Town {
    pub async fn new() -> Self {
        let (site, points) = (Site::new().await, Points::new());
        let start = Start {
            environment: vec![("SIGID_RUNTIME_PLANE", "auth".to_owned())],
            arguments: vec!["--fail-file", points.path(), "--budgets", "off"],
        };
        let shop = ["--redirect-uri", "https://localhost:9443/callback", "--token-endpoint-auth-method", "none"];
        let create = ["client", "create", "--tenant", "one", "--client-id", "shop"];
        site.admin(&[&create[..], &shop].concat()).expect(0);
        let settings = site
            .settings()
            .set("database.statement_timeout_secs", 1)
            .set("database.max_connections", 2)
            .set("auth.argon2_memory_kib", 8192)
            .set("auth.argon2_iterations", 1);
        let server = site.start(settings, &start).await;
        let owner = site.database.connect(OWNER).await;
        let root = RootKey::parse(std::fs::read_to_string(shared_file("root.key")).unwrap().trim()).unwrap();
        let keys = std::sync::Arc::new(Keys::derive(&|label| root.derive(label)));
        Self { site, server, points, owner, keys, numbers: AtomicUsize::new(0), secrets: RefCell::default() }
    }

    pub async fn prepare(&self, deed: Deed) -> Scene {
        let email = format!("ann-{}@example.com", self.numbers.fetch_add(1, Relaxed));
        deed.prepare(self, email).await
    }

    /// What a deed moves when nothing fails.
    pub async fn learn(&self, deed: Deed) -> Vec<i64> {
        let mut scene = self.prepare(deed).await;
        let before = self.counts().await;
        let reply = scene.attempt().await;
        assert_eq!(reply.status, deed.good(), "{deed:?}: {} {:?}", reply.text(), reply.headers);
        let full = self.moved_since(&before).await;
        assert_eq!(full.iter().any(|count| *count != 0), deed != Deed::Look, "{deed:?}: {full:?}");
        deed.prove(self, &mut scene).await;
        full
    }

    pub async fn counts(&self) -> Vec<i64> {
        self.owner.query_one(COUNTS, &[]).await.unwrap().get(0)
    }

    pub async fn moved_since(&self, before: &[i64]) -> Vec<i64> {
        self.counts().await.iter().zip(before).map(|(now, before)| now - before).collect()
    }

    /// The link of the letter to a person that is in the queue, made good as its preparation would: bound to what the
    /// letter says, or to `data`.
    pub async fn link(&self, kind: &'static Kind, template: &str, to: &str, data: Option<Value>) -> String {
        let sql = "select mail_id, created_at, data from async.mail where template = $1 and recipient = $2";
        let row = self.owner.query_one(sql, &[&template, &to]).await.unwrap();
        let value = links::derive(&self.keys, kind, row.get(0)).expose().clone();
        self.insert_link(kind, &value, row.get(1), data.unwrap_or_else(|| row.get(2))).await;
        value
    }

    async fn insert_link(&self, kind: &Kind, value: &str, created: std::time::SystemTime, data: Value) {
        let digest = Digest32::of(value.as_bytes());
        let lifetime = std::time::Duration::from_secs(kind.lifetime_s as u64);
        let user = data["user_id"].as_str();
        let sql = "insert into auth.links (digest, created_at, expires_at, purpose, user_id, data)
                   values ($1, $2, $3, $4, $5::text::uuid, $6) on conflict do nothing";
        let digest = digest.as_bytes().as_slice();
        let expires = created + lifetime;
        self.owner.execute(sql, &[&digest, &created, &expires, &kind.name, &user, &data]).await.unwrap();
    }

    pub async fn user_id(&self, email: &str) -> String {
        let sql = "select user_id::text from identity.users where email_key = $1";
        self.owner.query_one(sql, &[&email]).await.unwrap().get(0)
    }

    pub fn keep_secrets(&self, scene: &Scene) {
        let mut secrets = self.secrets.borrow_mut();
        secrets.extend(scene.secrets.iter().cloned());
        secrets.extend(scene.browser.session().map(str::to_owned));
    }

    pub fn assert_silent_log(&self) {
        let log = self.server.log();
        for secret in
            self.secrets.borrow().iter().map(String::as_str).chain([PASSWORD, NEW_PASSWORD, "$argon2", "pbkdf2_"])
        {
            assert!(!log.contains(secret), "the log holds {secret}");
        }
        assert!(!log.contains("panicked"), "{log}");
    }

    /// Whether somebody signs in, and where to.
    pub async fn sign_in(&self, email: &str, password: &str) -> Option<String> {
        let mut browser = Browser::open(&self.server).await;
        let reply = until("an answer to a sign-in", async || {
            Some(browser.sign_in(email, password).await).filter(|reply| reply.status != 503)
        })
        .await;
        reply.header("location").filter(|_| reply.status == 303).map(str::to_owned)
    }
}

/// 503 as a page, with the moment to come again.
#[track_caller]
pub fn assert_clean_page(what: &str, reply: &Reply) {
    assert_eq!(reply.status, 503, "{what}: {} {:?}", reply.text(), reply.headers);
    assert!(reply.header("retry-after").is_some(), "{what}: {:?}", reply.headers);
    assert!(
        reply.header("cache-control").is_some_and(|value| value.contains("no-store")),
        "{what}: {:?}",
        reply.headers
    );
    assert!(
        reply.header("content-type").is_some_and(|value| value.starts_with("text/html")),
        "{what}: {:?}",
        reply.headers
    );
    assert!(
        reply.header("set-cookie").is_none_or(|set| !set.starts_with("__Host-sigid=")),
        "{what}: {:?}",
        reply.headers
    );
}

/// Says nothing of passwords, hashes, or of what failed.
#[track_caller]
pub fn assert_silent(what: &str, reply: &Reply, scene: &Scene) {
    let said = format!("{:?} {}", reply.headers, reply.text());
    for word in [PASSWORD, NEW_PASSWORD, "argon2", "pbkdf2", "fail point", "tx.", "postgres", "SQLSTATE"] {
        assert!(!said.contains(word), "{what}: says {word}: {said}");
    }
    // A form that is shown again holds what it was sent with, and a page that was looked for leads to itself.
    let is_own = reply.text().contains("<form") || matches!(scene.request, Request::Get(_));
    for secret in scene.secrets.iter().filter(|_| !is_own) {
        assert!(!said.contains(secret.as_str()), "{what}: says {secret}");
    }
}
