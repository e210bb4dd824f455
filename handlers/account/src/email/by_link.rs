//! The pages of the two links: the one that proves a new address, and the one that takes the old one back.

use crate::desk::{self, NEW_EMAIL, done, keys};
use crate::{EMAIL_CHANGED, EMAIL_TAKEN_BACK, sql};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sigid_core::ids::UserId;
use sigid_core::secret::Digest32;
use sigid_edge::backend::Call;
use sigid_edge::guard::{Page, Permit};
use sigid_edge::session::see_other;
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Tx};
use sigid_login::accounts::{self, User, UserState};
use sigid_login::flows::ask;
use sigid_login::flows::fault::Fault;
use sigid_login::flows::links::{self, Kind, Link};
use sigid_login::keys::Keys;
use sigid_login::sessions;
use sigid_pages::{Confirm, ConfirmWhat, ErrorPage, Faults, Look, paths, render};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::{Act, Change, Event};
use uuid::Uuid;

/// A field of the form, and of the address.
const LINK: &str = "link";
/// What refuses an address that somebody has.
const EMAIL_UNIQUE: &str = "users_email_key_key";

/// Makes the link of a letter good at once, so that what kills links finds it before the letter is sent.
pub(super) async fn insert(
    tx: &mut Tx<'_>,
    keys: &Keys,
    kind: &Kind,
    mail_id: Uuid,
    user: UserId,
    data: &Value,
    now_s: i64,
) -> Result<(), PgFault> {
    let value = links::derive(keys, kind, mail_id);
    let digest = Digest32::of(value.expose().as_bytes());
    links::insert(tx, kind, &digest, now_s, Some(user), data).await
}

/// Why a link does nothing.
enum Refused {
    Fault(Fault),
    /// Somebody has proven the address meanwhile; told to the link's owner alone.
    Taken,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<PgFault> for Refused {
    fn from(fault: PgFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl Refused {
    fn reply(self, call: &Call) -> Reply {
        match self {
            Self::Fault(fault) => fault.reply(call),
            Self::Taken => render(&Look::of(call), StatusCode::CONFLICT, &ErrorPage::address_taken(&call.request_id)),
        }
    }
}

pub(crate) fn confirm(call: Call, visit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move { answer(&call, &visit, &links::EMAIL).await.unwrap_or_else(|refused| refused.reply(&call)) })
}

pub(crate) fn undo(call: Call, visit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move { answer(&call, &visit, &links::UNDO).await.unwrap_or_else(|refused| refused.reply(&call)) })
}

async fn answer(call: &Call, visit: &Permit<Page>, kind: &'static Kind) -> Result<Reply, Refused> {
    let is_post = call.request.method == Method::POST;
    let form = if is_post { ask::form(call)? } else { ask::query(call)? };
    let value = form.find(LINK).ok_or(Fault::LinkDead)?;
    let digest = links::read(keys(&call.backend)?, kind, value).ok_or(Fault::LinkDead)?;
    match (is_post, *kind == links::UNDO) {
        (false, is_undo) => show(call, visit, kind, &digest, value, is_undo).await,
        (true, false) => use_confirm(call, visit, &digest).await,
        (true, true) => use_undo(call, &digest).await,
    }
}

async fn show(
    call: &Call,
    visit: &Permit<Page>,
    kind: &'static Kind,
    digest: &Digest32,
    value: &str,
    is_undo: bool,
) -> Result<Reply, Refused> {
    let mut tx = ask::look(call).await?;
    let link = links::find(&mut tx, kind, digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    tx.rollback().await?;
    check_session(visit, &link, is_undo)?;
    let (email, what) = if is_undo {
        (link.text("old_email"), ConfirmWhat::EmailUndo)
    } else {
        (link.text("new_email"), ConfirmWhat::EmailChange)
    };
    let page = Confirm {
        csrf: visit.csrf.token(kind.path),
        email: email.to_owned(),
        link: value.to_owned(),
        what,
        asks_password: false,
        faults: Faults::none(),
    };
    Ok(render(&Look::of(call), StatusCode::OK, &page))
}

/// An address that was asked for in one account is not proven in the session of another. Taking back is for whoever reads
/// the old address, signed in or not.
fn check_session(visit: &Permit<Page>, link: &Link, is_undo: bool) -> Result<(), Fault> {
    let is_strange = visit.session.as_ref().is_some_and(|session| Some(session.user_id) != link.user_id);
    if is_strange && !is_undo { Err(Fault::LinkDead) } else { Ok(()) }
}

/// Holds the link's account and uses the link, in the order in which everything else takes the two.
async fn spend(change: &mut Change<'_>, kind: &'static Kind, digest: &Digest32) -> Result<(Link, User), Fault> {
    let now_s = change.now_s();
    let found = links::find(change.tx(), kind, digest, now_s).await?.ok_or(Fault::LinkDead)?;
    let user_id = found.user_id.ok_or(Fault::LinkDead)?;
    sql::hold(change.tx(), user_id).await?.ok_or(Fault::LinkDead)?;
    let link = links::spend(change.tx(), kind, digest, now_s).await?.ok_or(Fault::LinkDead)?;
    let user = accounts::find_user(change.tx(), user_id).await?.ok_or(Fault::LinkDead)?;
    Ok((link, user))
}

async fn begin(call: &Call) -> Result<Change<'_>, PgFault> {
    Change::begin(ask::pool(call), ask::ACCOUNTS, Act { actor: "link", now_s: call.now_s }).await
}

async fn use_confirm(call: &Call, visit: &Permit<Page>, digest: &Digest32) -> Result<Reply, Refused> {
    if !desk::settings(&call.backend).email_change_enabled {
        return Err(Fault::LinkDead.into());
    }
    let mut change = begin(call).await?;
    let (link, user) = spend(&mut change, &links::EMAIL, digest).await?;
    check_session(visit, &link, false)?;
    if user.state != UserState::Active {
        return Err(Fault::LinkDead.into());
    }
    let is_owner = visit.session.as_ref().is_some_and(|session| session.user_id == user.user_id);
    set_email(&mut change, &user, link.text("old_key"), [link.text("new_email"), link.text("new_key")], is_owner)
        .await?;
    let dead = [links::EMAIL.name, links::RECOVER.name, links::SETUP.name];
    sql::kill_links(change.tx(), user.user_id, &dead, call.now_s).await?;
    tell_both(call, &mut change, &user, &link).await?;
    record(&mut change, &user, EMAIL_CHANGED).await?;
    ask::commit(call, change).await?;
    mail::ring(&call.backend);
    Ok(if is_owner { done(paths::ACCOUNT_EMAIL, NEW_EMAIL) } else { ask::to_login(Some(ask::VERIFIED), "") })
}

/// `new`: as it is shown, and as it is looked up.
async fn set_email(
    change: &mut Change<'_>,
    user: &User,
    old_key: &str,
    [shown, key]: [&str; 2],
    is_owner: bool,
) -> Result<(), Refused> {
    let now_s = change.now_s();
    match accounts::set_email(change.tx(), user.user_id, old_key, shown, key, now_s).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(Fault::LinkDead.into()),
        Err(fault) if fault.is_conflict(EMAIL_UNIQUE) && is_owner => Err(Refused::Taken),
        Err(fault) if fault.is_conflict(EMAIL_UNIQUE) => Err(Fault::LinkDead.into()),
        Err(fault) => Err(fault.into()),
    }
}

