//! Sign-in and sign-out at SigID's own pages.
//!
//! ```text
//! GET /login ──> page ──POST──> limits ──> account ──> password ──> session, device cookie ──> next
//!                  ^───────── the same page for unknown, wrong, disabled ┘
//! ```
//!
//! For which application somebody signs in is said by `next` ([`super::asked`]); its tenant says which methods count. One
//! that does not is not offered, and who sends its form all the same is told what the page says, before anything is
//! looked up or hashed. A session that does not count for that tenant is no reason to go on: the page asks again.
//!
//! A sign-in is one path for every identifier: the limits, a look, a hash; what was found decides only at its end. What
//! is proven becomes a [`super::model::Complete`], and only that begins a session. The session is a new one always: the
//! one that this browser had ends in the same transaction, whoever planted it. Between the look and the session the
//! account may have been disabled or given another password; its row is held and compared again, so neither lets a late
//! session through. A hash of old parameters is replaced in that transaction too.
//!
//! Writes of a sign-in: the session's row, its event, and seldom the account's (an upgraded hash) or the old session's.
//!
//! Sign-out ends the session's row and marks what was handed to applications in it; on the second presentation the same
//! page. `GET /logout` shows a button, because anybody can make a browser follow a link.
//!
//! Limits: [`crate::limits`]; [`FAILED_EVENTS_PER_MINUTE_MAX`]. Attacks considered: guessing (limits), enumeration (one
//! path), a planted session (above), an open redirect (`next` is a path of ours or nothing), sign-in and sign-out by a
//! foreign page (the guard's token and origin), a storm (503 with `Retry-After`, and the attempt is not held against
//! anybody).

use super::ask;
use super::asked::{self, Asked};
use super::fault::{self, Fault};
use super::methods::{self, password, rules};
use super::model::{self, Complete, Policy};
use super::sql;
use crate::accounts::{self, User, UserState};
use crate::limits::Attempt;
use crate::limits::device::{DEVICE_COOKIE, Device, Devices};
use crate::password::Password;
use crate::sessions::{self, Started};
use http::StatusCode;
use serde_json::json;
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Page, Permit};
use sigid_edge::session::{find_cookie, see_other};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::metrics::{self, Counter};
use sigid_io::pg::PgFault;
use sigid_io::rng;
use sigid_io::settings::Plane;
use sigid_pages::{Faults, Field, FieldFault, LoggedOut, Login, Logout, Look, Notice, paths, render};
use sigid_platform::mail;
use sigid_platform::outbox::Event;
use std::sync::{Arc, Mutex, PoisonError};

pub const FEATURE: Feature = Feature {
    name: "sign-in",
    section: None,
    routes: &[
        Route {
            methods: &["GET", "POST"],
            path: paths::LOGIN,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(login)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Signs a person in",
        },
        Route {
            methods: &["GET", "POST"],
            path: paths::LOGOUT,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(logout)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Signs a person out",
        },
    ],
    jobs: &[],
    events: &[LOGIN_FAILED, LOGIN_SUCCESS, LOGOUT, rules::SIGN_IN_CHANGED],
    discovery: &[],
};

const LOGIN_FAILED: &str = "auth.login.failed";
const LOGIN_SUCCESS: &str = "auth.login.success";
const LOGOUT: &str = "auth.logout";

/// Events about failed sign-ins, from one process; the metric counts them all.
pub const FAILED_EVENTS_PER_MINUTE_MAX: u32 = 120;

/// What a process counts of sign-ins; in its settings as `Arc<SignIn>`.
pub struct SignIn {
    succeeded: Counter,
    failed: Counter,
    limited: Counter,
    busy: Counter,
    /// Minute and number of events about failures.
    noted: Mutex<(i64, u32)>,
}

impl Default for SignIn {
    fn default() -> Self {
        let outcome =
            |outcome| metrics::counter("sigid_logins_total", "Sign-ins, by outcome.", &[("outcome", outcome)]);
        Self {
            succeeded: outcome("success"),
            failed: outcome("failed"),
            limited: outcome("limited"),
            busy: outcome("busy"),
            noted: Mutex::default(),
        }
    }
}

