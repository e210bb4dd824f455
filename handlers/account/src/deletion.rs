//! A person deletes the own account, and may take that back for a while.
//!
//! ```text
//! active -> deleting (all sessions over, what applications were given is dead, a letter says how to keep it)
//!        <- kept, by its owner who signed in again
//!           deleting -> erased, when the grace period ends
//! ```
//!
//! Until it is erased the account can sign in to its own pages only: every one of them leads to the page that keeps it.
//! Erasure takes the row with address, hash and claims; the memberships stay as subjects without a person, so that no
//! subject is ever given to somebody else; what sessions and links still say of the person goes with it. Kept: events,
//! which hold ids only, for as long as events are; letters, for as long as letters are. A registration that waits for its
//! confirmation is not touched: it is a new account that whoever reads that mail may make.
//!
//! The job erases each account in a transaction of its own, at most [`ERASED_MAX`] a run, so that one that fails keeps
//! nobody. The last letter is queued in that transaction and goes to an address that nothing else remembers.
//!
//! Attacks considered: deletion by whoever finds a session open (the password is asked again, the letter tells the
//! owner, the grace period gives time); deletion to hide a theft (the link that takes an address back also ends the
//! deletion, see [`crate::email`]); an account erased between a sign-in and "keep it" (the state stands in `WHERE`).

use crate::config::SelfService;
use crate::desk::{Desk, KEPT, Refused, done, keys};
use crate::{DELETION_BEGUN, DELETION_TAKEN_BACK, ERASED, sql};
use http::StatusCode;
use serde_json::json;
use sigid_core::ids::UserId;
use sigid_edge::backend::{Backend, Call};
use sigid_edge::feature::JobFault;
use sigid_edge::guard::{Permit, Person};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Scope};
use sigid_io::settings::Plane;
use sigid_login::accounts::{self, UserState};
use sigid_login::flows::fault::Fault;
use sigid_login::flows::{ask, links};
use sigid_login::sessions;
use sigid_pages::{Deleting, Deletion, ErrorPage, Faults, Field, Locale, paths, render};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::{Act, Change, Event};
use std::sync::Arc;

/// Accounts that one run of the job erases.
pub const ERASED_MAX: i64 = 500;

/// A process that was told nothing lets nobody do anything.
pub(crate) const CLOSED: SelfService = SelfService {
    deletion_enabled: false,
    deletion_grace_days: 90,
    email_change_enabled: false,
    password_change_ends_sessions: true,
    reauthentication_s: 0,
};

pub(crate) fn serve(call: Call, permit: Permit<Person>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let desk = match Desk::open_deleting(call, &permit).await {
            Ok(desk) => desk,
            Err(reply) => return reply,
        };
        match desk.user.state {
            UserState::Deleting => serve_deleting(&desk).await,
            UserState::Active | UserState::Disabled => serve_active(&desk).await,
        }
    })
}

async fn serve_active(desk: &Desk) -> Reply {
    if !desk.settings().deletion_enabled {
        return render(&desk.look, StatusCode::NOT_FOUND, &ErrorPage::not_found(&desk.call.request_id));
    }
    let page = |faults| Deletion {
        csrf: desk.csrf.token(paths::ACCOUNT_DELETION),
        email: desk.user.email.clone(),
        has_password: desk.has_password(),
        grace_days: desk.settings().deletion_grace_days,
        faults,
    };
    if !desk.is_post() {
        return desk.show(&page(Faults::none()));
    }
    match begin(desk).await {
        Ok(()) => ask::with_cookie(
            ask::to_login(Some(ask::DELETION_BEGUN), paths::ACCOUNT_DELETION),
            sessions::clear_cookie(),
        ),
        Err(refused) => desk.refuse(refused, page),
    }
}

