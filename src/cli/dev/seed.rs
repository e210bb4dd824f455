//! The demonstration: one tenant, a client of each kind, and people ([`super::people`]).
//!
//! Identifiers and secrets are drawn here and remembered before the database sees them, so that a start that was
//! cut short goes on with the same ones. What is there already is left as it is: a developer who changed or disabled
//! a demo client finds it so.

use serde_json::{Map, Value, json};
use sigid_core::ids::{ClientId, TenantId};
use sigid_core::secret::Secret;
use sigid_io::pg::Pool;
use sigid_io::rng;
use sigid_platform::outbox::Act;
use sigid_tenant::clients::{self, Registration};
use sigid_tenant::tenants::{self, Slug};

use super::fault::Fault;
use super::people;
use super::state::{Credential, State};
use crate::config::Config;

pub const TENANT: &str = "demo";
/// What `service` may name as `resource`; the first is its default.
pub const RESOURCES: [&str; 2] = ["https://api.demo.example", "https://other.demo.example"];

/// A client of the demonstration.
pub struct Demo {
    pub name: &'static str,
    /// Its registration document (RFC 7591), and the members of it that `dev.json` shows.
    document: fn() -> Value,
    shown: &'static [&'static str],
}

impl Demo {
    /// In the order of `dev.json`.
    pub const ALL: [Self; 5] = [
        Self {
            name: "service",
            document: service,
            shown: &["token_endpoint_auth_method", "grant_types", "scope", "resource"],
        },
        Self { name: "resource-server", document: resource_server, shown: &["audience"] },
        Self {
            name: "web",
            document: web,
            shown: &["redirect_uris", "post_logout_redirect_uris", "grant_types", "scope", "resource"],
        },
        Self {
            name: "spa",
            document: spa,
            shown: &["token_endpoint_auth_method", "redirect_uris", "grant_types", "scope", "resource"],
        },
        Self { name: "app", document: app, shown: &["token_endpoint_auth_method", "redirect_uris"] },
    ];

    pub fn is_confidential(&self) -> bool {
        self.document().get("token_endpoint_auth_method").and_then(Value::as_str) != Some("none")
    }

    /// The members that `dev.json` shows; of several resources, the default.
    pub fn shown(&self) -> Map<String, Value> {
        let document = self.document();
        let member = |name: &&str| {
            let value = document.get(*name)?;
            let value = if *name == "resource" { value.get(0)? } else { value };
            Some(((*name).to_owned(), value.clone()))
        };
        self.shown.iter().filter_map(member).collect()
    }

    fn document(&self) -> Map<String, Value> {
        match (self.document)() {
            Value::Object(document) => document,
            _ => Map::new(),
        }
    }
}

/// Draws the credentials that are not remembered yet. True when there are new ones to be saved.
pub fn draw_credentials(state: &mut State) -> bool {
    let mut drawn = false;
    for demo in &Demo::ALL {
        if state.find_credential(demo.name).is_none() {
            let client_id = format!("demo-{}-{}", demo.name, hex(&rng::random::<6>()));
            let client_secret = demo.is_confidential().then(|| hex(&rng::random::<32>()));
            state.remember(Credential { name: demo.name.into(), client_id, client_secret });
            drawn = true;
        }
    }
    drawn
}

/// Unlike base64url it never begins with a hyphen, which on somebody's command line would be an option.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Makes what is missing.
pub async fn ensure(pool: &Pool, config: &Config, state: &State, now_s: i64) -> Result<(), Fault> {
    let act = Act { actor: "sigid dev", now_s };
    let slug: Slug = TENANT.parse().map_err(refused)?;
    let tenant = match tenants::load(pool, &slug).await {
        Err(tenants::Fault::Unknown) => tenants::ensure(pool, &slug, Some("Demo"), act).await.map_err(refused)?,
        found => found.map_err(refused)?,
    };
    for demo in &Demo::ALL {
        if let Some(credential) = state.find_credential(demo.name) {
            ensure_client(pool, tenant.tenant_id, demo, credential, act).await?;
        }
    }
    people::ensure(pool, config, state, tenant.tenant_id, act).await
}

async fn ensure_client(
    pool: &Pool,
    tenant: TenantId,
    demo: &Demo,
    credential: &Credential,
    act: Act<'_>,
) -> Result<(), Fault> {
    let client_id: ClientId = credential.client_id.parse().map_err(refused)?;
    match clients::load(pool, tenant, &client_id).await {
        Err(clients::Fault::Unknown) => {}
        found => return found.map(drop).map_err(refused),
    }
    let registration = Registration::check(&demo.document()).map_err(refused)?;
    let secret = credential.client_secret.clone().map(Secret::new);
    clients::ensure(pool, tenant, client_id, registration, secret, act).await.map(drop).map_err(refused)
}

fn refused(fault: impl std::fmt::Display) -> Fault {
    Fault::refused(format!("cannot make the demo tenant: {fault}"))
}

fn service() -> Value {
    json!({
        "client_name": "Demo service",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": ["client_credentials"],
        "scope": "demo:read demo:write",
        "resource": RESOURCES,
    })
}

fn resource_server() -> Value {
    json!({
        "client_name": "Demo API",
        "token_endpoint_auth_method": "client_secret_basic",
        "grant_types": [],
        "audience": ["https://api.demo.example"],
    })
}

fn web() -> Value {
    json!({
        "client_name": "Demo web application",
        "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": ["http://127.0.0.1:9090/callback"],
        "post_logout_redirect_uris": ["http://127.0.0.1:9090/"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email phone address offline_access demo:read",
        "resource": ["https://api.demo.example"],
    })
}

fn spa() -> Value {
    json!({
        "client_name": "Demo single-page application",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["http://127.0.0.1:9091/callback", "http://127.0.0.1:9090/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "scope": "openid profile email offline_access demo:read",
        "resource": ["https://api.demo.example"],
    })
}

/// An application on the developer's machine, behind a proxy that asks `/session/check`: on the issuer's own host, which
/// gets the cookie, at a port of its own (Caddy's and most others' for TLS in development).
fn app() -> Value {
    json!({
        "client_name": "Demo application behind a proxy",
        "token_endpoint_auth_method": "none",
        "redirect_uris": ["https://localhost:9443/callback"],
        "grant_types": ["authorization_code"],
        "scope": "openid email",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_demo_client_is_a_legal_registration() {
        for demo in &Demo::ALL {
            assert!(
                Registration::check(&demo.document()).is_ok(),
                "{}: {:?}",
                demo.name,
                Registration::check(&demo.document())
            );
        }
    }

    #[test]
    fn credentials_are_drawn_once() {
        let mut state = State::new("x".into());
        assert!(draw_credentials(&mut state));
        let first = state.credentials.clone();
        assert!(!draw_credentials(&mut state));
        assert_eq!(state.credentials, first);
        let secret = |name| state.find_credential(name).unwrap().client_secret.as_ref();
        assert_eq!(secret("service").map(String::len), Some(64));
        assert_eq!(secret("spa"), None);
    }
}
