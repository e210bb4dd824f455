//! Sessions at SigID's own pages, and the cookie that names one.
//!
//! ```text
//! (sign-in) -> alive -> ended: by sign-out, by its owner elsewhere, by a new password, by an administrator,
//!                        by the limit of sessions a person, by a new sign-in in the same browser
//!              alive -> over: idle too long, or too old
//! ```
//!
//! `__Host-sigid` is `<id>.<opaque value>`. The id is a UUID of version 7 and finds the row's partition; the value
//! proves possession, and only its digest is stored. A sign-in always makes both anew, so a cookie that was planted
//! before it is worth nothing after. The cookie opens SigID's pages and nothing else: applications get edge cookies of
//! their own.
//!
//! A session that ends takes along what was handed to applications in it: `auth.session_clients` remembers to whom,
//! and one mark for each tenant kills it everywhere ([`crate::accounts::mark_sessions`]).
//!
//! Last-seen times are kept in memory and written in one statement now and then: never a write for a request.
//!
//! Whoever signs in from a device that the account does not know is told of to its owner ([`notice`]).
//!
//! Limits: [`config::SessionCookie`]; [`SEEN_MAX`] sessions are remembered between two writes, more wait for their next
//! request. Attacks considered: fixation (above), theft (binding, where it is switched on), a digest found in a dump
//! (no cookie can be made of it), another row's id with one's own value (the digest is compared in the row).

pub mod config;
pub mod notice;
mod place;
pub(crate) mod sql;

pub use place::network;

use crate::accounts::{self, UserState};
use crate::keys::Keys;
use config::{Binding, SESSION_LIFETIME_S_MAX, SessionCookie};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use sigid_core::ids::{ClientId, SessionId, TenantId, UserId};
use sigid_core::opaque::Purpose;
use sigid_core::secret::Digest32;
use sigid_edge::backend::{Backend, BackendFault, Call};
use sigid_edge::feature::{Feature, Job, JobFault};
use sigid_edge::session::{Session, find_cookie};
use sigid_io::backend::BoxFuture;
use sigid_io::pg::{PgFault, Scope, Tx};
use sigid_io::rng;
use sigid_io::settings::Plane;
use sigid_platform::outbox::Change;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use uuid::{Builder, Uuid};

pub const COOKIE: &str = "__Host-sigid";
/// Sessions whose last-seen time waits to be written.
pub const SEEN_MAX: usize = 65_536;
/// Sessions that a person is shown.
pub const LISTED_MAX: i64 = 100;
/// How often last-seen times are written.
const SEEN_EVERY_S: u64 = 30;
/// What is kept of a User-Agent.
const USER_AGENT_BYTES_MAX: usize = 512;

pub const FEATURE: Feature = Feature {
    name: "sessions",
    section: Some("session_cookie"),
    routes: &[],
    jobs: &[Job { name: "session-seen", plane: Plane::Auth, every_s: SEEN_EVERY_S, run: write_seen }],
    events: &[],
    discovery: &[],
};

/// What the process knows of sessions beside the database.
pub struct Sessions {
    pub settings: SessionCookie,
    seen: Mutex<HashMap<SessionId, i64>>,
}

impl Sessions {
    pub fn new(settings: SessionCookie) -> Self {
        Self { settings, seen: Mutex::default() }
    }

    /// When it was last seen, as far as the database has not been told.
    fn seen_s(&self, session: SessionId) -> Option<i64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&session).copied()
    }

    fn see(&self, session: SessionId, now_s: i64) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < SEEN_MAX || seen.contains_key(&session) {
            seen.insert(session, now_s);
        }
    }
}

/// A session's row.
pub(crate) struct Stored {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub authentications: Value,
    pub acr: String,
    pub seen_s: i64,
    pub expires_s: i64,
    pub user_agent: String,
    pub address: String,
    pub binding: Option<Digest32>,
}

/// A session as its owner sees it in the list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub session_id: SessionId,
    pub authentications: Value,
    pub seen_s: i64,
    pub user_agent: String,
    pub address: String,
}