async fn begin(desk: &Desk) -> Result<(), Refused> {
    // The button of the other page, pressed twice: there is nothing to keep any more.
    if desk.form()?.find(KEEP_FIELD).is_some() {
        return Err(Fault::BadRequest.into());
    }
    desk.prove(&ask::password(&desk.form()?, Field::CurrentPassword.name())).await?;
    let (user, now_s) = (desk.user.user_id, desk.call.now_s);
    let deletes_s = now_s.saturating_add(desk.settings().deletion_grace_s());
    let mut change = desk.change().await?;
    let (from, to) = (UserState::Active, UserState::Deleting);
    if !accounts::move_state(change.tx(), user, from, to, Some(deletes_s), now_s).await? {
        return Err(Fault::BadRequest.into());
    }
    accounts::end_sessions(&mut change, desk.keys()?, user, None).await?;
    accounts::mark_memberships(&mut change, user).await?;
    sql::kill_links(change.tx(), user, &[links::EMAIL.name], now_s).await?;
    desk.record(&mut change, DELETION_BEGUN, json!({ "deletes_at": deletes_s })).await?;
    desk.write(&mut change, "deletion_begun", json!({ "deletes_s": deletes_s })).await?;
    desk.commit(change).await?;
    Ok(())
}

async fn serve_deleting(desk: &Desk) -> Reply {
    let page = |faults| Deleting {
        csrf: desk.csrf.token(paths::ACCOUNT_DELETION),
        email: desk.user.email.clone(),
        deletes_s: desk.user.deletes_s.unwrap_or(desk.call.now_s),
        faults,
    };
    if !desk.is_post() {
        return desk.show(&page(Faults::none()));
    }
    match keep(desk).await {
        Ok(()) => done(paths::ACCOUNT, KEPT),
        Err(refused) => desk.refuse(refused, page),
    }
}

async fn keep(desk: &Desk) -> Result<(), Refused> {
    if desk.form()?.find(KEEP_FIELD) != Some("yes") {
        return Err(Fault::BadRequest.into());
    }
    let (user, now_s) = (desk.user.user_id, desk.call.now_s);
    let mut change = desk.change().await?;
    let (from, to) = (UserState::Deleting, UserState::Active);
    if !accounts::move_state(change.tx(), user, from, to, None, now_s).await? {
        return Err(Fault::BadRequest.into());
    }
    desk.record(&mut change, DELETION_TAKEN_BACK, json!({})).await?;
    desk.commit(change).await?;
    Ok(())
}

const KEEP_FIELD: &str = "keep";

/// The job: erases accounts whose time is over.
pub(crate) fn erase_due(backend: Arc<Backend>) -> BoxFuture<'static, Result<(), JobFault>> {
    Box::pin(async move {
        let now_s = backend.shared.clock.now_s();
        let due = load_due(&backend, now_s).await.map_err(|fault| JobFault(fault.to_string()))?;
        let mut outcome = Ok(());
        for user in due {
            if let Err(fault) = erase(&backend, user, now_s).await {
                tracing::warn!(error = ?fault, %user, "an account could not be erased");
                outcome = Err(JobFault("an account could not be erased".to_owned()));
            }
        }
        outcome
    })
}

async fn load_due(backend: &Backend, now_s: i64) -> Result<Vec<UserId>, PgFault> {
    let mut tx = backend.pools.pool(Plane::Async).begin(JOBS).await?;
    let due = accounts::load_due_deletions(&mut tx, now_s, ERASED_MAX).await?;
    tx.rollback().await?;
    Ok(due)
}

/// One account, whole or not at all. Another node may have been first.
async fn erase(backend: &Backend, user: UserId, now_s: i64) -> Result<(), Fault> {
    let act = Act { actor: "job", now_s };
    let change = Change::begin(backend.pools.pool(Plane::Async), JOBS, act).await?;
    let mut change = change.with_clock(&backend.shared.clock);
    let Some((email, locale)) = sql::hold_due(change.tx(), user, now_s).await? else { return Ok(()) };
    accounts::end_sessions(&mut change, keys(backend)?, user, None).await?;
    accounts::mark_memberships(&mut change, user).await?;
    sql::leave_tenants(change.tx(), user, now_s).await?;
    sql::forget(change.tx(), user, now_s).await?;
    let subject = user.to_string();
    change.record(&Event { tenant: None, event_type: ERASED, subject: &subject, data: json!({}) }).await?;
    let letter = Letter {
        template: "deletion_done",
        locale: locale.as_deref().unwrap_or(Locale::default().tag()),
        recipient: &email,
        tenant: None,
        data: json!({}),
    };
    mail::enqueue(change.tx(), &letter, now_s).await?;
    accounts::delete_user(change.tx(), user).await?;
    change.commit().await?;
    mail::ring(backend);
    Ok(())
}

const JOBS: Scope = Scope::System("jobs");
