//! What is to be done about the signing keys: pure decisions from the rows, the time and the policy.
//!
//! Each decision is a list of [`Step`]s; [`super::KeyRoom`] carries them out in one transaction. A list may
//! be empty: there is nothing to do. Times are Unix seconds.

use sigid_core::ids::Kid;
use sigid_core::jwk::Alg;
pub use sigid_edge::tables::KeyState;

/// How long a key is published before it signs, so that every cached JWKS has it by then: a day.
pub const LEAD_S: i64 = 86_400;
/// The least that tokens are taken to live when a key's removal is reckoned: the longest access token that any
/// configuration may issue. Lifetimes that are lowered later must not cut short what was issued before.
pub const TOKEN_LIFE_MIN_S: i64 = 86_400;
/// How long a retired key stays published past the longest token life.
pub const REMOVAL_MARGIN_S: i64 = 3_600;
/// How long the private half of a retired key is kept: a node that has not heard yet may still sign.
pub const DESTROY_AFTER_S: i64 = 3_600;

/// A signing key without its private half.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub kid: Kid,
    pub alg: Alg,
    pub public_jwk: serde_json::Value,
    pub state: KeyState,
    pub published_s: i64,
    pub activated_s: Option<i64>,
    pub retired_s: Option<i64>,
    /// When it leaves the JWKS and the table.
    pub removed_s: Option<i64>,
    pub revoked_s: Option<i64>,
    /// The fingerprint of the root key that sealed the private half.
    pub sealed_by: Option<String>,
}

impl Key {
    /// From when it may sign.
    pub fn ripe_s(&self) -> i64 {
        self.published_s.saturating_add(LEAD_S)
    }

    /// Another root key than that of this fingerprint sealed the half that signs, or will.
    pub fn is_foreign(&self, fingerprint: &str) -> bool {
        let is_needed = matches!(self.state, KeyState::Next | KeyState::Active);
        is_needed && self.sealed_by.as_deref().is_some_and(|sealed_by| sealed_by != fingerprint)
    }

    fn is(&self, alg: Alg, state: KeyState) -> bool {
        self.alg == alg && self.state == state
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long a key signs.
    pub rotation_s: i64,
    /// The longest life of anything that a key signs.
    pub token_life_max_s: i64,
}

impl Policy {
    /// When a key that stops signing now may be forgotten.
    pub fn removed_s(&self, now_s: i64) -> i64 {
        now_s.saturating_add(self.token_life_max_s.max(TOKEN_LIFE_MIN_S)).saturating_add(REMOVAL_MARGIN_S)
    }
}

/// One change to one key. The state it leaves is part of the step: the statement demands it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A new key, in state `next` or `active`.
    Generate { alg: Alg, state: KeyState },
    /// `next` becomes `active`.
    Activate(Kid),
    /// `active` becomes `retired`.
    Retire { kid: Kid, removed_s: i64 },
    /// Any living state becomes `revoked`; the private half is destroyed.
    Revoke { kid: Kid, removed_s: i64 },
    /// The row goes.
    Delete(Kid),
}

/// Why the administrator's wish is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    UnknownKid,
    /// No key of the algorithm is published as next.
    NothingPublished,
    /// The next key may sign from this second on.
    TooYoung {
        ripe_s: i64,
    },
}

/// One key that signs and one that will, for the algorithm.
///
/// A first key signs at once: nobody has cached a JWKS without it.
pub fn ensure(keys: &[Key], alg: Alg) -> Vec<Step> {
    let next = find_next(keys, alg);
    let signs = keys.iter().any(|key| key.is(alg, KeyState::Active));
    let mut steps = Vec::new();
    match (signs, next) {
        (true, Some(_)) => return steps,
        (true, None) => {}
        (false, Some(next)) => steps.push(Step::Activate(next.kid.clone())),
        (false, None) => steps.push(Step::Generate { alg, state: KeyState::Active }),
    }
    steps.push(Step::Generate { alg, state: KeyState::Next });
    steps
}

/// What the job does about an algorithm: [`ensure`], and the rotation when it is due and the next key ripe.
pub fn rotate_due(keys: &[Key], alg: Alg, now_s: i64, policy: &Policy) -> Vec<Step> {
    let missing = ensure(keys, alg);
    if !missing.is_empty() {
        return missing;
    }
    let newest_s = keys
        .iter()
        .filter(|key| key.is(alg, KeyState::Active))
        .filter_map(|key| key.activated_s)
        .max()
        .unwrap_or(i64::MIN);
    match find_next(keys, alg) {
        Some(next) if newest_s.saturating_add(policy.rotation_s) <= now_s && next.ripe_s() <= now_s => {
            promote(keys, next, now_s, policy)
        }
        _ => vec![],
    }
}

