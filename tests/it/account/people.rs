//! A person, the browser that person sits at, and the letters that go to them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::SendRequest;
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use sigid_login::flows::links::{self, EMAIL, UNDO};
use sigid_login::keys::Keys;
use sigid_oidc::keys::RootKey;

use crate::support::ask::{Ask, Reply};
use crate::support::cluster::OWNER;
use crate::support::connect::Conn;
use crate::support::seed::shared_file;
use crate::support::server::Server;
use crate::support::site::Site;

pub const PASSWORD: &str = "correct horse battery";
pub const NEW_PASSWORD: &str = "another kettledrum";

/// Every page of an account that answers a person.
pub const PAGES: [&str; 5] =
    ["/account", "/account/password", "/account/email", "/account/sessions", "/account/deletion"];

/// An account with [`PASSWORD`], whose hash came from another system.
pub async fn make(site: &Site, email: &str) {
    let owner = site.database.connect(OWNER).await;
    let made = owner
        .execute(
            "insert into identity.users (user_id, email, email_key, email_verified_at, password_hash,
                                         password_changed_at, claims, locale, created_at, updated_at)
             values (gen_random_uuid(), $1, lower($1), now(), $2, now(), '{\"name\": \"Ann\"}', 'en', now(), now())",
            &[&email, &hash(PASSWORD)],
        )
        .await;
    made.unwrap();
}

/// As Django keeps it.
fn hash(password: &str) -> String {
    let mut output = [0; 32];
    derive(PBKDF2_HMAC_SHA256, NonZeroU32::new(1000).unwrap(), b"saltsaltsaltsalt", password.as_bytes(), &mut output);
    format!("pbkdf2_sha256$1000$saltsaltsaltsalt${}", STANDARD.encode(output))
}

/// One browser: its connection and its cookies.
pub struct Browser {
    conn: Conn,
    issuer: String,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    pub async fn open(server: &Server) -> Self {
        Self { conn: server.connect().await, issuer: server.issuer.clone(), cookies: BTreeMap::new() }
    }

    /// One that has signed in.
    pub async fn signed_in(server: &Server, email: &str, password: &str) -> Self {
        let mut browser = Self::open(server).await;
        let reply = browser.sign_in(email, password).await;
        assert_eq!(reply.status, 303, "{}", reply.text());
        browser
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) -> Reply {
        self.post("/login", &[("email", email), ("password", password)]).await
    }

    pub fn session(&self) -> Option<&str> {
        self.cookies.get("__Host-sigid").map(String::as_str)
    }

    pub fn steal(&mut self, session: &str) {
        self.cookies.insert("__Host-sigid".into(), session.into());
    }

    pub async fn get(&mut self, target: &str) -> Reply {
        let ask = self.dressed(Ask::get(target));
        self.ask(ask).await
    }

    /// The form of a page, as its button sends it.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.token(path).await;
        self.send(path, &[&[("csrf", token.as_str())], fields].concat()).await
    }

    /// The button below a letter's link.
    pub async fn press(&mut self, path: &str, link: &str) -> Reply {
        let token = self.token(&format!("{path}?link={link}")).await;
        self.send(path, &[("csrf", token.as_str()), ("link", link)]).await
    }

    pub async fn send(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let ask = self.dressed(Ask::post(path)).header("origin", self.issuer.clone()).form(fields);
        self.ask(ask).await
    }

    /// The same button, for somebody who presses it many times at once.
    pub async fn ready(&mut self, path: &str, link: &str) -> (SendRequest<Bytes>, Ask, String) {
        let token = self.token(&format!("{path}?link={link}")).await;
        self.ready_to(path, &[("csrf", token.as_str()), ("link", link)])
    }

    /// Any form, for the same.
    pub fn ready_to(&self, path: &str, fields: &[(&str, &str)]) -> (SendRequest<Bytes>, Ask, String) {
        let ask = self.dressed(Ask::post(path)).header("origin", self.issuer.clone());
        let authority = self.issuer.trim_start_matches("https://").to_owned();
        (self.conn.send.clone(), ask.form(fields), authority)
    }

    /// The token of a page's form.
    pub async fn token(&mut self, target: &str) -> String {
        let reply = self.get(target).await.expect(200);
        between(reply.text(), "name=\"csrf\" value=\"", "\"").to_owned()
    }

    async fn ask(&mut self, ask: Ask) -> Reply {
        let reply = self.conn.ask(ask).await;
        for set in reply.headers.get_all("set-cookie") {
            let (name, value) = set.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            match value {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        reply
    }

    fn dressed(&self, ask: Ask) -> Ask {
        let ask = ask.header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { ask } else { ask.header("cookie", cookies.join("; ")) }
    }
}

pub fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no {before} in {text}")).1;
    rest.split_once(after).unwrap().0
}

#[track_caller]
pub fn leads_to(reply: &Reply, location: &str) {
    assert_eq!((reply.status, reply.header("location")), (303, Some(location)), "{}", reply.text());
}

/// A letter in the queue. Its link is what its reader has: made again from the letter's id, since there is no relay here.
pub struct Letter {
    pub template: String,
    pub recipient: String,
    pub link: String,
}

/// The letters in the order in which they were written, without those about sign-ins.
pub async fn letters(site: &Site) -> Vec<Letter> {
    let root = RootKey::parse(std::fs::read_to_string(shared_file("root.key")).unwrap().trim()).unwrap();
    let keys = Keys::derive(&|label| root.derive(label));
    let owner = site.database.connect(OWNER).await;
    let sql = "select template, recipient, mail_id from async.mail where template <> 'new_sign_in'
               order by created_at, ctid";
    let rows = owner.query(sql, &[]).await.unwrap();
    let letter = |row: &tokio_postgres::Row| {
        let template: String = row.get(0);
        let kind = if template == "email_changed_old" { &UNDO } else { &EMAIL };
        let link = links::derive(&keys, kind, row.get(2)).expose().clone();
        Letter { template, recipient: row.get(1), link }
    };
    rows.iter().map(letter).collect()
}

/// The newest letter of a kind.
pub async fn letter(site: &Site, template: &str) -> Letter {
    let found = letters(site).await.into_iter().rfind(|letter| letter.template == template);
    found.unwrap_or_else(|| panic!("no letter {template}"))
}

/// What the events say of the account, in order, without the sign-ins.
pub async fn events(site: &Site) -> Vec<String> {
    let owner = site.database.connect(OWNER).await;
    let sql =
        "select event_type, data::text from async.events where event_type like 'user.%' or event_type = 'session.ended'
               order by created_at, ctid";
    let rows = owner.query(sql, &[]).await.unwrap();
    for row in &rows {
        let data: String = row.get(1);
        assert!(!data.contains('@'), "an event holds ids only: {data}");
    }
    rows.iter().map(|row| row.get(0)).collect()
}

/// A number that a statement gives.
pub async fn count(site: &Site, sql: &str) -> i64 {
    site.database.connect(OWNER).await.query_one(sql, &[]).await.unwrap().get(0)
}
