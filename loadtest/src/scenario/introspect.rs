//! Introspection of tokens drawn from a deck: kinds by weight, then one of its kind. The deck is replaced
//! while the run goes on when its live tokens grow old.
//!
//! Judged: `active` must be what the kind of token says, and where both the token (a JWT) and the answer
//! carry a `jti`, they must be one: an answer that belongs to another caller's token is the worst of all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Deserialize;

use crate::record::Wrong;
use crate::rng::Rng;
use crate::scenario::{Shot, Template};
use crate::zipf::Zipf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    Live {
        jti: Option<Arc<str>>,
    },
    Dead,
    /// A new token.
    Issued,
    /// A status that the scenario knows.
    Status,
}

#[derive(Clone)]
pub struct Card {
    pub body: Bytes,
    pub expect: Expect,
}

/// Cards of each kind with the weight of the kind.
#[derive(Clone, Default)]
pub struct Deck {
    kinds: Vec<Kind>,
    weight_total: u64,
}

#[derive(Clone)]
struct Kind {
    weight: u32,
    cards: Vec<Card>,
    /// None: each as often as another.
    draw: Option<Zipf>,
}

impl Deck {
    /// Kinds without weight or cards are never drawn.
    pub fn add(&mut self, weight: u32, cards: Vec<Card>) {
        self.add_drawn(weight, cards, None);
    }

    /// `draw` was made for as many items as there are cards.
    pub fn add_drawn(&mut self, weight: u32, cards: Vec<Card>, draw: Option<Zipf>) {
        if weight > 0 && !cards.is_empty() {
            self.weight_total += u64::from(weight);
            self.kinds.push(Kind { weight, cards, draw });
        }
    }

    fn draw(&self, rng: &mut Rng) -> Option<&Card> {
        let mut at = rng.below(self.weight_total as usize) as u64;
        for kind in &self.kinds {
            if at < u64::from(kind.weight) {
                let index = match &kind.draw {
                    Some(zipf) => zipf.draw(rng),
                    None => rng.below(kind.cards.len()),
                };
                return kind.cards.get(index);
            }
            at -= u64::from(kind.weight);
        }
        None
    }
}

/// The deck all threads draw from; each keeps a copy until the version moves.
pub struct SharedDeck {
    deck: Mutex<Arc<Deck>>,
    version: AtomicU64,
}

impl SharedDeck {
    pub fn new(deck: Deck) -> Self {
        Self { deck: Mutex::new(Arc::new(deck)), version: AtomicU64::new(0) }
    }

    pub fn replace(&self, deck: Deck) {
        *self.deck.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(deck);
        self.version.fetch_add(1, Ordering::Release);
    }

    fn current(&self) -> (u64, Arc<Deck>) {
        let version = self.version.load(Ordering::Acquire);
        (version, Arc::clone(&self.deck.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

pub struct Introspect {
    template: Template,
    shared: Arc<SharedDeck>,
    version: u64,
    deck: Arc<Deck>,
    rng: Rng,
    /// Answers that were found right, by the token they were found right for: reading JSON is a quarter of what the
    /// generator spends, and the same answer to the same question need not be read twice.
    right: HashMap<usize, Box<[u8]>>,
}

impl Introspect {
    pub fn new(template: Template, shared: Arc<SharedDeck>, rng: Rng) -> Self {
        let (version, deck) = shared.current();
        Self { template, shared, version, deck, rng, right: HashMap::new() }
    }

    pub fn aim(&mut self) -> Shot {
        if self.shared.version.load(Ordering::Relaxed) != self.version {
            (self.version, self.deck) = self.shared.current();
            // Tokens are told apart by where their names lie, and those of the old deck are gone.
            self.right.clear();
        }
        let card = self.deck.draw(&mut self.rng).cloned().unwrap_or_else(Card::empty);
        Shot { body: card.body, expect: card.expect }
    }

    pub fn judge(&mut self, expect: &Expect, body: &[u8]) -> Result<(), Wrong> {
        let Expect::Live { jti: Some(jti) } = expect else {
            return if *expect == Expect::Dead && body == INACTIVE { Ok(()) } else { judge(expect, body) };
        };
        let token = jti.as_ptr().addr();
        if self.right.get(&token).is_some_and(|right| **right == *body) {
            return Ok(());
        }
        judge(expect, body)?;
        if self.right.len() < REMEMBERED {
            self.right.insert(token, body.into());
        }
        Ok(())
    }

    pub fn template(&self) -> &Template {
        &self.template
    }
}

impl Card {
    /// Of a deck without cards, which `setup` does not make.
    fn empty() -> Self {
        Self { body: Bytes::from_static(b"token=-"), expect: Expect::Dead }
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    active: bool,
    #[serde(borrow, default)]
    jti: Option<std::borrow::Cow<'a, str>>,
}

pub fn judge(expect: &Expect, body: &[u8]) -> Result<(), Wrong> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| Wrong::Unreadable)?;
    match (expect, answer.active) {
        (Expect::Live { jti }, true) => check_same_token(jti.as_deref(), answer.jti.as_deref()),
        (Expect::Live { .. }, false) => Err(Wrong::LiveAnsweredInactive),
        (Expect::Dead | Expect::Issued | Expect::Status, true) => Err(Wrong::DeadAnsweredActive),
        (Expect::Dead | Expect::Issued | Expect::Status, false) => Ok(()),
    }
}

fn check_same_token(ours: Option<&str>, theirs: Option<&str>) -> Result<(), Wrong> {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) if ours != theirs => Err(Wrong::OtherToken),
        _ => Ok(()),
    }
}

/// The `jti` of a token that is a JWT.
pub fn find_jti(token: &str) -> Option<Arc<str>> {
    #[derive(Deserialize)]
    struct Claims {
        jti: Option<String>,
    }
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Claims = serde_json::from_slice(&payload).ok()?;
    claims.jti.map(Arc::from)
}

const INACTIVE: &[u8] = br#"{"active":false}"#;
const REMEMBERED: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn card(body: &'static [u8], expect: Expect) -> Card {
        Card { body: Bytes::from_static(body), expect }
    }

