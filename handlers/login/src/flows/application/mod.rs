//! `/session/start?client_id=ID&return_to=URL`: from a session at SigID to the edge cookie of one application.
//!
//! ```text
//! application and address registered? ── does its session count there? ── account active? ── membership ── edge cookie, 303 back
//!        no: 400, no redirect              no, or none: /login, and back here        suspended, removed: 403
//! tenant closed: 403
//! ```
//!
//! The proxy in front of an application sends a browser here that has no cookie of that application, or a stale one. The
//! application and the address are checked first, so that this is nobody's open redirect, signed in or not. Then the
//! tenant is asked whether the session counts for it: by methods that it accepts, vouched for by the account itself or by
//! that tenant ([`model::worth`]). One that does not is as good as none, and the person signs in again; what the cookie
//! says of `acr` is what counted.
//!
//! A person who comes for the first time becomes a member of the application's tenant, if that takes people who were not
//! invited, with a subject of that tenant's own; an invited one accepts by coming. Whose address nobody has proven becomes
//! neither, but proves it first. What the cookie says beside the subject is what the person consented to.
//!
//! That something was handed out is remembered with the session ([`sessions::hand_out`]), whose row is held meanwhile,
//! with the account's: a sign-out, a suspension or a disabled account at the same moment either comes first, and nothing
//! is handed out, or later than the second that the cookie is dated with, and kills it. A cookie that a mark of this very
//! second would kill waits that second out, as tokens do, and begins again: the mark may be this person's.
//!
//! On the second presentation: another cookie, the same rows. Limits: `cache_cookie_lifetime_secs`,
//! [`COOKIE_WAIT_S_MAX`]. Attacks considered: an address of another site (refused), a tenant that vouches for a person in
//! another (its word counts at its own applications only), a tenant that imports somebody's address before anybody has it
//! (its password opens no other tenant: the address is unproven), a session made by a way that the tenant has switched
//! off, a session that ends meanwhile (above), a person whom the tenant suspended.

use super::ask;
use super::asked::Asked;
use super::fault::Fault;
use super::methods;
use super::model::{self, Acr};
use super::sql;
use crate::accounts::{self, Membership, MembershipState, User, UserState};
use crate::sessions::{self, Sessions};
use http::HeaderValue;
use serde_json::json;
use sigid_core::b64;
use sigid_core::cookie::edge::EdgeCookie;
use sigid_core::ids::{TenantId, UserId};
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Page, Permit};
use sigid_edge::session::{Session, see_other};
use sigid_edge::tables::{ClientEntry, Tables, TenantEntry};
use sigid_io::backend::BoxFuture;
use sigid_io::clock::Clock;
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
    let asked = find_asked(call, client_id, return_to).await?;
    let policy = asked.policy();
    if policy.is_closed() {
        return Err(Fault::SignInClosed);
    }
    let Some(session) = &permit.session else { return Ok(ask::to_login(None, &here(call))) };
    let Some(acr) = model::worth(&session.authentications, methods::ALL, &policy) else {
        return Ok(ask::to_login(Some(ask::SIGN_IN_FIRST), &here(call)));
    };
    match hand_out(call, session, &asked, acr).await? {
        Handed::Cookie(cookie) => Ok(ask::with_cookie(see_other(return_to), cookie)),
        Handed::No(NotEntered::Deleting) => Ok(see_other(paths::ACCOUNT_DELETION)),
        Handed::No(NotEntered::Unproven) => Ok(see_other(paths::RECOVER)),
        Handed::No(NotEntered::Ended) => Ok(ask::to_login(Some(ask::SESSION_ENDED), &here(call))),
    }
}

/// This very request, to come back to.
fn here(call: &Call) -> String {
    format!("{PATH}?{}", call.request.query.as_deref().unwrap_or_default())
}

/// The application, if the browser may be sent back to that address; read again when only news could tell.
async fn find_asked(call: &Call, client_id: &str, return_to: &str) -> Result<Asked, Fault> {
    let cookies = &call.backend.shared.edge_cookies;
    let feed = &call.backend.feed;
    if let Some(asked) = Asked::look_up(&*feed.fresh_tables().await?, cookies, client_id, return_to) {
        return Ok(asked);
    }
    if !call.may_read_again() {
        return Err(Fault::NotRegistered);
    }
    feed.refresh().await?;
    Asked::look_up(&feed.tables(), cookies, client_id, return_to).ok_or(Fault::NotRegistered)
}

