//! After the drill: everything that was acknowledged is looked at, and everything that is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use super::record::Person;
use super::visitor::{SESSION, csrf, message_id};
use super::{SHOP, SHOP_ADDRESS, Town};
use crate::fault::drill::load::{Heard, Line};
use crate::mail::post::text;
use crate::support::ask::{Ask, Reply, escape};
use crate::support::cluster::OWNER;
use crate::support::server::Server;
use crate::support::site::Site;
use crate::support::wait::pass;

pub async fn settle(town: &Town, site: &Site, server: &Server) {
    let owner = site.database.connect(OWNER).await;
    // What was claimed by a process that was killed comes again when its lease is over.
    std::fs::write(server.directory.join("clock"), "61").unwrap();
    drain(town, &owner).await;
    let mut door = Door { line: Line::new(&town.node, &town.ledger), town };
    for person in town.record.all() {
        door.look_at(&person).await;
    }
    look_at_rows(town, &owner).await;
    look_at_letters(town, &owner).await;
}

async fn drain(town: &Town, owner: &Client) {
    let due = Instant::now() + DRAINED_WITHIN;
    while count(owner, "select count(*) from async.mail where state = 'queued'").await > 0 {
        if Instant::now() > due {
            town.ledger.violate("letters still wait".to_owned());
            return;
        }
        pass(AGAIN).await;
    }
}

async fn count(owner: &Client, sql: &str) -> i64 {
    owner.query_one(sql, &[]).await.unwrap().get(0)
}

/// Rows that belong together are together.
async fn look_at_rows(town: &Town, owner: &Client) {
    for (what, sql) in HALVES {
        let found = count(owner, sql).await;
        if found != 0 {
            town.ledger.violate(format!("{found} {what}"));
        }
    }
}

/// What may not be there: each statement counts it.
const HALVES: [(&str, &str); 10] = [
    (
        "accounts without a password, a proven address or a name",
        "select count(*) from identity.users
         where password_hash is null or email_verified_at is null or claims->>'name' is null",
    ),
    (
        "accounts without the one event of their registration",
        "select count(*) from identity.users u where 1 <> (select count(*) from async.events e
           where e.event_type = 'user.registered' and e.subject = u.user_id::text)",
    ),
    (
        "registered people without an account",
        "select count(*) from async.events e where e.event_type = 'user.registered'
           and not exists (select from identity.users u where u.user_id::text = e.subject)",
    ),
    (
        "accounts more or less than registrations that became one",
        "select abs((select count(*) from identity.users)
                  - (select count(*) from auth.registrations where used_at is not null))",
    ),
    (
        "registrations used without their link",
        "select count(*) from auth.registrations r where r.used_at is not null and not exists (
           select from auth.links l where l.purpose = 'verify' and l.used_at is not null
             and l.data->>'registration_id' = r.registration_id::text)",
    ),
    (
        "links used without their registration",
        "select count(*) from auth.links l where l.purpose = 'verify' and l.used_at is not null and not exists (
           select from auth.registrations r where r.used_at is not null
             and l.data->>'registration_id' = r.registration_id::text)",
    ),
    (
        "registrations with no letter, or with several",
        "select count(*) from auth.registrations r where 1 <> (select count(*) from async.mail m
           where m.template = 'register' and m.data->>'registration_id' = r.registration_id::text)",
    ),
    (
        "sessions of nobody",
        "select count(*) from auth.sessions s where not exists (
           select from identity.users u where u.user_id = s.user_id)",
    ),
    (
        "letters that were given up or dropped, but what was asked for twice and done meanwhile",
        "select count(*) from async.mail where state <> 'sent'
           and (template, state, fault) is distinct from ('recover', 'dropped', 'password changed since')",
    ),
    (
        "recoveries without their letter",
        "select abs((select count(*) from async.events where event_type = 'user.recovered')
                  - (select count(*) from async.mail where template = 'password_changed'))",
    ),
];

/// At least one copy of each, under the id of its row, and no copy under another; the same link in each. (A registration's
/// that is sent again once the address has its account says so, and has none.)
async fn look_at_letters(town: &Town, owner: &Client) {
    let rows = owner.query("select mail_id::text, recipient, state = 'sent' from async.mail", &[]).await.unwrap();
    let id = |row: &tokio_postgres::Row| format!("{}@localhost", row.get::<_, String>(0));
    let known: BTreeMap<String, (String, bool)> = rows.iter().map(|row| (id(row), (row.get(1), row.get(2)))).collect();
    let mut copies: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for message in town.post.messages() {
        let (id, said) = (message_id(&message), text(&message));
        let links = copies.entry(id.clone()).or_default();
        if let Some(link) = said.split_whitespace().find(|word| word.contains("?link=")) {
            ids.entry(link.to_owned()).or_default().insert(id);
            links.insert(link.to_owned());
        }
    }
    for (id, (recipient, is_sent)) in &known {
        if *is_sent && !copies.contains_key(id) {
            town.ledger.violate(format!("letter {id} to {recipient} counts as sent and never came"));
        }
    }
    for (id, links) in &copies {
        if links.len() > 1 {
            town.ledger.violate(format!("letter {id} came with {} different links", links.len()));
        }
        if !known.contains_key(id) {
            town.ledger.violate(format!("letter {id} came, and has no row"));
        }
    }
    for (link, ids) in ids.iter().filter(|(_, ids)| ids.len() != 1) {
        town.ledger.violate(format!("{link} came under {} ids", ids.len()));
    }
}

