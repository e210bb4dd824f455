//! One newcomer with one browser, who tries again until it is done. An answer that never came, and one that says that the
//! server cannot tell, leave open whether something was done; what the next attempt says decides.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::record::Person;
use super::{SHOP, SHOP_ADDRESS, Town};
use crate::fault::drill::load::{Heard, Line};
use crate::mail::post::{find_link, header, text};
use crate::support::ask::{Ask, Reply, escape};
use crate::support::wait::pass;

pub const SESSION: &str = "__Host-sigid";

pub struct Visitor {
    town: Town,
    line: Line,
    cookies: BTreeMap<String, String>,
    number: usize,
    at: usize,
    /// Messages that had come before.
    since: usize,
    email: String,
    password: String,
}

/// What the attempt at a form ended in.
enum Tried {
    Done(Reply),
    /// The link is dead.
    Dead,
    /// Not known whether it was done.
    Open,
}

impl Visitor {
    pub fn new(town: &Town, number: usize) -> Self {
        let (email, password) = (format!("p{number}@example.com"), format!("correct horse battery {number}"));
        let person = Person {
            email: email.clone(),
            name: format!("Person {number}"),
            passwords: vec![password.clone()],
            ..Person::default()
        };
        let at = town.record.begin(person);
        let (line, since) = (Line::new(&town.node, &town.ledger), town.post.count());
        Self { town: town.clone(), line, cookies: BTreeMap::new(), number, at, since, email, password }
    }

    /// A life, as long as the drill lasts.
    pub async fn live(mut self) {
        let _ = self.try_live().await;
    }

    async fn try_live(&mut self) -> Option<()> {
        self.register().await?;
        self.confirm().await?;
        self.sign_in().await?;
        self.enter().await?;
        match self.number % 3 {
            0 => self.recover().await?,
            1 => self.sign_out().await?,
            _ => {}
        }
        Some(())
    }

    async fn register(&mut self) -> Option<()> {
        let name = format!("Person {}", self.number);
        let (email, password) = (self.email.clone(), self.password.clone());
        let fields = [("email", email.as_str()), ("name", &name), ("new_password", &password)];
        loop {
            // Another row and another letter each time; any of their links will do.
            if let Tried::Done(_) = self.send("/register", "/register", &fields, 200).await? {
                self.note(|person| person.is_registered = true);
                return Some(());
            }
        }
    }

    async fn confirm(&mut self) -> Option<()> {
        let link = self.letter("/verify").await?;
        let shown = format!("/verify?link={link}");
        let mut is_open = false;
        loop {
            match self.send(&shown, "/verify", &[("link", &link)], 303).await? {
                Tried::Done(_) => break,
                Tried::Dead if is_open => break,
                Tried::Dead => return self.violate("a fresh link is dead"),
                Tried::Open => is_open = true,
            }
        }
        self.note(|person| {
            person.is_confirmed = true;
            person.used.push(("/verify", link));
        });
        Some(())
    }

    async fn sign_in(&mut self) -> Option<()> {
        let (email, password) = (self.email.clone(), self.password.clone());
        let fields = [("email", email.as_str()), ("password", &password)];
        while !matches!(self.send("/login", "/login", &fields, 303).await?, Tried::Done(_)) {}
        let Some(session) = self.cookies.get(SESSION).cloned() else {
            return self.violate("signed in, and no session");
        };
        self.note(|person| {
            person.sessions.push(session);
            person.sessions_given += 1;
        });
        let shown = self.get("/account").await?;
        if shown.status != 200 || !shown.text().contains(&format!("Person {}", self.number)) {
            return self.violate(&format!("the account's page: {}", shown.status));
        }
        Some(())
    }