impl Listed {
    pub fn created_s(&self) -> i64 {
        created_s(self.session_id)
    }
}

/// What a sign-in ends in: the cookie to be set, and the session it names.
pub struct Started {
    pub cookie: HeaderValue,
    pub session: Session,
}

/// Begins a session for a person who has authenticated. `authentications` says how, each with its authority and time:
/// `[{"method":"pwd","authority":"account","at":1700000000}]`.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn start(
    change: &mut Change<'_>,
    call: &Call,
    user: UserId,
    authentications: Value,
    acr: &str,
) -> Result<Started, PgFault> {
    let (sessions, keys) = parts(&call.backend)?;
    let settings = &sessions.settings;
    let now_ms = u64::try_from(call.backend.shared.clock.now_ms()).unwrap_or(0);
    let session_id = SessionId::from_uuid(Builder::from_unix_timestamp_millis(now_ms, &rng::random()).into_uuid());
    let value = keys.opaque.mint(Purpose::SessionCookie, rng::random());
    let user_agent = user_agent(&call.request.headers);
    let stored = Stored {
        session_id,
        user_id: user,
        authentications,
        acr: acr.to_owned(),
        seen_s: call.now_s,
        expires_s: call.now_s.saturating_add(settings.absolute_lifetime_s),
        binding: binding(settings.binding, call.address, &user_agent),
        user_agent,
        address: call.address.to_string(),
    };
    sql::insert(change.tx(), &stored, &Digest32::of(value.expose().as_bytes())).await?;
    end_surplus(change, sessions, keys, user).await?;
    let cookie = format!("{}={}.{}", COOKIE, session_id.as_uuid().as_simple(), value.expose());
    Ok(Started { cookie: set_cookie(cookie, settings.absolute_lifetime_s)?, session: shown(stored) })
}

/// The oldest sessions over the limit end.
async fn end_surplus(change: &mut Change<'_>, sessions: &Sessions, keys: &Keys, user: UserId) -> Result<(), PgFault> {
    let now_s = change.now_s();
    let after_s = now_s.saturating_sub(sessions.settings.absolute_lifetime_s);
    let alive = sql::list(change.tx(), user, after_s, now_s, SURPLUS_SEEN).await?;
    for surplus in alive.iter().skip(sessions.settings.sessions_per_user_max) {
        end(change, keys, user, surplus.session_id).await?;
    }
    Ok(())
}

/// Ends one session of the person, with what was handed out in it; false when it is not theirs or over already.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn end(change: &mut Change<'_>, keys: &Keys, user: UserId, session: SessionId) -> Result<bool, PgFault> {
    let now_s = change.now_s();
    if !sql::end(change.tx(), user, session, now_s).await? {
        return Ok(false);
    }
    change.refresh();
    let handed = sql::load_handed(change.tx(), &[session]).await?;
    accounts::mark_sessions(change, keys, handed).await?;
    Ok(true)
}

/// The living sessions of a person, the newest first, at most [`LISTED_MAX`].
///
/// # Errors
/// The database refused.
pub async fn list(tx: &mut Tx<'_>, sessions: &Sessions, user: UserId, now_s: i64) -> Result<Vec<Listed>, PgFault> {
    let after_s = now_s.saturating_sub(sessions.settings.absolute_lifetime_s);
    let listed = sql::list(tx, user, after_s, now_s, LISTED_MAX).await?;
    let idle_s = sessions.settings.idle_timeout_s;
    Ok(listed.into_iter().filter(|session| now_s.saturating_sub(session.seen_s) <= idle_s).collect())
}

/// Remembers that an application was handed something in a session, so that it dies with it.
///
/// # Errors
/// The database refused; the transaction is over.
pub async fn hand_out(
    tx: &mut Tx<'_>,
    session: SessionId,
    tenant: TenantId,
    client: &ClientId,
    sub: &str,
) -> Result<(), PgFault> {
    sql::insert_client(tx, session, tenant, client, sub).await
}