impl SignIn {
    fn may_note(&self, now_s: i64) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = now_s.div_euclid(60);
        if noted.0 != minute {
            *noted = (minute, 0);
        }
        noted.1 = noted.1.saturating_add(1);
        noted.1 <= FAILED_EVENTS_PER_MINUTE_MAX
    }
}

/// The form as it was typed.
struct Typed {
    email: String,
    password: Password,
    next: String,
    /// The application that `next` leads to.
    asked: Option<Asked>,
}

/// Why nobody is signed in.
enum No {
    Field(Field, FieldFault),
    Fault(Fault),
}

impl<T: Into<Fault>> From<T> for No {
    fn from(fault: T) -> Self {
        Self::Fault(fault.into())
    }
}

/// The same for an unknown address, a wrong password and a disabled account.
const MISMATCH: No = No::Field(Field::Password, FieldFault::Mismatch);

fn login(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let answered = match call.request.method {
            http::Method::POST => send(&call, &permit).await,
            _ => open(&call, &permit),
        };
        answered.unwrap_or_else(|fault| fault.reply(&call))
    })
}

fn open(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let query = ask::query(call)?;
    let next = ask::carried(query.find("next").unwrap_or_default());
    let asked = asked::find(call, &next);
    let policy = check_offered(asked.as_ref())?;
    // Without an application every session goes on; what its pages ask for they ask themselves.
    let counts = |authentications| model::worth(authentications, methods::ALL, &policy).is_some();
    if permit.session.as_ref().is_some_and(|session| asked.is_none() || counts(&session.authentications)) {
        return Ok(see_other(ask::onward(&next)));
    }
    let typed = Typed { email: String::new(), password: Password::new(Vec::new()), next, asked };
    let notice = query.find("notice").and_then(ask::notice);
    show(call, permit, &typed, StatusCode::OK, Faults::none(), notice)
}

async fn send(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let form = ask::form(call)?;
    let next = ask::carried(form.find("next").unwrap_or_default());
    let typed = Typed {
        email: ask::text(&form, Field::Email.name()),
        password: ask::password(&form, Field::Password.name()),
        asked: asked::find(call, &next),
        next,
    };
    match sign_in(call, permit, &typed).await {
        Ok(reply) => Ok(reply),
        Err(No::Field(field, fault)) => {
            let faults = Faults::field(field, fault);
            show(call, permit, &typed, StatusCode::UNPROCESSABLE_ENTITY, faults, None)
        }
        Err(No::Fault(fault)) => match fault.on_form() {
            Some((status, shown)) => {
                let reply = show(call, permit, &typed, status, Faults::form(shown), None)?;
                Ok(fault::with_retry(reply, fault.retry_after_s()))
            }
            None => Err(fault),
        },
    }
}

/// What the sign-in must reach, if the password counts there. It is the one method that the page offers.
fn check_offered(asked: Option<&Asked>) -> Result<Policy, Fault> {
    let policy = asked::policy(asked);
    if policy.offers(&password::METHOD) { Ok(policy) } else { Err(Fault::SignInClosed) }
}

fn show(
    call: &Call,
    permit: &Permit<Page>,
    typed: &Typed,
    status: StatusCode,
    faults: Faults,
    notice: Option<Notice>,
) -> Result<Reply, Fault> {
    let asked = typed.asked.as_ref();
    let page = Login {
        csrf: permit.csrf.token(paths::LOGIN),
        next: typed.next.clone(),
        email: typed.email.clone(),
        faults,
        notice,
        may_register: asked::takes_new(call, asked)?,
    };
    Ok(render(&asked::look(call, asked), status, &page))
}

