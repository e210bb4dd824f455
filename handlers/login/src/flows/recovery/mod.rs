//! Recovery: whoever reads the account's mail sets a new password; and the first password of an account that an
//! administrator or an import made.
//!
//! ```text
//! /recover (address) -> letter asked for -> nothing, where there is no account or it is disabled
//!                                        -> link, an hour -> new password, once
//!                                                         -> dead: used, too old, password or address changed since
//! ```
//!
//! The form is answered "look into your mail" whatever is known of the address, and does the same: one row of a letter.
//! The link is bound to what the account was when the letter was prepared ([`state_of`]: its password and its address),
//! so any change of either, by whatever way, kills every link that is out, and no way can forget to. A set-up link that
//! an administrator made, whose role cannot read a password's hash, is bound to the time of the last password; within
//! one second that says nothing, so a new password also uses up every link that was made before.
//!
//! The account's row is held before the link's, as everywhere ([`crate::flows`]): a change of password, which holds the
//! account and then burns its links, and this one never wait for each other.
//!
//! The new password ends every session of the account and marks every token in every tenant, tells the owner by letter,
//! and forgives the failures that locked the account: this is a way back that an attacker cannot block. It signs nobody
//! in, and where the link came by letter it makes the address a proven one. The browser in which it was set is one that
//! the account knows from here on ([`crate::limits::device`]).
//!
//! Limits: those of registration, and of letters to one mailbox ([`sigid_platform::mail`]), past which one is sent only
//! if no link of the account as it is now is out. Attacks considered: a guessed link
//! (256 bits and a MAC), a used one, one of another purpose (refused by the MAC), a forged `Host` (links come from the
//! configured issuer), a link in a referrer (`same-origin`), asking who has an account.

use super::ask;
use super::fault::{self, Fault};
use super::links::{self, Kind, Link, RECOVER, SETUP};
use super::methods::password::beside;
use super::registration::ANYBODY;
use super::sql;
use crate::accounts::{self, User, UserState};
use crate::claims;
use crate::password::Password;
use crate::sessions;
use http::StatusCode;
use serde_json::{Value, json};
use sigid_core::b64;
use sigid_core::email::Address;
use sigid_core::ids::UserId;
use sigid_core::secret::Digest32;
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Page, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::pg::Tx;
use sigid_io::settings::Plane;
use sigid_pages::{
    Faults, Field, FieldFault, Look, MailSent, NewPassword, NewPasswordFor, Recover, SentFor, paths, render,
};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::{Change, Event};

pub const FEATURE: Feature = Feature {
    name: "recovery",
    section: None,
    routes: &[
        Route {
            methods: &["GET", "POST"],
            path: paths::RECOVER,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(recover)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Asks for a link that sets a new password",
        },
        Route {
            methods: &["GET", "POST"],
            path: paths::RECOVER_PASSWORD,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(recover_password)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Sets a new password by the link of a letter",
        },
        Route {
            methods: &["GET", "POST"],
            path: paths::SETUP,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(set_up)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Sets the first password of an account",
        },
    ],
    jobs: &[],
    events: &[USER_RECOVERED, USER_SET_UP],
    discovery: &[],
};

const USER_RECOVERED: &str = "user.recovered";
const USER_SET_UP: &str = "user.set_up";

/// What of an account a link is bound to; says nothing of either.
pub fn state_of(user: &User) -> String {
    let password = user.password_hash.as_deref().unwrap_or_default();
    let digest = Digest32::of(format!("{password}\n{}", user.email_key).as_bytes());
    b64::encode(digest.as_bytes().get(..STATE_BYTES).unwrap_or_default())
}

const STATE_BYTES: usize = 16;

fn recover(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let answered = match call.request.method {
            http::Method::POST => send(&call, &permit).await,
            _ => Ok(show(&call, &permit, String::new(), StatusCode::OK, Faults::none())),
        };
        answered.unwrap_or_else(|fault| fault.reply(&call))
    })
}