    #[test]
    fn kinds_are_drawn_by_weight() {
        let mut deck = Deck::default();
        deck.add(9, vec![card(b"live", Expect::Live { jti: None })]);
        deck.add(1, vec![card(b"dead", Expect::Dead)]);
        deck.add(5, vec![]);
        deck.add(0, vec![card(b"never", Expect::Dead)]);
        let mut rng = Rng::seeded(3, 0);
        let drawn: Vec<&Card> = (0..10_000).map(|_| deck.draw(&mut rng).unwrap()).collect();
        let dead = drawn.iter().filter(|c| c.expect == Expect::Dead).count();
        assert!((800..1200).contains(&dead), "{dead}");
        assert!(drawn.iter().all(|c| &c.body[..] != b"never"));
    }

    #[test]
    fn a_replaced_deck_is_drawn_from_at_once() {
        let deck = |body: &'static [u8]| {
            let mut deck = Deck::default();
            deck.add(1, vec![card(body, Expect::Dead)]);
            deck
        };
        let shared = Arc::new(SharedDeck::new(deck(b"old")));
        let template = Template::new(&http::Uri::from_static("https://a/i"), None);
        let mut introspect = Introspect::new(template, Arc::clone(&shared), Rng::seeded(1, 0));
        assert_eq!(introspect.aim().body, "old");
        shared.replace(deck(b"new"));
        assert_eq!(introspect.aim().body, "new");
    }

    #[test]
    fn only_the_very_answer_that_was_right_for_a_token_is_right_unread() {
        let template = Template::new(&http::Uri::from_static("https://a/i"), None);
        let mut introspect = Introspect::new(template, Arc::new(SharedDeck::new(Deck::default())), Rng::seeded(1, 0));
        let live = |jti: &str| Expect::Live { jti: Some(Arc::from(jti)) };
        let (a, b) = (live("a"), live("b"));
        let answer = br#"{"active":true,"jti":"a"}"#;
        assert_eq!(introspect.judge(&a, answer), Ok(()));
        assert_eq!(introspect.judge(&a, answer), Ok(()));
        assert_eq!(introspect.judge(&b, answer), Err(Wrong::OtherToken), "right for another");
        assert_eq!(introspect.judge(&a, br#"{"active":false}"#), Err(Wrong::LiveAnsweredInactive));
        assert_eq!(introspect.judge(&Expect::Dead, br#"{"active":false}"#), Ok(()));
        assert_eq!(introspect.judge(&Expect::Dead, answer), Err(Wrong::DeadAnsweredActive));
        assert_eq!(introspect.right.len(), 1);
    }

    #[test]
    fn an_answer_is_judged_by_what_the_token_is() {
        let live = |jti: Option<&str>| Expect::Live { jti: jti.map(Arc::from) };
        for (expect, body, verdict, why) in [
            (live(None), r#"{"active":true}"#, Ok(()), "live"),
            (live(Some("a")), r#"{"active":true,"jti":"a"}"#, Ok(()), "the same token"),
            (live(Some("a")), r#"{"active":true,"jti":"b"}"#, Err(Wrong::OtherToken), "another's answer"),
            (live(Some("a")), r#"{"active":true}"#, Ok(()), "jti is optional"),
            (live(None), r#"{"active":false}"#, Err(Wrong::LiveAnsweredInactive), "live answered inactive"),
            (Expect::Dead, r#"{"active":false}"#, Ok(()), "dead"),
            (Expect::Dead, r#"{"active":true}"#, Err(Wrong::DeadAnsweredActive), "revoked answered active"),
            (Expect::Dead, r#"{"active":"false"}"#, Err(Wrong::Unreadable), "not a boolean"),
            (Expect::Dead, "{}", Err(Wrong::Unreadable), "active is required"),
            (live(None), r#"{"active":true"#, Err(Wrong::Unreadable), "cut short"),
        ] {
            assert_eq!(judge(&expect, body.as_bytes()), verdict, "{why}");
        }
    }

    #[test]
    fn the_jti_is_found_in_jwts_only() {
        let token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(r#"{"jti":"x1"}"#));
        assert_eq!(find_jti(&token).as_deref(), Some("x1"));
        assert_eq!(find_jti("opaque"), None);
        assert_eq!(find_jti("a.b.c"), None);
    }
}
