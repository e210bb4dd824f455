//! Token introspection, RFC 7662: the endpoint SigID exists for.
//!
//! ```text
//! request ── form in place ── client from the table (or the connection's memo) ── level 1
//!    │  anything unusual           │ unknown: budget, then cold                  │ miss
//!    └────────── cold ─────────────┘                              level 2 ─ verify ─ judge ── reply
//! ```
//!
//! [`judge`] decides from the tables alone and is what both speeds use. The shard says no from memory
//! only for what news cannot cure; an unknown key or client goes cold, within the address's budget,
//! and is inactive over it. Contract: a caller learns of a token of its own tenant that names one of
//! its audiences or was issued to itself; everything else is the same `{"active":false}`, and why is
//! a metric's label only. Repeated presentation is the normal case and changes nothing.

use crate::backend::Call;
use crate::cache::{Live, MadeFrom, Standing};
use crate::fault::{self, OAuthError};
use crate::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Hot, Member, Route, Serve};
use crate::guard::{self, AuthFault, Client, Credentials, Permit};
use crate::shard::{EdgeShard, GoodCredential, Memo, Shared};
use crate::tables::{AuthMethod, ClientEntry, KeyEntry, KeyState, Tables};
use crate::verified::TokenDigest;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sigid_core::form;
use sigid_core::marks;
use sigid_core::token::{self, KeyView, Reason};
use sigid_io::backend::BoxFuture;
use sigid_io::http::{Reply, Request};
use sigid_io::metrics::{self, Counter};
use sigid_io::settings::Plane;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

pub const PATH: &str = "/oauth/introspect";

pub const FEATURE: Feature = Feature {
    name: "introspection",
    section: Some("edge"),
    routes: &[Route {
        methods: &["POST"],
        path: PATH,
        plane: Plane::Auth,
        serve: Serve::HotThenCold(hot, Guarded::Client(cold)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::None,
        doc: "Token introspection (RFC 7662)",
    }],
    jobs: &[],
    events: &[],
    discovery: &[
        ("introspection_endpoint", Member::Path(PATH)),
        ("introspection_endpoint_auth_methods_supported", Member::Strings(guard::CONFIDENTIAL_METHODS)),
        ("introspection_endpoint_auth_signing_alg_values_supported", Member::Strings(guard::ASSERTION_ALGORITHMS)),
    ],
};

static INACTIVE: &[u8] = br#"{"active":false}"#;

pub struct IntrospectMetrics {
    level1: Counter,
    level2: Counter,
    verified: Counter,
    inactive: [Counter; Reason::ALL.len()],
    unauthenticated: Counter,
}

impl IntrospectMetrics {
    pub fn new(shard: &str) -> Self {
        let shard = ("shard", shard);
        let active = |by| {
            metrics::counter(
                "sigid_introspect_active_total",
                "Active answers, by what knew the token.",
                &[shard, ("by", by)],
            )
        };
        Self {
            level1: active("reply_cache"),
            level2: active("verified_digest"),
            verified: active("signature"),
            inactive: Reason::ALL.map(|reason| {
                metrics::counter(
                    "sigid_introspect_inactive_total",
                    "Inactive answers, by reason.",
                    &[shard, ("reason", reason.label())],
                )
            }),
            unauthenticated: metrics::counter(
                "sigid_introspect_unauthenticated_total",
                "Callers refused from memory.",
                &[shard],
            ),
        }
    }

    fn inactive(&self, reason: Reason) {
        if let Some(counter) =
            Reason::ALL.iter().position(|known| *known == reason).and_then(|at| self.inactive.get(at))
        {
            counter.inc();
        }
    }
}

/// The hot answer: synchronous, from this shard's memory.
pub fn hot(shard: &EdgeShard, request: &Request<'_>, memo: &mut Memo) -> Hot {
    let shared = &*shard.shared;
    if !shared.freshness.is_fresh() || !is_form(request.headers) {
        return Hot::Cold;
    }
    let Some(fields) = form::introspection_in_place(request.body) else { return Hot::Cold };
    if fields.client_id.is_some() && fields.client_secret.is_none() {
        // Beside a header it must name the same client, alone it names a public one: the guard knows both.
        return Hot::Cold;
    }
    let now_s = shared.clock.coarse_now_s();
    // Borrowed, not cloned: a count that all shards share would be fought over. No message comes in between.
    let tables = shard.tables.borrow();
    let caller = match authenticate(&tables, request, &fields, memo, now_s) {
        Ok(caller) => caller,
        Err(fault) => return refuse(shard, request, fault, now_s),
    };
    answer(shard, request, &tables, caller, fields.token, now_s)
}

/// Refuses from memory, unless news could cure it and the address has a budget left to ask.
fn refuse(shard: &EdgeShard, request: &Request<'_>, fault: AuthFault, now_s: i64) -> Hot {
    if fault.is_curable() && shard.may_ask_backend(shard.client_address(request), now_s) {
        return Hot::Cold;
    }
    shard.metrics.introspect.unauthenticated.inc();
    Hot::Reply(fault.error().reply())
}

fn answer(
    shard: &EdgeShard,
    request: &Request<'_>,
    tables: &Tables,
    caller: &ClientEntry,
    token: &[u8],
    now_s: i64,
) -> Hot {
    let shared = &*shard.shared;
    let counters = &shard.metrics.introspect;
    let digest = shared.hasher.digest(token);
    let known = shard.replies.borrow().find(digest).cloned();
    if let Some(live) = known {
        match live.standing(tables, now_s) {
            Standing::Good => {
                counters.level1.inc();
                return show(shard, caller, &live);
            }
            Standing::Dead => {
                shard.replies.borrow_mut().remove(digest);
                counters.inactive(Reason::Revoked);
                return Hot::Reply(inactive());
            }
            Standing::Unknown => shard.replies.borrow_mut().remove(digest),
        }
    }
    match judge(shared, tables, token, digest, now_s) {
        Ok(judged) => {
            if judged.was_verified {
                counters.level2.inc();
            } else {
                counters.verified.inc();
            }
            let live = Rc::new(judged.live);
            shard.replies.borrow_mut().insert(digest, live.clone());
            show(shard, caller, &live)
        }
        Err(reason) if reason.curable() && shard.may_ask_backend(shard.client_address(request), now_s) => Hot::Cold,
        Err(reason) => {
            counters.inactive(reason);
            Hot::Reply(inactive())
        }
    }
}

/// The caller's policy, asked after the cache.
fn show(shard: &EdgeShard, caller: &ClientEntry, live: &Live) -> Hot {
    Hot::Reply(match live.check_visible(caller) {
        Ok(()) => Reply::no_store_json(StatusCode::OK, live.body.clone()),
        Err(reason) => {
            shard.metrics.introspect.inactive(reason);
            inactive()
        }
    })
}

/// Gone cold: authenticated by the guard with fresh tables; the token gets the same treatment.
fn cold(call: Call, caller: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match answer_cold(&call, &caller).await {
            Ok(reply) => reply,
            Err(error) => error.reply(),
        }
    })
}

