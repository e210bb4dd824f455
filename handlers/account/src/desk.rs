//! What every page of an account begins with: whose it is, and how it is changed.
//!
//! A change is over before the page that says so is made: no request takes a second connection while it holds one, or as
//! many requests as there are connections would wait for each other, and everybody for them.

use crate::config::SelfService;
use crate::{deletion, sql};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sigid_core::form::Form;
use sigid_edge::backend::{Backend, Call};
use sigid_edge::guard::{Permit, Person};
use sigid_edge::session::{Csrf, Session, see_other};
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Scope, Tx};
use sigid_login::accounts::{self, User, UserState};
use sigid_login::flows::ask;
use sigid_login::flows::fault::{Fault, with_retry};
use sigid_login::keys::Keys;
use sigid_login::password::Password;
use sigid_pages::{Faults, Field, FieldFault, Look, Notice, Page, paths, render};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::{Act, Change, Event};
use std::sync::Arc;
use uuid::Uuid;

/// Why a form is not done.
pub(crate) enum Refused {
    /// Its fields say why.
    Form(Faults),
    /// Who has no password must come by recovery: the sign-in is too long ago.
    Stale,
    Fault(Fault),
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
    pub(crate) fn field(field: Field, fault: FieldFault) -> Self {
        Self::Form(Faults::field(field, fault))
    }
}

/// A person at the own account.
pub(crate) struct Desk {
    pub call: Call,
    pub look: Look,
    pub session: Session,
    pub csrf: Csrf,
    pub user: User,
    actor: String,
}

impl Desk {
    /// Loads the account. One that is being deleted has one page.
    pub async fn open(call: Call, permit: &Permit<Person>) -> Result<Self, Reply> {
        let desk = Self::open_deleting(call, permit).await?;
        match desk.user.state {
            UserState::Active | UserState::Disabled => Ok(desk),
            UserState::Deleting => Err(see_other(paths::ACCOUNT_DELETION)),
        }
    }

    /// Loads the account, be it being deleted or not.
    pub async fn open_deleting(call: Call, permit: &Permit<Person>) -> Result<Self, Reply> {
        let (session, csrf) = (permit.session.clone(), permit.csrf.clone());
        let found = match load(&call, &session).await {
            Ok(found) => found,
            Err(fault) => return Err(Fault::from(fault).reply(&call)),
        };
        let Some(user) = found.filter(|user| user.state != UserState::Disabled) else {
            return Err(ask::to_login(None, ""));
        };
        let (look, actor) = (Look::of(&call), user.user_id.to_string());
        Ok(Self { call, look, session, csrf, user, actor })
    }

    pub fn is_post(&self) -> bool {
        self.call.request.method == Method::POST
    }

