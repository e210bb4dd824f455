//! What every page of a flow reads and does: its form, its query, its change, and the way on.

use super::fault::Fault;
use crate::keys::Keys;
use crate::limits::device::{DEVICE_COOKIE, Devices};
use crate::limits::{self, Limits, Refused};
use crate::password::{Password, Passwords};
use http::header;
use sigid_core::email::{Address, AddressFault};
use sigid_core::form::{self, Form};
use sigid_core::secret::Secret;
use sigid_edge::backend::{Backend, Call};
use sigid_edge::session::{find_cookie, see_other};
use sigid_edge::tables;
use sigid_io::http::Reply;
use sigid_io::pg::{PgFault, Pool, Scope, Tx};
use sigid_io::rng;
use sigid_io::settings::Plane;
use sigid_pages::{FieldFault, Notice, local_path, paths};
use sigid_platform::outbox::{Act, Change, News};
use std::sync::Arc;

/// Before it is known who asks.
pub const ACCOUNTS: Scope = Scope::System("accounts");

/// The form of a POST; the guard has seen that it is one.
pub fn form(call: &Call) -> Result<Form<'_>, Fault> {
    Form::parse(&call.request.body, &[]).map_err(|_| Fault::BadRequest)
}

/// The query of a GET.
pub fn query(call: &Call) -> Result<Form<'_>, Fault> {
    Form::parse(call.request.query.as_deref().unwrap_or_default().as_bytes(), &[]).map_err(|_| Fault::BadRequest)
}

pub fn text(form: &Form<'_>, name: &str) -> String {
    form.find(name).unwrap_or_default().to_owned()
}

/// A password as it was typed; wiped when dropped.
pub fn secret(form: &Form<'_>, name: &str) -> Secret<String> {
    Secret::new(text(form, name))
}

/// The same, for the pool that hashes.
pub fn password(form: &Form<'_>, name: &str) -> Password {
    Password::from(text(form, name))
}

/// An address, or what to say beside its field.
pub fn address(typed: &str) -> Result<Address, FieldFault> {
    Address::parse(typed).map_err(|fault| match fault {
        AddressFault::Empty => FieldFault::Missing,
        AddressFault::TooLong
        | AddressFault::Control
        | AddressFault::Shape
        | AddressFault::Local
        | AddressFault::Domain => FieldFault::NotAnAddress,
    })
}

/// Where to go on: `next` if it is a path of ours, else the account.
pub fn onward(next: &str) -> &str {
    local_path(next).unwrap_or(paths::ACCOUNT)
}

/// `next` as a page carries it on: nothing, unless it is a path of ours.
pub fn carried(next: &str) -> String {
    local_path(next).unwrap_or_default().to_owned()
}

/// To the page of sign-in, and from there to `next`.
pub fn to_login(notice: Option<&str>, next: &str) -> Reply {
    let mut location = String::from(paths::LOGIN);
    let parameters = [("notice", notice.unwrap_or_default()), ("next", local_path(next).unwrap_or_default())];
    for (name, value) in parameters.into_iter().filter(|(_, value)| !value.is_empty()) {
        location.push(if location.contains('?') { '&' } else { '?' });
        location.push_str(name);
        location.push('=');
        form::escape_into(value, &mut location);
    }
    see_other(&location)
}

pub const VERIFIED: &str = "verified";
pub const PASSWORD_SET: &str = "password_set";
pub const SESSION_ENDED: &str = "session_ended";
pub const SIGN_IN_FIRST: &str = "sign_in_first";
pub const DELETION_BEGUN: &str = "deletion_begun";

/// What a notice's name in the address says; nothing for another.
pub fn notice(name: &str) -> Option<Notice> {
    match name {
        VERIFIED => Some(Notice::Verified),
        PASSWORD_SET => Some(Notice::PasswordSet),
        SESSION_ENDED => Some(Notice::SessionEnded),
        SIGN_IN_FIRST => Some(Notice::SignInFirst),
        DELETION_BEGUN => Some(Notice::DeletionBegun),
        _ => None,
    }
}

/// The same reply, with a cookie more.
pub fn with_cookie(mut reply: Reply, cookie: http::HeaderValue) -> Reply {
    reply.headers.append(header::SET_COOKIE, cookie);
    reply
}

/// The same reply, to a browser that the account knows from here on: the account's password was just set there, so strangers
/// who guess at it do not lock its person out.
pub fn with_device(call: &Call, reply: Reply, email_key: &str) -> Result<Reply, Fault> {
    let known = find_cookie(&call.request.headers, DEVICE_COOKIE);
    let now_s = call.backend.shared.clock.now_s().max(call.now_s);
    let device = Devices::new(&keys(call)?.device).issue(known, email_key, rng::random(), now_s);
    Ok(with_cookie(reply, device))
}

