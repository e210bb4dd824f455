//! Registration: an account begins when its address is proven.
//!
//! ```text
//! (form) -> asked for, letter queued -> account, by the link's button, within a day
//!                                    -> nothing, where the address has an account: its letter says so
//!                                    -> nothing, after a day
//! ```
//!
//! The form takes an address, a name and a password, and is answered "look into your mail" whatever is known of the
//! address; what the letter says is decided when it is sent ([`super::letters`]). The link shows a page with one button,
//! because scanners of mail follow links and press none. The button makes the account, already verified: of any number
//! of registrations of one address, in whatever spelling, one becomes the account; the others' links then only lead to
//! sign-in. Signing in is a step of its own, so that a link in somebody's mail is never a session.
//!
//! ```text
//! link pressed in the browser that asked            -> its registration
//!              in another that asked for it too     -> that browser's own newest registration of the address
//!              in another                           -> its registration, with its password
//! ```
//!
//! **A link proves an address, and not who asked for it.** So whoever presses it must also be the one who registered:
//! by the browser, or by the password. And so any link to the address will do: strangers who register it a hundred times
//! fill the mailbox's share of letters ([`sigid_platform::mail::LETTERS_HOURLY_MAX`]), not the way in, for each of their
//! letters confirms its owner's registration. Nobody is refused for what others did to an address.
//!
//! Limits: `registration_rate_limit_*` for an address of the network, letters to one mailbox, and those of
//! [`sigid_core::email`], [`crate::password`] and [`crate::claims`]. Attacks considered: asking who has an account (the same
//! page, work and headers), a form sent a thousand times (limits; rows of a day), markup or line breaks in the name
//! (refused or escaped), a stranger who registers an address and waits for its owner to confirm (above), one who
//! registers it so often that its owner cannot (above), a confirmation stolen from a log (one use, one day, same-origin
//! referrer), a link built for another host (links come from the configured issuer).

use super::ask;
use super::asked;
use super::fault::{self, Fault};
use super::links::{self, Link, VERIFY};
use super::methods::password::beside;
use super::sql;
use crate::accounts::{self, NewUser};
use crate::claims;
use crate::password::{Password, Verdict};
use http::StatusCode;
use serde_json::{Map, Value, json};
use sigid_core::email::Address;
use sigid_core::secret::Digest32;
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Page, Permit};
use sigid_edge::session::{FORM_COOKIE, find_cookie, see_other};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::rng;
use sigid_io::settings::Plane;
use sigid_pages::{Confirm, ConfirmWhat, Faults, Field, FieldFault, Look, MailSent, Register, SentFor, paths, render};
use sigid_platform::mail::{self, Letter};
use sigid_platform::outbox::{Change, Event};
use uuid::{Builder, Uuid};

pub const FEATURE: Feature = Feature {
    name: "registration",
    section: None,
    routes: &[
        Route {
            methods: &["GET", "POST"],
            path: paths::REGISTER,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(register)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Asks for an account",
        },
        Route {
            methods: &["GET", "POST"],
            path: paths::VERIFY,
            plane: Plane::Auth,
            serve: Serve::Cold(Guarded::Page(verify)),
            body_bytes_max: FORM_BODY_BYTES_MAX,
            cors: Cors::None,
            doc: "Proves the address of a registration, and makes the account",
        },
    ],
    jobs: &[],
    events: &[USER_REGISTERED],
    discovery: &[],
};

const USER_REGISTERED: &str = "user.registered";

/// A request for an account.
pub(super) struct Registration {
    pub id: Uuid,
    pub email: String,
    pub email_key: String,
    pub password_hash: String,
    pub display_name: String,
    pub locale: Option<String>,
    /// Where the person was going.
    pub next: String,
    /// The browser that asked ([`browser`]).
    pub browser: Digest32,
    pub created_s: i64,
}

/// The form as it was typed.
struct Typed {
    email: String,
    display_name: String,
    password: Password,
    next: String,
}

/// Why there is no registration: something beside a field, or a fault.
enum No {
    Fields(Vec<(Field, FieldFault)>),
    Fault(Fault),
}

impl<T: Into<Fault>> From<T> for No {
    fn from(fault: T) -> Self {
        Self::Fault(fault.into())
    }
}

fn register(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
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
    let next = query.find("next").unwrap_or_default();
    if permit.session.is_some() {
        return Ok(see_other(ask::onward(next)));
    }
    asked::check_takes_new(call, asked::find(call, next).as_ref())?;
    let typed = Typed {
        email: String::new(),
        display_name: String::new(),
        password: Password::new(Vec::new()),
        next: next.to_owned(),
    };
    Ok(show(call, permit, &typed, StatusCode::OK, Faults::none()))
}