async fn answer_cold(call: &Call, caller: &Permit<Client>) -> Result<Reply, OAuthError> {
    if caller.auth_method == AuthMethod::None {
        return Err(AuthFault::WrongMethod.error());
    }
    let form = call.form(&[])?;
    let token = form.find("token").ok_or(OAuthError::invalid_request("The parameter token is missing"))?;
    let counters = &call.backend.introspect;
    let feed = &call.backend.feed;
    let tables = feed.fresh_tables().await.map_err(|_| fault::UNAVAILABLE)?;
    let digest = call.backend.shared.hasher.digest(token.as_bytes());
    let look = |tables: &Tables, caller: &ClientEntry| {
        let judged = judge(&call.backend.shared, tables, token.as_bytes(), digest, call.now_s)?;
        judged.live.check_visible(caller).map(|()| judged)
    };
    let mut outcome = look(&tables, caller);
    if matches!(&outcome, Err(reason) if reason.curable()) && call.may_read_again() {
        feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
        let tables = feed.tables();
        let renewed = caller.renew(&tables).ok_or(AuthFault::Disabled.error())?;
        outcome = look(&tables, &renewed);
    }
    Ok(match outcome {
        Ok(judged) => {
            if judged.was_verified {
                counters.level2.inc();
            } else {
                counters.verified.inc();
            }
            Reply::no_store_json(StatusCode::OK, judged.live.body)
        }
        Err(reason) => {
            counters.inactive(reason);
            inactive()
        }
    })
}

/// A token that is alive, whoever asks.
pub struct Judged {
    pub live: Live,
    pub access: token::Access,
    /// The signature was known from level 2.
    pub was_verified: bool,
}

struct Keys<'a>(&'a Tables, i64);

impl token::Keys for Keys<'_> {
    fn key(&self, kid: &str) -> Option<KeyView<'_>> {
        let key = self.0.find_key(kid)?;
        let is_revoked = !key.is_published(self.1);
        Some(KeyView {
            alg: key.alg,
            key: &key.public,
            iat_max_s: key.issued_max_s(),
            revoked: is_revoked || key.state == KeyState::Revoked,
        })
    }

    fn is_issuer(&self, issuer: &str) -> bool {
        *self.0.issuer == *issuer
    }
}

/// Decides from the tables whether a token is alive: signature, times, key, client, tenant, marks.
///
/// # Errors
/// The first reason why not, in the order of the checks.
pub fn judge(
    shared: &Shared,
    tables: &Tables,
    token: &[u8],
    digest: TokenDigest,
    now_s: i64,
) -> Result<Judged, Reason> {
    let keys = Keys(tables, now_s);
    let opened = token::open(token, &keys)?;
    let key = tables.find_key(opened.kid()).ok_or(Reason::UnknownKey)?;
    let was_verified = shared.verified.contains(digest, now_s);
    let signed = if was_verified { opened.signature_known() } else { opened.check_signature()? };
    let verified = signed.check_claims(&keys, now_s)?;
    if !was_verified {
        shared.verified.insert(digest, verified.exp_s, now_s);
    }
    let marks = verified.mark_keys();
    if marks::is_dead(&marks, verified.iat_s, |key| tables.find_mark(key)) {
        return Err(Reason::Revoked);
    }
    let made_from = check_owners(tables, key, &verified)?;
    let body = Bytes::from(token::introspection_body(&verified));
    let access = verified.into_inner();
    let live = Live {
        expires_s: access.exp_s,
        issued_s: access.iat_s,
        tenant_id: access.tenant_id,
        client_id: access.client_id.clone(),
        audiences: access.aud.clone(),
        marks,
        body,
        made_from,
        seen: Cell::new((tables.entities_version, tables.marks_version)),
    };
    Ok(Judged { live, access, was_verified })
}