fn show(call: &Call, permit: &Permit<Page>, email: String, status: StatusCode, faults: Faults) -> Reply {
    let page = Recover { csrf: permit.csrf.token(paths::RECOVER), email, faults };
    render(&Look::of(call), status, &page)
}

async fn send(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let form = ask::form(call)?;
    let typed = ask::text(&form, Field::Email.name());
    let address = match ask::address(&typed) {
        Ok(address) => address,
        Err(fault) => {
            let faults = Faults::field(Field::Email, fault);
            return Ok(show(call, permit, typed, StatusCode::UNPROCESSABLE_ENTITY, faults));
        }
    };
    match ask_for(call, &address).await {
        Ok(()) => {
            let page = MailSent { email: address.shown, sent_for: SentFor::Recovery };
            Ok(render(&Look::of(call), StatusCode::OK, &page))
        }
        Err(fault) => match fault.on_form() {
            Some((status, shown)) => {
                let reply = show(call, permit, typed, status, Faults::form(shown));
                Ok(fault::with_retry(reply, fault.retry_after_s()))
            }
            None => Err(fault),
        },
    }
}

/// The same for every address, however often: a letter, of which the job decides what it is.
async fn ask_for(call: &Call, address: &Address) -> Result<(), Fault> {
    if let Err(refused) = ask::limits(call)?.begin_registration(call.address, call.now_s) {
        return Err(ask::limited(call, &refused).await);
    }
    let mut change = ask::change(call, ANYBODY).await?;
    let letter = Letter {
        template: "recover",
        locale: Look::of(call).locale.tag(),
        recipient: &address.shown,
        tenant: None,
        data: json!({ "email_key": address.key }),
    };
    mail::enqueue(change.tx(), &letter, call.now_s).await?;
    ask::commit(call, change).await?;
    mail::ring(&call.backend);
    Ok(())
}

/// What the two ways to a password by link differ in.
struct Way {
    kind: &'static Kind,
    new_for: NewPasswordFor,
    event_type: &'static str,
}

impl Way {
    /// Whoever made the account may not have known its person's name.
    fn asks_name(&self) -> bool {
        self.new_for == NewPasswordFor::Setup
    }
}

const RECOVERY: Way = Way { kind: &RECOVER, new_for: NewPasswordFor::Recovery, event_type: USER_RECOVERED };
const FIRST: Way = Way { kind: &SETUP, new_for: NewPasswordFor::Setup, event_type: USER_SET_UP };

fn recover_password(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    new_password(call, permit, &RECOVERY)
}

fn set_up(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    new_password(call, permit, &FIRST)
}

fn new_password(call: Call, permit: Permit<Page>, way: &'static Way) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        let answered = match call.request.method {
            http::Method::POST => set_password(&call, &permit, way).await,
            _ => open_link(&call, &permit, way).await,
        };
        answered.unwrap_or_else(|fault| fault.reply(&call))
    })
}

async fn open_link(call: &Call, permit: &Permit<Page>, way: &Way) -> Result<Reply, Fault> {
    let query = ask::query(call)?;
    let value = query.find("link").unwrap_or_default();
    let (_, user) = find(call, way, value).await?;
    let shown = Shown { value, user: &user, name: name_of(&user).to_owned() };
    Ok(show_link(call, permit, way, shown, StatusCode::OK, Faults::none()))
}

/// What the page of a link is about.
struct Shown<'s> {
    value: &'s str,
    user: &'s User,
    /// The account's, or as it was typed.
    name: String,
}