async fn send(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let form = ask::form(call)?;
    let typed = Typed {
        email: ask::text(&form, Field::Email.name()),
        display_name: ask::text(&form, Field::DisplayName.name()),
        password: ask::password(&form, Field::NewPassword.name()),
        next: ask::carried(form.find("next").unwrap_or_default()),
    };
    asked::check_takes_new(call, asked::find(call, &typed.next).as_ref())?;
    match ask_for(call, &typed).await {
        Ok(address) => {
            let page = MailSent { email: address.shown, sent_for: SentFor::Registration };
            Ok(render(&Look::of(call), StatusCode::OK, &page))
        }
        Err(No::Fields(fields)) => {
            let faults = Faults { fields, form: None };
            Ok(show(call, permit, &typed, StatusCode::UNPROCESSABLE_ENTITY, faults))
        }
        Err(No::Fault(fault)) => match fault.on_form() {
            Some((status, shown)) => {
                let reply = show(call, permit, &typed, status, Faults::form(shown));
                Ok(fault::with_retry(reply, fault.retry_after_s()))
            }
            None => Err(fault),
        },
    }
}

fn show(call: &Call, permit: &Permit<Page>, typed: &Typed, status: StatusCode, faults: Faults) -> Reply {
    let page = Register {
        csrf: permit.csrf.token(paths::REGISTER),
        next: ask::carried(&typed.next),
        email: typed.email.clone(),
        display_name: typed.display_name.clone(),
        faults,
    };
    render(&asked::look(call, asked::find(call, &typed.next).as_ref()), status, &page)
}

/// The same for every address: a hash, a request, a letter.
async fn ask_for(call: &Call, typed: &Typed) -> Result<Address, No> {
    let (address, display_name) = check(call, typed)?;
    if let Err(refused) = ask::limits(call)?.begin_registration(call.address, call.now_s) {
        return Err(ask::limited(call, &refused).await.into());
    }
    let password_hash = ask::passwords(call)?.hash(&typed.password).await?;
    let registration = Registration {
        id: new_id(call.now_s),
        email: address.shown.clone(),
        email_key: address.key.clone(),
        password_hash,
        display_name,
        locale: Some(Look::of(call).locale.tag().to_owned()),
        next: typed.next.clone(),
        browser: browser(call),
        created_s: call.now_s,
    };
    write(call, &registration).await?;
    Ok(address)
}

/// What is wrong with the form, all at once and in the order of the page; nothing here asks the database.
fn check(call: &Call, typed: &Typed) -> Result<(Address, String), No> {
    let mut faults = Vec::new();
    let display_name = display_name(&typed.display_name).map_err(|fault| faults.push((Field::DisplayName, fault))).ok();
    let address = ask::address(&typed.email).map_err(|fault| faults.push((Field::Email, fault))).ok();
    // Without an address the password is held against one that is in no password.
    let against = address.clone().map_or_else(|| Address::parse(NOBODY), Ok).map_err(|_| Fault::Failed)?;
    if let Err(fault) = ask::passwords(call)?.check(&typed.password, &against) {
        faults.push((Field::NewPassword, beside(&typed.password, fault)));
    }
    match (address, display_name) {
        (Some(address), Some(display_name)) if faults.is_empty() => Ok((address, display_name)),
        _ => Err(No::Fields(faults)),
    }
}

const NOBODY: &str = "x@x.invalid";

/// A name as the account's page would take it.
fn display_name(typed: &str) -> Result<String, FieldFault> {
    claims::typed_name(typed)?.ok_or(FieldFault::Missing)
}

async fn write(call: &Call, registration: &Registration) -> Result<(), Fault> {
    let mut change = ask::change(call, ANYBODY).await?;
    sql::insert_registration(change.tx(), registration, call.now_s).await?;
    let letter = Letter {
        template: "register",
        locale: registration.locale.as_deref().unwrap_or_default(),
        recipient: &registration.email,
        // In the brand of the application that the person is on the way to.
        tenant: asked::find(call, &registration.next).map(|asked| asked.tenant.tenant_id),
        data: json!({
            "registration_id": registration.id,
            "created_s": call.now_s,
            "email_key": registration.email_key,
        }),
    };
    mail::enqueue(change.tx(), &letter, call.now_s).await?;
    ask::commit(call, change).await?;
    mail::ring(&call.backend);
    Ok(())
}

fn verify(call: Call, permit: Permit<Page>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        // Who asked before the door was shut does not come in after.
        let answered = match (asked::check_takes_new(&call, None), &call.request.method) {
            (Err(fault), _) => Err(fault),
            (Ok(()), &http::Method::POST) => use_link(&call, &permit).await,
            (Ok(()), _) => show_link(&call, &permit).await,
        };
        answered.unwrap_or_else(|fault| fault.reply(&call))
    })
}

async fn show_link(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let query = ask::query(call)?;
    let value = query.find("link").unwrap_or_default();
    let registration = look_up(call, value).await?;
    Ok(show_confirm(call, permit, &registration, value, StatusCode::OK, Faults::none()))
}

fn show_confirm(
    call: &Call,
    permit: &Permit<Page>,
    registration: &Registration,
    value: &str,
    status: StatusCode,
    faults: Faults,
) -> Reply {
    let page = Confirm {
        csrf: permit.csrf.token(paths::VERIFY),
        email: registration.email.clone(),
        link: value.to_owned(),
        what: ConfirmWhat::Registration,
        asks_password: registration.browser != browser(call),
        faults,
    };
    render(&Look::of(call), status, &page)
}