async fn sign_in(call: &Call, permit: &Permit<Page>, typed: &Typed) -> Result<Reply, No> {
    let policy = check_offered(typed.asked.as_ref())?;
    let address = ask::address(&typed.email).map_err(|fault| No::Field(Field::Email, fault))?;
    if typed.password.expose().is_empty() {
        return Err(No::Field(Field::Password, FieldFault::Missing));
    }
    let account = address.key.as_str();
    let counted: &Arc<SignIn> = ask::part(&call.backend)?;
    let devices = Devices::new(&ask::keys(call)?.device);
    let attempt = begin(call, counted, &devices, account).await?;
    match prove_and_start(call, permit, account, &typed.password, &policy).await {
        Ok(Some((user, started))) => {
            attempt.succeed();
            counted.succeeded.inc();
            Ok(signed_in(call, &devices, &user, started, &typed.next))
        }
        Ok(None) => {
            attempt.fail();
            counted.failed.inc();
            note_failed(call, counted, account).await;
            Err(MISMATCH)
        }
        Err(fault) => {
            attempt.withdraw();
            counted.busy.inc();
            Err(fault.into())
        }
    }
}

async fn begin(call: &Call, counted: &SignIn, devices: &Devices, account: &str) -> Result<Attempt, Fault> {
    let device = find_device(call, devices, account).await?;
    match ask::limits(call)?.begin(account, call.address, device.as_ref(), call.now_s).await {
        Ok(attempt) => Ok(attempt),
        Err(refused) => {
            counted.limited.inc();
            Err(ask::limited(call, &refused).await)
        }
    }
}

/// The device, if this browser has signed in to the account under the password of today. Who has no cookie that is good
/// for the account learns nothing of what is looked up here: nothing is.
async fn find_device(call: &Call, devices: &Devices, account: &str) -> Result<Option<Device>, Fault> {
    let cookie = find_cookie(&call.request.headers, DEVICE_COOKIE);
    let Some(device) = devices.find(cookie, account, call.now_s) else { return Ok(None) };
    let user = find(call, account).await?;
    Ok(user.filter(|user| device.is_current(user.password_changed_s)).map(|_| device))
}

/// One path for everybody; nothing comes back for whoever is not signed in. An account whose stored hash moved while the
/// password was verified (another sign-in upgraded it, or it was changed) is looked at once more.
async fn prove_and_start(
    call: &Call,
    permit: &Permit<Page>,
    account: &str,
    typed: &Password,
    policy: &Policy,
) -> Result<Option<(User, Started)>, Fault> {
    match prove_once(call, permit, account, typed, policy).await? {
        Once::Started(user, started) => Ok(Some((*user, started))),
        Once::Mismatch => Ok(None),
        Once::Moved => match prove_once(call, permit, account, typed, policy).await? {
            Once::Started(user, started) => Ok(Some((*user, started))),
            Once::Mismatch | Once::Moved => Ok(None),
        },
    }
}

/// How one look at an account ends.
enum Once {
    Started(Box<User>, Started),
    Mismatch,
    /// The password was right for a hash that is no longer the account's.
    Moved,
}

async fn prove_once(
    call: &Call,
    permit: &Permit<Page>,
    account: &str,
    typed: &Password,
    policy: &Policy,
) -> Result<Once, Fault> {
    let found = find(call, account).await?;
    let proven = password::prove(ask::passwords(call)?, found, typed, policy, call.now_s).await?;
    let Some(password::Proven { user, factor, upgrade }) = proven else { return Ok(Once::Mismatch) };
    let Some(complete) = password::complete(factor) else { return Ok(Once::Mismatch) };
    let started = start(call, permit, &user, &complete, upgrade.as_deref()).await?;
    Ok(started.map_or(Once::Moved, |started| Once::Started(Box::new(user), started)))
}

/// No connection is held while the password is hashed.
async fn find(call: &Call, account: &str) -> Result<Option<User>, PgFault> {
    let mut tx = ask::look(call).await?;
    let found = accounts::find_by_email(&mut tx, account).await?;
    tx.rollback().await?;
    Ok(found)
}