    /// Becomes a member of the application's tenant; comes back as the same subject.
    async fn enter(&mut self) -> Option<()> {
        let target = format!("/session/start?client_id={SHOP}&return_to={}", escape(SHOP_ADDRESS));
        let started = self.get(&target).await?;
        if started.status != 303 || started.header("location") != Some(SHOP_ADDRESS) {
            return self.violate(&format!("the way to the application: {} {:?}", started.status, started.headers));
        }
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|(name, _)| name.starts_with("__Secure-"))
            .map(|(n, v)| format!("{n}={v}"))
            .collect();
        let ask = Ask::get(format!("/session/check?client_id={SHOP}")).header("cookie", cookies.join("; "));
        let checked = self.until_answered("session/check", &ask).await?;
        let Some(subject) = checked.header("x-auth-subject").filter(|_| checked.status == 200).map(str::to_owned)
        else {
            return self.violate(&format!("an application's cookie is refused: {}", checked.status));
        };
        let known = self.note(|person| person.subject.get_or_insert_with(|| subject.clone()).clone());
        if known == subject { Some(()) } else { self.violate("a member came back as another subject") }
    }

    async fn sign_out(&mut self) -> Option<()> {
        let session = self.cookies.get(SESSION).cloned()?;
        self.note(|person| {
            person.sessions.retain(|one| *one != session);
            person.unsure.push(session.clone());
        });
        while !matches!(self.send("/logout", "/logout", &[], 200).await?, Tried::Done(_)) {}
        self.note(|person| {
            person.unsure.retain(|one| *one != session);
            person.ended.push(session);
            person.signed_out += 1;
        });
        Some(())
    }

    async fn recover(&mut self) -> Option<()> {
        let email = self.email.clone();
        while !matches!(self.send("/recover", "/recover", &[("email", &email)], 200).await?, Tried::Done(_)) {}
        let link = self.letter("/recover/password").await?;
        let (shown, new) = (format!("/recover/password?link={link}"), format!("another kettledrum {}", self.number));
        // From here on each of the two may open the account, and the sessions may be over.
        self.note(|person| {
            person.passwords.push(new.clone());
            let sessions = std::mem::take(&mut person.sessions);
            person.unsure.extend(sessions);
        });
        let mut is_open = false;
        loop {
            let fields = [("link", link.as_str()), ("new_password", &new)];
            match self.send(&shown, "/recover/password", &fields, 303).await? {
                Tried::Done(_) => break,
                Tried::Dead if is_open => break,
                Tried::Dead => return self.violate("a fresh link of recovery is dead"),
                Tried::Open => is_open = true,
            }
        }
        self.password.clone_from(&new);
        self.note(|person| {
            person.passwords = vec![new];
            let ended = std::mem::take(&mut person.unsure);
            person.ended.extend(ended);
            person.used.push(("/recover/password", link));
            person.recovered += 1;
        });
        self.cookies.remove(SESSION);
        self.sign_in().await
    }

    /// The link of a letter to this person, when it comes.
    async fn letter(&self, path: &str) -> Option<String> {
        loop {
            let to = format!("To: {}", self.email);
            let is_mine = |message: &String| message.lines().any(|line| line == to);
            let found = self
                .town
                .post
                .find(self.since, |message| is_mine(message).then(|| find_link(&text(message), path)).flatten());
            if found.is_some() {
                return found;
            }
            if self.town.is_over.load(SeqCst) {
                return None;
            }
            pass(AGAIN).await;
        }
    }

    /// The form on a page, sent. `good` is the status of its success.
    async fn send(&mut self, shown: &str, path: &str, fields: &[(&str, &str)], good: u16) -> Option<Tried> {
        let page = self.get(shown).await?;
        match page.status {
            200 => {}
            410 => return Some(Tried::Dead),
            // Somebody who is signed in has no need of it: an attempt whose answer was lost has succeeded.
            303 => return Some(Tried::Open),
            status => return self.violate(&format!("{shown}: {status}")),
        }
        let Some(token) = csrf(page.text()) else {
            // A page without a form: signed out already.
            return if path == "/logout" { Some(Tried::Done(page)) } else { self.violate(&format!("{path}: no form")) };
        };
        let fields = [&[("csrf", token.as_str())], fields].concat();
        let ask = self.dressed(Ask::post(path)).header("origin", self.town.issuer.as_bytes()).form(&fields);
        match self.line.ask(path, &ask).await {
            Heard::Reply(reply) if reply.status == good => {
                self.keep(&reply);
                Some(Tried::Done(reply))
            }
            Heard::Reply(reply) if reply.status == 410 => Some(Tried::Dead),
            Heard::Reply(reply) => {
                self.town.ledger.judge_refusal(path, 0, &reply);
                self.rest().await.map(|()| Tried::Open)
            }
            Heard::Nothing => self.rest().await.map(|()| Tried::Open),
        }
    }

    async fn get(&mut self, target: &str) -> Option<Reply> {
        let ask = self.dressed(Ask::get(target));
        let reply = self.until_answered(target, &ask).await?;
        self.keep(&reply);
        Some(reply)
    }

    /// Asks until it is neither refused nor lost.
    async fn until_answered(&mut self, what: &str, ask: &Ask) -> Option<Reply> {
        loop {
            match self.line.ask(what, ask).await {
                Heard::Reply(reply) if reply.status < 500 => return Some(reply),
                Heard::Reply(reply) => self.town.ledger.judge_refusal(what, 0, &reply),
                Heard::Nothing => {}
            }
            self.rest().await?;
        }
    }

    fn dressed(&self, ask: Ask) -> Ask {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { ask } else { ask.header("cookie", cookies.join("; ")) }
    }

    fn keep(&mut self, reply: &Reply) {
        for set in reply.headers.get_all("set-cookie") {
            let pair = set.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
            match pair.split_once('=') {
                Some((name, "")) => drop(self.cookies.remove(name)),
                Some((name, value)) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
                None => {}
            }
        }
    }

    fn note<T>(&self, change: impl FnOnce(&mut Person) -> T) -> T {
        self.town.record.note(self.at, change)
    }

    /// Before the next attempt; nothing once the drill is over.
    async fn rest(&self) -> Option<()> {
        pass(AGAIN).await;
        (!self.town.is_over.load(SeqCst)).then_some(())
    }

    fn violate<T>(&self, what: &str) -> Option<T> {
        self.town.ledger.violate(format!("{}: {what}", self.email));
        None
    }
}

pub fn csrf(page: &str) -> Option<String> {
    let rest = page.split_once("name=\"csrf\" value=\"")?.1;
    Some(rest.split_once('"')?.0.to_owned())
}

/// Names a message: what all copies of a letter must share.
pub fn message_id(message: &str) -> String {
    header(message, "Message-ID").trim_matches(['<', '>']).to_owned()
}

/// Between two attempts.
const AGAIN: Duration = Duration::from_millis(50);
