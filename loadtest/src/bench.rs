//! The routes of `sigid dev --bench`, by which a run gets what an honest client cannot get fast enough: a million live
//! tokens, ten thousand clients, and Argon2 work on the hash pool that logins use. Other servers have none of this.

use std::time::Duration;

use http::{HeaderValue, Uri};
use serde::Deserialize;

use crate::args::{AuthMethod, Credentials, Settings};
use crate::auth;
use crate::client::Session;
use crate::fault::Fault;
use crate::issuer::{check_ok, resolve};
use crate::progress::say;

pub struct Bench {
    session: Session,
    target: Uri,
    client: Credentials,
    method: AuthMethod,
    authorization: Option<HeaderValue>,
}

impl Bench {
    /// None where the target has no such routes.
    pub async fn find(settings: &Settings) -> Result<Option<Self>, Fault> {
        let (session, _) = Session::open(&resolve(&settings.target, settings).await?, DEADLINE).await?;
        let bench = Self {
            session,
            target: settings.target.clone(),
            client: settings.client.clone(),
            method: settings.auth,
            authorization: auth::authorization(&settings.client, settings.auth)?,
        };
        let uri = bench.uri(MINT)?;
        let answer =
            bench.session.post_form(&uri, bench.authorization.as_ref(), bench.form(&[("count", "1"), ("sample", "1")]));
        match answer.await?.status.as_u16() {
            200 => Ok(Some(bench)),
            404 | 405 => Ok(None),
            status => Err(Fault::Refused(format!("{MINT} answered {status}"))),
        }
    }

    /// Adds `count` live tokens to what the target knows; gives back one of each call, which proves them.
    pub async fn mint(&self, count: u64) -> Result<Vec<String>, Fault> {
        let uri = self.uri(MINT)?;
        let mut tokens = Vec::new();
        let mut left = count;
        while left > 0 {
            let now = left.min(MINTED_AT_ONCE);
            let body = self.form(&[("count", &now.to_string()), ("sample", "1")]);
            let minted: Minted = self.call(&uri, body).await?;
            if minted.minted != now {
                return Err(Fault::Refused(format!("{MINT} minted {} of {now}", minted.minted)));
            }
            tokens.extend(minted.tokens);
            left -= now;
            if (count - left) % TOLD_EVERY < now {
                say(&format!("minted {} of {count} tokens", count - left));
            }
        }
        Ok(tokens)
    }

    pub async fn create_clients(&self, count: u64) -> Result<(), Fault> {
        let uri = self.uri(CLIENTS)?;
        let mut left = count;
        while left > 0 {
            let now = left.min(CLIENTS_AT_ONCE);
            let created: Created = self.call(&uri, self.form(&[("count", &now.to_string())])).await?;
            if created.created != now {
                return Err(Fault::Refused(format!("{CLIENTS} created {} of {now}", created.created)));
            }
            left -= now;
        }
        Ok(())
    }

    /// What one login costs: address, header and body of the request.
    pub fn hash(&self) -> Result<(Uri, Option<HeaderValue>, String), Fault> {
        Ok((self.uri(HASH)?, self.authorization.clone(), self.form(&[("work", "1")])))
    }

    async fn call<T: for<'de> Deserialize<'de>>(&self, uri: &Uri, body: String) -> Result<T, Fault> {
        let answer = self.session.post_form(uri, self.authorization.as_ref(), body).await?;
        check_ok(uri, &answer)?;
        serde_json::from_slice(&answer.body).map_err(|e| Fault::Refused(format!("{}: {e}", uri.path())))
    }

    fn form(&self, pairs: &[(&str, &str)]) -> String {
        auth::form(pairs, &self.client, self.method)
    }

    fn uri(&self, path: &str) -> Result<Uri, Fault> {
        let mut parts = self.target.clone().into_parts();
        parts.path_and_query = Some(path.parse().map_err(|e| Fault::local("path", e))?);
        Uri::from_parts(parts).map_err(|e| Fault::local("URL of the target", e))
    }
}

#[derive(Deserialize)]
struct Minted {
    minted: u64,
    tokens: Vec<String>,
}

#[derive(Deserialize)]
struct Created {
    created: u64,
}

/// Why a scenario that needs these routes is skipped elsewhere.
pub const ABSENT: &str = "the target has no /bench routes; they are SigID's own, and served with --bench only";
const MINT: &str = "/bench/mint";
const CLIENTS: &str = "/bench/clients";
const HASH: &str = "/bench/hash";
const DEADLINE: Duration = Duration::from_mins(2);
const MINTED_AT_ONCE: u64 = 20_000;
const CLIENTS_AT_ONCE: u64 = 5_000;
const TOLD_EVERY: u64 = 200_000;