/// The cookie that takes the session from the browser.
pub fn clear_cookie() -> HeaderValue {
    HeaderValue::from_static("__Host-sigid=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
}

/// Who asks, for the guard of pages: the session that the request's cookie names, if it is alive and the account is.
pub fn find<'a>(
    backend: &'a Arc<Backend>,
    headers: &'a HeaderMap,
    address: IpAddr,
    now_s: i64,
) -> BoxFuture<'a, Result<Option<Session>, BackendFault>> {
    Box::pin(async move {
        let (sessions, keys) = parts(backend).map_err(|_| BackendFault)?;
        let Some((session_id, digest)) = read_cookie(headers, keys) else { return Ok(None) };
        let found = load(backend, session_id, &digest).await.map_err(|fault| {
            tracing::warn!(error = %fault, "a session could not be looked up");
            BackendFault
        })?;
        let Some((stored, state)) = found else { return Ok(None) };
        if !is_alive(sessions, &stored, &state, headers, address, now_s) {
            return Ok(None);
        }
        sessions.see(session_id, now_s);
        Ok(Some(shown(stored)))
    })
}

async fn load(
    backend: &Backend,
    session_id: SessionId,
    digest: &Digest32,
) -> Result<Option<(Stored, String)>, PgFault> {
    let mut tx = backend.pools.pool(Plane::Identity).begin(Scope::System("accounts")).await?;
    let found = sql::find(&mut tx, session_id, digest).await?;
    tx.rollback().await?;
    Ok(found)
}

fn is_alive(
    sessions: &Sessions,
    stored: &Stored,
    state: &str,
    headers: &HeaderMap,
    address: IpAddr,
    now_s: i64,
) -> bool {
    let settings = &sessions.settings;
    let begun_s = created_s(stored.session_id);
    let seen_s = sessions.seen_s(stored.session_id).unwrap_or(0).max(stored.seen_s);
    let is_bound =
        stored.binding.is_none() || stored.binding == binding(settings.binding, address, &user_agent(headers));
    // Someone who deletes their account may still come back to keep it.
    let is_allowed = matches!(UserState::parse(state), Some(UserState::Active | UserState::Deleting));
    is_allowed
        && is_bound
        && now_s < stored.expires_s
        && now_s.saturating_sub(begun_s) < settings.absolute_lifetime_s
        && now_s.saturating_sub(seen_s) <= settings.idle_timeout_s
}

/// `<32 hexadecimal digits>.<opaque value>`: its id and digest, unless it is a forgery.
fn read_cookie(headers: &HeaderMap, keys: &Keys) -> Option<(SessionId, Digest32)> {
    let (id, value) = find_cookie(headers, COOKIE)?.split_once('.')?;
    let is_simple = id.len() == 32 && !id.bytes().any(|byte| byte.is_ascii_uppercase());
    let session_id = SessionId::from_uuid(Uuid::try_parse(id).ok().filter(|_| is_simple)?);
    Some((session_id, keys.opaque.check(Purpose::SessionCookie, value).ok()?))
}

fn shown(stored: Stored) -> Session {
    let times = stored.authentications.as_array().into_iter().flatten();
    let authenticated_s = times.filter_map(|one| one.get("at")?.as_i64()).max();
    let created_s = created_s(stored.session_id);
    Session {
        session_id: stored.session_id,
        user_id: stored.user_id,
        created_s,
        authenticated_s: authenticated_s.unwrap_or(created_s),
        expires_s: stored.expires_s,
        acr: stored.acr,
        authentications: stored.authentications,
    }
}

fn created_s(session: SessionId) -> i64 {
    sigid_io::clock::unix_s(sql::created_at(session))
}

fn user_agent(headers: &HeaderMap) -> String {
    let sent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    sent.chars().take(USER_AGENT_BYTES_MAX).collect()
}

fn binding(kind: Binding, address: IpAddr, user_agent: &str) -> Option<Digest32> {
    match kind {
        Binding::None => None,
        Binding::Address => Some(Digest32::of(format!("address {address}").as_bytes())),
        Binding::UserAgent => Some(Digest32::of(format!("user agent {user_agent}").as_bytes())),
    }
}