/// What an administrator asks for: the next key signs from now on. `at_once` waives the lead time.
pub fn rotate(keys: &[Key], alg: Alg, now_s: i64, policy: &Policy, at_once: bool) -> Result<Vec<Step>, Refusal> {
    let next = find_next(keys, alg).ok_or(Refusal::NothingPublished)?;
    if !at_once && next.ripe_s() > now_s {
        return Err(Refusal::TooYoung { ripe_s: next.ripe_s() });
    }
    Ok(promote(keys, next, now_s, policy))
}

/// A compromised key: dead now, and replaced now if nothing else of its algorithm signs.
pub fn revoke(keys: &[Key], kid: &str, now_s: i64, policy: &Policy) -> Result<Vec<Step>, Refusal> {
    let key = keys.iter().find(|key| key.kid.as_str() == kid).ok_or(Refusal::UnknownKid)?;
    if key.state == KeyState::Revoked {
        return Ok(vec![]);
    }
    let mut steps = vec![Step::Revoke { kid: key.kid.clone(), removed_s: policy.removed_s(now_s) }];
    if matches!(key.state, KeyState::Active | KeyState::Next) {
        let others: Vec<Key> = keys.iter().filter(|other| other.kid != key.kid).cloned().collect();
        steps.extend(ensure(&others, key.alg));
    }
    Ok(steps)
}

/// Keys that nothing living can name any more.
pub fn forget(keys: &[Key], now_s: i64) -> Vec<Step> {
    let gone = |key: &&Key| {
        matches!(key.state, KeyState::Retired | KeyState::Revoked)
            && key.removed_s.is_some_and(|removed_s| removed_s <= now_s)
    };
    keys.iter().filter(gone).map(|key| Step::Delete(key.kid.clone())).collect()
}

/// The next key signs, those that did retire, another is published.
fn promote(keys: &[Key], next: &Key, now_s: i64, policy: &Policy) -> Vec<Step> {
    let mut steps = vec![Step::Activate(next.kid.clone())];
    for key in keys.iter().filter(|key| key.is(next.alg, KeyState::Active)) {
        steps.push(Step::Retire { kid: key.kid.clone(), removed_s: policy.removed_s(now_s) });
    }
    steps.push(Step::Generate { alg: next.alg, state: KeyState::Next });
    steps
}

