//! What must be there before the load: endpoints, tokens of every kind asked for, and the proof that a fresh
//! token is answered active, because a run against a misconfigured client measures nothing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Uri};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::args::{ScenarioName, Settings};
use crate::auth;
use crate::client::{Answer, Session, Target};
use crate::discovery::Endpoints;
use crate::fault::Fault;
use crate::progress::say;
use crate::rng::Rng;
use crate::scenario::introspect::{Card, Deck, Expect, Introspect, SharedDeck, find_jti, judge};
use crate::scenario::issue::Issue;
use crate::scenario::{Scenario, Template};

pub struct Prepared {
    /// Where the load goes.
    pub target: Target,
    /// What TLS agreed on.
    pub tls: String,
    /// The target's `Server` header.
    pub server: Option<String>,
    arms: Arms,
}

enum Arms {
    Introspect { template: Template, deck: Arc<SharedDeck>, refresh: Option<Box<Refresh>> },
    Issue { template: Template, body: Bytes },
}

pub async fn prepare(settings: &Settings) -> Result<Prepared, Fault> {
    let home = resolve(&settings.target, settings).await?;
    let (session, tls) = Session::open(&home, settings.deadline).await?;
    let endpoints = Endpoints::find(&session, settings).await?;
    let issuer = Issuer::new(settings, &endpoints).await?;
    match settings.scenario {
        ScenarioName::Issue => {
            let server = issuer.issue(&issuer.open().await?).await?.server;
            let template = Template::new(&issuer.uri, issuer.authorization.as_ref());
            let arms = Arms::Issue { template, body: Bytes::from(issuer.body.clone()) };
            Ok(Prepared { target: issuer.target, tls, server, arms })
        }
        ScenarioName::Introspect => prepare_introspect(settings, &endpoints, issuer, tls).await,
    }
}

async fn prepare_introspect(
    settings: &Settings,
    endpoints: &Endpoints,
    issuer: Issuer,
    tls: String,
) -> Result<Prepared, Fault> {
    let uri = endpoints.introspection()?;
    let target = resolve(&uri, settings).await?;
    let authorization = auth::authorization(&settings.introspect_client, settings.auth)?;
    let dead = Dealer { settings, endpoints, issuer: &issuer }.dead_kinds().await?;
    let live = issuer.issue_many(settings.tokens).await?;
    say(&format!("{} live tokens", live.tokens.len()));
    let server = check_live(settings, &target, &uri, authorization.as_ref(), &live).await?;
    let deck = Arc::new(SharedDeck::new(deck(settings, &live, &dead)));
    let refresh = live
        .life
        .map(|life| Box::new(Refresh { settings: settings.clone(), issuer, dead, life, deck: Arc::clone(&deck) }));
    let template = Template::new(&uri, authorization.as_ref());
    Ok(Prepared { target, tls, server, arms: Arms::Introspect { template, deck, refresh } })
}

impl Prepared {
    pub fn scenario(&self, seed: u64, thread: usize) -> Scenario {
        match &self.arms {
            Arms::Introspect { template, deck, .. } => Scenario::Introspect(Introspect::new(
                template.clone(),
                Arc::clone(deck),
                Rng::seeded(seed, thread as u64),
            )),
            Arms::Issue { template, body } => Scenario::Issue(Issue::new(template.clone(), body.clone())),
        }
    }

    /// Keeps live tokens live for as long as it is polled.
    pub fn take_refresh(&mut self) -> Option<Box<Refresh>> {
        match &mut self.arms {
            Arms::Introspect { refresh, .. } => refresh.take(),
            Arms::Issue { .. } => None,
        }
    }
}

/// Puts new live tokens into the deck when half the life of the old ones has passed.
pub struct Refresh {
    settings: Settings,
    issuer: Issuer,
    dead: DeadKinds,
    life: Duration,
    deck: Arc<SharedDeck>,
}

