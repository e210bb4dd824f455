//! Access tokens, RFC 9068: built here, signed by whoever holds the key, never stored.
//!
//! Issuing a machine token writes no row. The digest goes into the process's level 2, so that the
//! first introspection here costs a parse. A mark of this very second would kill the token at birth
//! ("dead if issued at or before"), so issuing waits that second out.

use crate::config::Jwt;
use crate::keyring::Keyring;
use sigid_core::ids::Kid;
use sigid_core::jwk::Alg;
use sigid_core::token::{self, Access, SubjectType};
use sigid_edge::backend::Backend;
use sigid_edge::fault::{self, OAuthError};
use sigid_edge::tables::{ClientEntry, KeyState, Tables};
use sigid_io::signer::SignFault;
use std::sync::Arc;
use std::time::Duration;

/// The longest a token waits for a mark's second to pass; a mark further ahead is refused.
const MARK_WAIT_S_MAX: i64 = 2;

/// What a token is to say; the rest follows from the client and the moment.
#[derive(Clone)]
pub struct Grant {
    pub sub: String,
    pub subject_type: SubjectType,
    /// Registered spellings; the token's audience.
    pub audiences: Vec<String>,
    pub scope: String,
    pub lifetime_s: i64,
}

/// A signed token and what the token response says of it.
pub struct Minted {
    pub token: String,
    pub expires_in_s: i64,
}

/// Builds and signs an access token.
///
/// # Errors
/// No usable signing key, or the client was revoked for longer than a moment ahead.
pub async fn access_token(
    backend: &Backend,
    client: &ClientEntry,
    grant: Grant,
    now_s: i64,
) -> Result<Minted, OAuthError> {
    let tables = backend.feed.tables();
    let mut access = Access {
        iss: tables.issuer.to_string(),
        sub: grant.sub,
        aud: grant.audiences,
        client_id: client.client_id.clone(),
        scope: grant.scope,
        iat_s: now_s,
        nbf_s: now_s,
        exp_s: now_s + grant.lifetime_s,
        jti: random_id(),
        tenant_id: client.tenant_id,
        subject_type: grant.subject_type,
        extra: serde_json::Map::new(),
    };
    wait_out_marks(backend, &tables, &mut access, grant.lifetime_s).await?;
    let token = sign(backend, &tables, &access).await?;
    let shared = &backend.shared;
    shared.verified.insert(shared.hasher.digest(token.as_bytes()), access.exp_s, access.iat_s);
    if let Some(keyring) = backend.settings.find::<Arc<Keyring>>() {
        keyring.issued.inc(access.subject_type);
    }
    Ok(Minted { token, expires_in_s: grant.lifetime_s })
}

/// Moves the token past the last mark that would kill it, waiting until that moment has come.
async fn wait_out_marks(
    backend: &Backend,
    tables: &Tables,
    access: &mut Access,
    lifetime_s: i64,
) -> Result<(), OAuthError> {
    let latest = access.mark_keys().iter().filter_map(|key| tables.find_mark(key)).max();
    let Some(latest_s) = latest.filter(|at_s| *at_s >= access.iat_s) else { return Ok(()) };
    if latest_s - access.iat_s > MARK_WAIT_S_MAX {
        return Err(fault::UNAVAILABLE);
    }
    let clock = &backend.shared.clock;
    while clock.now_s() <= latest_s {
        let left_ms = (latest_s + 1) * 1000 - clock.now_ms();
        tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).clamp(1, 1000))).await;
    }
    access.iat_s = latest_s + 1;
    access.nbf_s = access.iat_s;
    access.exp_s = access.iat_s + lifetime_s;
    Ok(())
}

/// Signs with the key that the tables name. When it is not held here, the tables and the private halves are of two
/// moments (a rotation or a revocation is just happening): both are read again, once.
async fn sign(backend: &Backend, tables: &Tables, access: &Access) -> Result<String, OAuthError> {
    match sign_by(backend, tables, access).await {
        Err(SignFault::UnknownKey) => {
            read_again(backend).await?;
            sign_by(backend, &backend.feed.tables(), access).await
        }
        signed => signed,
    }
    .map_err(|error| {
        tracing::error!(%error, "signing failed");
        // A key that is not there yet will be; anything else is our failure.
        if error == SignFault::UnknownKey { fault::UNAVAILABLE } else { fault::SERVER_ERROR }
    })
}

async fn sign_by(backend: &Backend, tables: &Tables, access: &Access) -> Result<String, SignFault> {
    let algorithm = backend.settings.find::<Jwt>().map_or(Alg::Es256, |jwt| jwt.default_algorithm);
    let kid = signing_key(tables, algorithm).ok_or(SignFault::UnknownKey)?;
    let input = token::signing_input(algorithm, &kid, access);
    let signature = backend.signer.sign(kid.as_str(), input.as_bytes()).await?;
    Ok(token::assemble(input, &signature))
}

async fn read_again(backend: &Backend) -> Result<(), OAuthError> {
    backend.feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
    let keyring = backend.settings.find::<Arc<Keyring>>().ok_or(fault::SERVER_ERROR)?;
    keyring.refresh(&backend.pools).await.map_err(|error| {
        tracing::error!(%error, "the signing keys could not be read");
        fault::UNAVAILABLE
    })
}

/// The key that signs: the one activated last, when several do.
fn signing_key(tables: &Tables, algorithm: Alg) -> Option<Kid> {
    let active = tables.keys().filter(|key| key.state == KeyState::Active && key.alg == algorithm);
    active.max_by_key(|key| (key.activated_s, key.kid.clone())).map(|key| key.kid.clone())
}

/// 128 random bits as base64url.
pub fn random_id() -> String {
    let bytes: [u8; 16] = sigid_io::rng::random();
    sigid_core::b64::encode(&bytes)
}
