//! `/session/start?client_id=ID&return_to=URL`: from a session at SigID to the edge cookie of one application.
//!
//! ```text
//! application and address registered? ── session? ── account active? ── membership ── edge cookie, 303 back
//!        no: 400, no redirect              no: /login, and back here        suspended, removed: 403
//! ```
//!
//! The proxy in front of an application sends a browser here that has no cookie of that application, or a stale one. The
//! application and the address are checked first, so that this is nobody's open redirect, signed in or not. A person who
//! comes for the first time becomes a member of the application's tenant, with a subject of that tenant's own; an invited
//! one accepts by coming. What the cookie says beside the subject is what the person consented to.
//!
//! That something was handed out is remembered with the session ([`sessions::hand_out`]), whose row is held meanwhile: a
//! sign-out at the same moment either sees it and kills it, or was first and nothing is handed out. A cookie that a mark
//! of this very second would kill waits that second out, as tokens do.
//!
//! On the second presentation: another cookie, the same rows. Limits: `cache_cookie_lifetime_secs`,
//! [`COOKIE_WAIT_S_MAX`]. Attacks considered: an address of another site (refused), a tenant that vouches for a person in
//! another (its word counts at its own applications only), a session that ends meanwhile (above), a person whom the
//! tenant suspended.

use super::ask;
use super::fault::Fault;
use super::model;
use super::sql;
use crate::accounts::{self, Membership, MembershipState, User, UserState};
use crate::keys::Keys;
use crate::sessions::{self, Sessions};
use serde_json::json;
use sigid_core::b64;
use sigid_core::cookie::edge::EdgeCookie;
use sigid_core::form::Form;
use sigid_core::ids::TenantId;
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{self, Page, Permit};
use sigid_edge::session::{Session, see_other};
use sigid_edge::tables::{ClientEntry, Tables};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::settings::Plane;
use sigid_pages::paths;
use sigid_platform::outbox::{Change, Event};
use std::sync::Arc;
use std::time::Duration;

pub const PATH: &str = "/session/start";

pub const FEATURE: Feature = Feature {
    name: "application-sessions",
    section: None,
    routes: &[Route {
        methods: &["GET"],
        path: PATH,
        plane: Plane::Auth,
        serve: Serve::Cold(Guarded::Page(start)),
        body_bytes_max: 0,
        cors: Cors::None,
        doc: "Gives the browser the cookie of an application, and sends it back there",
    }],
    jobs: &[],
    events: &[TENANT_USER_JOINED],
    discovery: &[],
};

const TENANT_USER_JOINED: &str = "tenant_user.joined";
/// The longest a cookie waits for a mark's second to pass.
pub const COOKIE_WAIT_S_MAX: i64 = 3;

fn start(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move { begin(&call, &permit).await.unwrap_or_else(|fault| fault.reply(&call)) })
}

async fn begin(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let query = ask::query(call)?;
    let named = query.find("client_id").zip(query.find("return_to"));
    let (client_id, return_to) = named.ok_or(Fault::NotRegistered)?;
    let client = find_client(call, client_id, return_to).await?;
    let Some(session) = &permit.session else { return Ok(ask::to_login(None, &here(call))) };
    if !model::is_accepted(&session.authentications, client.tenant_id) {
        return Err(Fault::NotAMember);
    }
    match enter(call, session, &client).await? {
        Entered::As(user, membership) => {
            let cookie = seal(call, session, &client, &user, membership).await?;
            Ok(ask::with_cookie(see_other(return_to), cookie))
        }
        Entered::Deleting => Ok(see_other(paths::ACCOUNT_DELETION)),
        Entered::Ended => Ok(ask::to_login(Some(ask::SESSION_ENDED), &here(call))),
    }
}

/// The origin of the application that a form leads to when its `next` comes back here: a browser follows the redirects
/// after a form only to origins that the page's policy names.
pub(super) fn leads_to(call: &Call, next: &str) -> Option<String> {
    let query = next.strip_prefix(PATH)?.strip_prefix('?')?;
    let query = Form::parse(query.as_bytes(), &[]).ok()?;
    let (client_id, return_to) = query.find("client_id").zip(query.find("return_to"))?;
    let tables = call.backend.feed.tables();
    let client = tables.find_client(client_id)?;
    call.backend.shared.edge_cookies.return_origin(client, return_to)
}

/// This very request, to come back to.
fn here(call: &Call) -> String {
    format!("{PATH}?{}", call.request.query.as_deref().unwrap_or_default())
}

/// The application, if the browser may be sent back to that address; read again when only news could tell.
async fn find_client(call: &Call, client_id: &str, return_to: &str) -> Result<Arc<ClientEntry>, Fault> {
    let cookies = &call.backend.shared.edge_cookies;
    let look = |tables: &Tables| {
        let client = tables.find_client(client_id)?;
        let is_good = guard::check_active(tables, client).is_ok() && cookies.return_allowed(client, return_to);
        is_good.then(|| client.clone())
    };
    let feed = &call.backend.feed;
    if let Some(client) = look(&*feed.fresh_tables().await?) {
        return Ok(client);
    }
    if !call.may_read_again() {
        return Err(Fault::NotRegistered);
    }
    feed.refresh().await?;
    look(&feed.tables()).ok_or(Fault::NotRegistered)
}