fn find_next(keys: &[Key], alg: Alg) -> Option<&Key> {
    keys.iter().find(|key| key.is(alg, KeyState::Next))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use KeyState::{Active, Next, Retired, Revoked};

    const DAY_S: i64 = 86_400;
    const POLICY: Policy = Policy { rotation_s: 30 * DAY_S, token_life_max_s: 900 };

    fn kid(text: &str) -> Kid {
        Kid::parse(text).unwrap()
    }

    /// A key since `day`: published, activated or retired then, as its state says.
    fn key(name: &str, state: KeyState, day: i64) -> Key {
        let at_s = Some(day * DAY_S);
        let over = matches!(state, Retired | Revoked);
        Key {
            kid: kid(name),
            alg: Alg::Es256,
            public_jwk: serde_json::Value::Null,
            state,
            published_s: day * DAY_S,
            activated_s: at_s.filter(|_| state == Active),
            retired_s: at_s.filter(|_| state == Retired),
            removed_s: at_s.filter(|_| over).map(|at_s| POLICY.removed_s(at_s)),
            revoked_s: at_s.filter(|_| state == Revoked),
            sealed_by: Some("here".to_owned()),
        }
    }

    fn generate(state: KeyState) -> Step {
        Step::Generate { alg: Alg::Es256, state }
    }

    fn activate(name: &str) -> Step {
        Step::Activate(kid(name))
    }

    fn retire(name: &str, day: i64) -> Step {
        Step::Retire { kid: kid(name), removed_s: day * DAY_S + DAY_S + 3600 }
    }

    fn revoked(name: &str, day: i64) -> Step {
        Step::Revoke { kid: kid(name), removed_s: day * DAY_S + DAY_S + 3600 }
    }

    #[test]
    fn there_is_always_one_that_signs_and_one_to_come() {
        let rows = [
            (vec![], vec![generate(Active), generate(Next)], "first start"),
            (vec![key("a", Active, 0)], vec![generate(Next)], "the next one is missing"),
            (vec![key("a", Active, 0), key("b", Next, 0)], vec![], "all there"),
            (vec![key("b", Next, 0)], vec![activate("b"), generate(Next)], "none signs"),
            (
                vec![key("a", Retired, 0), key("b", Revoked, 0)],
                vec![generate(Active), generate(Next)],
                "the dead do not count",
            ),
        ];
        for (keys, steps, why) in rows {
            assert_eq!(ensure(&keys, Alg::Es256), steps, "{why}");
        }
        let other = [key("a", Active, 0), key("b", Next, 0)];
        assert_eq!(ensure(&other, Alg::EdDsa).len(), 2, "another algorithm's keys do not count");
    }

    #[test]
    fn the_job_rotates_when_due_and_ripe() {
        let rows = [
            (vec![key("a", Active, 0), key("b", Next, 0)], 29, vec![], "a day early"),
            (
                vec![key("a", Active, 0), key("b", Next, 0)],
                30,
                vec![activate("b"), retire("a", 30), generate(Next)],
                "due",
            ),
            (vec![key("a", Active, 0), key("b", Next, 30)], 30, vec![], "due, but the next key is too young"),
            (
                vec![key("a", Active, 0), key("b", Next, 30)],
                31,
                vec![activate("b"), retire("a", 31), generate(Next)],
                "due, and the next key has just become ripe",
            ),
            (vec![key("a", Active, 0), key("c", Active, 20), key("b", Next, 0)], 40, vec![], "the newest counts"),
            (
                vec![key("a", Active, 0), key("c", Active, 10), key("b", Next, 0)],
                40,
                vec![activate("b"), retire("a", 40), retire("c", 40), generate(Next)],
                "all that sign retire",
            ),
            (vec![key("a", Active, 0)], 90, vec![generate(Next)], "nothing to promote: publish first"),
            (vec![], 0, vec![generate(Active), generate(Next)], "an empty table"),
        ];
        for (keys, day, steps, why) in rows {
            assert_eq!(rotate_due(&keys, Alg::Es256, day * DAY_S, &POLICY), steps, "{why}");
        }
    }

    #[test]
    fn an_administrator_waits_for_the_lead_time_or_waives_it() {
        let keys = [key("a", Active, 0), key("b", Next, 1)];
        let promoted = |day| vec![activate("b"), retire("a", day), generate(Next)];
        let young = Refusal::TooYoung { ripe_s: 2 * DAY_S };
        assert_eq!(rotate(&keys, Alg::Es256, DAY_S, &POLICY, false), Err(young), "too young");
        assert_eq!(rotate(&keys, Alg::Es256, DAY_S, &POLICY, true), Ok(promoted(1)), "too young, waived");
        assert_eq!(rotate(&keys, Alg::Es256, 2 * DAY_S, &POLICY, false), Ok(promoted(2)), "ripe");
        assert_eq!(
            rotate(&keys, Alg::EdDsa, 2 * DAY_S, &POLICY, true),
            Err(Refusal::NothingPublished),
            "an algorithm without keys"
        );
    }

    #[test]
    fn a_compromised_key_is_replaced_at_once() {
        let rows = [
            (
                vec![key("a", Active, 0), key("b", Next, 5)],
                "a",
                Ok(vec![revoked("a", 5), activate("b"), generate(Next)]),
                "the next one signs, ripe or not",
            ),
            (
                vec![key("a", Active, 0)],
                "a",
                Ok(vec![revoked("a", 5), generate(Active), generate(Next)]),
                "nothing to promote",
            ),
            (
                vec![key("a", Active, 0), key("c", Active, 0), key("b", Next, 0)],
                "a",
                Ok(vec![revoked("a", 5)]),
                "another one signs",
            ),
            (
                vec![key("a", Active, 0), key("b", Next, 5)],
                "b",
                Ok(vec![revoked("b", 5), generate(Next)]),
                "the next key itself",
            ),
            (vec![key("a", Retired, 0)], "a", Ok(vec![revoked("a", 5)]), "a retired key"),
            (vec![key("a", Revoked, 0)], "a", Ok(vec![]), "twice"),
            (vec![key("a", Active, 0)], "x", Err(Refusal::UnknownKid), "unknown"),
        ];
        for (keys, name, steps, why) in rows {
            assert_eq!(revoke(&keys, name, 5 * DAY_S, &POLICY), steps, "{why}");
        }
    }

    #[test]
    fn the_dead_are_forgotten_past_the_longest_token() {
        let keys = [key("a", Active, 0), key("b", Next, 0), key("c", Retired, 0), key("d", Revoked, 0)];
        assert_eq!(forget(&keys, DAY_S + 3600 - 1), vec![], "a second early");
        let both = vec![Step::Delete(kid("c")), Step::Delete(kid("d"))];
        assert_eq!(forget(&keys, DAY_S + 3600), both, "on time");
    }

    #[test]
    fn lowered_lifetimes_do_not_hasten_a_removal() {
        let removed_s = |token_life_max_s| Policy { token_life_max_s, ..POLICY }.removed_s(0);
        assert_eq!(removed_s(1), removed_s(DAY_S), "tokens of the longer lifetime may still be alive");
        assert_eq!(removed_s(2 * DAY_S), 2 * DAY_S + 3600, "a longer life counts");
    }

    #[test]
    fn a_key_of_another_root_key_is_foreign_while_it_is_needed() {
        let rows = [(Next, true), (Active, true), (Retired, false), (Revoked, false)];
        for (state, is_foreign) in rows {
            assert_eq!(key("a", state, 0).is_foreign("there"), is_foreign, "{state:?}");
            assert!(!key("a", state, 0).is_foreign("here"), "{state:?}");
        }
        let unsaid = Key { sealed_by: None, ..key("a", Active, 0) };
        assert!(!unsaid.is_foreign("here"), "nobody knows");
    }
}