    pub fn form(&self) -> Result<Form<'_>, Fault> {
        ask::form(&self.call)
    }

    /// What the address says has just happened.
    pub fn notice(&self) -> Option<Notice> {
        let query = ask::query(&self.call).ok()?;
        notice(query.find("notice")?)
    }

    pub fn settings(&self) -> SelfService {
        settings(&self.call.backend)
    }

    pub fn keys(&self) -> Result<&Arc<Keys>, Fault> {
        keys(&self.call.backend)
    }

    pub fn has_password(&self) -> bool {
        self.user.password_hash.is_some()
    }

    /// A look at what is this person's.
    pub async fn look(&self) -> Result<Tx<'_>, PgFault> {
        ask::pool(&self.call).begin(self.scope()).await
    }

    /// A change of what is this person's; the account's row is held until it ends. Refused when the account is no
    /// longer what this page began with.
    pub async fn change(&self) -> Result<Change<'_>, Refused> {
        // A hash may lie between the call and this.
        let clock = &self.call.backend.shared.clock;
        let act = Act { actor: &self.actor, now_s: clock.now_s().max(self.call.now_s) };
        let mut change = Change::begin(ask::pool(&self.call), self.scope(), act).await?.with_clock(clock);
        let held = sql::hold(change.tx(), self.user.user_id).await?;
        // A sign-in under the old password held the row until now.
        change.refresh();
        let is_same = held.is_some_and(|held| {
            held.state == self.user.state
                && held.password_hash == self.user.password_hash
                && held.email_key == self.user.email_key
        });
        if is_same { Ok(change) } else { Err(Fault::BadRequest.into()) }
    }

    pub async fn commit(&self, change: Change<'_>) -> Result<(), Fault> {
        ask::commit(&self.call, change).await?;
        mail::ring(&self.call.backend);
        Ok(())
    }

    /// Something happened to the account.
    pub async fn record(&self, change: &mut Change<'_>, event_type: &'static str, data: Value) -> Result<(), PgFault> {
        change.record(&Event { tenant: None, event_type, subject: &self.actor, data }).await
    }

    /// A letter to the account's address; its data names the account.
    pub async fn write(&self, change: &mut Change<'_>, template: &'static str, more: Value) -> Result<Uuid, PgFault> {
        let letter = Letter {
            template,
            locale: self.locale(),
            recipient: &self.user.email,
            tenant: None,
            data: with_user(&self.user, more),
        };
        let now_s = change.now_s();
        mail::enqueue(change.tx(), &letter, now_s).await
    }

    /// The language of letters to this person.
    pub fn locale(&self) -> &str {
        self.user.locale.as_deref().unwrap_or(self.look.locale.tag())
    }

    /// The password of the account, asked again: nothing that changes who may sign in is done without. An account that
    /// has none must have signed in not long ago.
    pub async fn prove(&self, typed: &Password) -> Result<(), Refused> {
        let Some(stored) = self.user.password_hash.as_deref() else {
            let age_s = self.call.now_s.saturating_sub(self.session.authenticated_s);
            return if age_s <= self.settings().reauthentication_s { Ok(()) } else { Err(Refused::Stale) };
        };
        if typed.expose().is_empty() {
            return Err(Refused::field(Field::CurrentPassword, FieldFault::Missing));
        }
        if crate::password::is_current(&self.call, &self.user, stored, typed).await? {
            Ok(())
        } else {
            Err(Refused::field(Field::CurrentPassword, FieldFault::WrongPassword))
        }
    }

    pub fn show(&self, page: &dyn Page) -> Reply {
        render(&self.look, StatusCode::OK, page)
    }

    /// The form again, with what is wrong; or a page of its own.
    pub fn refuse<P: Page>(&self, refused: Refused, page: impl FnOnce(Faults) -> P) -> Reply {
        match refused {
            Refused::Form(faults) => render(&self.look, StatusCode::UNPROCESSABLE_ENTITY, &page(faults)),
            Refused::Stale => see_other(paths::RECOVER),
            Refused::Fault(fault) => match fault.on_form() {
                Some((status, form)) => {
                    with_retry(render(&self.look, status, &page(Faults::form(form))), fault.retry_after_s())
                }
                None => fault.reply(&self.call),
            },
        }
    }

    fn scope(&self) -> Scope {
        Scope::Person(*self.session.user_id.as_uuid())
    }
}

async fn load(call: &Call, session: &Session) -> Result<Option<User>, PgFault> {
    let mut tx = ask::pool(call).begin(Scope::Person(*session.user_id.as_uuid())).await?;
    let found = accounts::find_user(&mut tx, session.user_id).await?;
    tx.rollback().await?;
    Ok(found)
}

/// `[user_self_service]`, as this process has it.
pub(crate) fn settings(backend: &Backend) -> SelfService {
    backend.settings.find::<SelfService>().copied().unwrap_or(deletion::CLOSED)
}

pub(crate) fn keys(backend: &Backend) -> Result<&Arc<Keys>, Fault> {
    ask::part(backend)
}

/// The data of a letter about an account.
pub(crate) fn with_user(user: &User, mut more: Value) -> Value {
    if let Some(members) = more.as_object_mut() {
        members.insert("user_id".to_owned(), json!(user.user_id.to_string()));
    }
    more
}

/// To a page of the account that says what happened.
pub(crate) fn done(path: &str, notice: &str) -> Reply {
    see_other(&format!("{path}?notice={notice}"))
}

pub(crate) const SAVED: &str = "saved";
pub(crate) const NEW_PASSWORD: &str = "password_changed";
pub(crate) const NEW_EMAIL: &str = "email_changed";
pub(crate) const KEPT: &str = "kept";

fn notice(name: &str) -> Option<Notice> {
    match name {
        SAVED => Some(Notice::Saved),
        NEW_PASSWORD => Some(Notice::PasswordChanged),
        NEW_EMAIL => Some(Notice::EmailChanged),
        KEPT => Some(Notice::Kept),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_one_of_ours() {
        for (reason, name, is_known) in [
            ("saved", SAVED, true),
            ("a password", NEW_PASSWORD, true),
            ("an address", NEW_EMAIL, true),
            ("kept", KEPT, true),
            ("markup", "<b>", false),
            ("nothing", "", false),
        ] {
            assert_eq!(notice(name).is_some(), is_known, "{reason}");
        }
    }
}
