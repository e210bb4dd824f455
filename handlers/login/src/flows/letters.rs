//! What a letter says, found out when it is sent.
//!
//! Whoever asks for a letter does not know whether an address has an account; here it is known, and here the letter
//! becomes a confirmation or "you have an account", a link or nothing. A letter that is sent again is prepared again and
//! holds the same link, because links are derived from the letter's id ([`links::derive`]); the row of the link is made
//! at the first time. Links lead to the configured issuer.
//!
//! | template | is |
//! |---|---|
//! | `register` | the link that proves the address; where it has an account, `exists` |
//! | `recover` | the link to a new password; nothing where there is no account that may use one, or its password is newer than the letter |
//! | `setup` | the link to a first password |
//! | `email_confirm` | the link that proves a new address; where it has an account, `exists` |
//! | `email_changed_old` | the link that takes the address back |
//! | others | say what happened, and lead to a page |
//!
//! Of a crowd of letters to one mailbox ([`Queued::is_crowd`]) the surplus is dropped, where the links of those before
//! do the same: a registration is confirmed by any link to its address, a recovery by any that is bound to the account as
//! it is. When the account has changed since, so that no such link is out, a recovery's letter is sent all the same:
//! nobody can fill a mailbox's share to keep its owner out.

use super::ask::part;
use super::links::{self, EMAIL, Kind, RECOVER, SETUP, UNDO, VERIFY};
use super::recovery::state_of;
use super::sql;
use crate::accounts::{self, User, UserState};
use crate::keys::Keys;
use serde_json::{Value, json};
use sigid_core::ids::UserId;
use sigid_core::secret::{Digest32, Secret};
use sigid_edge::backend::Backend;
use sigid_io::backend::BoxFuture;
use sigid_io::pg::{PgFault, Scope, Tx};
use sigid_io::settings::Plane;
use sigid_pages::mail::{Args, Template, letter};
use sigid_pages::{Brand, I18n, paths};
use sigid_platform::mail::{PrepareFault, Prepared, Queued, Text};
use std::sync::Arc;

/// For [`sigid_platform::mail::Preparer`].
pub fn prepare(backend: Arc<Backend>, queued: Queued) -> BoxFuture<'static, Result<Prepared, PrepareFault>> {
    Box::pin(async move {
        let template = Template::from_name(&queued.template).ok_or(PrepareFault("no such template"))?;
        let keys: &Arc<Keys> = part(&backend).map_err(|_| PrepareFault("no keys"))?;
        let desk = Desk { issuer: backend.feed.tables().issuer.clone(), keys, queued: &queued };
        match desk.decide(&backend, template).await? {
            Decision::Send(template, links) => Ok(Prepared::Send(desk.write(&backend, template, &links))),
            Decision::Drop(word) => Ok(Prepared::Drop(word)),
        }
    })
}

enum Decision {
    Send(Template, Links),
    Drop(&'static str),
}

const TOO_MANY: Decision = Decision::Drop("too many");

#[derive(Default)]
struct Links {
    /// Behind the button.
    first: Option<Secret<String>>,
    more: Option<Secret<String>>,
}

struct Desk<'q> {
    issuer: Arc<str>,
    keys: &'q Keys,
    queued: &'q Queued,
}