impl Refresh {
    pub async fn run(self) {
        let mut pause = self.life / 2;
        loop {
            tokio::time::sleep(pause).await;
            pause = match self.issuer.issue_many(self.settings.tokens).await {
                Ok(live) => {
                    self.deck.replace(deck(&self.settings, &live, &self.dead));
                    self.life / 2
                }
                Err(fault) => {
                    say(&format!("live tokens could not be renewed: {fault}"));
                    self.life / 20
                }
            };
        }
    }
}

/// Cards of the kinds that must be answered inactive, with their weights.
type DeadKinds = Vec<(u32, Vec<Card>)>;

fn deck(settings: &Settings, live: &Issued, dead: &DeadKinds) -> Deck {
    let mut deck = Deck::default();
    let cards = live.tokens.iter().map(|token| card(settings, token, Expect::Live { jti: find_jti(token) }));
    deck.add(settings.mix.live, cards.collect());
    for (weight, cards) in dead {
        deck.add(*weight, cards.clone());
    }
    deck
}

fn card(settings: &Settings, token: &str, expect: Expect) -> Card {
    let body = auth::form(&[("token", token)], &settings.introspect_client, settings.auth);
    Card { body: Bytes::from(body), expect }
}

/// Makes the tokens that are not live.
struct Dealer<'a> {
    settings: &'a Settings,
    endpoints: &'a Endpoints,
    issuer: &'a Issuer,
}

impl Dealer<'_> {
    async fn dead_kinds(&self) -> Result<DeadKinds, Fault> {
        let mix = self.settings.mix;
        let mut kinds = Vec::new();
        if mix.expired > 0 {
            kinds.push((mix.expired, self.expired().await?));
        }
        if mix.revoked > 0 {
            kinds.push((mix.revoked, self.revoked().await?));
        }
        if mix.malformed + mix.foreign > 0 {
            let sample = self.issuer.issue(&self.issuer.open().await?).await?.token;
            kinds.push((mix.malformed, malformed(&sample)));
            kinds.push((mix.foreign, foreign(&sample, self.settings.seed)));
        }
        Ok(kinds.into_iter().map(|(weight, tokens)| (weight, self.cards(&tokens))).collect())
    }

    fn cards(&self, tokens: &[String]) -> Vec<Card> {
        tokens.iter().map(|token| card(self.settings, token, Expect::Dead)).collect()
    }

    async fn expired(&self) -> Result<Vec<String>, Fault> {
        if let Some(path) = &self.settings.expired_tokens {
            let text = std::fs::read_to_string(path).map_err(|e| Fault::local(&path.display().to_string(), e))?;
            let tokens: Vec<String> =
                text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
            return if tokens.is_empty() {
                Err(Fault::Usage(format!("no token in {}", path.display())))
            } else {
                Ok(tokens)
            };
        }
        let issued = self.issuer.issue_many(DEAD_TOKENS).await?;
        let life = issued.life.ok_or_else(|| {
            Fault::Refused("the target does not tell expires_in; give --expired-tokens FILE".to_owned())
        })?;
        if life > EXPIRY_WAIT_MAX {
            return Err(Fault::Usage(format!(
                "tokens live {} s, too long to wait for; give --expired-tokens FILE",
                life.as_secs()
            )));
        }
        say(&format!("waiting {} s for tokens to expire", life.as_secs() + 1));
        tokio::time::sleep(life + Duration::from_secs(1)).await;
        Ok(issued.tokens)
    }

    async fn revoked(&self) -> Result<Vec<String>, Fault> {
        let uri = self.endpoints.revocation()?;
        let (session, _) = Session::open(&resolve(&uri, self.settings).await?, self.settings.deadline).await?;
        let issued = self.issuer.issue_many(DEAD_TOKENS).await?;
        for token in &issued.tokens {
            let body = auth::form(&[("token", token)], &self.settings.client, self.settings.auth);
            let answer = session.post_form(&uri, self.issuer.authorization.as_ref(), body).await?;
            check_ok(&uri, &answer)?;
        }
        say(&format!("{} revoked tokens", issued.tokens.len()));
        Ok(issued.tokens)
    }
}