/// Where everybody is looked at, one after the other.
struct Door<'t> {
    line: Line,
    town: &'t Town,
}

impl Door<'_> {
    async fn look_at(&mut self, person: &Person) {
        for (path, link) in &person.used {
            let again = self.ask(&Ask::get(format!("{path}?link={link}"))).await;
            self.expect(person, "a used link", again.as_ref().map(|reply| reply.status), &[410]);
        }
        for (cookies, what, status) in [
            (&person.sessions, "a session that was given", &[200][..]),
            (&person.ended, "a session that was ended", &[303]),
            (&person.unsure, "a session that may have ended", &[200, 303]),
        ] {
            for cookie in cookies {
                let ask = Ask::get("/account").header("cookie", format!("{SESSION}={cookie}"));
                let shown = self.ask(&ask).await;
                self.expect(person, what, shown.map(|reply| reply.status), status);
            }
        }
        if person.is_confirmed {
            self.let_in(person).await;
        }
    }

    /// The account is whole: it signs in, shows its name, and is the member that it was.
    async fn let_in(&mut self, person: &Person) {
        let mut session = None;
        for password in &person.passwords {
            session = session.or(self.sign_in(&person.email, password).await);
        }
        let Some(session) = session else {
            self.town.ledger.violate(format!("{}: was told of an account, and cannot sign in", person.email));
            return;
        };
        let cookie = format!("{SESSION}={session}");
        let shown = self.ask(&Ask::get("/account").header("cookie", cookie.clone())).await;
        if !shown.is_some_and(|reply| reply.text().contains(&person.name)) {
            self.town.ledger.violate(format!("{}: the account has lost its name", person.email));
        }
        let Some(subject) = &person.subject else { return };
        let target = format!("/session/start?client_id={SHOP}&return_to={}", escape(SHOP_ADDRESS));
        let started = self.ask(&Ask::get(target).header("cookie", cookie)).await;
        let edge = started.as_ref().and_then(|reply| set_cookie(reply, "__Secure-"));
        let check = Ask::get(format!("/session/check?client_id={SHOP}")).header("cookie", edge.unwrap_or_default());
        let checked = self.ask(&check).await;
        if checked.as_ref().and_then(|reply| reply.header("x-auth-subject")) != Some(subject) {
            self.town.ledger.violate(format!("{}: is no longer the member it was", person.email));
        }
    }

    async fn sign_in(&mut self, email: &str, password: &str) -> Option<String> {
        let page = self.ask(&Ask::get("/login")).await?;
        let form = set_cookie(&page, "__Host-")?;
        let token = csrf(page.text())?;
        let fields = [("csrf", token.as_str()), ("email", email), ("password", password)];
        let ask = Ask::post("/login").header("cookie", form).header("origin", self.town.issuer.as_bytes());
        let reply = self.ask(&ask.form(&fields)).await?;
        let pair = set_cookie(&reply, &format!("{SESSION}="))?;
        Some(pair.split_once('=')?.1.to_owned())
    }

    async fn ask(&mut self, ask: &Ask) -> Option<Reply> {
        let due = Instant::now() + ANSWERED_WITHIN;
        while Instant::now() < due {
            match self.line.ask(&ask.target, ask).await {
                Heard::Reply(reply) if reply.status < 500 => return Some(reply),
                Heard::Reply(_) | Heard::Nothing => pass(AGAIN).await,
            }
        }
        self.town.ledger.violate(format!("{} is not answered any more", ask.target));
        None
    }

    fn expect(&self, person: &Person, what: &str, status: Option<u16>, good: &[u16]) {
        if let Some(status) = status.filter(|status| !good.contains(status)) {
            self.town.ledger.violate(format!("{}: {what} is answered {status}", person.email));
        }
    }
}

/// The pair of the first cookie whose name begins so.
fn set_cookie(reply: &Reply, begin: &str) -> Option<String> {
    let mut all = reply.headers.get_all("set-cookie").iter().filter_map(|set| set.to_str().ok());
    let set = all.find(|set| set.starts_with(begin))?;
    Some(set.split(';').next()?.to_owned())
}

const DRAINED_WITHIN: Duration = Duration::from_secs(30);
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_millis(20);