/// Client and tenant are there and active; with the key, their generations are what a reply rests on.
fn check_owners(tables: &Tables, key: &KeyEntry, access: &token::Access) -> Result<MadeFrom, Reason> {
    let client = tables.find_client(access.client_id.as_str()).ok_or(Reason::ClientUnknown)?;
    let tenant = tables.find_tenant(access.tenant_id).ok_or(Reason::TenantUnknown)?;
    if client.tenant_id != access.tenant_id {
        return Err(Reason::BadClaims);
    }
    if !client.is_active {
        return Err(Reason::ClientDisabled);
    }
    if !tenant.is_active {
        return Err(Reason::TenantDisabled);
    }
    Ok(MadeFrom { key: Some((key.kid.clone(), key.generation)), client: client.generation, tenant: tenant.generation })
}

/// The caller, from the connection's memo or from the table, and then in the memo.
fn authenticate<'m>(
    tables: &Tables,
    request: &Request<'_>,
    fields: &form::InPlace<'_>,
    memo: &'m mut Memo,
    now_s: i64,
) -> Result<&'m ClientEntry, AuthFault> {
    let mut headers = request.headers.get_all(header::AUTHORIZATION).iter();
    match (headers.next(), headers.next()) {
        (Some(header), None) if fields.client_secret.is_none() && fields.client_id.is_none() => {
            let is_known = memo
                .good
                .as_mut()
                .is_some_and(|good| is_same(header, &good.header) && is_still_good(tables, good, now_s));
            if !is_known {
                memo.good = Some(authenticate_basic(tables, header, now_s)?);
            }
            memo.good.as_ref().map(|good| &*good.client).ok_or(AuthFault::Missing)
        }
        (None, None) => Ok(memo.posted.insert(authenticate_post(tables, fields, now_s)?)),
        _ => Err(AuthFault::Several),
    }
}

fn authenticate_basic(tables: &Tables, header: &HeaderValue, now_s: i64) -> Result<GoodCredential, AuthFault> {
    let mut scratch = [0; sigid_core::basic::BASIC_BYTES_MAX];
    let (client_id, secret) =
        sigid_core::basic::decode_basic(header.as_bytes(), &mut scratch).map_err(|_| AuthFault::Malformed)?;
    let checked = guard::authenticate(tables, &Credentials::Basic { client_id, secret }, PATH, now_s)?;
    Ok(GoodCredential {
        header: header.clone(),
        client: checked.permit.clone(),
        entities_version: tables.entities_version,
        expires_s: checked.expires_s,
    })
}

fn authenticate_post(tables: &Tables, fields: &form::InPlace<'_>, now_s: i64) -> Result<Arc<ClientEntry>, AuthFault> {
    let (Some(client_id), Some(secret)) = (fields.client_id, fields.client_secret) else {
        return Err(AuthFault::Missing);
    };
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| AuthFault::Malformed);
    let credentials = Credentials::Post { client_id: text(client_id)?, secret: text(secret)? };
    Ok(Arc::clone(&guard::authenticate(tables, &credentials, PATH, now_s)?.permit))
}

/// Constant time in the bytes: a secret is part of the header.
fn is_same(a: &HeaderValue, b: &HeaderValue) -> bool {
    sigid_core::secret::is_same_bytes(a.as_bytes(), b.as_bytes())
}

/// The memo holds while the client's entry is of the same generation, active, and the secret alive.
fn is_still_good(tables: &Tables, good: &mut GoodCredential, now_s: i64) -> bool {
    if good.expires_s.is_some_and(|expires_s| expires_s <= now_s) {
        return false;
    }
    if good.entities_version == tables.entities_version {
        return true;
    }
    let is_current = tables
        .find_client(good.client.client_id.as_str())
        .is_some_and(|client| client.generation == good.client.generation)
        && guard::check_active(tables, &good.client).is_ok();
    if is_current {
        good.entities_version = tables.entities_version;
    }
    is_current
}

/// The one answer for everything a caller may not learn.
pub fn inactive() -> Reply {
    Reply::no_store_json(StatusCode::OK, INACTIVE)
}

/// RFC 7662 section 2.1: parameters come as a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    const FORM: &str = "application/x-www-form-urlencoded";
    headers.get(header::CONTENT_TYPE).is_some_and(|value| {
        let bytes = value.as_bytes();
        let media = bytes.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        media.eq_ignore_ascii_case(FORM.as_bytes())
    })
}
