//! Honest work on request, for load runs: `POST /bench/hash` here, `/bench/mint` in `sigid-oidc`, `/bench/clients` in
//! `sigid-tenant`.
//!
//! A load run must be able to saturate the hash pool, to have millions of live tokens and a hundred thousand clients,
//! and all of that must be the real thing: this is the pool that hashes passwords, the mint behind the token endpoint,
//! the registration behind the administrator's command. The three features are called `bench` and are mounted by
//! `--bench` alone, which production refuses; without it their paths are 404 like any other.
//!
//! Limits: [`FORM_BODY_BYTES_MAX`] for a body, the pool's own queue and deadline; a full queue and a passed deadline are
//! 503 with `Retry-After`.
//! Attacks considered: work for free (a client must authenticate, and one that holds no credential is refused); a
//! server that serves others with it (the flag is refused under `security.production`, and warned about).

use http::StatusCode;
use serde_json::json;
use sigid_core::form::Form;
use sigid_edge::backend::Call;
use sigid_edge::fault::{self, OAuthError};
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Client, Permit};
use sigid_edge::tables::{AuthMethod, ClientEntry};
use sigid_io::backend::BoxFuture;
use sigid_io::hash_pool::{Cost, HashFault, HashPool, Password, Spent};
use sigid_io::http::Reply;
use sigid_io::rng;
use sigid_io::settings::Plane;
use std::sync::Arc;

pub const FEATURE: Feature = Feature {
    name: "bench",
    section: None,
    routes: &[Route {
        methods: &["POST"],
        path: "/bench/hash",
        plane: Plane::Auth,
        serve: Serve::Cold(Guarded::Client(hash)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::None,
        doc: "One password hash on the real pool; only with --bench",
    }],
    jobs: &[],
    events: &[],
    discovery: &[],
};

/// The pool and what a hash costs; put into the settings at boot.
pub struct Hashing {
    pub pool: Arc<HashPool>,
    pub cost: Cost,
}

/// Why a bench route did not do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A client that holds no credential.
    PublicClient,
    /// A number that is missing, malformed, or out of bounds.
    Number,
    Hash(HashFault),
    /// Something of ours is not there.
    Missing,
    Said(OAuthError),
}

impl Fault {
    pub fn error(self) -> OAuthError {
        match self {
            Self::PublicClient => {
                OAuthError::new(400, "unauthorized_client", "The client must authenticate with a credential")
            }
            Self::Number => OAuthError::invalid_request("A number is missing, malformed or out of bounds"),
            Self::Hash(fault) if fault.is_busy() => {
                OAuthError::new(503, "temporarily_unavailable", "Too many passwords are being hashed")
            }
            Self::Hash(_) | Self::Missing => fault::SERVER_ERROR,
            Self::Said(error) => error,
        }
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        Self::Said(error)
    }
}

impl From<HashFault> for Fault {
    fn from(fault: HashFault) -> Self {
        Self::Hash(fault)
    }
}

/// Whoever asks for work must hold a credential.
///
/// # Errors
/// [`Fault::PublicClient`].
pub fn check_confidential(client: &ClientEntry) -> Result<(), Fault> {
    if client.auth_method == AuthMethod::None { Err(Fault::PublicClient) } else { Ok(()) }
}

/// A whole number of the form from `least` to `most`; `default` where it is not sent.
///
/// # Errors
/// [`Fault::Number`].
pub fn read_number(
    form: &Form<'_>,
    name: &str,
    default: Option<usize>,
    least: usize,
    most: usize,
) -> Result<usize, Fault> {
    let sent = form.find(name).map(str::parse).transpose().map_err(|_| Fault::Number)?;
    sent.or(default).filter(|number| (least..=most).contains(number)).ok_or(Fault::Number)
}

fn hash(call: Call, client: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match hash_once(&call, &client).await {
            Ok(spent) => {
                let body = json!({ "ms": rounded_ms(spent.worked_us), "queued_ms": rounded_ms(spent.queued_us) });
                Reply::no_store_json(StatusCode::OK, body.to_string())
            }
            Err(fault) => fault.error().reply(),
        }
    })
}

async fn hash_once(call: &Call, client: &Permit<Client>) -> Result<Spent, Fault> {
    check_confidential(client)?;
    let hashing = call.backend.settings.find::<Hashing>().ok_or(Fault::Missing)?;
    let password = Password::new(rng::random::<16>().to_vec());
    Ok(hashing.pool.hash(password, &rng::random::<16>(), hashing.cost).await?.spent)
}

fn rounded_ms(us: u64) -> u64 {
    (us + 500) / 1000
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_within_its_bounds() {
        for (reason, body, default, expected) in [
            ("sent", "count=7", None, Ok(7)),
            ("the least", "count=1", None, Ok(1)),
            ("the most", "count=10", None, Ok(10)),
            ("not sent, with a default", "x=1", Some(3), Ok(3)),
            ("not sent", "x=1", None, Err(Fault::Number)),
            ("too few", "count=0", None, Err(Fault::Number)),
            ("too many", "count=11", None, Err(Fault::Number)),
            ("negative", "count=-1", None, Err(Fault::Number)),
            ("no number", "count=many", Some(3), Err(Fault::Number)),
            ("past every integer", "count=99999999999999999999999", None, Err(Fault::Number)),
        ] {
            let form = Form::parse(body.as_bytes(), &[]).unwrap();
            assert_eq!(read_number(&form, "count", default, 1, 10), expected, "{reason}");
        }
    }

    #[test]
    fn only_a_busy_pool_asks_to_come_again() {
        for (fault, status) in [
            (HashFault::Full, 503),
            (HashFault::Late, 503),
            (HashFault::Closed, 503),
            (HashFault::BadCost, 500),
            (HashFault::BadInput, 500),
            (HashFault::Failed, 500),
        ] {
            assert_eq!(Fault::Hash(fault).error().status, status, "{fault}");
        }
    }
}
