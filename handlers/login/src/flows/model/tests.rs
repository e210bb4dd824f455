//! Every transition from every state, and what a session is worth under another policy than its own.

use super::*;

static PASSWORD: Method = Method { name: "password", amr: "pwd", factor: Factor::Knowledge, may_begin: true };
static PIN: Method = Method { name: "pin", amr: "pin", factor: Factor::Knowledge, may_begin: false };
static CODE: Method = Method { name: "code", amr: "otp", factor: Factor::Possession, may_begin: false };
static LINK: Method = Method { name: "link", amr: "otp", factor: Factor::Possession, may_begin: true };
static KEY: Method = Method { name: "key", amr: "mfa", factor: Factor::Both, may_begin: true };
static ALL: [&Method; 5] = [&PASSWORD, &PIN, &CODE, &LINK, &KEY];

const BEGAN_S: i64 = 100;

fn user() -> UserId {
    "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap()
}

fn tenant(last: char) -> TenantId {
    format!("018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2{last}").parse().unwrap()
}

fn by(method: &'static Method) -> Proof {
    Proof { method, authority: Authority::Account, at_s: BEGAN_S }
}

fn vouched(method: &'static Method, last: char) -> Proof {
    Proof { authority: Authority::Tenant(tenant(last)), ..by(method) }
}

fn at(method: &'static Method, at_s: i64) -> Proof {
    Proof { at_s, ..by(method) }
}

fn policy(acr_min: Acr) -> Policy {
    Policy { methods: ALL.to_vec(), acr_min, tenant: Some(tenant('c')) }
}

/// A login as it stands; the machine itself has a type for each.
#[derive(Debug, PartialEq, Eq)]
enum State {
    Identified,
    Further,
    Complete(Acr),
    Refused(StepFault),
}

/// Takes every proof as far as the machine goes: where it ends, and whether that holds the right to begin a session.
fn walk(policy: &Policy, proofs: &[Proof]) -> State {
    let login = Identified::new(user(), policy.clone());
    let Some((first, further)) = proofs.split_first() else { return State::Identified };
    let first = match login.prove(*first) {
        Ok(first) => first,
        Err(fault) => return State::Refused(fault),
    };
    let mut next = first.require();
    for proof in further {
        next = match next {
            Next::Further(wanted) => match wanted.satisfy(*proof) {
                Ok(next) => next,
                Err(fault) => return State::Refused(fault),
            },
            Next::Complete(_) => panic!("a complete login takes no proof; {proof:?}"),
        };
    }
    match next {
        Next::Further(_) => State::Further,
        Next::Complete(complete) => State::Complete(complete.acr()),
    }
}

#[test]
fn every_transition_from_every_state() {
    use StepFault::{Late, NotAllowed, NotFirst, Repeated};
    let (single, multi) = (policy(Acr::Single), policy(Acr::Multi));
    let few = Policy { methods: vec![&KEY], ..policy(Acr::Single) };
    let no_second = Policy { methods: vec![&PASSWORD], ..policy(Acr::Multi) };
    let closed = Policy { methods: Vec::new(), ..policy(Acr::Single) };
    let nobodys = Policy { tenant: None, ..policy(Acr::Single) };
    let end_s = BEGAN_S + FURTHER_S_MAX;
    let rows: &[(&str, &Policy, &[Proof], State)] = &[
        // Identified, by nothing.
        ("nothing is proven", &single, &[], State::Identified),
        // Identified -> FirstFactor -> Complete.
        ("one factor where one is asked", &single, &[by(&PASSWORD)], State::Complete(Acr::Single)),
        ("a method that is both where one is asked", &single, &[by(&KEY)], State::Complete(Acr::Multi)),
        ("a method that is both where two are asked", &multi, &[by(&KEY)], State::Complete(Acr::Multi)),
        ("the asking tenant's word", &single, &[vouched(&LINK, 'c')], State::Complete(Acr::Single)),
        // Identified -> FirstFactor -> FurtherRequirements.
        ("one factor where two are asked", &multi, &[by(&PASSWORD)], State::Further),
        ("the other kind first", &multi, &[by(&LINK)], State::Further),
        // Identified -> refused.
        ("a second factor without the first", &single, &[by(&CODE)], State::Refused(NotFirst)),
        ("the same where two are asked", &multi, &[by(&CODE)], State::Refused(NotFirst)),
        ("a method that is switched off", &few, &[by(&PASSWORD)], State::Refused(NotAllowed)),
        ("no method at all", &closed, &[by(&PASSWORD)], State::Refused(NotAllowed)),
        ("another tenant's word", &single, &[vouched(&LINK, 'd')], State::Refused(NotAllowed)),
        ("a tenant's word where none asked", &nobodys, &[vouched(&LINK, 'c')], State::Refused(NotAllowed)),
        // FurtherRequirements -> Complete.
        ("a factor of another kind", &multi, &[by(&PASSWORD), by(&CODE)], State::Complete(Acr::Multi)),
        ("the other way round", &multi, &[by(&LINK), by(&PIN)], State::Complete(Acr::Multi)),
        ("in the last second", &multi, &[by(&PASSWORD), at(&CODE, end_s)], State::Complete(Acr::Multi)),
        ("after one that did not do", &multi, &[by(&PASSWORD), by(&PIN), by(&CODE)], State::Complete(Acr::Multi)),
        ("vouched for by the tenant", &multi, &[by(&PASSWORD), vouched(&CODE, 'c')], State::Complete(Acr::Multi)),
        // FurtherRequirements -> FurtherRequirements.
        ("two of one kind are one", &multi, &[by(&PASSWORD), by(&PIN)], State::Further),
        ("two of the other kind too", &multi, &[by(&LINK), by(&CODE)], State::Further),
        // FurtherRequirements -> refused.
        ("the same again", &multi, &[by(&PASSWORD), by(&PASSWORD)], State::Refused(Repeated)),
        ("the same with another's word", &multi, &[by(&LINK), vouched(&LINK, 'c')], State::Refused(Repeated)),
        ("a second too late", &multi, &[by(&PASSWORD), at(&CODE, end_s + 1)], State::Refused(Late)),
        ("late after a timely one", &multi, &[by(&PASSWORD), by(&PIN), at(&CODE, end_s + 1)], State::Refused(Late)),
        ("another authority's", &multi, &[by(&PASSWORD), vouched(&CODE, 'd')], State::Refused(NotAllowed)),
        ("a second factor that is off", &no_second, &[by(&PASSWORD), by(&CODE)], State::Refused(NotAllowed)),
    ];
    for (reason, policy, proofs, expected) in rows {
        assert_eq!(walk(policy, proofs), *expected, "{reason}");
    }
}