/// Gets tokens by the client_credentials grant.
struct Issuer {
    target: Target,
    uri: Uri,
    authorization: Option<HeaderValue>,
    body: String,
    deadline: Duration,
}

struct Issued {
    tokens: Vec<String>,
    /// The shortest of their lives.
    life: Option<Duration>,
}

struct Fresh {
    token: String,
    life: Option<Duration>,
    server: Option<String>,
}

impl Issuer {
    async fn new(settings: &Settings, endpoints: &Endpoints) -> Result<Self, Fault> {
        let uri = endpoints.token()?;
        let mut pairs = vec![("grant_type", "client_credentials")];
        pairs.extend(settings.scope.as_deref().map(|scope| ("scope", scope)));
        pairs.extend(settings.resource.as_deref().map(|resource| ("resource", resource)));
        Ok(Self {
            target: resolve(&uri, settings).await?,
            authorization: auth::authorization(&settings.client, settings.auth)?,
            body: auth::form(&pairs, &settings.client, settings.auth),
            deadline: settings.deadline,
            uri,
        })
    }

    async fn open(&self) -> Result<Session, Fault> {
        Ok(Session::open(&self.target, self.deadline).await?.0)
    }

    async fn issue(&self, session: &Session) -> Result<Fresh, Fault> {
        let answer = session.post_form(&self.uri, self.authorization.as_ref(), self.body.clone()).await?;
        read_fresh(&self.uri, answer)
    }

    async fn issue_many(&self, count: usize) -> Result<Issued, Fault> {
        let session = self.open().await?;
        let mut tasks = JoinSet::new();
        let mut issued = Issued { tokens: Vec::with_capacity(count), life: None };
        for started in 0..count {
            if started >= AT_ONCE {
                issued.add(tasks.join_next().await)?;
            }
            let (session, uri, authorization, body) =
                (session.clone(), self.uri.clone(), self.authorization.clone(), self.body.clone());
            tasks.spawn(async move { read_fresh(&uri, session.post_form(&uri, authorization.as_ref(), body).await?) });
        }
        while !tasks.is_empty() {
            issued.add(tasks.join_next().await)?;
        }
        match issued.life {
            Some(life) if life < LIFE_MIN => Err(Fault::Refused(format!("tokens live only {} s", life.as_secs()))),
            _ => Ok(issued),
        }
    }
}

impl Issued {
    fn add(&mut self, joined: Option<Result<Result<Fresh, Fault>, tokio::task::JoinError>>) -> Result<(), Fault> {
        let Some(joined) = joined else { return Ok(()) };
        let fresh = joined.map_err(|e| Fault::local("getting tokens", e))??;
        self.life = match (self.life, fresh.life) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        self.tokens.push(fresh.token);
        Ok(())
    }
}

fn read_fresh(uri: &Uri, answer: Answer) -> Result<Fresh, Fault> {
    #[derive(Deserialize)]
    struct Token {
        access_token: String,
        expires_in: Option<u64>,
    }
    check_ok(uri, &answer)?;
    let token: Token =
        serde_json::from_slice(&answer.body).map_err(|e| Fault::Refused(format!("{}: {e}", uri.path())))?;
    Ok(Fresh { token: token.access_token, life: token.expires_in.map(Duration::from_secs), server: answer.server })
}

/// The error code of RFC 6749 section 5.2 is told, nothing else of the body: it may repeat what was sent.
fn check_ok(uri: &Uri, answer: &Answer) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    if answer.status == 200 {
        return Ok(());
    }
    let code = serde_json::from_slice::<Refusal>(&answer.body).map(|r| r.error).unwrap_or_default();
    let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(64).collect();
    Err(Fault::Refused(format!("{} answered {} {code}", uri.path(), answer.status.as_u16()).trim_end().to_owned()))
}