pub fn pool(call: &Call) -> &Pool {
    call.backend.pools.pool(Plane::Identity)
}

pub fn keys(call: &Call) -> Result<&Arc<Keys>, Fault> {
    part(&call.backend)
}

pub fn passwords(call: &Call) -> Result<&Arc<Passwords>, Fault> {
    part(&call.backend)
}

pub fn limits(call: &Call) -> Result<&Arc<Limits>, Fault> {
    part(&call.backend)
}

/// What boot gave this process, by its type.
pub fn part<T: std::any::Any>(backend: &Backend) -> Result<&T, Fault> {
    backend.settings.find::<T>().ok_or(Fault::Failed)
}

/// The fault of a refusal, which the operator hears of.
pub async fn limited(call: &Call, refused: &Refused) -> Fault {
    limits::record(&call.backend, refused, call.address, call.now_s).await;
    Fault::Limited { retry_after_s: u64::from(refused.retry_after_s) }
}

/// A look at the database that changes nothing.
pub async fn look(call: &Call) -> Result<Tx<'_>, PgFault> {
    pool(call).begin(ACCOUNTS).await
}

/// A change by `actor`. Its moment is when it begins, which may be long after the call: a hash lies between. What it kills
/// must not leave alive what was made meanwhile.
pub async fn change<'c>(call: &'c Call, actor: &'c str) -> Result<Change<'c>, PgFault> {
    let clock = &call.backend.shared.clock;
    let act = Act { actor, now_s: clock.now_s().max(call.now_s) };
    Ok(Change::begin(pool(call), ACCOUNTS, act).await?.with_clock(clock))
}

/// Makes a change durable; the shards of this process know of it before this returns.
pub async fn commit(call: &Call, change: Change<'_>) -> Result<(), Fault> {
    let told: Vec<tables::Change> = change.commit().await?.into_iter().filter_map(marked).collect();
    if !told.is_empty() {
        call.backend.feed.push(told).await?;
    }
    Ok(())
}

fn marked(news: News) -> Option<tables::Change> {
    match news {
        News::Mark(mark) => {
            Some(tables::Change::Mark(mark.key, tables::Mark { at_s: mark.at_s, expires_s: mark.expires_s }))
        }
        News::Tenant(_) | News::Client(..) | News::Key(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_is_local() {
        for (reason, next, expected) in [
            ("a page of ours", "/account/sessions?a=b", "/account/sessions?a=b"),
            ("nothing", "", "/account"),
            ("another host", "https://evil.example/", "/account"),
            ("another host without a scheme", "//evil.example", "/account"),
            ("the same with a backslash", "/\\evil.example", "/account"),
            ("a script", "javascript:alert(1)", "/account"),
            ("a relative path", "account", "/account"),
            ("a line break", "/account\r\nset-cookie: a=b", "/account"),
            ("a tab that browsers drop", "/\t/evil.example", "/account"),
        ] {
            assert_eq!(onward(next), expected, "{reason}");
        }
    }

    #[test]
    fn sign_in_is_told_what_happened_and_where_to_go() {
        for (reason, said, next, expected) in [
            ("nothing to say", None, "", "/login"),
            ("a notice", Some(VERIFIED), "", "/login?notice=verified"),
            ("a way on", None, "/session/start?client_id=a&b", "/login?next=%2Fsession%2Fstart%3Fclient_id%3Da%26b"),
            ("both", Some(PASSWORD_SET), "/a", "/login?notice=password_set&next=%2Fa"),
            ("a foreign way on", None, "//evil.example", "/login"),
        ] {
            let reply = to_login(said, next);
            assert_eq!(reply.headers[header::LOCATION], expected, "{reason}");
        }
        for name in [VERIFIED, PASSWORD_SET, SESSION_ENDED, SIGN_IN_FIRST, DELETION_BEGUN] {
            assert!(notice(name).is_some(), "{name}");
        }
        assert_eq!(notice("<script>"), None);
    }

    #[test]
    fn an_address_is_refused_by_its_form_alone() {
        for (reason, typed, expected) in [
            ("nothing", " ", FieldFault::Missing),
            ("no address", "ann", FieldFault::NotAnAddress),
            ("a line break", "ann@example.com\r\nBcc: eve@example.com", FieldFault::NotAnAddress),
        ] {
            assert_eq!(address(typed).err(), Some(expected), "{reason}");
        }
        assert!(address("Ann@Example.com").is_ok());
    }
}