/// The session, if the account still is what the password was verified against.
async fn start(
    call: &Call,
    permit: &Permit<Page>,
    user: &User,
    complete: &Complete,
    upgrade: Option<&str>,
) -> Result<Option<Started>, Fault> {
    let Some(verified) = user.password_hash.as_deref() else { return Ok(None) };
    let actor = complete.user_id().to_string();
    let mut change = ask::change(call, &actor).await?;
    if let Some(hash) = upgrade
        && !accounts::upgrade_hash(change.tx(), complete.user_id(), verified, hash).await?
    {
        return Ok(None);
    }
    let held = sql::hold_account(change.tx(), complete.user_id(), upgrade.unwrap_or(verified)).await?;
    if !matches!(held, Some(UserState::Active | UserState::Deleting)) {
        return Ok(None);
    }
    if let Some(old) = &permit.session {
        sessions::end(&mut change, ask::keys(call)?, old.user_id, old.session_id).await?;
    }
    let (authentications, acr) = (complete.authentications(), complete.acr().as_str());
    let started = sessions::start(&mut change, call, complete.user_id(), authentications, acr).await?;
    let is_told = sessions::notice::tell(&mut change, call, user, &started.session).await?;
    let data = json!({ "session_id": started.session.session_id.to_string(), "acr": acr });
    change.record(&Event { tenant: None, event_type: LOGIN_SUCCESS, subject: &actor, data }).await?;
    ask::commit(call, change).await?;
    if is_told {
        mail::ring(&call.backend);
    }
    Ok(Some(started))
}

fn signed_in(call: &Call, devices: &Devices, user: &User, started: Started, next: &str) -> Reply {
    let known = find_cookie(&call.request.headers, DEVICE_COOKIE);
    let device = devices.issue(known, &user.email_key, rng::random(), call.now_s);
    let location = match user.state {
        UserState::Deleting => paths::ACCOUNT_DELETION,
        UserState::Active | UserState::Disabled => ask::onward(next),
    };
    ask::with_cookie(ask::with_cookie(see_other(location), started.cookie), device)
}

/// The same row whether there is such an account or not; a failure is answered even if it cannot be written.
async fn note_failed(call: &Call, counted: &SignIn, account: &str) {
    if !counted.may_note(call.now_s) {
        return;
    }
    let noted: Result<(), Fault> = async {
        let shown = ask::limits(call)?.shown(account);
        let mut change = ask::change(call, "sign-in").await?;
        let event = Event { tenant: None, event_type: LOGIN_FAILED, subject: &shown, data: json!({}) };
        change.record(&event).await?;
        ask::commit(call, change).await
    }
    .await;
    if noted.is_err() {
        tracing::warn!(request_id = %call.request_id, "a failed sign-in could not be recorded");
    }
}

fn logout(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let answered = match call.request.method {
            http::Method::POST => end(&call, &permit).await,
            _ => show_logout(&call, &permit).await,
        };
        answered.unwrap_or_else(|fault| fault.reply(&call))
    })
}

async fn show_logout(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let Some(session) = &permit.session else { return Ok(logged_out(call)) };
    let mut tx = ask::look(call).await?;
    let user = accounts::find_user(&mut tx, session.user_id).await?;
    tx.rollback().await?;
    let email = user.map(|user| user.email).unwrap_or_default();
    let page = Logout { csrf: permit.csrf.token(paths::LOGOUT), email, faults: Faults::none() };
    Ok(render(&Look::of(call), StatusCode::OK, &page))
}

async fn end(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    if let Some(session) = &permit.session {
        let actor = session.user_id.to_string();
        let mut change = ask::change(call, &actor).await?;
        if sessions::end(&mut change, ask::keys(call)?, session.user_id, session.session_id).await? {
            let data = json!({ "session_id": session.session_id.to_string() });
            change.record(&Event { tenant: None, event_type: LOGOUT, subject: &actor, data }).await?;
        }
        ask::commit(call, change).await?;
    }
    Ok(ask::with_cookie(logged_out(call), sessions::clear_cookie()))
}

fn logged_out(call: &Call) -> Reply {
    render(&Look::of(call), StatusCode::OK, &LoggedOut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_recorded_up_to_a_bound_each_minute() {
        let counted = SignIn::default();
        let noted = (0..FAILED_EVENTS_PER_MINUTE_MAX + 10).filter(|_| counted.may_note(119)).count();
        assert_eq!(noted, FAILED_EVENTS_PER_MINUTE_MAX as usize);
        assert!(counted.may_note(120), "the next minute");
    }
}