/// How the way to an application ends.
enum Handed {
    Cookie(HeaderValue),
    No(NotEntered),
}

/// Why nobody comes in, where something can be done about it.
enum NotEntered {
    /// The person is deleting the account: that page asks whether to keep it.
    Deleting,
    /// Nobody knows whose address the account has.
    Unproven,
    /// The session is over.
    Ended,
}

/// The cookie, dated before what it says was read, and after every mark that was known then. When a mark of that very
/// second would kill it at birth, the second is waited out and everything is read again: the mark may be of this person.
async fn hand_out(call: &Call, session: &Session, asked: &Asked, acr: Acr) -> Result<Handed, Fault> {
    let clock = &call.backend.shared.clock;
    let mut issued_s = call.now_s;
    loop {
        let (user, membership) = match enter(call, session, asked).await? {
            Ok(entered) => entered,
            Err(no) => return Ok(Handed::No(no)),
        };
        let cookie = draft(call, session, asked, &user, membership, acr, issued_s)?;
        let Some(latest_s) = find_deadly(&call.backend.feed.tables(), &asked.client, &cookie) else {
            let edge_cookies = &call.backend.shared.edge_cookies;
            let sealed = edge_cookies.seal_for(&asked.client.client_id, &cookie, issued_s);
            return Ok(Handed::Cookie(sealed.map_err(|_| Fault::Failed)?));
        };
        if latest_s.saturating_sub(call.now_s) > COOKIE_WAIT_S_MAX {
            return Err(Fault::NotAcknowledged);
        }
        wait_out(clock, latest_s).await;
        issued_s = clock.now_s();
    }
}

/// The latest mark by which the cookie is dead.
fn find_deadly(tables: &Tables, client: &ClientEntry, cookie: &EdgeCookie) -> Option<i64> {
    let keys = cookie.mark_keys(&client.client_id);
    keys.iter().filter_map(|key| tables.find_mark(key)).filter(|at_s| *at_s >= cookie.issued_s).max()
}

/// Until that second is over.
async fn wait_out(clock: &Clock, at_s: i64) {
    while clock.now_s() <= at_s {
        let left_ms = at_s.saturating_add(1).saturating_mul(1000).saturating_sub(clock.now_ms());
        tokio::time::sleep(Duration::from_millis(u64::try_from(left_ms).unwrap_or(0).clamp(1, 1000))).await;
    }
}

type Entered = Result<(User, Membership), NotEntered>;

/// What is remembered of the visit, in one transaction that holds the account and the session.
async fn enter(call: &Call, session: &Session, asked: &Asked) -> Result<Entered, Fault> {
    let actor = session.user_id.to_string();
    let mut change = ask::change(call, &actor).await?;
    // The account first, as everywhere: a new membership refers to it.
    if !sql::hold_person(change.tx(), session.user_id).await?
        || !sql::hold_session(change.tx(), session.session_id).await?
    {
        return Ok(Err(NotEntered::Ended));
    }
    let found = accounts::find_user(change.tx(), session.user_id).await?;
    let Some(user) = found else { return Ok(Err(NotEntered::Ended)) };
    match user.state {
        UserState::Active => {}
        UserState::Deleting => return Ok(Err(NotEntered::Deleting)),
        UserState::Disabled => return Ok(Err(NotEntered::Ended)),
    }
    let Some(membership) = join(&mut change, &asked.tenant, &user).await? else {
        return Ok(Err(NotEntered::Unproven));
    };
    let (session_id, tenant_id) = (session.session_id, asked.tenant.tenant_id);
    sessions::hand_out(change.tx(), session_id, tenant_id, &asked.client.client_id, &membership.sub).await?;
    ask::commit(call, change).await?;
    Ok(Ok((user, membership)))
}

