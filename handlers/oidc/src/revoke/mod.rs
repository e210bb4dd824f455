//! Token revocation, RFC 7009.
//!
//! The mark, its event and its news are one transaction; then the shards of this process have taken
//! the mark before the answer leaves, and the doorbell tells the other nodes. A token that is unknown,
//! expired or already revoked is answered the same 200, so a second presentation changes nothing. A
//! token that was issued to another client is refused (section 2.1). `token_type_hint` only optimizes
//! a search that there is not, so it is ignored.
//!
//! A clock may be set. One that went back makes tokens that were issued before look not yet valid, one that went ahead
//! makes them look expired: both may live again, so both are revoked, the expired ones for as long as a mark is kept.

use http::StatusCode;
use serde_json::json;
use sigid_core::marks::MarkKey;
use sigid_core::token::{self, Access, Reason};
use sigid_edge::backend::Call;
use sigid_edge::fault::{self, OAuthError};
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Member, Route, Serve};
use sigid_edge::guard::{ASSERTION_ALGORITHMS, CONFIDENTIAL_METHODS, Client, Permit};
use sigid_edge::introspect;
use sigid_edge::tables;
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Scope};
use sigid_io::settings::Plane;
use sigid_platform::outbox::{Act, Change, Event, Mark};

pub const PATH: &str = "/oauth/revoke";

pub const FEATURE: Feature = Feature {
    name: "revocation",
    section: None,
    routes: &[Route {
        methods: &["POST"],
        path: PATH,
        plane: Plane::Auth,
        serve: Serve::Cold(Guarded::Client(revoke)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::Clients,
        doc: "Token revocation (RFC 7009)",
    }],
    jobs: &[],
    events: &[TOKEN_REVOKED],
    discovery: &[
        ("revocation_endpoint", Member::Path(PATH)),
        ("revocation_endpoint_auth_methods_supported", Member::Strings(CONFIDENTIAL_METHODS)),
        ("revocation_endpoint_auth_signing_alg_values_supported", Member::Strings(ASSERTION_ALGORITHMS)),
    ],
};

const TOKEN_REVOKED: &str = "token.revoked";
/// How long past the token's own end its mark is kept, for clocks that differ or are set.
const MARK_MARGIN_S: i64 = 60;

/// Why nothing was revoked.
enum Fault {
    TokenMissing,
    NotIssuedToCaller,
    Database(PgFault),
    /// Durable, but a shard did not acknowledge in time.
    NotAcknowledged,
    Said(OAuthError),
}

impl Fault {
    fn error(self) -> OAuthError {
        match self {
            Self::TokenMissing => OAuthError::invalid_request("The parameter token is missing"),
            Self::NotIssuedToCaller => OAuthError::new(400, "invalid_grant", "The token was not issued to this client"),
            Self::Database(error) => {
                tracing::error!(%error, "a revocation could not be written");
                fault::UNAVAILABLE
            }
            Self::NotAcknowledged => fault::UNAVAILABLE,
            Self::Said(error) => error,
        }
    }
}

impl From<OAuthError> for Fault {
    fn from(error: OAuthError) -> Self {
        Self::Said(error)
    }
}

impl From<PgFault> for Fault {
    fn from(error: PgFault) -> Self {
        Self::Database(error)
    }
}

fn revoke(call: Call, client: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match revoke_token(&call, &client).await {
            // No body and no content type: some browsers' clients refuse one.
            Ok(()) => Reply::empty(StatusCode::OK)
                .with(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store")),
            Err(fault) => fault.error().reply(),
        }
    })
}

async fn revoke_token(call: &Call, client: &Permit<Client>) -> Result<(), Fault> {
    let form = call.form(&[])?;
    let token = form.find("token").ok_or(Fault::TokenMissing)?;
    let Some(access) = find_live(call, token.as_bytes()).await? else { return Ok(()) };
    if access.client_id != client.client_id {
        return Err(Fault::NotIssuedToCaller);
    }
    let mark = Mark {
        tenant: access.tenant_id,
        key: MarkKey::token(access.tenant_id, &access.jti),
        at_s: access.iat_s,
        expires_s: access.exp_s + MARK_MARGIN_S,
    };
    write(call, client, &access, mark).await?;
    let told = tables::Change::Mark(mark.key, tables::Mark { at_s: mark.at_s, expires_s: mark.expires_s });
    call.backend.feed.push(vec![told]).await.map_err(|_| Fault::NotAcknowledged)
}

/// The token, if it is or may come to be alive; read again when only news could tell.
async fn find_live(call: &Call, token: &[u8]) -> Result<Option<Access>, OAuthError> {
    let shared = &call.backend.shared;
    let digest = shared.hasher.digest(token);
    let judge = || {
        let judge_at = |now_s| introspect::judge(shared, &call.backend.feed.tables(), token, digest, now_s);
        match judge_at(call.now_s) {
            Err(Reason::NotYetValid) => judge_at(token::claimed_iat_s(token).unwrap_or(call.now_s)),
            Err(Reason::Expired) => judge_at(call.now_s - MARK_MARGIN_S),
            judged => judged,
        }
    };
    let mut judged = judge();
    if matches!(&judged, Err(reason) if Reason::curable(*reason)) {
        // The caller is authenticated and looks are shared, so no budget is asked: a 200 must not mean "not looked".
        call.backend.feed.refresh().await.map_err(|_| fault::UNAVAILABLE)?;
        judged = judge();
    }
    Ok(judged.ok().map(|judged| judged.access))
}

async fn write(call: &Call, client: &Permit<Client>, access: &Access, mark: Mark) -> Result<(), PgFault> {
    let act = Act { actor: client.client_id.as_str(), now_s: call.now_s };
    let pool = call.backend.pools.pool(Plane::Auth);
    let mut change = Change::begin(pool, Scope::Tenant(*access.tenant_id.as_uuid()), act).await?;
    let event = Event {
        tenant: Some(access.tenant_id),
        event_type: TOKEN_REVOKED,
        subject: &access.jti,
        data: json!({ "client_id": client.client_id.as_str() }),
    };
    change.record(&event).await?;
    change.mark(mark).await?;
    change.commit().await.map(|_| ())
}
