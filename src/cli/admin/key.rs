//! `sigid admin key`.

use serde_json::{Value, json};
use sigid_core::jwk::Alg;
use sigid_io::pg::Scope;
use sigid_oidc::keys::{self, Done, Key, KeyRoom};

use super::context::Context;
use super::fault::Fault;
use super::print;

#[derive(clap::Subcommand)]
pub(super) enum Verb {
    /// List signing keys.
    List,
    /// Let the key published as next sign, and publish another.
    Rotate {
        /// ES256 or EdDSA; jwt.default_algorithm when left out.
        #[arg(long, value_parser = parse_alg)]
        alg: Option<Alg>,
        /// Although verifiers may not have fetched it yet.
        #[arg(long)]
        now: bool,
    },
    /// Declare a key compromised: nothing it signed is good any more.
    Revoke {
        #[arg(allow_hyphen_values = true)]
        kid: String,
    },
}

pub(super) async fn run(verb: Verb, context: &Context) -> Result<(), Fault> {
    match verb {
        Verb::List => {
            let keys = keys::load_all(context.pool(), Scope::System("admin")).await?;
            print_keys(context, &keys);
        }
        Verb::Rotate { alg, now } => {
            let root = context.root_key()?;
            let alg = alg.unwrap_or(context.config.jwt.default_algorithm);
            let room = KeyRoom::admin(context.pool(), &root, context.policy());
            print_done(context, &room.rotate(alg, now, context.act()).await?);
        }
        Verb::Revoke { kid } => {
            let root = context.root_key()?;
            let room = KeyRoom::admin(context.pool(), &root, context.policy());
            print_done(context, &room.revoke(&kid, context.act()).await?);
        }
    }
    Ok(())
}

fn parse_alg(text: &str) -> Result<Alg, &'static str> {
    text.parse().ok().filter(|alg| keys::ALGORITHMS.contains(alg)).ok_or("is ES256 or EdDSA")
}

fn print_keys(context: &Context, keys: &[Key]) {
    let row = |key: &Key| {
        [
            key.kid.to_string(),
            key.alg.to_string(),
            key.state.as_str().to_owned(),
            print::time(key.published_s),
            print::time_or_dash(key.activated_s),
            print::time_or_dash(key.retired_s.or(key.revoked_s)),
            print::time_or_dash(key.removed_s),
        ]
    };
    let headings = ["KID", "ALG", "STATE", "PUBLISHED", "ACTIVATED", "ENDED", "REMOVED"];
    context.print(
        || keys.iter().map(document).collect(),
        || print::table(headings, &keys.iter().map(row).collect::<Vec<_>>()),
    );
}

fn document(key: &Key) -> Value {
    json!({
        "kid": key.kid.as_str(),
        "alg": key.alg.as_str(),
        "state": key.state.as_str(),
        "published_at": key.published_s,
        "activated_at": key.activated_s,
        "retired_at": key.retired_s,
        "revoked_at": key.revoked_s,
        "removed_at": key.removed_s,
        "jwk": key.public_jwk,
    })
}

/// One line for each key that changed. Nothing changed: it was so already.
fn print_done(context: &Context, done: &[Done]) {
    let lines = || {
        let line = |done: &Done| format!("{:<13}  {}", done.event_type, done.kid);
        done.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    context.print(
        || done.iter().map(|done| json!({ "event": done.event_type, "kid": done.kid.as_str() })).collect(),
        || if done.is_empty() { "nothing to do".to_owned() } else { lines() },
    );
}