async fn check_live(
    settings: &Settings,
    target: &Target,
    uri: &Uri,
    authorization: Option<&HeaderValue>,
    live: &Issued,
) -> Result<Option<String>, Fault> {
    let token = live.tokens.first().map(String::as_str).unwrap_or_default();
    let (session, _) = Session::open(target, settings.deadline).await?;
    let body = auth::form(&[("token", token)], &settings.introspect_client, settings.auth);
    let answer = session.post_form(uri, authorization, body).await?;
    check_ok(uri, &answer)?;
    judge(&Expect::Live { jti: find_jti(token) }, &answer.body).map_err(|wrong| {
        Fault::Refused(format!("a fresh token is answered wrongly ({wrong:?}): may the introspecting client learn about it? (--introspect-client-id, --resource)"))
    })?;
    Ok(answer.server)
}

async fn resolve(uri: &Uri, settings: &Settings) -> Result<Target, Fault> {
    Target::resolve(uri, settings.connect, &settings.ca, settings.streams).await
}

/// Damaged in ways that reach different depths of a parser; none of them empty, which is another error.
fn malformed(sample: &str) -> Vec<String> {
    let half = sample.get(..sample.len() / 2).unwrap_or("x");
    let mut other_end = sample.to_owned();
    let last = other_end.pop();
    other_end.push(if last == Some('A') { 'B' } else { 'A' });
    let fixed = [
        "x",
        "null",
        "a.b",
        "a.b.c",
        "a.b.c.d",
        "..",
        "e30.e30.",
        "!!!.???.###",
        "Bearer abc",
        "{\"active\":true}",
        "\u{1f511}",
    ];
    let mut tokens: Vec<String> = fixed.map(str::to_owned).into();
    tokens.extend([half.to_owned(), format!("{sample}A"), format!("{sample}.{half}"), other_end, "A".repeat(6000)]);
    tokens
}

/// Well-formed tokens nobody here has signed: half of another issuer, half under the target's own key id.
fn foreign(sample: &str, seed: u64) -> Vec<String> {
    let mut rng = Rng::seeded(seed, u64::MAX);
    let ours = sample.split('.').next().filter(|_| sample.split('.').count() == 3);
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs());
    (0..DEAD_TOKENS)
        .map(|index| {
            let theirs = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{:016x}"}}"#, rng.next());
            let theirs = URL_SAFE_NO_PAD.encode(theirs);
            let header = ours.filter(|_| index % 2 == 0).unwrap_or(&theirs);
            let claims = format!(
                r#"{{"iss":"https://elsewhere.example","sub":"nobody","aud":"https://elsewhere.example","client_id":"nobody","iat":{now_s},"exp":{},"jti":"{:016x}"}}"#,
                now_s + 86_400,
                rng.next()
            );
            let mut signature = [0; 64];
            rng.fill(&mut signature);
            format!("{header}.{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(signature))
        })
        .collect()
}

const DEAD_TOKENS: usize = 64;
const AT_ONCE: usize = 16;
const LIFE_MIN: Duration = Duration::from_secs(4);
const EXPIRY_WAIT_MAX: Duration = Duration::from_mins(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_and_foreign_tokens_are_neither_empty_nor_the_sample() {
        let sample = format!(
            "{}.{}.c2ln",
            URL_SAFE_NO_PAD.encode(r#"{"kid":"ours"}"#),
            URL_SAFE_NO_PAD.encode(r#"{"jti":"1"}"#)
        );
        let mut all = malformed(&sample);
        all.extend(malformed("opaque"));
        let foreign = foreign(&sample, 1);
        assert!(foreign.iter().filter(|t| t.starts_with(sample.split('.').next().unwrap())).count() == DEAD_TOKENS / 2);
        all.extend(foreign);
        assert!(all.iter().all(|t| !t.is_empty() && *t != sample && t != "opaque"));
    }

    #[test]
    fn a_refusal_tells_its_code_and_no_more() {
        let answer = Answer {
            status: http::StatusCode::UNAUTHORIZED,
            server: None,
            body: Bytes::from_static(br#"{"error":"invalid_client","error_description":"secret hunter2"}"#),
        };
        let told = check_ok(&Uri::from_static("https://a/t"), &answer).unwrap_err().to_string();
        assert_eq!(told, "/t answered 401 invalid_client");
    }
}