/// Where the way to an application ends.
enum Entered {
    As(Box<User>, Membership),
    /// The person is deleting the account: that page asks whether to keep it.
    Deleting,
    /// The session is over.
    Ended,
}

async fn enter(call: &Call, session: &Session, client: &ClientEntry) -> Result<Entered, Fault> {
    let actor = session.user_id.to_string();
    let mut change = ask::change(call, &actor).await?;
    if !sql::hold_session(change.tx(), session.session_id).await? {
        return Ok(Entered::Ended);
    }
    let Some(user) = accounts::find_user(change.tx(), session.user_id).await? else { return Ok(Entered::Ended) };
    match user.state {
        UserState::Active => {}
        UserState::Deleting => return Ok(Entered::Deleting),
        UserState::Disabled => return Ok(Entered::Ended),
    }
    let membership = join(&mut change, client.tenant_id, &user).await?;
    let (session_id, tenant_id) = (session.session_id, client.tenant_id);
    sessions::hand_out(change.tx(), session_id, tenant_id, &client.client_id, &membership.sub).await?;
    ask::commit(call, change).await?;
    Ok(Entered::As(Box::new(user), membership))
}

/// The membership under which the person comes in.
async fn join(change: &mut Change<'_>, tenant: TenantId, user: &User) -> Result<Membership, Fault> {
    let (now_s, user_id) = (change.now_s(), user.user_id);
    let found = accounts::find_membership(change.tx(), tenant, user_id).await?;
    let membership = if let Some(membership) = found {
        membership
    } else {
        let joined = accounts::join(change.tx(), tenant, user_id, MembershipState::Active, now_s).await?;
        record_joined(change, &joined).await?;
        joined
    };
    match membership.state {
        MembershipState::Active => Ok(membership),
        MembershipState::Invited => {
            let (from, to) = (MembershipState::Invited, MembershipState::Active);
            if accounts::move_membership(change.tx(), tenant, user_id, from, to, now_s).await? {
                record_joined(change, &membership).await?;
                return Ok(Membership { state: to, ..membership });
            }
            // Another request of the person was first, or the tenant: whichever, its word stands.
            let now = accounts::find_membership(change.tx(), tenant, user_id).await?;
            now.filter(|now| now.state == MembershipState::Active).ok_or(Fault::NotAMember)
        }
        MembershipState::Suspended | MembershipState::Removed => Err(Fault::NotAMember),
    }
}

async fn record_joined(change: &mut Change<'_>, membership: &Membership) -> Result<(), Fault> {
    let event = Event {
        tenant: Some(membership.tenant_id),
        event_type: TENANT_USER_JOINED,
        subject: &membership.sub,
        data: json!({}),
    };
    Ok(change.record(&event).await?)
}

async fn seal(
    call: &Call,
    session: &Session,
    client: &ClientEntry,
    user: &User,
    membership: Membership,
) -> Result<http::HeaderValue, Fault> {
    let keys: &Arc<Keys> = ask::keys(call)?;
    let sessions: &Arc<Sessions> = ask::part(&call.backend)?;
    let shown = keys.shown_session(session.session_id, client.tenant_id);
    let may_see_email = user.email_verified_s.is_some() && membership.consented.iter().any(|name| name == "email");
    let mut cookie = EdgeCookie {
        tenant_id: client.tenant_id,
        session: b64::decode_array(shown.as_bytes()).ok_or(Fault::Failed)?,
        sub: membership.sub,
        acr: session.acr.clone(),
        email: may_see_email.then(|| user.email.clone()),
        issued_s: call.now_s,
        expires_s: session.expires_s,
    };
    wait_out_marks(call, client, &mut cookie).await?;
    let lifetime_s = sessions.settings.cache_cookie_lifetime_s;
    cookie.expires_s = session.expires_s.min(cookie.issued_s.saturating_add(lifetime_s));
    let edge_cookies = &call.backend.shared.edge_cookies;
    edge_cookies.seal_for(&client.client_id, &cookie, cookie.issued_s).map_err(|_| Fault::Failed)
}

/// Moves the cookie past the last mark that would kill it at birth, waiting until that moment has come.
async fn wait_out_marks(call: &Call, client: &ClientEntry, cookie: &mut EdgeCookie) -> Result<(), Fault> {
    let tables = call.backend.feed.tables();
    let keys = cookie.mark_keys(&client.client_id);
    let latest = keys.iter().filter_map(|key| tables.find_mark(key)).max();
    let Some(latest_s) = latest.filter(|at_s| *at_s >= cookie.issued_s) else { return Ok(()) };
    if latest_s.saturating_sub(cookie.issued_s) > COOKIE_WAIT_S_MAX {
        return Err(Fault::NotAcknowledged);
    }
    let clock = &call.backend.shared.clock;
    while clock.now_s() <= latest_s {
        let left_ms = latest_s.saturating_add(1).saturating_mul(1000).saturating_sub(clock.now_ms());
        tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).clamp(1, 1000))).await;
    }
    cookie.issued_s = latest_s.saturating_add(1);
    Ok(())
}
