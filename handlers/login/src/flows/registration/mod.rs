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
//! because scanners of mail follow links and press none; in another browser than the one that registered it asks for the
//! registration's password too, because a letter proves an address and not who asked for it. The button makes the account, already verified: of any number
//! of registrations of one address, in whatever spelling, one becomes the account; the others' links then only lead to
//! sign-in. Signing in is a step of its own, so that a link in somebody's mail is never a session.
//!
//! Limits: `registration_rate_limit_*` for an address of the network, [`DISPLAY_NAME_CHARS_MAX`], and those of
//! [`sigid_core::email`] and [`crate::password`]. Attacks considered: asking who has an account (the same page, work
//! and headers), a form sent a thousand times (limits; rows of a day), markup or line breaks in the name (refused or
//! escaped), a stranger who registers an address and waits for its owner to confirm (the password, above), a confirmation
//! stolen from a log (one use, one day, same-origin referrer), a link built for another host
//! (links come from the configured issuer).

use super::ask;
use super::fault::{self, Fault};
use super::links::{self, Link, VERIFY};
use super::methods::password::beside;
use super::sql;
use crate::accounts::{self, NewUser};
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
/// The longest display name.
pub const DISPLAY_NAME_CHARS_MAX: usize = 255;

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
    render(&Look::of(call), status, &page)
}

/// The same for every address: a hash, a request, a letter.
async fn ask_for(call: &Call, typed: &Typed) -> Result<Address, No> {
    let (address, display_name) = check(call, typed)?;
    let limits = ask::limits(call)?;
    if let Err(refused) = limits.begin_registration(call.address, call.now_s) {
        return Err(ask::limited(call, &refused).await.into());
    }
    // Said aloud: the letters of the last hour confirm other passwords than this one, perhaps a stranger's.
    if let Err(refused) = limits.begin_registration_letter(&address.key, call.now_s) {
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
    };
    write(call, &registration).await?;
    Ok(address)
}

/// What is wrong with the form, all at once; nothing here asks the database.
fn check(call: &Call, typed: &Typed) -> Result<(Address, String), No> {
    let passwords = ask::passwords(call)?;
    let mut faults = Vec::new();
    let address = ask::address(&typed.email).map_err(|fault| faults.push((Field::Email, fault))).ok();
    let display_name = display_name(&typed.display_name).map_err(|fault| faults.push((Field::DisplayName, fault))).ok();
    if let Some(Err(fault)) = address.as_ref().map(|address| passwords.check(&typed.password, address)) {
        faults.push((Field::NewPassword, beside(&typed.password, fault)));
    }
    match (address, display_name) {
        (Some(address), Some(display_name)) if faults.is_empty() => Ok((address, display_name)),
        _ => Err(No::Fields(faults)),
    }
}

/// A name as people write theirs: some text, on one line.
fn display_name(typed: &str) -> Result<String, FieldFault> {
    let name = typed.trim();
    if name.is_empty() {
        return Err(FieldFault::Missing);
    }
    if name.chars().any(is_unprintable) {
        return Err(FieldFault::Unprintable);
    }
    let chars = name.chars().count();
    if chars > DISPLAY_NAME_CHARS_MAX { Err(FieldFault::TooLong(DISPLAY_NAME_CHARS_MAX)) } else { Ok(name.to_owned()) }
}

/// Control characters, and those that turn the direction of what follows.
fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

async fn write(call: &Call, registration: &Registration) -> Result<(), Fault> {
    let mut change = ask::change(call, ANYBODY).await?;
    sql::insert_registration(change.tx(), registration, call.now_s).await?;
    let letter = Letter {
        template: "register",
        locale: registration.locale.as_deref().unwrap_or_default(),
        recipient: &registration.email,
        tenant: None,
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
        let answered = match call.request.method {
            http::Method::POST => use_link(&call, &permit).await,
            _ => show_link(&call, &permit).await,
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

/// The registration of a link that is good; nothing is used by looking.
async fn look_up(call: &Call, value: &str) -> Result<Registration, Fault> {
    let digest = links::read(ask::keys(call)?, &VERIFY, value).ok_or(Fault::LinkDead)?;
    let mut tx = ask::look(call).await?;
    let link = links::find(&mut tx, &VERIFY, &digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let (registration_id, created_s) = named(&link)?;
    let found = sql::find_registration(&mut tx, registration_id, created_s).await?;
    tx.rollback().await?;
    found.ok_or(Fault::LinkDead)
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
    spend(call, value).await
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

async fn spend(call: &Call, value: &str) -> Result<Reply, Fault> {
    let digest = links::read(ask::keys(call)?, &VERIFY, value).ok_or(Fault::LinkDead)?;
    let mut change = ask::change(call, ANYBODY).await?;
    let link = links::spend(change.tx(), &VERIFY, &digest, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let (registration_id, created_s) = named(&link)?;
    let registration =
        sql::spend_registration(change.tx(), registration_id, created_s, call.now_s).await?.ok_or(Fault::LinkDead)?;
    let next = registration.next.clone();
    make_account(&mut change, &registration).await?;
    ask::commit(call, change).await?;
    Ok(ask::to_login(Some(ask::VERIFIED), &next))
}

/// What names a browser: its form cookie, which the guard wants with every form.
fn browser(call: &Call) -> Digest32 {
    Digest32::of(find_cookie(&call.request.headers, FORM_COOKIE).unwrap_or_default().as_bytes())
}

/// The account, unless the address has one since: then the link proves no more than was proven.
async fn make_account(change: &mut Change<'_>, registration: &Registration) -> Result<(), Fault> {
    let now_s = change.now_s();
    let user_id = accounts::new_user_id(now_s);
    let claims = Map::from_iter([("name".to_owned(), Value::from(registration.display_name.as_str()))]);
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
        return Ok(());
    }
    let subject = user_id.to_string();
    let event = Event { tenant: None, event_type: USER_REGISTERED, subject: &subject, data: json!({}) };
    Ok(change.record(&event).await?)
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