impl Desk<'_> {
    async fn decide(&self, backend: &Backend, template: Template) -> Result<Decision, PrepareFault> {
        if self.queued.is_crowd && template != Template::Recover {
            return Ok(TOO_MANY);
        }
        match template {
            Template::Register
            | Template::Recover
            | Template::Setup
            | Template::EmailConfirm
            | Template::EmailChangedOld => self.ask(backend, template).await.map_err(|error| {
                tracing::warn!(%error, mail_id = %self.queued.mail_id, "a letter could not be prepared");
                PrepareFault("the database did not answer")
            }),
            Template::Exists => Ok(self.exists()),
            Template::PasswordChanged => Ok(self.leads_to(template, paths::RECOVER)),
            Template::EmailChangedNew => Ok(self.leads_to(template, paths::ACCOUNT)),
            Template::DeletionBegun => Ok(self.leads_to(template, paths::ACCOUNT_DELETION)),
            Template::NewSignIn => Ok(self.leads_to(template, paths::ACCOUNT_SESSIONS)),
            Template::DeletionDone => Ok(Decision::Send(template, Links::default())),
        }
    }

    /// What depends on an account, and the row of the link.
    async fn ask(&self, backend: &Backend, template: Template) -> Result<Decision, PgFault> {
        let mut tx = backend.pools.pool(Plane::Async).begin(Scope::System("jobs")).await?;
        let decision = match template {
            Template::Register => self.register(&mut tx).await?,
            Template::Recover => self.recover(&mut tx).await?,
            Template::Setup => self.set_up(&mut tx).await?,
            Template::EmailConfirm => self.confirm_email(&mut tx).await?,
            _ => self.own_link(&mut tx, template, &UNDO, &self.queued.data).await?,
        };
        tx.commit().await?;
        Ok(decision)
    }

    async fn register(&self, tx: &mut Tx<'_>) -> Result<Decision, PgFault> {
        if accounts::find_by_email(tx, self.text("email_key")).await?.is_some() {
            return Ok(self.exists());
        }
        // No address: the link's row outlives the account, and names nobody by whom it could be found.
        let of = |name: &str| self.queued.data.get(name).cloned().unwrap_or_default();
        let named = json!({ "registration_id": of("registration_id"), "created_s": of("created_s") });
        let first = self.link(tx, &VERIFY, None, &named).await?;
        Ok(Decision::Send(Template::Register, Links { first: Some(first), more: None }))
    }

    async fn recover(&self, tx: &mut Tx<'_>) -> Result<Decision, PgFault> {
        let found = accounts::find_by_email(tx, self.text("email_key")).await?;
        let Some(user) = found.filter(may_recover) else { return Ok(Decision::Drop("no account")) };
        let changed_s = sql::find_password_changed_s(tx, user.user_id).await?;
        if changed_s.is_some_and(|changed_s| changed_s > self.queued.created_s) {
            return Ok(Decision::Drop("password changed since"));
        }
        // Its life counts from the asking, so that a letter that is sent again holds the same link.
        if self.queued.now_s >= self.queued.created_s.saturating_add(RECOVER.lifetime_s) {
            return Ok(Decision::Drop("the link would be dead"));
        }
        let state = state_of(&user);
        if self.queued.is_crowd {
            // Of several that are prepared at once, the second sees the link of the first.
            sql::lock_account(tx, user.user_id).await?;
            if sql::has_link(tx, &RECOVER, user.user_id, &state, self.queued.now_s).await? {
                return Ok(TOO_MANY);
            }
        }
        let bound = json!({ "state": state });
        let first = self.link(tx, &RECOVER, Some(user.user_id), &bound).await?;
        Ok(Decision::Send(Template::Recover, Links { first: Some(first), more: None }))
    }

    async fn set_up(&self, tx: &mut Tx<'_>) -> Result<Decision, PgFault> {
        let Some(user_id) = self.user() else { return Ok(Decision::Drop("no account")) };
        let found = accounts::find_user(tx, user_id).await?;
        let Some(user) = found.filter(may_recover) else { return Ok(Decision::Drop("no account")) };
        self.own_link(tx, Template::Setup, &SETUP, &json!({ "state": state_of(&user) })).await
    }

    async fn confirm_email(&self, tx: &mut Tx<'_>) -> Result<Decision, PgFault> {
        if accounts::find_by_email(tx, self.text("new_key")).await?.is_some() {
            return Ok(self.exists());
        }
        self.own_link(tx, Template::EmailConfirm, &EMAIL, &self.queued.data).await
    }

    /// A link of the account that the letter names.
    async fn own_link(
        &self,
        tx: &mut Tx<'_>,
        template: Template,
        kind: &Kind,
        data: &Value,
    ) -> Result<Decision, PgFault> {
        let first = self.link(tx, kind, self.user(), data).await?;
        Ok(Decision::Send(template, Links { first: Some(first), more: None }))
    }

    /// Whoever asked for an account of this address, or for this address, is told that it has one.
    fn exists(&self) -> Decision {
        let links = Links { first: Some(self.page(paths::LOGIN)), more: Some(self.page(paths::RECOVER)) };
        Decision::Send(Template::Exists, links)
    }

    fn leads_to(&self, template: Template, path: &str) -> Decision {
        Decision::Send(template, Links { first: Some(self.page(path)), more: None })
    }

    async fn link(
        &self,
        tx: &mut Tx<'_>,
        kind: &Kind,
        user: Option<UserId>,
        data: &Value,
    ) -> Result<Secret<String>, PgFault> {
        let value = links::derive(self.keys, kind, self.queued.mail_id);
        let digest = Digest32::of(value.expose().as_bytes());
        links::insert(tx, kind, &digest, self.queued.created_s, user, data).await?;
        Ok(links::url(&self.issuer, kind, &value))
    }

    fn write(&self, backend: &Backend, template: Template, links: &Links) -> Text {
        let i18n = I18n::of(&backend.settings);
        let brand = Brand::of(&backend.feed.tables(), self.queued.tenant);
        let logo = brand.logo_address(&self.issuer);
        let args = Args {
            link: links.first.as_ref().map(|link| link.expose().as_str()),
            more: links.more.as_ref().map(|link| link.expose().as_str()),
            to: &self.queued.recipient,
            // Empty: the recipient's.
            email: self.text("old_email"),
            new_email: self.text("new_email"),
            device: self.text("device"),
            when_s: self.when_s(),
            logo: logo.as_deref(),
        };
        let parts = letter(i18n.words_for(&self.queued.locale), &brand, template, &args);
        Text { from_name: brand.sender(), subject: parts.subject, text: parts.text, html: Some(parts.html) }
    }

    fn when_s(&self) -> Option<i64> {
        let named = |name: &str| self.queued.data.get(name).and_then(Value::as_i64);
        named("deletes_s").or_else(|| named("when_s"))
    }

    fn page(&self, path: &str) -> Secret<String> {
        Secret::new(format!("{}{path}", self.issuer))
    }

    fn text(&self, name: &str) -> &str {
        self.queued.data.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    fn user(&self) -> Option<UserId> {
        self.text("user_id").parse().ok()
    }
}

fn may_recover(user: &User) -> bool {
    match user.state {
        UserState::Active | UserState::Deleting => true,
        UserState::Disabled => false,
    }
}