#[test]
fn what_was_proven_is_told_to_the_session() {
    let login = Identified::new(user(), policy(Acr::Multi));
    let Next::Further(wanted) = login.prove(by(&PASSWORD)).unwrap().require() else { panic!("one was enough") };
    let Next::Complete(complete) = wanted.satisfy(vouched(&CODE, 'c')).unwrap() else { panic!("two were not enough") };
    assert_eq!(complete.user_id(), user());
    let authentications = complete.authentications();
    assert_eq!(
        authentications,
        json!([
            { "method": "pwd", "name": "password", "authority": "account", "at": 100 },
            { "method": "otp", "name": "code", "authority": tenant('c').to_string(), "at": 100 },
        ])
    );
    assert_eq!(worth(&authentications, &ALL, &policy(Acr::Multi)), Some(Acr::Multi), "its own policy takes it");
}

#[test]
fn a_policy_is_closed_when_no_login_can_begin() {
    for (reason, methods, is_closed) in [
        ("one that may begin", vec![&PASSWORD], false),
        ("none", vec![], true),
        ("only a second factor", vec![&CODE], true),
        ("a second factor and a first", vec![&CODE, &LINK], false),
    ] {
        assert_eq!(Policy { methods, ..policy(Acr::Single) }.is_closed(), is_closed, "{reason}");
    }
}

#[test]
fn a_session_is_worth_what_counts_under_the_policy() {
    let row = |proofs: &[Proof]| proofs.iter().map(told).collect::<Value>();
    let single = policy(Acr::Single);
    let passwords = Policy { methods: vec![&PASSWORD], ..policy(Acr::Single) };
    let links = Policy { methods: vec![&LINK], ..policy(Acr::Single) };
    let seconds = Policy { methods: vec![&CODE], ..policy(Acr::Single) };
    let closed = Policy { methods: Vec::new(), ..policy(Acr::Single) };
    let old = json!([{ "method": "pwd", "authority": "account", "at": 1 }]);
    let nameless = |member: &str| {
        let mut row = told(&by(&PASSWORD));
        row.as_object_mut().unwrap().remove(member);
        json!([row])
    };
    for (reason, session, policy, expected) in [
        ("the account's word", row(&[by(&PASSWORD)]), &single, Some(Acr::Single)),
        ("the tenant's own", row(&[vouched(&LINK, 'c')]), &single, Some(Acr::Single)),
        ("another tenant's", row(&[vouched(&LINK, 'd')]), &single, None),
        ("another's and the account's", row(&[vouched(&LINK, 'd'), by(&PASSWORD)]), &single, Some(Acr::Single)),
        ("a method that is off", row(&[by(&PASSWORD)]), &links, None),
        ("one that is off beside one that is on", row(&[by(&PASSWORD), by(&LINK)]), &links, Some(Acr::Single)),
        ("both are on", row(&[by(&PASSWORD), by(&LINK)]), &single, Some(Acr::Multi)),
        ("a second factor alone", row(&[by(&PASSWORD), by(&CODE)]), &seconds, None),
        ("a closed tenant", row(&[by(&PASSWORD)]), &closed, None),
        ("more is asked", row(&[by(&PASSWORD)]), &policy(Acr::Multi), None),
        (
            "two factors, one of another tenant's",
            row(&[by(&PASSWORD), vouched(&CODE, 'd')]),
            &single,
            Some(Acr::Single),
        ),
        ("an old row has no name", old, &passwords, Some(Acr::Single)),
        (
            "a name that nobody has",
            json!([{ "name": "x", "method": "pwd", "authority": "account", "at": 1 }]),
            &single,
            None,
        ),
        ("no authority", nameless("authority"), &single, None),
        ("no time", nameless("at"), &single, None),
        ("nobody's", json!([]), &single, None),
        ("nonsense", json!({ "authority": "account" }), &single, None),
    ] {
        assert_eq!(worth(&session, &ALL, policy), expected, "{reason}");
    }
}
