//! What must be there before the load: endpoints, tokens of every kind asked for, and the proof that a fresh
//! token is answered active, because a run against a misconfigured client measures nothing.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderValue, Uri};
use tokio::task::JoinSet;

use crate::args::{ScenarioName, Settings};
use crate::auth;
use crate::client::{Session, Target};
use crate::dealer::{DeadKinds, Dealer};
use crate::discovery::Endpoints;
use crate::fault::Fault;
use crate::issuer::{Issued, Issuer, check_ok, resolve};
use crate::people::{Checks, Registration, SignIn};
use crate::progress::say;
use crate::rng::Rng;
use crate::scenario::introspect::{Card, Deck, Expect, Introspect, SharedDeck, find_jti, judge};
use crate::scenario::issue::Issue;
use crate::scenario::people::{Login, Register, SessionCheck};
use crate::scenario::{Scenario, Template};
use crate::zipf::Zipf;

pub struct Prepared {
    /// Where the load goes.
    pub target: Target,
    /// What TLS agreed on.
    pub tls: String,
    /// The target's `Server` header.
    pub server: Option<String>,
    /// ALPN gave nothing newer.
    pub http1: bool,
    pub endpoints: Endpoints,
    pub issuer: Rc<Issuer>,
    arms: Arms,
    /// Keeps live tokens live for as long as this is held.
    _refresh: JoinSet<()>,
}

enum Arms {
    Introspect {
        template: Template,
        deck: Arc<SharedDeck>,
    },
    Issue {
        template: Template,
        body: Bytes,
    },
    Login {
        template: Template,
        bodies: Vec<Bytes>,
    },
    Register {
        template: Template,
        body: String,
    },
    /// One for each account.
    SessionCheck {
        first: Template,
        others: Vec<Template>,
    },
}

pub async fn prepare(settings: &Settings) -> Result<Prepared, Fault> {
    let home = resolve(&settings.target, settings).await?;
    let (session, tls) = Session::open(&home, settings.deadline).await?;
    let http1 = session.is_http1();
    let endpoints = Endpoints::find(&session, settings).await?;
    let issuer = Rc::new(Issuer::new(settings, &endpoints).await?);
    let mut refresh = JoinSet::new();
    if let Some((target, arms)) = people_arms(settings).await? {
        let server = session.find(&settings.target).await?.server;
        return Ok(Prepared { target, tls, server, http1, endpoints, issuer, arms, _refresh: refresh });
    }
    if settings.scenario == ScenarioName::Issue {
        let server = issuer.issue(&issuer.open().await?).await?.server;
        let template = Template::new(&issuer.uri, issuer.authorization.as_ref());
        let arms = Arms::Issue { template, body: Bytes::from(issuer.body.clone()) };
        let target = issuer.target.clone();
        return Ok(Prepared { target, tls, server, http1, endpoints, issuer, arms, _refresh: refresh });
    }
    let uri = endpoints.introspection()?;
    let target = resolve(&uri, settings).await?;
    let authorization = auth::authorization(&settings.introspect_client, settings.auth)?;
    let dead = Dealer { settings, endpoints: &endpoints, issuer: &issuer }.dead_kinds().await?;
    let live = issuer.issue_many(settings.tokens).await?;
    say(&format!("{} live tokens", live.tokens.len()));
    let server = check_live(settings, &target, &uri, authorization.as_ref(), &live).await?;
    let deck = Arc::new(SharedDeck::new(deck(settings, &live, &dead)));
    let template = Template::new(&uri, authorization.as_ref());
    if let Some(life) = live.life {
        let task =
            Refresh { settings: settings.clone(), issuer: Rc::clone(&issuer), dead, life, deck: Arc::clone(&deck) };
        refresh.spawn_local(task.run());
    }
    let arms = Arms::Introspect { template, deck };
    Ok(Prepared { target, tls, server, http1, endpoints, issuer, arms, _refresh: refresh })
}

async fn people_arms(settings: &Settings) -> Result<Option<(Target, Arms)>, Fault> {
    match settings.scenario {
        // Signed in once: those who are to be known are known.
        ScenarioName::Login | ScenarioName::Likeness => {
            let SignIn { target, template, bodies } = SignIn::prepare(settings).await?;
            Ok(Some((target, Arms::Login { template, bodies })))
        }
        ScenarioName::Register => {
            let Registration { target, template, body } = Registration::prepare(settings).await?;
            Ok(Some((target, Arms::Register { template, body })))
        }
        ScenarioName::SessionCheck => {
            let Checks { target, first, others } = Checks::prepare(settings).await?;
            Ok(Some((target, Arms::SessionCheck { first, others })))
        }
        _ => Ok(None),
    }
}

impl Prepared {
    pub fn scenario(&self, seed: u64, thread: usize) -> Scenario {
        match &self.arms {
            Arms::Introspect { template, deck } => Scenario::Introspect(Introspect::new(
                template.clone(),
                Arc::clone(deck),
                Rng::seeded(seed, thread as u64),
            )),
            Arms::Issue { template, body } => Scenario::Issue(Issue::new(template.clone(), body.clone())),
            Arms::Login { template, bodies } => Scenario::Login(Login::new(template.clone(), bodies.clone(), thread)),
            Arms::Register { template, body } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
                let name = format!("{now:016x}-{thread:03}");
                Scenario::Register(Register::new(template.clone(), body.clone(), name))
            }
            Arms::SessionCheck { first, others } => {
                let template = others.iter().chain([first]).cycle().nth(thread).unwrap_or(first);
                Scenario::SessionCheck(SessionCheck::new(template.clone()))
            }
        }
    }
}

/// Puts new live tokens into the deck when half the life of the old ones has passed.
struct Refresh {
    settings: Settings,
    issuer: Rc<Issuer>,
    dead: DeadKinds,
    life: Duration,
    deck: Arc<SharedDeck>,
}

impl Refresh {
    async fn run(self) {
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

fn deck(settings: &Settings, live: &Issued, dead: &DeadKinds) -> Deck {
    let mut deck = Deck::default();
    let cards = live.tokens.iter().map(|token| card(settings, token, Expect::Live { jti: find_jti(token) }));
    let draw = settings.zipf.map(|exponent| Zipf::new(live.tokens.len(), exponent));
    deck.add_drawn(settings.mix.live, cards.collect(), draw);
    for (weight, cards) in dead {
        deck.add(*weight, cards.clone());
    }
    deck
}

pub fn card(settings: &Settings, token: &str, expect: Expect) -> Card {
    let body = auth::form(&[("token", token)], &settings.introspect_client, settings.auth);
    Card { body: Bytes::from(body), expect }
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