fn name_of(user: &User) -> &str {
    user.claims.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn show_link(
    call: &Call,
    permit: &Permit<Page>,
    way: &Way,
    shown: Shown<'_>,
    status: StatusCode,
    faults: Faults,
) -> Reply {
    let page = NewPassword {
        csrf: permit.csrf.token(way.kind.path),
        link: shown.value.to_owned(),
        email: shown.user.email.clone(),
        new_for: way.new_for,
        display_name: way.asks_name().then_some(shown.name),
        faults,
    };
    render(&Look::of(call), status, &page)
}

/// The account of a link that is good.
async fn find(call: &Call, way: &Way, value: &str) -> Result<(Digest32, User), Fault> {
    let digest = links::read(ask::keys(call)?, way.kind, value).ok_or(Fault::LinkDead)?;
    let mut tx = ask::look(call).await?;
    let link = links::find(&mut tx, way.kind, &digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let user_id = link.user_id.ok_or(Fault::LinkDead)?;
    let changed_s = sql::find_password_changed_s(&mut tx, user_id).await?;
    let user = load(&mut tx, &link, user_id, changed_s).await?;
    tx.rollback().await?;
    Ok((digest, user))
}

/// The account, if it still is what the link was made for.
async fn load(tx: &mut Tx<'_>, link: &Link, user_id: UserId, changed_s: Option<i64>) -> Result<User, Fault> {
    let user = accounts::find_user(tx, user_id).await?.ok_or(Fault::LinkDead)?;
    let is_allowed = match user.state {
        UserState::Active | UserState::Deleting => true,
        UserState::Disabled => false,
    };
    if is_allowed && is_bound(link, &state_of(&user), changed_s) { Ok(user) } else { Err(Fault::LinkDead) }
}

/// Whether the account is as it was when the link was made.
fn is_bound(link: &Link, state: &str, password_changed_s: Option<i64>) -> bool {
    match link.text("state") {
        "" => password_changed_s.is_none_or(|changed_s| changed_s <= link.created_s),
        bound => bound == state,
    }
}

async fn set_password(call: &Call, permit: &Permit<Page>, way: &Way) -> Result<Reply, Fault> {
    let form = ask::form(call)?;
    let value = form.find("link").unwrap_or_default();
    let password = ask::password(&form, Field::NewPassword.name());
    let typed = if way.asks_name() { ask::text(&form, Field::DisplayName.name()) } else { String::new() };
    let (digest, user) = find(call, way, value).await?;
    let again = |status, faults| {
        let name = if typed.is_empty() { name_of(&user) } else { &typed };
        show_link(call, permit, way, Shown { value, user: &user, name: name.to_owned() }, status, faults)
    };
    let mut fields = Vec::new();
    let name = claims::typed_name(&typed).unwrap_or_else(|fault| {
        fields.push((Field::DisplayName, fault));
        None
    });
    fields.extend(fault_of(call, &password, &user)?.map(|fault| (Field::NewPassword, fault)));
    if !fields.is_empty() {
        return Ok(again(StatusCode::UNPROCESSABLE_ENTITY, Faults { fields, form: None }));
    }
    let hashed = ask::passwords(call)?.hash(&password).await.map_err(Fault::from);
    let hash = match hashed {
        Ok(hash) => hash,
        Err(fault) => {
            let Some((status, shown)) = fault.on_form() else { return Err(fault) };
            return Ok(fault::with_retry(again(status, Faults::form(shown)), fault.retry_after_s()));
        }
    };
    let user = write(call, way, &digest, &hash, name).await?;
    ask::limits(call)?.clear(&user.email_key, call.now_s);
    mail::ring(&call.backend);
    let reply = ask::with_device(call, ask::to_login(Some(ask::PASSWORD_SET), ""), &user.email_key)?;
    let is_theirs = permit.session.as_ref().is_some_and(|session| session.user_id == user.user_id);
    Ok(if is_theirs { ask::with_cookie(reply, sessions::clear_cookie()) } else { reply })
}

fn fault_of(call: &Call, password: &Password, user: &User) -> Result<Option<FieldFault>, Fault> {
    let address = Address::parse(&user.email).map_err(|_| Fault::Failed)?;
    let checked = ask::passwords(call)?.check(password, &address);
    Ok(checked.err().map(|fault| beside(password, fault)))
}

/// Uses the link and sets the password, with all that dies of it; and the name, where there is one.
async fn write(call: &Call, way: &Way, digest: &Digest32, hash: &str, name: Option<String>) -> Result<User, Fault> {
    let mut change = ask::change(call, ANYBODY).await?;
    let found = links::find(change.tx(), way.kind, digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let user_id = found.user_id.ok_or(Fault::LinkDead)?;
    // Held: of a change of password or address by another way and this one, the second sees the first.
    let changed_s = sql::lock_account(change.tx(), user_id).await?.ok_or(Fault::LinkDead)?;
    let link = links::spend(change.tx(), way.kind, digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let user = load(change.tx(), &link, user_id, changed_s).await?;
    // Whatever was given under the old password while this one was hashed is older than the new one.
    change.refresh();
    let now_s = change.now_s();
    if !accounts::set_password(change.tx(), user.user_id, hash, now_s).await? {
        return Err(Fault::LinkDead);
    }
    if let Some(name) = name {
        let mut claims = user.claims.clone();
        claims.insert("name".to_owned(), Value::from(name));
        accounts::set_claims(change.tx(), user.user_id, &claims, now_s).await?;
    }
    sql::burn_links(change.tx(), user.user_id, &OLD_LINKS, now_s).await?;
    if is_mailed(way, &link) {
        sql::prove_email(change.tx(), user.user_id, now_s).await?;
    }
    accounts::end_sessions(&mut change, ask::keys(call)?, user.user_id, None).await?;
    accounts::mark_memberships(&mut change, user.user_id).await?;
    tell(&mut change, way, &user).await?;
    ask::commit(call, change).await?;
    Ok(user)
}

/// Whether the link came by letter, which proves the address: one that an administrator printed is bound to no state.
fn is_mailed(way: &Way, link: &Link) -> bool {
    way.kind != &SETUP || !link.text("state").is_empty()
}

/// What was made under the old password. The link that takes an address back is for whom that was stolen from.
const OLD_LINKS: [&str; 3] = [links::EMAIL.name, RECOVER.name, SETUP.name];

async fn tell(change: &mut Change<'_>, way: &Way, user: &User) -> Result<(), Fault> {
    let (subject, now_s) = (user.user_id.to_string(), change.now_s());
    let event = Event { tenant: None, event_type: way.event_type, subject: &subject, data: json!({}) };
    change.record(&event).await?;
    let letter = Letter {
        template: "password_changed",
        locale: user.locale.as_deref().unwrap_or_default(),
        recipient: &user.email,
        tenant: None,
        data: json!({ "user_id": subject }),
    };
    mail::enqueue(change.tx(), &letter, now_s).await?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use serde_json::Map;

    fn user(hash: Option<&str>, email_key: &str) -> User {
        User {
            user_id: "018f2f3e-7c1a-7b52-9c5b-0d4b9f6f1a2b".parse().unwrap(),
            email: email_key.to_owned(),
            email_key: email_key.to_owned(),
            email_verified_s: None,
            password_hash: hash.map(str::to_owned),
            password_changed_s: None,
            state: UserState::Active,
            claims: Map::new(),
            locale: None,
            deletes_s: None,
            created_s: 0,
            updated_s: 0,
        }
    }

    fn link(data: Value) -> Link {
        Link { user_id: None, data, created_s: 100 }
    }

    #[test]
    fn a_link_dies_with_the_password_and_the_address_it_was_made_for() {
        let made_for = user(Some("$argon2id$1"), "ann@example.com");
        let bound = link(json!({ "state": state_of(&made_for) }));
        for (reason, now, expected) in [
            ("as it was", user(Some("$argon2id$1"), "ann@example.com"), true),
            ("another password", user(Some("$argon2id$2"), "ann@example.com"), false),
            ("no password any more", user(None, "ann@example.com"), false),
            ("another address", user(Some("$argon2id$1"), "ann@example.org"), false),
        ] {
            assert_eq!(is_bound(&bound, &state_of(&now), Some(0)), expected, "{reason}");
        }
    }

    #[test]
    fn a_link_without_a_state_is_bound_to_the_time_of_the_last_password() {
        let unbound = link(json!({}));
        for (reason, changed_s, expected) in [
            ("no password yet", None, true),
            ("an older password", Some(99), true),
            ("one of the same second", Some(100), true),
            ("a newer one", Some(101), false),
        ] {
            assert_eq!(is_bound(&unbound, "", changed_s), expected, "{reason}");
        }
    }
}
