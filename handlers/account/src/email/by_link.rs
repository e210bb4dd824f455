//! The pages of the two links: the one that proves a new address, and the one that takes the old one back.

use crate::desk::{self, NEW_EMAIL, done, keys};
use crate::{EMAIL_CHANGED, EMAIL_TAKEN_BACK, password, sql};
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
use sigid_login::flows::recovery::state_of;
use sigid_login::keys::Keys;
use sigid_login::password::Password;
use sigid_login::sessions;
use sigid_pages::{Confirm, ConfirmWhat, ErrorPage, Faults, Field, FieldFault, Look, paths, render};
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
        (false, true) => show_undo(call, visit, &digest, value).await,
        (true, true) => use_undo(call, &digest).await,
        (false, false) => show_confirm(call, visit, &digest, value).await,
        (true, false) => {
            let typed = ask::password(&form, Field::Password.name());
            use_confirm(call, visit, &digest, value, &typed).await
        }
    }
}

/// A link that is good, with its account as it is.
async fn look_up(call: &Call, kind: &'static Kind, digest: &Digest32) -> Result<(Link, User), Fault> {
    let mut tx = ask::look(call).await?;
    let link = links::find(&mut tx, kind, digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let user = accounts::find_user(&mut tx, link.user_id.ok_or(Fault::LinkDead)?).await?.ok_or(Fault::LinkDead)?;
    tx.rollback().await?;
    Ok((link, user))
}

async fn show_undo(call: &Call, visit: &Permit<Page>, digest: &Digest32, value: &str) -> Result<Reply, Refused> {
    let (link, _) = look_up(call, &links::UNDO, digest).await?;
    let page = Confirm {
        csrf: visit.csrf.token(paths::EMAIL_UNDO),
        email: link.text("old_email").to_owned(),
        link: value.to_owned(),
        what: ConfirmWhat::EmailUndo,
        asks_password: false,
        faults: Faults::none(),
    };
    Ok(render(&Look::of(call), StatusCode::OK, &page))
}

async fn show_confirm(call: &Call, visit: &Permit<Page>, digest: &Digest32, value: &str) -> Result<Reply, Refused> {
    let (link, user) = look_up(call, &links::EMAIL, digest).await?;
    check_visitor(visit, &link, &user)?;
    Ok(confirm_page(call, visit, &link, value, StatusCode::OK, Faults::none()))
}

fn confirm_page(
    call: &Call,
    visit: &Permit<Page>,
    link: &Link,
    value: &str,
    status: StatusCode,
    faults: Faults,
) -> Reply {
    let page = Confirm {
        csrf: visit.csrf.token(paths::EMAIL_CONFIRM),
        email: link.text("new_email").to_owned(),
        link: value.to_owned(),
        what: ConfirmWhat::EmailChange,
        asks_password: !is_owner(visit, link),
        faults,
    };
    render(&Look::of(call), status, &page)
}

fn is_owner(visit: &Permit<Page>, link: &Link) -> bool {
    visit.session.as_ref().is_some_and(|session| Some(session.user_id) == link.user_id)
}

/// An address that was asked for in one account is not proven in the session of another, nor for an account that is not
/// what it was when it asked. Without a session the password is asked for; an account that has none is asked to sign in.
fn check_visitor(visit: &Permit<Page>, link: &Link, user: &User) -> Result<(), Fault> {
    let is_same = user.state == UserState::Active && link.text("state") == state_of(user);
    let may_prove = user.password_hash.is_some() && visit.session.is_none();
    if is_same && (is_owner(visit, link) || may_prove) { Ok(()) } else { Err(Fault::LinkDead) }
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
    let clock = &call.backend.shared.clock;
    let act = Act { actor: "link", now_s: clock.now_s().max(call.now_s) };
    Ok(Change::begin(ask::pool(call), ask::ACCOUNTS, act).await?.with_clock(clock))
}

async fn use_confirm(
    call: &Call,
    visit: &Permit<Page>,
    digest: &Digest32,
    value: &str,
    typed: &Password,
) -> Result<Reply, Refused> {
    if !desk::settings(&call.backend).email_change_enabled {
        return Err(Fault::LinkDead.into());
    }
    let (link, user) = look_up(call, &links::EMAIL, digest).await?;
    check_visitor(visit, &link, &user)?;
    if !is_owner(visit, &link)
        && let Some(fault) = find_fault(call, &user, typed).await?
    {
        let faults = Faults::field(Field::Password, fault);
        return Ok(confirm_page(call, visit, &link, value, StatusCode::UNPROCESSABLE_ENTITY, faults));
    }
    change_email(call, visit, digest).await
}

/// What is wrong with the password of whoever holds the letter: it proves the address, and only that. Otherwise somebody
/// could ask for a stranger's address and wait for its owner to press the button.
async fn find_fault(call: &Call, user: &User, typed: &Password) -> Result<Option<FieldFault>, Fault> {
    if typed.expose().is_empty() {
        return Ok(Some(FieldFault::Missing));
    }
    let stored = user.password_hash.as_deref().ok_or(Fault::LinkDead)?;
    let is_theirs = password::is_current(call, user, stored, typed).await?;
    Ok((!is_theirs).then_some(FieldFault::WrongPassword))
}

async fn change_email(call: &Call, visit: &Permit<Page>, digest: &Digest32) -> Result<Reply, Refused> {
    let mut change = begin(call).await?;
    let (link, user) = spend(&mut change, &links::EMAIL, digest).await?;
    check_visitor(visit, &link, &user)?;
    let is_owner = is_owner(visit, &link);
    set_email(&mut change, &user, link.text("old_key"), [link.text("new_email"), link.text("new_key")], is_owner)
        .await?;
    let dead = [links::EMAIL.name, links::RECOVER.name, links::SETUP.name];
    sql::kill_links(change.tx(), user.user_id, &dead, call.now_s).await?;
    tell_both(call, &mut change, &user, &link).await?;
    record(&mut change, &user, EMAIL_CHANGED).await?;
    ask::commit(call, change).await?;
    mail::ring(&call.backend);
    if !is_owner {
        return Ok(ask::to_login(Some(ask::VERIFIED), ""));
    }
    // The browser was known to the account under its old address.
    Ok(ask::with_device(call, done(paths::ACCOUNT_EMAIL, NEW_EMAIL), link.text("new_key"))?)
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

/// The old address gets the link that takes it back. Of two changes in one second the second is dated a second later, so
/// that it is known which came first ([`use_undo`]).
async fn tell_both(call: &Call, change: &mut Change<'_>, user: &User, link: &Link) -> Result<(), Fault> {
    let newest_s = sql::find_newest_link_s(change.tx(), user.user_id, links::UNDO.name).await?;
    let now_s = newest_s.map_or(change.now_s(), |newest_s| change.now_s().max(newest_s.saturating_add(1)));
    let fallback = Look::of(call).locale;
    let locale = user.locale.as_deref().unwrap_or(fallback.tag());
    let letter = |template, recipient| Letter { template, locale, recipient, tenant: None, data: link.data.clone() };
    let old = letter("email_changed_old", &user.email);
    let mail_id = mail::enqueue(change.tx(), &old, now_s).await?;
    let (keys, user_id) = (keys(&call.backend)?, user.user_id);
    insert(change.tx(), keys, &links::UNDO, mail_id, user_id, &link.data, now_s).await?;
    mail::enqueue(change.tx(), &letter("email_changed_new", link.text("new_email")), now_s).await?;
    Ok(())
}

/// Takes the address back, and with it every change that came after: whoever was sent an older link than this one can
/// still take back what was changed before.
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
    let others = [links::EMAIL.name, links::RECOVER.name, links::SETUP.name];
    sql::kill_links(change.tx(), user_id, &others, now_s).await?;
    sql::kill_links_since(change.tx(), user_id, links::UNDO.name, link.created_s, now_s).await?;
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