/// The old address gets the link that takes it back.
async fn tell_both(call: &Call, change: &mut Change<'_>, user: &User, link: &Link) -> Result<(), Fault> {
    let fallback = Look::of(call).locale;
    let locale = user.locale.as_deref().unwrap_or(fallback.tag());
    let letter = |template, recipient| Letter { template, locale, recipient, tenant: None, data: link.data.clone() };
    let old = letter("email_changed_old", &user.email);
    let mail_id = mail::enqueue(change.tx(), &old, call.now_s).await?;
    let (keys, user_id) = (keys(&call.backend)?, user.user_id);
    insert(change.tx(), keys, &links::UNDO, mail_id, user_id, &link.data, call.now_s).await?;
    mail::enqueue(change.tx(), &letter("email_changed_new", link.text("new_email")), call.now_s).await?;
    Ok(())
}

async fn use_undo(call: &Call, digest: &Digest32) -> Result<Reply, Refused> {
    let mut change = begin(call).await?;
    let (link, user) = spend(&mut change, &links::UNDO, digest).await?;
    if user.state == UserState::Disabled {
        return Err(Fault::LinkDead.into());
    }
    let (user_id, now_s) = (user.user_id, call.now_s);
    let old = [link.text("old_email"), link.text("old_key")];
    set_email(&mut change, &user, &user.email_key, old, false).await?;
    sql::clear_password(change.tx(), user_id, now_s).await?;
    if user.state == UserState::Deleting {
        accounts::move_state(change.tx(), user_id, UserState::Deleting, UserState::Active, None, now_s).await?;
    }
    let all = [links::EMAIL.name, links::UNDO.name, links::RECOVER.name, links::SETUP.name];
    sql::kill_links(change.tx(), user_id, &all, now_s).await?;
    accounts::end_sessions(&mut change, keys(&call.backend)?, user_id, None).await?;
    accounts::mark_memberships(&mut change, user_id).await?;
    record(&mut change, &user, EMAIL_TAKEN_BACK).await?;
    ask::commit(call, change).await?;
    Ok(ask::with_cookie(see_other(paths::RECOVER), sessions::clear_cookie()))
}

async fn record(change: &mut Change<'_>, user: &User, event_type: &'static str) -> Result<(), PgFault> {
    let subject = user.user_id.to_string();
    change.record(&Event { tenant: None, event_type, subject: &subject, data: json!({}) }).await
}