/// The registration that a link confirms in this browser; nothing is used by looking.
async fn look_up(call: &Call, value: &str) -> Result<Registration, Fault> {
    let digest = links::read(ask::keys(call)?, &VERIFY, value).ok_or(Fault::LinkDead)?;
    let mut tx = ask::look(call).await?;
    let link = links::find(&mut tx, &VERIFY, &digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let (registration_id, created_s) = named(&link)?;
    let found = sql::find_registration(&mut tx, registration_id, created_s).await?.ok_or(Fault::LinkDead)?;
    let here = browser(call);
    let own = if found.browser == here {
        None
    } else {
        sql::find_own_registration(&mut tx, &found.email_key, &here, call.now_s).await?
    };
    tx.rollback().await?;
    Ok(own.unwrap_or(found))
}

async fn use_link(call: &Call, permit: &Permit<Page>) -> Result<Reply, Fault> {
    let form = ask::form(call)?;
    let value = form.find("link").unwrap_or_default();
    let registration = look_up(call, value).await?;
    if registration.browser != browser(call) {
        let typed = ask::password(&form, Field::Password.name());
        if let Some(faults) = check_password(call, &registration, &typed).await? {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(show_confirm(call, permit, &registration, value, status, faults));
        }
    }
    spend(call, value, &registration).await
}

/// Whoever confirms in another browser than the one that asked knows the password: a letter proves the address, and
/// only that. Otherwise a stranger could register somebody's address and wait for its owner to press the button.
async fn check_password(call: &Call, registration: &Registration, typed: &Password) -> Result<Option<Faults>, Fault> {
    if typed.expose().is_empty() {
        return Ok(Some(Faults::field(Field::Password, FieldFault::Missing)));
    }
    let begun = ask::limits(call)?.begin(&registration.email_key, call.address, None, call.now_s).await;
    let attempt = match begun {
        Ok(attempt) => attempt,
        Err(refused) => return Err(ask::limited(call, &refused).await),
    };
    match ask::passwords(call)?.verify(Some(&registration.password_hash), typed).await {
        Ok(Verdict::Match { .. }) => {
            attempt.succeed();
            Ok(None)
        }
        Ok(Verdict::Mismatch) => {
            attempt.fail();
            Ok(Some(Faults::field(Field::Password, FieldFault::WrongPassword)))
        }
        Err(fault) => {
            attempt.withdraw();
            Err(fault.into())
        }
    }
}

/// Uses the link and the registration, each once.
async fn spend(call: &Call, value: &str, shown: &Registration) -> Result<Reply, Fault> {
    let digest = links::read(ask::keys(call)?, &VERIFY, value).ok_or(Fault::LinkDead)?;
    let mut change = ask::change(call, ANYBODY).await?;
    links::spend(change.tx(), &VERIFY, &digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let spent = sql::spend_registration(change.tx(), shown.id, shown.created_s, call.now_s).await?;
    let registration = spent.ok_or(Fault::LinkDead)?;
    let is_new = make_account(&mut change, &registration).await?;
    ask::commit(call, change).await?;
    let reply = ask::to_login(Some(ask::VERIFIED), &registration.next);
    if is_new { ask::with_device(call, reply, &registration.email_key) } else { Ok(reply) }
}

/// What names a browser: its form cookie, which the guard wants with every form.
fn browser(call: &Call) -> Digest32 {
    Digest32::of(find_cookie(&call.request.headers, FORM_COOKIE).unwrap_or_default().as_bytes())
}

/// The account, unless the address has one since: then the link proves no more than was proven. Whether
/// there is a new one.
async fn make_account(change: &mut Change<'_>, registration: &Registration) -> Result<bool, Fault> {
    let now_s = change.now_s();
    let user_id = accounts::new_user_id(now_s);
    let name = Value::from(registration.display_name.as_str());
    let claims = Map::from_iter([("name".to_owned(), name)]);
    let new = NewUser {
        user_id,
        email: &registration.email,
        email_key: &registration.email_key,
        email_verified_s: Some(now_s),
        password_hash: Some(&registration.password_hash),
        claims: &claims,
        locale: registration.locale.as_deref(),
    };
    if !accounts::insert_user(change.tx(), &new, now_s).await? {
        return Ok(false);
    }
    let subject = user_id.to_string();
    let event = Event { tenant: None, event_type: USER_REGISTERED, subject: &subject, data: json!({}) };
    change.record(&event).await?;
    Ok(true)
}

/// The registration that a link names.
fn named(link: &Link) -> Result<(Uuid, i64), Fault> {
    let registration_id = Uuid::try_parse(link.text("registration_id")).map_err(|_| Fault::Failed)?;
    let created_s = link.data.get("created_s").and_then(Value::as_i64).ok_or(Fault::Failed)?;
    Ok((registration_id, created_s))
}

fn new_id(now_s: i64) -> Uuid {
    let now_ms = u64::try_from(now_s).unwrap_or(0).saturating_mul(1000);
    Builder::from_unix_timestamp_millis(now_ms, &rng::random()).into_uuid()
}

/// Who acts before anybody has signed in.
pub(super) const ANYBODY: &str = "visitor";