fn set_cookie(pair: String, lifetime_s: i64) -> Result<HeaderValue, PgFault> {
    let text = format!("{pair}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={lifetime_s}");
    let mut value = HeaderValue::from_str(&text).map_err(|_| PgFault::Other("a cookie could not be written".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Sessions and keys of this process.
pub(crate) fn parts(backend: &Backend) -> Result<(&Arc<Sessions>, &Arc<Keys>), PgFault> {
    let sessions = backend.settings.find::<Arc<Sessions>>();
    let keys = backend.settings.find::<Arc<Keys>>();
    sessions.zip(keys).ok_or_else(|| PgFault::Other("this process serves no sign-in".into()))
}

fn write_seen(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let (sessions, _) = parts(&backend).map_err(|fault| JobFault(fault.to_string()))?;
        let seen: Vec<(SessionId, i64)> =
            std::mem::take(&mut *sessions.seen.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect();
        if seen.is_empty() {
            return Ok(());
        }
        let written = write(&backend, &seen).await;
        if let Err(fault) = written {
            // They are still true; what was seen meanwhile is newer.
            let mut waiting = sessions.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (session, at_s) in seen {
                waiting.entry(session).or_insert(at_s);
            }
            return Err(JobFault(fault.to_string()));
        }
        Ok(())
    })
}

async fn write(backend: &Backend, seen: &[(SessionId, i64)]) -> Result<(), PgFault> {
    for batch in seen.chunks(SEEN_BATCH) {
        let mut tx = backend.pools.pool(Plane::Identity).begin(Scope::System("accounts")).await?;
        sql::touch(&mut tx, batch).await?;
        tx.commit().await?;
    }
    Ok(())
}

const SEEN_BATCH: usize = 1000;
/// Enough to see every session over the limit: a sign-in adds one.
const SURPLUS_SEEN: i64 = 1100;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use sigid_core::secret::Secret;

    fn keys(byte: u8) -> Keys {
        Keys::derive(&|_| Secret::new([byte; 32]))
    }

    #[test]
    fn only_a_cookie_of_ours_is_looked_up() {
        let value = keys(1).opaque.mint(Purpose::SessionCookie, [7; 32]).expose().clone();
        let link = keys(1).opaque.mint(Purpose::VerifyLink, [7; 32]).expose().clone();
        let id = "018f2f3e7c1a7b529c5b0d4b9f6f1a2b";
        for (reason, cookie, is_read) in [
            ("as it was set", format!("{COOKIE}={id}.{value}"), true),
            ("beside another's", format!("a=b; {COOKIE}={id}.{value}"), true),
            ("twice: somebody planted one", format!("{COOKIE}={id}.{value}; {COOKIE}={id}.{value}"), false),
            ("a link is no session", format!("{COOKIE}={id}.{link}"), false),
            ("no id", format!("{COOKIE}={value}"), false),
            ("an id of another spelling", format!("{COOKIE}={}.{value}", id.to_uppercase()), false),
            ("another name", format!("sigid={id}.{value}"), false),
            ("nothing", String::new(), false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).unwrap());
            assert_eq!(read_cookie(&headers, &keys(1)).is_some(), is_read, "{reason}");
            assert!(read_cookie(&headers, &keys(2)).is_none(), "another key: {reason}");
        }
    }

    #[test]
    fn a_binding_names_what_it_is_bound_to() {
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let there: IpAddr = "192.0.2.2".parse().unwrap();
        assert_eq!(binding(Binding::None, here, "a"), None);
        assert_ne!(binding(Binding::Address, here, "a"), binding(Binding::Address, there, "a"));
        assert_eq!(binding(Binding::UserAgent, here, "a"), binding(Binding::UserAgent, there, "a"));
        assert_ne!(binding(Binding::UserAgent, here, "a"), binding(Binding::UserAgent, here, "b"));
    }
}
