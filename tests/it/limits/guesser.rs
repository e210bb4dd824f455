//! Somebody who tries passwords, from any address.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use h2::client::SendRequest;
use ring::pbkdf2::{PBKDF2_HMAC_SHA256, derive};

use crate::support::ask::{Ask, Reply};
use crate::support::cluster::OWNER;
use crate::support::connect::{Conn, exchange_over};
use crate::support::server::Server;
use crate::support::settings::Settings;
use crate::support::site::Site;

pub const PASSWORD: &str = "correct horse battery";
pub const ADA: &str = "ada@example.com";

/// Five failures lock for two minutes; ten failures spend an address; a peer of this machine may say whom it speaks for.
pub fn settings(settings: Settings) -> Settings {
    settings
        .set("auth.brute_force_max_attempts", 5)
        .set("auth.brute_force_lockout_secs", 120)
        .set("auth.password_verify_ip_budget_per_minute", 100)
        .set("auth.password_verify_ip_failure_cost", 10)
        .set("auth.registration_rate_limit_per_minute", 5)
        .set("server.trusted_proxies", r#"["127.0.0.0/8"]"#)
}

/// A site where [`ADA`] has an account with [`PASSWORD`].
pub async fn site() -> Site {
    let site = Site::new().await;
    let mut output = [0; 32];
    derive(PBKDF2_HMAC_SHA256, NonZeroU32::new(1000).unwrap(), b"saltsaltsaltsalt", PASSWORD.as_bytes(), &mut output);
    let hash = format!("pbkdf2_sha256$1000$saltsaltsaltsalt${}", STANDARD.encode(output));
    let owner = site.database.connect(OWNER).await;
    let made = owner
        .execute(
            "insert into identity.users (user_id, email, email_key, email_verified_at, password_hash,
                                         password_changed_at, locale, created_at, updated_at)
             values (gen_random_uuid(), $1, $1, now(), $2, now(), 'en', now(), now())",
            &[&ADA, &hash],
        )
        .await;
    assert_eq!(made.unwrap(), 1);
    site
}

/// A browser that keeps one form open and sends it again and again.
pub struct Guesser {
    conn: Conn,
    authority: String,
    origin: String,
    form: String,
    /// The cookie of a device that has signed in.
    pub device: Option<String>,
}

impl Guesser {
    pub async fn open(server: &Server) -> Self {
        let conn = server.connect().await;
        let reply = conn.ask(Ask::get("/login")).await.expect(200);
        let form = cookie(&reply, "__Host-sigid-form").unwrap();
        let origin = server.issuer.clone();
        Self { conn, authority: server.address.to_string(), origin, form, device: None }
    }

    /// One guess from `address`.
    pub async fn guess(&mut self, email: &str, password: &str, address: &str) -> Reply {
        let ask = self.post("/login", &[("email", email), ("password", password)], address).await;
        let reply = self.conn.ask(ask).await;
        if let Some(device) = cookie(&reply, "__Host-sigid-device") {
            self.device = Some(device);
        }
        reply
    }

    /// Another form of the same browser.
    pub async fn send(&mut self, path: &'static str, fields: &[(&str, &str)], address: &str) -> Reply {
        let ask = self.post(path, fields, address).await;
        self.conn.ask(ask).await
    }

    /// All of them at once.
    pub async fn guess_at_once(&mut self, guesses: &[(&str, &str, String)]) -> Vec<Reply> {
        let mut tasks = Vec::new();
        for (email, password, address) in guesses {
            let ask = self.post("/login", &[("email", email), ("password", password)], address).await;
            tasks.push(tokio::spawn(alone(self.conn.send.clone(), ask, self.authority.clone())));
        }
        let mut replies = Vec::new();
        for task in tasks {
            replies.push(task.await.unwrap());
        }
        replies
    }

    async fn post(&mut self, path: &'static str, fields: &[(&str, &str)], address: &str) -> Ask {
        let dressed = |ask: Ask| {
            let mut cookies = format!("__Host-sigid-form={}", self.form);
            if let Some(device) = &self.device {
                cookies = format!("{cookies}; __Host-sigid-device={device}");
            }
            ask.header("cookie", cookies).header("x-forwarded-for", address)
        };
        let page = self.conn.ask(dressed(Ask::get(path))).await.expect(200);
        let token = page.text().split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
        let fields = [&[("csrf", token)], fields].concat();
        dressed(Ask::post(path)).header("origin", &self.origin).form(&fields)
    }
}

async fn alone(send: SendRequest<Bytes>, ask: Ask, authority: String) -> Reply {
    exchange_over(send, &ask, &authority).await.unwrap()
}

fn cookie(reply: &Reply, name: &str) -> Option<String> {
    let set = reply.headers.get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let mut pairs = set.filter_map(|set| set.split(';').next()?.split_once('='));
    pairs.find(|(known, value)| *known == name && !value.is_empty()).map(|(_, value)| value.to_owned())
}

/// An address for each number.
pub fn at(n: usize) -> String {
    format!("10.1.{}.{}", n / 250, n % 250 + 1)
}

/// When to come again, of a refusal.
#[track_caller]
pub fn retry_after_s(reply: &Reply) -> u32 {
    assert_eq!(reply.status, 429, "{}", reply.text());
    reply.header("retry-after").unwrap().parse().unwrap()
}