/// The membership under which the person comes in; none while nobody has proven the account's address. An invitation is
/// to an address, and an account that a tenant has imported may have a password of that tenant's choice.
async fn join(change: &mut Change<'_>, tenant: &TenantEntry, user: &User) -> Result<Option<Membership>, Fault> {
    let found = accounts::find_membership(change.tx(), tenant.tenant_id, user.user_id).await?;
    match found.as_ref().map(|membership| membership.state) {
        Some(MembershipState::Active) => Ok(found),
        Some(MembershipState::Suspended | MembershipState::Removed) => Err(Fault::NotAMember),
        None if !tenant.sign_in.takes_new => Err(Fault::NotAMember),
        None | Some(MembershipState::Invited) if user.email_verified_s.is_none() => Ok(None),
        Some(MembershipState::Invited) => accept(change, tenant.tenant_id, user.user_id).await.map(Some),
        None => join_new(change, tenant.tenant_id, user.user_id).await.map(Some),
    }
}

async fn join_new(change: &mut Change<'_>, tenant: TenantId, user: UserId) -> Result<Membership, Fault> {
    let now_s = change.now_s();
    let joined = accounts::join(change.tx(), tenant, user, MembershipState::Active, now_s).await?;
    if joined.state != MembershipState::Active {
        return Err(Fault::NotAMember);
    }
    record_joined(change, &joined).await?;
    Ok(joined)
}

async fn accept(change: &mut Change<'_>, tenant: TenantId, user: UserId) -> Result<Membership, Fault> {
    let now_s = change.now_s();
    let (from, to) = (MembershipState::Invited, MembershipState::Active);
    let is_first = accounts::move_membership(change.tx(), tenant, user, from, to, now_s).await?;
    // Another request of the person may have been first, or the tenant: whichever, its word stands.
    let now = accounts::find_membership(change.tx(), tenant, user).await?;
    let membership = now.filter(|now| now.state == MembershipState::Active).ok_or(Fault::NotAMember)?;
    if is_first {
        record_joined(change, &membership).await?;
    }
    Ok(membership)
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

/// What the cookie says.
fn draft(
    call: &Call,
    session: &Session,
    asked: &Asked,
    user: &User,
    membership: Membership,
    acr: Acr,
    issued_s: i64,
) -> Result<EdgeCookie, Fault> {
    let sessions: &Arc<Sessions> = ask::part(&call.backend)?;
    let tenant_id = asked.tenant.tenant_id;
    let shown = ask::keys(call)?.shown_session(session.session_id, tenant_id);
    let may_see_email = user.email_verified_s.is_some() && membership.consented.iter().any(|name| name == "email");
    let lifetime_s = sessions.settings.cache_cookie_lifetime_s;
    Ok(EdgeCookie {
        tenant_id,
        session: b64::decode_array(shown.as_bytes()).ok_or(Fault::Failed)?,
        sub: membership.sub,
        acr: acr.as_str().to_owned(),
        email: may_see_email.then(|| user.email.clone()),
        issued_s,
        expires_s: session.expires_s.min(issued_s.saturating_add(lifetime_s)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sigid_core::ids::ClientId;
    use sigid_core::marks::MarkKey;
    use sigid_edge::tables::{AuthMethod, Change as Told, Mark};

    #[test]
    fn a_cookie_is_not_handed_out_dead() {
        let tenant_id: TenantId = "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap();
        let client = ClientEntry::new(ClientId::parse("shop").unwrap(), tenant_id, AuthMethod::None);
        let cookie = EdgeCookie {
            tenant_id,
            session: [9; 16],
            sub: "pT3lJb2".into(),
            acr: "1".into(),
            email: None,
            issued_s: 100,
            expires_s: 1000,
        };
        for (reason, marks, expected) in [
            ("no mark", vec![], None),
            ("one of before", vec![(MarkKey::tenant(tenant_id), 99)], None),
            ("one of this second", vec![(MarkKey::tenant(tenant_id), 100)], Some(100)),
            ("one of a clock ahead", vec![(MarkKey::subject(tenant_id, "pT3lJb2"), 102)], Some(102)),
            ("somebody else's", vec![(MarkKey::subject(tenant_id, "other"), 100)], None),
            (
                "the latest of several",
                vec![(MarkKey::client(&client.client_id), 101), (MarkKey::tenant(tenant_id), 100)],
                Some(101),
            ),
        ] {
            let mut tables = Tables::new("https://auth.example.com");
            tables.apply(marks.into_iter().map(|(key, at_s)| Told::Mark(key, Mark { at_s, expires_s: 2000 })));
            assert_eq!(find_deadly(&tables, &client, &cookie), expected, "{reason}");
        }
    }
}
