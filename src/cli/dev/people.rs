//! The people of the demonstration.
//!
//! Two members of the demo tenant and an administrator. The demo person owns every standard claim (OpenID Connect Core
//! 1.0, section 5.1). Passwords are drawn here and remembered before the database sees a hash; an account that is there
//! is left as it is, so a password that somebody changed stays changed.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sigid_core::email::Address;
use sigid_core::ids::TenantId;
use sigid_core::secret::Secret;
use sigid_io::pg::Pool;
use sigid_io::rng;
use sigid_login::admin::{self, NewPerson, Who};
use sigid_platform::outbox::Act;
use std::fmt;

use super::fault::Fault;
use super::state::State;
use crate::cli::password::Hasher;
use crate::config::Config;

/// Whom `dev.json` calls `admin`.
pub const ADMIN: &str = "admin@example.com";
/// In the order of `dev.json`, the members of the demo tenant first.
pub const PEOPLE: [&str; 3] = ["demo@example.com", "second@example.com", ADMIN];

/// A person who was made here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub email: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("email", &self.email).finish_non_exhaustive()
    }
}

/// Draws the passwords that are not remembered yet. True when there are new ones to be saved.
pub fn draw_passwords(state: &mut State) -> bool {
    let mut drawn = false;
    for email in PEOPLE {
        if state.find_login(email).is_none() {
            state.people.push(Login { email: email.to_owned(), password: password() });
            drawn = true;
        }
    }
    drawn
}

/// Makes who is missing.
pub async fn ensure(pool: &Pool, config: &Config, state: &State, tenant: TenantId, act: Act<'_>) -> Result<(), Fault> {
    let mut hasher = None;
    for login in &state.people {
        let email = Address::parse(&login.email).map_err(refused)?;
        if admin::find(pool, &Who::Email(email.key.clone())).await.map_err(refused)?.is_some() {
            continue;
        }
        let hasher = match &hasher {
            Some(started) => started,
            None => hasher.insert(Hasher::start(config).map_err(refused)?),
        };
        let hash = hasher.hash(&Secret::new(login.password.clone()), &email).await.map_err(refused)?;
        let new = NewPerson {
            is_email_verified: true,
            claims: claims(&email.key),
            password_hash: Some(hash),
            tenant: (login.email != ADMIN).then_some(tenant),
            email,
        };
        match admin::create(pool, &new, act).await {
            Ok(_) | Err(admin::Fault::Exists) => {}
            Err(fault) => return Err(refused(fault)),
        }
    }
    Ok(())
}

/// Five groups of four letters and digits that cannot be taken for each other: about 100 bits, and it can be typed.
fn password() -> String {
    let symbols: Vec<char> = SYMBOLS.chars().collect();
    let drawn = rng::random::<20>();
    // 256 is a multiple of 32: every symbol is as likely.
    let letters = drawn.iter().filter_map(|byte| symbols.get(usize::from(*byte) % symbols.len()));
    let mut password = String::with_capacity(24);
    for (at, letter) in letters.enumerate() {
        if at > 0 && at.is_multiple_of(4) {
            password.push('-');
        }
        password.push(*letter);
    }
    password
}

fn claims(email_key: &str) -> Map<String, Value> {
    let claims = match email_key {
        "demo@example.com" => demo(),
        "second@example.com" => json!({ "name": "Second Person", "locale": "de" }),
        _ => json!({ "name": "Demo administrator" }),
    };
    match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    }
}

fn demo() -> Value {
    json!({
        "name": "Demo Maria Person",
        "given_name": "Demo",
        "middle_name": "Maria",
        "family_name": "Person",
        "nickname": "Demi",
        "preferred_username": "demo",
        "profile": "https://people.example.com/demo",
        "picture": "https://people.example.com/demo.png",
        "website": "https://demo.example.com/",
        "gender": "female",
        "birthdate": "1990-02-28",
        "zoneinfo": "Europe/Vienna",
        "locale": "en-GB",
        "phone_number": "+4315550100",
        "phone_number_verified": true,
        "address": {
            "formatted": "Example Street 1\n1010 Vienna\nAustria",
            "street_address": "Example Street 1",
            "locality": "Vienna",
            "region": "Vienna",
            "postal_code": "1010",
            "country": "AT",
        },
    })
}

fn refused(fault: impl fmt::Display) -> Fault {
    Fault::refused(format!("cannot make the demo people: {fault}"))
}

/// 32 of them: no 0 and O, no 1 and l.
const SYMBOLS: &str = "abcdefghijkmnpqrstuvwxyz23456789";

#[cfg(test)]
mod tests {
    use super::*;
    use sigid_login::claims as standard;

    #[test]
    fn passwords_are_drawn_once_and_can_be_typed() {
        let mut state = State::new("x".into());
        assert!(draw_passwords(&mut state));
        let first = state.people.clone();
        assert!(!draw_passwords(&mut state));
        assert_eq!(state.people, first);
        assert_eq!(first.len(), PEOPLE.len());
        for login in &first {
            assert_eq!(login.password.len(), 24, "{}", login.email);
            assert!(login.password.chars().all(|c| c == '-' || SYMBOLS.contains(c)), "{}", login.email);
            assert!(!format!("{login:?}").contains(&login.password), "a password is not printed");
        }
        assert_ne!(first[0].password, first[1].password);
        assert_eq!(SYMBOLS.len(), 32);
    }

    #[test]
    fn the_demo_person_owns_every_standard_claim() {
        let owned = claims("demo@example.com");
        for (name, _) in standard::CLAIMS {
            assert!(owned.contains_key(name), "{name}");
        }
        let address = owned[standard::ADDRESS].as_object().unwrap();
        for (name, _) in standard::MEMBERS {
            assert!(address.contains_key(name), "{name}");
        }
        for email in PEOPLE {
            assert_eq!(standard::normalize(&claims(email)), Ok(claims(email)), "{email}");
        }
    }
}
